"""What a loaded model can do, found out by a few tokens instead of a list of architectures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

import torch
from torch import nn

from ..errors import CascadeError, Errors
from ..types import Query
from .kv import KVPool

if TYPE_CHECKING:
    from .protocols import PretrainedLM

# What models raise that can't do what is asked of them.
_REFUSALS = (
    RuntimeError,
    ValueError,
    IndexError,
    TypeError,
    AttributeError,
    NotImplementedError,
)


class Abilities(NamedTuple):
    """What a model can do.

    exact_rows (bool): Logits equal hidden state times output row: there is no scaling or
        capping behind the head.
    trees (bool): It honours a four-dimensional mask, so that a tree of shared prefixes
        can run in one row.
    rows (bool): It goes on from kept keys and values as if it had run the whole sequence.
    """

    exact_rows: bool
    trees: bool
    rows: bool


class Probed(Protocol):
    """What is asked of a model to find out."""

    name: str
    model: PretrainedLM
    head: nn.Linear
    max_length: int

    @property
    def device(self) -> torch.device: ...

    def hidden_states(self, queries: Sequence[Query]) -> torch.Tensor: ...

    def gather(
        self,
        queries: Sequence[Query],
        hidden: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]: ...


@torch.no_grad()
def probe(lm: Probed) -> Abilities:
    """Run two short sequences, on a model that is taken to be able to do everything.

    RAISES CascadeError: C011 if a later token changes an earlier state: then the model
        is not causal.
    """
    size = lm.head.weight.shape[0]
    a, b, c, d, e = (min(i, size - 1) for i in (7, 5, 11, 3, 9))
    first = [a, b, c]
    second = [a, b, d, e]
    asked = [a, b, d]

    out = _logits(lm, first)  # (tokens, vocabulary)
    other = _logits(lm, [a, b, d])
    scale = out.abs().max().clamp(min=1e-6)
    same_dtype = out.dtype == lm.head.weight.dtype
    tolerance = (1e-3 if same_dtype else 5e-2) * scale
    if c != d and (out[1] - other[1]).abs().max() > tolerance:
        why = f"a {lm.model.config.model_type} model sees the tokens to come"
        raise CascadeError(Errors.C011.format(path=lm.name, why=why))

    hidden = lm.hidden_states([Query(first)])
    logits, _ = lm.gather([Query(first, [2], [asked])], hidden)
    exact_rows = bool((logits[0] - out[2, asked]).abs().max() <= tolerance)

    expected = lm.hidden_states([Query(second)])[0, -1].float()  # (width,)
    tree = Query([a, b, c, d, e], parents=[-1, 0, 1, 1, 3])
    trees = _runs_tree(lm, tree, expected)
    rows = trees and not _slides(lm) and _resumes(lm, first, second, expected)
    return Abilities(exact_rows, trees, rows)


def _logits(lm: Probed, ids: list[int]) -> torch.Tensor:
    """By the model itself. Shape (tokens, vocabulary)"""
    inputs = torch.tensor([ids], device=lm.device)
    return lm.model(input_ids=inputs).logits[0].float()


def _equal(found: torch.Tensor, expected: torch.Tensor) -> bool:
    scale = expected.abs().max().clamp(min=1e-6)
    return bool((found - expected).abs().max() <= 2e-2 * scale)


def _runs_tree(
    lm: Probed,
    tree: Query,
    expected: torch.Tensor,
) -> bool:
    try:
        found = lm.hidden_states([tree])[0, -1].float()
        return _equal(found, expected)
    except _REFUSALS:
        return False


def _resumes(
    lm: Probed,
    other: list[int],
    ids: list[int],
    expected: torch.Tensor,
) -> bool:
    """Run another sequence first, go back to what both begin with, and on from there."""
    row = KVPool(8).row()
    try:
        lm.hidden_states([Query(other, row=row)])
        row.truncate(2)
        found = lm.hidden_states([Query(ids, row=row)])[0, -1].float()
        return _equal(found, expected)
    except _REFUSALS:
        return False


def _slides(lm: Probed) -> bool:
    """Whether layers look back less far than a sequence may be long.

    A kept row is seen as a whole.
    """
    config = lm.model.config
    window = getattr(config, "sliding_window", None)
    kinds = getattr(config, "layer_types", None)
    if kinds:
        used = any("full" not in kind for kind in kinds)
    else:
        used = bool(getattr(config, "use_sliding_window", True))
    return bool(window and used and window < lm.max_length)
