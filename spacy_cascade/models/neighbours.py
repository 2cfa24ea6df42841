"""Attention heads that look at neighbours from the first step on.

Whether a mention begins or ends hangs on the next few tokens. A small decoder with
random weights has to find out by itself where those are, and may never do so: after
13,000 steps the heads of one were still spread over a dozen tokens. In Qwen2 the biases
of queries and keys, turned by the rotary position encoding, make a score that depends
on distance alone, so that a head can be pointed at one. A copied token has the position
of its original (`prompts.compact`), so that in the copy the original of the next token
is at distance one.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import torch

# Of the original tokens, seen from the copy: the next three, and the one before the present one.
OFFSETS = (1, 2, 3, -1)
# Of the biases. With 32 values a head, a neighbour of the token aimed at gets a third
# of its weight.
_STRENGTH = 3.0
# Slower frequencies hardly tell neighbours apart.
_SLOWEST = 0.05


@torch.no_grad()
def look_around(model: Any) -> None:
    """Point the heads of the first layer at neighbours, one after the other, by the
    biases of their queries and keys.

    model (Qwen2ForCausalLM): Changed in place.
    """
    attention = model.model.layers[0].self_attn
    speeds = model.model.rotary_emb.inv_freq.float()
    lengths = torch.where(speeds > _SLOWEST, _STRENGTH, 0.0)
    queries, keys = (
        attention.q_proj.bias.view(-1, 2 * len(speeds)),
        attention.k_proj.bias.view(-1, 2 * len(speeds)),
    )
    for head, query in enumerate(queries):
        angles = OFFSETS[head % len(OFFSETS)] * speeds
        query.copy_(torch.cat([lengths * angles.cos(), lengths * angles.sin()]))
    keys.copy_(torch.cat([lengths, torch.zeros_like(lengths)]))


@torch.no_grad()
def with_layer_below(model: Any, *, seed: int = 0) -> Any:
    """A model with one more layer, below the others, that looks around.

    What it finds counts for nothing until it is trained: all logits are as they were.

    model (Qwen2ForCausalLM)
    seed (int): Of the new layer's random weights.
    RETURNS (Qwen2ForCausalLM): A new model.
    """
    config = deepcopy(model.config)
    config.num_hidden_layers += 1
    if getattr(config, "layer_types", None):
        config.layer_types = [config.layer_types[0], *config.layer_types]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        taller = type(model)(config).to(model.dtype)
    state = {}
    for name, weight in model.state_dict().items():
        prefix, _, rest = name.partition("layers.")
        if rest:
            number, _, rest = rest.partition(".")
            name = f"{prefix}layers.{int(number) + 1}.{rest}"
        state[name] = weight
    taller.load_state_dict(state, strict=False)
    bottom = taller.model.layers[0]
    for silent in (bottom.self_attn.o_proj, bottom.mlp.down_proj):
        silent.weight.zero_()
    look_around(taller)
    return taller.train(model.training)
