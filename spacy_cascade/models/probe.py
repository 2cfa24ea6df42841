"""What a loaded model can do, found out by a few tokens instead of a list of architectures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from ..errors import CascadeError, Errors
from ..types import Query
from .kv import KVPool

if TYPE_CHECKING:
    from .hf import HFCausalLM


@torch.no_grad()
def probe(lm: HFCausalLM) -> tuple[bool, bool, bool]:
    """Run two short sequences.

    RETURNS: whether logits equal hidden state times output row (no scaling or capping
        behind the head); whether the model honours a four-dimensional mask, so that a
        tree of shared prefixes can run in one row; and whether it goes on from kept
        keys and values as if it had run the whole sequence.
    RAISES CascadeError: C011 if a later token changes an earlier state: then the model
        is not causal.
    """
    size = lm.head.weight.shape[0]
    a, b, c, d, e = (min(i, size - 1) for i in (7, 5, 11, 3, 9))
    first, second = [a, b, c], [a, b, d, e]
    lm.exact_rows, lm.trees, lm.rows = True, True, True
    x = torch.tensor([first], device=lm.device)
    y = torch.tensor([[a, b, d]], device=lm.device)
    out, other = (
        lm.model(input_ids=x).logits[0].float(),
        lm.model(input_ids=y).logits[0].float(),
    )
    scale = out.abs().max().clamp(min=1e-6)
    tolerance = (1e-3 if out.dtype == lm.head.weight.dtype else 5e-2) * scale
    if c != d and (out[1] - other[1]).abs().max() > tolerance:
        raise CascadeError(
            Errors.C011.format(
                path=lm.name,
                why=f"a {lm.model.config.model_type} model sees the tokens to come",
            )
        )
    asked = [a, b, d]
    rows = lm.gather([Query(first, [2], [asked])], lm.hidden_states([Query(first)]))[0][
        0
    ]
    exact = bool((rows - out[2, asked]).abs().max() <= tolerance)
    plain = lm.hidden_states([Query(second)])[0, -1].float()
    try:
        tree = Query([a, b, c, d, e], parents=[-1, 0, 1, 1, 3])
        trees = _equal(lm.hidden_states([tree])[0, -1].float(), plain)
    except _REFUSALS:
        trees = False
    return (
        exact,
        trees,
        trees and not _sliding(lm) and _resumes(lm, [a, b, c], second, plain),
    )


# What models raise that can't do what is asked of them.
_REFUSALS = (
    RuntimeError,
    ValueError,
    IndexError,
    TypeError,
    AttributeError,
    NotImplementedError,
)


def _equal(found: torch.Tensor, expected: torch.Tensor) -> bool:
    return bool(
        (found - expected).abs().max() <= 2e-2 * expected.abs().max().clamp(min=1e-6)
    )


def _resumes(
    lm: HFCausalLM, other: list[int], ids: list[int], expected: torch.Tensor
) -> bool:
    """Run another sequence first, go back to what both begin with, and on from there."""
    row = KVPool(8).row()
    try:
        lm.hidden_states([Query(other, row=row)])
        row.truncate(2)
        return _equal(lm.hidden_states([Query(ids, row=row)])[0, -1].float(), expected)
    except _REFUSALS:
        return False


def _sliding(lm: HFCausalLM) -> bool:
    """Whether layers look back less far than a sequence may be long: a kept row is seen
    as a whole.
    """
    config = lm.model.config
    kinds = getattr(config, "layer_types", None)
    window = getattr(config, "sliding_window", None)
    used = (
        any("full" not in k for k in kinds)
        if kinds
        else getattr(config, "use_sliding_window", True)
    )
    return bool(window and used and window < lm.max_length)
