"""Cutting a Doc into units that fit the model.

Nothing is cut off silently: every range is accounted for.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from spacy.attrs import IDX, IS_SPACE, LENGTH
from spacy.tokens import Doc, Span

from ..errors import CascadeError, Errors
from ..types import Unit

PROCESSED, SPLIT, SKIPPED, FAILED = "processed", "split", "skipped", "failed"
MODES = ("auto", "sents", "stride")


# Characters of a Doc, end exclusive, and what became of them.
CoverageRange = tuple[int, int, str]


@dataclass(frozen=True)
class Window:
    """Tokens [start, end) of a Doc as a unit.

    It answers for mentions that begin in [own_start, own_end): where windows overlap,
    the one with more context on both sides.
    """

    start: int
    end: int
    own_start: int
    own_end: int
    unit: Unit
    status: str

    def owns(self, start: int, end: int) -> bool:
        return self.own_start <= start < self.own_end and end <= self.end


class Cut(NamedTuple):
    """The windows of a Doc, and what became of every range of its text."""

    windows: list[Window]
    coverage: list[CoverageRange]


def check_settings(mode: str, max_tokens: int, overlap: int) -> None:
    """Whether components can cut with these settings (see `cut`).

    RAISES CascadeError: C020, C021.
    """
    if mode not in MODES:
        names = ", ".join(MODES)
        raise CascadeError(
            Errors.C020.format(option="window", value=mode, choices=names)
        )

    half = max_tokens // 2
    checks = (
        ("max_tokens", max_tokens, "8 or more", max_tokens >= 8),
        ("overlap", overlap, "from 0 to half of max_tokens", 0 <= overlap <= half),
    )
    for option, value, rule, ok in checks:
        if not ok:
            raise CascadeError(
                Errors.C021.format(option=option, rule=rule, value=value)
            )


def make_unit(doc: Doc, start: int, end: int, labels: tuple[str, ...] = ()) -> Unit:
    """Tokens [start, end) as a unit; offsets are relative to its first token."""
    return _Layout(doc[start:end]).unit(0, end - start, labels)


class _Layout:
    """Where the tokens of a Doc or Span stand, read at once: made one by one, Token
    objects cost more than all else here.
    """

    def __init__(self, doc: Doc | Span):
        self.text = doc.text  # put together anew at every access
        # (tokens, 3); spaCy's stubs do not know this method of a Span
        array = doc.to_array([IDX, LENGTH, IS_SPACE])  # type: ignore[union-attr]
        table = array.astype("int64")
        starts = table[:, 0] - table[:1, 0]
        self.starts: list[int] = starts.tolist()
        self.ends: list[int] = (starts + table[:, 1]).tolist()
        self.spaces: list[bool] = table[:, 2].astype(bool).tolist()

    def stripped(self, start: int, end: int) -> tuple[int, int]:
        """Without the white space at both ends of [start, end)."""
        while start < end and self.spaces[start]:
            start += 1
        while end > start and self.spaces[end - 1]:
            end -= 1
        return start, end

    def unit(self, start: int, end: int, labels: tuple[str, ...]) -> Unit:
        base = self.starts[start]
        tokens = tuple(
            (a - base, b - base)
            for a, b in zip(self.starts[start:end], self.ends[start:end], strict=True)
        )
        return Unit(
            self.text[base : self.ends[end - 1]],
            tokens,
            tuple(self.spaces[start:end]),
            labels,
        )


def cut(
    doc: Doc,
    *,
    mode: str,
    limit: int,
    overlap: int,
    cost: Callable[[str], int],
    labels: tuple[str, ...] = (),
) -> Cut:
    """Cut a Doc into windows.

    mode (str): "auto" cuts at sentences where the Doc has them, "sents" likewise but
        needs them, "stride" fills windows up to the limit. A sentence over the limit is
        cut into overlapping strides.
    limit (int): Most model tokens of a window's text.
    overlap (int): Model tokens that neighbouring strides share.
    cost (Callable): Model tokens of a piece of text.
    labels (tuple): Type names that the units are read for.
    """
    windows: list[Window] = []
    coverage: list[CoverageRange] = []
    layout = _Layout(doc)

    for piece in _pieces(doc, mode):
        start, end = layout.stripped(*piece)
        if start == end:
            continue

        edges = [layout.starts[start], *layout.ends[start:end]]
        costs = [cost(layout.text[a:b]) for a, b in itertools.pairwise(edges)]
        for run_start, run_end, fits in _runs(costs, limit):
            first, last = run_start + start, run_end + start
            if not fits:
                chars = layout.starts[first], layout.ends[last - 1]
                coverage.append((*chars, SKIPPED))
                continue

            strides = list(_strides(costs[run_start:run_end], limit, overlap))
            status = PROCESSED if len(strides) == 1 else SPLIT
            for own, stride in zip(_owned(strides), strides, strict=True):
                own_start, own_end = first + own[0], first + own[1]
                token_start, token_end = layout.stripped(
                    first + stride[0], first + stride[1]
                )
                if token_start == token_end:
                    continue

                unit = layout.unit(token_start, token_end, labels)
                windows.append(
                    Window(token_start, token_end, own_start, own_end, unit, status)
                )
                chars = layout.starts[own_start], layout.ends[own_end - 1]
                coverage.append((*chars, status))

    return Cut(windows, coverage)


def _owned(strides: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The tokens that each stride answers for: those up to the middle of an overlap."""
    middles = [
        (after_start + before_end) // 2
        for (_, before_end), (after_start, _) in itertools.pairwise(strides)
    ]
    edges = [strides[0][0], *middles, strides[-1][1]]
    yield from itertools.pairwise(edges)


def _pieces(doc: Doc, mode: str) -> Iterator[tuple[int, int]]:
    if len(doc) == 0:
        return
    if mode == "sents" or (mode == "auto" and doc.has_annotation("SENT_START")):
        for sent in doc.sents:
            yield sent.start, sent.end
    else:
        yield 0, len(doc)


def _runs(costs: list[int], limit: int) -> Iterator[tuple[int, int, bool]]:
    """Stretches without a token that exceeds the limit all by itself, and those tokens."""
    start = 0
    for i, c in enumerate(costs):
        if c > limit:
            if i > start:
                yield start, i, True
            yield i, i + 1, False
            start = i + 1
    if start < len(costs):
        yield start, len(costs), True


def _strides(costs: list[int], limit: int, overlap: int) -> Iterator[tuple[int, int]]:
    start = 0
    while True:
        end, total = start, 0
        while end < len(costs) and total + costs[end] <= limit:
            total += costs[end]
            end += 1
        yield start, end
        if end == len(costs):
            return
        back, shared = end, 0
        while back > start + 1 and shared + costs[back - 1] <= overlap:
            back -= 1
            shared += costs[back]
        # the next stride must get further than this one
        while back < end and sum(costs[back : end + 1]) > limit:
            back += 1
        start = back
