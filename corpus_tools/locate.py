"""Finds the places of mentions that are given as strings.

Words come first: "Ann" is looked for as a word, and in "Anna" only if it is no word anywhere.
Letters are never taken apart: "Rene" is not found in "Rene" with a combining accent behind it, nor
a syllable without its vowel sign. Scripts without spaces have no insides of words. A name that is
composed otherwise than its text (NFC, NFD) is found as it stands there.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from spacy_cascade.doc.words import (
    MARKS,
    inside_word,
    is_word_character,
    splits_character,
)

ABSENT = "not in its sentence"
NO_MORE = "all its occurrences in the sentence are taken by other entries"
INSIDE = "found only inside a word, and taken there"

_PIECES = re.compile(f".[{MARKS}]*", re.DOTALL)

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


def nfc(text: str) -> str:
    """In composed characters, by which canonically equivalent strings are equal."""
    return unicodedata.normalize("NFC", text)


def as_in_text(text: str, name: str) -> str:
    """The name as the text composes it, by its first place; itself if it has none."""
    if name in text or text.isascii() or name.isascii():
        return name
    plain, sought = (
        unicodedata.normalize("NFD", text),
        unicodedata.normalize("NFD", name),
    )
    if sought not in plain:
        return name
    offsets, length = {0: 0}, 0
    for piece in _PIECES.finditer(text):  # marks change places within a piece only
        length += len(unicodedata.normalize("NFD", piece[0]))
        offsets[length] = piece.end()
    for start, end in occurrences(plain, sought):
        if start in offsets and end in offsets:
            return text[offsets[start] : offsets[end]]
    return name


def assign(text: str, names: Sequence[str]) -> list[Place | str]:
    """Gives every name an occurrence of its own: longest names first, each from left to right.

    A name whose every occurrence lies in or across longer mentions gets one of these,
    marked as nested. Occurrences that are words of their own are preferred to pieces of
    a word ("art" in "party for art").

    RETURNS (list[Place | str]): Parallel to the names; a string says why there is no place.
    """
    names = [as_in_text(text, name) for name in names]
    result: list[Place | str] = [ABSENT] * len(names)
    taken = bytearray(len(text))
    places: dict[str, _Places] = {}
    for i in sorted(range(len(names)), key=lambda i: -len(names[i])):
        name = names[i]
        if name not in places:
            places[name] = _Places(text, name)
        if places[name].found:
            result[i] = places[name].take(taken) or NO_MORE
    return _in_order(names, result)


class _Places:
    """The occurrences of one name, given away one by one.

    Longer names go before it, and what is taken stays so. So a place that is taken once need not be
    looked at again, and its two ends tell whether it overlaps anything.
    """

    def __init__(self, text: str, name: str):
        self.size = len(name)
        found = sorted(occurrences(text, name), key=lambda place: _doubt(text, *place))
        self.found = found
        self._free, self._inner = iter(found), iter(found)
        # starts of the places given away, which do not overlap, by the stretch of their
        # own size that they are in
        self._own: dict[int, int] = {}

    def take(self, taken: bytearray) -> Place | None:
        """The next place, and mark it.

        taken (bytearray, shape (characters,)): 1 where a mention is.
        """
        free = next(
            (p for p in self._free if not (taken[p[0]] or taken[p[1] - 1])), None
        )
        place = free or next(
            (p for p in self._inner if not self._crosses_own(p[0])), None
        )
        if place is None:
            return None
        start, end = place
        taken[start:end] = b"\1" * self.size
        self._own[start // self.size] = start
        return Place(start, end, nested=free is None)

    def _crosses_own(self, start: int) -> bool:
        """'aa' at 0 and at 1 of 'aaa'."""
        at = start // self.size
        near = (self._own.get(i) for i in (at - 1, at, at + 1))
        return any(
            other is not None and abs(other - start) < self.size for other in near
        )


def _in_order(names: Sequence[str], places: Sequence[Place | str]) -> list[Place | str]:
    """Entries of one name in the order of the text, whichever of its places was found first."""
    found: dict[str, list[Place]] = {}
    for name, place in zip(names, places, strict=True):
        if isinstance(place, Place):
            found.setdefault(name, []).append(place)
    rest = {
        name: iter(sorted(group, key=lambda p: p.start))
        for name, group in found.items()
    }
    pairs = zip(names, places, strict=True)
    return [
        next(rest[name]) if isinstance(place, Place) else place for name, place in pairs
    ]


class Nearest:
    """Unused occurrences of names near to offsets, never inside a word.

    Those that overlap nothing go first.

    used (Iterable[Span]): What is taken before.
    """

    def __init__(self, text: str, used: Iterable[Span]):
        self._text = text
        self._taken = bytearray(len(text))
        self._used: set[Span] = set()
        # starts of the unused occurrences, by name: those not known to overlap
        # anything, and the others
        self._free: dict[str, list[int]] = {}
        self._crossed: dict[str, list[int]] = {}
        for span in used:
            self.take(span)

    def take(self, span: Span) -> None:
        """Mark a place as used."""
        start, end = span
        self._used.add(span)
        self._taken[start:end] = b"\1" * (end - start)

    def is_used(self, span: Span) -> bool:
        """Whether exactly this place is used."""
        return span in self._used

    def __call__(self, name: str, near: int) -> Span | None:
        """The occurrence nearest to an offset, which then is used; None if there is none left."""
        name = as_in_text(self._text, name)
        if name not in self._free:
            found = (
                p for p in occurrences(self._text, name) if is_word(self._text, *p)
            )
            self._free[name], self._crossed[name] = [start for start, _ in found], []
        free, crossed = self._free[name], self._crossed[name]
        while free:
            start = _pop_nearest(free, near)
            if self._taken.find(1, start, start + len(name)) < 0:
                break
            insort(crossed, start)  # what is taken stays so
        else:
            unused = (_pop_nearest(crossed, near) for _ in range(len(crossed)))
            left = (at for at in unused if (at, at + len(name)) not in self._used)
            start = next(left, -1)
            if start < 0:
                return None
        self.take((start, start + len(name)))
        return start, start + len(name)


def nearest(text: str, name: str, near: int, used: Iterable[Span]) -> Span | None:
    """A single answer of `Nearest`."""
    return Nearest(text, used)(name, near)


def _pop_nearest(starts: list[int], near: int) -> int:
    """Take out the number that is nearest, the lower one of two. starts (list[int]):
    Not empty, ascending.
    """
    at = bisect_left(starts, near)
    if at == len(starts) or (at and near - starts[at - 1] <= starts[at] - near):
        at -= 1
    return starts.pop(at)


def is_word(text: str, start: int, end: int) -> bool:
    """False if the piece begins or ends inside a word.

    Scripts without spaces have no such inside.
    """
    return not (inside_word(text, start) or inside_word(text, end))


def _doubt(text: str, start: int, end: int) -> int:
    """0 for a word between spaces or punctuation, 1 in a text without spaces, 2 inside a word."""
    if not is_word(text, start, end):
        return 2
    around = (text[start - 1 : start], text[end : end + 1])
    return int(any(char and is_word_character(char) for char in around))
