"""A tiny causal LM built from nothing: a byte-level BPE tokenizer trained on the corpus
and a small Qwen2 model.

The default base of the demo and of the tests. It is saved like any Hugging Face model
and loaded by the same code.
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypedDict, cast

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import nn
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from .encoding import CASE_MARKS, split_case
from .files import atomic_dir

if TYPE_CHECKING:
    from transformers.tokenization_utils_base import PreTrainedTokenizerBase
    from typing_extensions import Unpack

SPECIAL_TOKENS = (
    "<pad>",
    "<s>",
    "<sep>",
    "</s>",
    "<mark>",
    "<type>",
    "<mask>",
    *CASE_MARKS.values(),
)
# These have a role of their own in the tokenizer.
_WITH_ROLE = 4

# Where heads look at first (see `look_around`), of the original tokens, seen from the
# copy: the next three, and the one before the present one.
OFFSETS = (1, 2, 3, -1)
# Of the biases. With 32 values a head, a neighbour of the token aimed at gets a third
# of its weight.
_STRENGTH = 3.0
# Slower frequencies hardly tell neighbours apart.
_SLOWEST = 0.05


class ModelSize(TypedDict, total=False):
    """Options of `build_model`."""

    hidden_size: int
    layers: int
    heads: int
    intermediate_size: int
    max_length: int
    dropout: float
    neighbours: bool
    seed: int


def build_base(
    path: Path,
    segments: Iterable[str],
    *,
    vocab_size: int = 8000,
    case_marks: bool = True,
    types: Iterable[str] = (),
    **size: Unpack[ModelSize],
) -> None:
    """Train the tokenizer, initialize the model, and save both to `path` (atomically)."""
    tokenizer = train_tokenizer(
        segments,
        vocab_size=vocab_size,
        case_marks=case_marks,
        types=types,
    )
    lm = build_model(len(tokenizer), **size)
    with atomic_dir(Path(path)) as tmp:
        lm.save_pretrained(str(tmp), safe_serialization=True)
        tokenizer.save_pretrained(str(tmp))


def train_tokenizer(
    segments: Iterable[str],
    *,
    vocab_size: int = 8000,
    case_marks: bool = True,
    types: Iterable[str] = (),
) -> PreTrainedTokenizerBase:
    """Byte-level BPE over words (see `ty.Unit.segments`), so every text can be written
    and nothing is unknown.

    types (Iterable[str]): Names of types that get a token of their own, beside the
        vocabulary: naming one is then a single decision. In texts they are written like
        all other words.
    RETURNS (PreTrainedTokenizerFast)
    """
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    if case_marks:
        segments = (split_case(segment)[1] for segment in segments)
    backend.train_from_iterator(segments, trainer)

    names = [f" {name}" for name in dict.fromkeys(types)]
    special = [
        AddedToken(token, special=True, normalized=False)
        for token in (*SPECIAL_TOKENS[_WITH_ROLE:], *names)
    ]
    tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=backend,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        sep_token="<sep>",
        additional_special_tokens=special,
        cascade_case_marks=case_marks,
        clean_up_tokenization_spaces=False,
    )
    return cast("PreTrainedTokenizerBase", tokenizer)


def build_model(
    vocab_size: int,
    *,
    hidden_size: int = 128,
    layers: int = 4,
    heads: int = 4,
    intermediate_size: int = 384,
    max_length: int = 2048,
    dropout: float = 0.0,
    neighbours: bool = True,
    seed: int = 0,
) -> Qwen2ForCausalLM:
    """Randomly initialized Qwen2 with tied embeddings.

    neighbours (bool): Point the heads of the first layer at neighbouring tokens (see
        `look_around`).
    """
    config = Qwen2Config(  # type: ignore[no-untyped-call]
        vocab_size=vocab_size,
        hidden_size=hidden_size,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        intermediate_size=intermediate_size,
        max_position_embeddings=max_length,
        attention_dropout=dropout,
        tie_word_embeddings=True,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=3,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = Qwen2ForCausalLM(config)  # type: ignore[no-untyped-call]
    if neighbours:
        look_around(model)
    return model


# -- Attention heads that look at neighbours from the first step on
#
# Whether a mention begins or ends hangs on the next few tokens. A small decoder with
# random weights has to find out by itself where those are, and may never do so: after
# 13,000 steps the heads of one were still spread over a dozen tokens. In Qwen2 the biases
# of queries and keys, rotated by the position encoding, make a score that depends on
# distance alone, so that a head can be pointed at one. A copied token has the position of
# its original (`prompts.compact`), so that in the copy the original of the next token is
# at distance one.


@torch.no_grad()
def look_around(model: Qwen2ForCausalLM) -> None:
    """Point the heads of the first layer at neighbours, one after the other, by the
    biases of their queries and keys.

    model (Qwen2ForCausalLM): Changed in place.
    """
    attention = _layer(model, 0).self_attn
    speeds = cast(torch.Tensor, model.model.rotary_emb.inv_freq).float()
    lengths = torch.where(speeds > _SLOWEST, _STRENGTH, 0.0)  # (head width / 2,)
    width = 2 * len(speeds)
    queries = attention.q_proj.bias.view(-1, width)  # (heads, head width)
    keys = attention.k_proj.bias.view(-1, width)
    for head, query in enumerate(queries):
        angles = OFFSETS[head % len(OFFSETS)] * speeds
        query.copy_(torch.cat([lengths * angles.cos(), lengths * angles.sin()]))
    keys.copy_(torch.cat([lengths, torch.zeros_like(lengths)]))


@torch.no_grad()
def with_layer_below(
    model: Qwen2ForCausalLM,
    *,
    seed: int = 0,
) -> Qwen2ForCausalLM:
    """A model with one more layer, below the others, that looks around.

    What it finds counts for nothing until it is trained: all logits are as they were.

    seed (int): Of the new layer's random weights.
    RETURNS (Qwen2ForCausalLM): A new model.
    """
    config = deepcopy(model.config)
    config.num_hidden_layers += 1
    if getattr(config, "layer_types", None):
        config.layer_types = [config.layer_types[0], *config.layer_types]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made: nn.Module = type(model)(config)
    taller = cast(Qwen2ForCausalLM, made.to(model.dtype))

    state = {}
    for name, weight in model.state_dict().items():
        state[_one_layer_up(name)] = weight
    taller.load_state_dict(state, strict=False)

    bottom = _layer(taller, 0)
    for silent in (bottom.self_attn.o_proj, bottom.mlp.down_proj):
        silent.weight.zero_()
    look_around(taller)
    taller.train(model.training)
    return taller


def _one_layer_up(name: str) -> str:
    """'model.layers.0.mlp.up_proj.weight' -> 'model.layers.1.mlp.up_proj.weight'"""
    prefix, _, rest = name.partition("layers.")
    if not rest:
        return name
    number, _, rest = rest.partition(".")
    return f"{prefix}layers.{int(number) + 1}.{rest}"


class _Attention(Protocol):
    q_proj: nn.Linear
    k_proj: nn.Linear
    o_proj: nn.Linear


class _MLP(Protocol):
    down_proj: nn.Linear


class _Layer(Protocol):
    """One layer of Qwen2."""

    self_attn: _Attention
    mlp: _MLP


def _layer(model: Qwen2ForCausalLM, i: int) -> _Layer:
    return cast(_Layer, model.model.layers[i])
