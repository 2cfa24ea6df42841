"""Finds the places of mentions that are given as strings.

Words come first: "Ann" is looked for as a word, and in "Anna" only if it is no word anywhere.
Letters are never taken apart: "Rene" is not found in "Rene" with a combining accent behind it, nor
a syllable without its vowel sign. Scripts without spaces have no insides of words.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from spacy_cascade.words import inside_word, is_word_character, splits_character

ABSENT = "not in its sentence"
NO_MORE = "all its occurrences in the sentence are taken by other entries"
INSIDE = "found only inside a word, and taken there"

Span = tuple[int, int]


@dataclass(frozen=True)
class Place:
    """Where a mention stands. nested: it overlaps a longer mention."""

    start: int
    end: int
    nested: bool = False


def occurrences(text: str, name: str) -> Iterator[Span]:
    """All places of a string, from left to right, overlapping ones included; none that parts a
    letter and its mark."""
    at = text.find(name) if name else -1
    while at >= 0:
        end = at + len(name)
        if not splits_character(text, at) and not splits_character(text, end):
            yield at, end
        at = text.find(name, at + 1)


def assign(text: str, names: Sequence[str]) -> list[Place | str]:
    """Gives every name an occurrence of its own: longest names first, each from left to right.

    A name whose every occurrence lies in or across longer mentions gets one of these, marked as nested. Occurrences
    that are words of their own are preferred to pieces of a word ("art" in "party for art").

    RETURNS (list[Place | str]): Parallel to the names; a string says why there is no place.
    """
    result: list[Place | str] = [ABSENT] * len(names)
    taken: set[Span] = set()
    for i in sorted(range(len(names)), key=lambda i: -len(names[i])):
        found = list(occurrences(text, names[i]))
        if not found:
            continue
        found.sort(key=lambda place: _doubt(text, *place))
        free = next((p for p in found if not any(overlap(p, t) for t in taken)), None)
        inner = free or next(
            (p for p in found if p not in taken and not any(_crosses_itself(text, p, t) for t in taken)), None
        )
        if inner is None:
            result[i] = NO_MORE
            continue
        taken.add(inner)
        result[i] = Place(*inner, nested=free is None)
    return _in_order(names, result)


def _in_order(names: Sequence[str], places: Sequence[Place | str]) -> list[Place | str]:
    """Entries of one name in the order of the text, whichever of its places was found first."""
    found: dict[str, list[Place]] = {}
    for name, place in zip(names, places, strict=True):
        if isinstance(place, Place):
            found.setdefault(name, []).append(place)
    rest = {name: iter(sorted(group, key=lambda p: p.start)) for name, group in found.items()}
    pairs = zip(names, places, strict=True)
    return [next(rest[name]) if isinstance(place, Place) else place for name, place in pairs]


def nearest(text: str, name: str, near: int, used: Collection[Span]) -> Span | None:
    """The unused occurrence nearest to an offset, never inside a word; one that overlaps nothing is
    preferred."""
    found = [p for p in occurrences(text, name) if p not in used and is_word(text, *p)]
    return min(found, key=lambda p: (any(overlap(p, u) for u in used), abs(p[0] - near)), default=None)


def overlap(a: Span, b: Span) -> bool:
    return a[0] < b[1] and b[0] < a[1]


def is_word(text: str, start: int, end: int) -> bool:
    """False if the piece begins or ends inside a word. Scripts without spaces have no such inside."""
    return not (inside_word(text, start) or inside_word(text, end))


def _doubt(text: str, start: int, end: int) -> int:
    """0 for a word between spaces or punctuation, 1 in a text without spaces, 2 inside a word."""
    if not is_word(text, start, end):
        return 2
    around = (text[start - 1 : start], text[end : end + 1])
    return int(any(char and is_word_character(char) for char in around))


def _crosses_itself(text: str, place: Span, other: Span) -> bool:
    """'aa' at 0 and at 1 of 'aaa'."""
    return overlap(place, other) and text[slice(*place)] == text[slice(*other)]
