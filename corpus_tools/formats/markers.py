"""Sentences with mentions in markers: `##Paris## is big`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

MARKER = "##"
Span = tuple[int, int]


def mark(text: str, spans: Iterable[Span], marker: str = MARKER) -> str:
    """Puts markers around spans, which must not overlap."""
    parts, last = [], 0
    for start, end in sorted(spans):
        parts += [text[last:start], marker, text[start:end], marker]
        last = end
    return "".join([*parts, text[last:]])


def unmark(text: str, marked: str, marker: str = MARKER) -> list[Span] | None:
    """The spans that are marked in a copy of a text.

    The text may hold markers itself: where a piece can be read as copied or as a
    marker, it is read as copied if the rest then still fits.

    RETURNS (list[Span]): None if `marked` is not the text with pairs of markers.
    """
    width = len(marker)
    # (offset in the text, offset in the copy, start of the open mention or -1), and how
    # each state was reached.
    start = (0, 0, -1)
    came: dict[tuple[int, int, int], tuple[int, int, int] | None] = {start: None}
    stack = [start]
    while stack:
        state = stack.pop()
        i, j, opened = state
        if i == len(text) and j == len(marked) and opened < 0:
            return _spans(state, came)
        steps = []
        if marked.startswith(marker, j):
            if opened < 0:
                steps.append((i, j + width, i))
            elif i > opened:
                steps.append((i, j + width, -1))
        if i < len(text) and j < len(marked) and text[i] == marked[j]:
            steps.append((i + 1, j + 1, opened))
        for step in steps:
            if step not in came:
                came[step] = state
                stack.append(step)
    return None


def _spans(
    state: tuple[int, int, int],
    came: dict[tuple[int, int, int], tuple[int, int, int] | None],
) -> list[Span]:
    spans = []
    before = came[state]
    while before is not None:
        if before[2] >= 0 and state[2] < 0:
            spans.append((before[2], state[0]))
        state, before = before, came[before]
    return spans[::-1]


def markable(text: str, spans: Sequence[Span], marker: str = MARKER) -> list[Span]:
    """Those spans that `unmark` finds again: all, unless the text holds parts of the
    marker at their edges.
    """
    spans = sorted(spans)
    if (
        marker[0] not in text
        or unmark(text, mark(text, spans, marker), marker) == spans
    ):
        return spans
    signs = set(marker)
    return [
        (s, e)
        for s, e in spans
        if not (signs & set(text[max(0, s - 1) : s + 1] + text[e - 1 : e + 1]))
    ]


def marked_names(marked: str, marker: str = MARKER) -> list[str]:
    """The marked strings of a sentence whose rest may differ from the original."""
    return [name for name in marked.split(marker)[1::2] if name.strip()]
