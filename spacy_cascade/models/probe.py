"""What a loaded model can do, found out by a few tokens instead of a list of architectures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from ..errors import CascadeError, Errors
from ..ty import Query

if TYPE_CHECKING:
    from .hf import HFCausalLM


@torch.no_grad()
def probe(lm: HFCausalLM) -> tuple[bool, bool]:
    """Run two short sequences.

    RETURNS: whether logits equal hidden state times output row (no scaling or capping behind the head), and whether
        the model honours a four-dimensional mask, so that a tree of shared prefixes can run in one row.
    RAISES CascadeError: C011 if a later token changes an earlier state: then the model is not causal.
    """
    size = lm.head.weight.shape[0]
    a, b, c, d, e = (min(i, size - 1) for i in (7, 5, 11, 3, 9))
    first, second = [a, b, c], [a, b, d, e]
    lm.exact_rows, lm.trees = True, True
    x = torch.tensor([first], device=lm.device)
    y = torch.tensor([[a, b, d]], device=lm.device)
    out, other = lm.model(input_ids=x).logits[0].float(), lm.model(input_ids=y).logits[0].float()
    scale = out.abs().max().clamp(min=1e-6)
    tolerance = (1e-3 if out.dtype == lm.head.weight.dtype else 5e-2) * scale
    if c != d and (out[1] - other[1]).abs().max() > tolerance:
        raise CascadeError(
            Errors.C011.format(path=lm.name, why=f"a {lm.model.config.model_type} model sees the tokens to come")
        )
    asked = [a, b, d]
    rows = lm.gather([Query(first, [2], [asked])], lm.hidden_states([Query(first)]))[0][0]
    exact = bool((rows - out[2, asked]).abs().max() <= tolerance)
    plain = lm.hidden_states([Query(second)])[0, -1].float()
    try:
        tree = Query([a, b, c, d, e], parents=[-1, 0, 1, 1, 3])
        branch = lm.hidden_states([tree])[0, -1].float()
        trees = bool((plain - branch).abs().max() <= 2e-2 * plain.abs().max().clamp(min=1e-6))
    except (RuntimeError, ValueError, IndexError, TypeError):
        trees = False
    return exact, trees
