"""Finds the places of mentions that are given as strings."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

ABSENT = "not in its sentence"
NO_MORE = "all its occurrences in the sentence are taken by other entries"


@dataclass(frozen=True)
class Place:
    """Where a mention stands. nested: it overlaps a longer mention."""

    start: int
    end: int
    nested: bool = False


def occurrences(text: str, name: str) -> Iterator[tuple[int, int]]:
    """All places of a string, from left to right, overlapping ones included."""
    at = text.find(name) if name else -1
    while at >= 0:
        yield at, at + len(name)
        at = text.find(name, at + 1)


def assign(text: str, names: Sequence[str]) -> list[Place | str]:
    """Gives every name an occurrence of its own: longest names first, each from left to right.

    A name whose every occurrence lies in or across longer mentions gets one of these, marked as nested. Occurrences
    that are words of their own are preferred to pieces of a word ("art" in "party for art").

    RETURNS (list[Place | str]): Parallel to the names; a string says why there is no place.
    """
    result: list[Place | str] = [ABSENT] * len(names)
    taken: set[tuple[int, int]] = set()
    for i in sorted(range(len(names)), key=lambda i: -len(names[i])):
        found = list(occurrences(text, names[i]))
        if not found:
            continue
        found.sort(key=lambda place: not is_word(text, *place))
        free = next((p for p in found if not any(overlap(p, t) for t in taken)), None)
        inner = free or next(
            (p for p in found if p not in taken and not any(_crosses_itself(text, p, t) for t in taken)), None
        )
        if inner is None:
            result[i] = NO_MORE
            continue
        taken.add(inner)
        result[i] = Place(*inner, nested=free is None)
    return result


def nearest(text: str, name: str, near: int, used: Collection[tuple[int, int]]) -> tuple[int, int] | None:
    """The unused occurrence nearest to an offset; one that overlaps nothing is preferred."""
    found = [p for p in occurrences(text, name) if p not in used]
    return min(found, key=lambda p: (any(overlap(p, u) for u in used), abs(p[0] - near)), default=None)


def overlap(a: tuple[int, int], b: tuple[int, int]) -> bool:
    return a[0] < b[1] and b[0] < a[1]


def is_word(text: str, start: int, end: int) -> bool:
    """False if the piece begins or ends inside a word. Scripts without spaces have no such inside."""
    return not (_joined(text, start) or _joined(text, end))


def _joined(text: str, at: int) -> bool:
    return 0 < at < len(text) and _is_letter(text[at - 1]) and _is_letter(text[at])


def _is_letter(char: str) -> bool:
    # From U+2E80 on: CJK; Thai and Lao: U+0E00 to U+0EFF.
    return char.isalnum() and not ("\u0e00" <= char <= "\u0eff" or char >= "\u2e80")


def _crosses_itself(text: str, place: tuple[int, int], other: tuple[int, int]) -> bool:
    """'aa' at 0 and at 1 of 'aaa'."""
    return overlap(place, other) and text[slice(*place)] == text[slice(*other)]
