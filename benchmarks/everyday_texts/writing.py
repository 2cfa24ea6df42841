"""Filled templates, as people write: with slips, in lower case, with other quotation marks.

Slots of a template: `{city}` is a mention, `{city-}` one without its article, `{person:a}`
and `{last:a}` are the same person. `{date}`, `{euro}`, `{id}` and the like are never
mentions.
"""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from benchmarks.everyday_texts.data import LABELS
from benchmarks.everyday_texts.fillers import Names, Person
from benchmarks.everyday_texts.values import MAKERS, value

Name = TypeVar("Name", str, Person)

SLOT = re.compile(r"\{([a-z]+)(-?)(?::([a-z]))?\}")
# Words that two names of a text may have in common.
COMMON = {
    "the",
    "The",
    "and",
    "University",
    "Street",
    "Road",
    "Ltd",
    "GmbH",
    "United",
}
# Kinds of texts that are typed in with care, and those that are not.
CAREFUL = (
    "table",
    "code",
    "invoice",
    "form",
)
HASTY = ("chat", "tweet")
UNLISTED = (
    "table",
    "code",
    "tweet",
    "chat",
)
BULLETS = ["- ", "• ", "* ", "– "]
START_OF_SENTENCE = re.compile(r"(?:[.!?] |\n)$")
# "a uniform", "a European", "a UK citizen"
CONSONANT = re.compile(r"(?i)u[krs]|uni|eu|one")


@dataclass
class Piece:
    """A part of a text.

    text (str): What it says.
    type (str): Type of the mention; empty for what is none.
    fixed (bool): Gets no slips.
    """

    text: str
    type: str = ""
    fixed: bool = False


class Filling:
    """One filled template. No two of its names have a word in common.

    template (str): Text with slots.
    names (Names): Fills them.
    """

    def __init__(self, template: str, names: Names):
        self.names = names
        self.rng = names.rng
        self.pieces: list[Piece] = []
        self.people: dict[str, Person] = {}
        self.full: dict[str, str] = {}
        self.used: set[str] = set()
        self.american = self.rng.random() < 0.35
        at = 0
        for match in SLOT.finditer(template):
            before = template[at : match.start()]
            self._add(before, *match.groups())
            at = match.end()
        rest = template[at:]
        self.pieces.append(Piece(rest))
        self.pieces = [piece for piece in self.pieces if piece.text]

    def _add(
        self,
        before: str,
        slot: str,
        bare: str,
        key: str | None,
    ) -> None:
        """Add a slot and the text before it."""
        alike = LABELS["groups"].get(slot, [slot])
        slot = self.rng.choice(alike)
        number = value(slot, self.rng)
        if number is not None:
            self.pieces.append(Piece(before))
            self.pieces.append(Piece(number, fixed=True))
            return

        text = self._name(slot, key)
        name = text.removeprefix("the ")
        if name != text and not bare:
            article = "the "
            if START_OF_SENTENCE.search(before):
                article = "The "
            if not self.pieces and not before:
                article = "The "
            before += article
        before = with_article(before, name)
        type_ = LABELS["type_of"].get(slot, slot)
        self.pieces.append(Piece(before))
        self.pieces.append(Piece(name, type_))

    def _name(self, slot: str, key: str | None) -> str:
        if slot in ("person", "first", "last"):
            return self._person(slot, key)
        if slot == "team":
            return self._fresh(lambda: self.names.team(self.american))
        return self._fresh(lambda: self.names.name(slot))

    def _person(self, slot: str, key: str | None) -> str:
        if key in self.people:
            person = self.people[key]
        else:
            person = self._fresh(self.names.person)
        if key is not None:
            self.people[key] = person

        if slot == "first":
            return person.first
        if slot == "last":
            return person.last
        if key is None:
            return self.names.full(person)
        if key not in self.full:
            self.full[key] = self.names.full(person)
        return self.full[key]

    def _fresh(self, draw: Callable[[], Name]) -> Name:
        """What `draw` returns, once that has no word in common with the names before."""
        while True:
            drawn = draw()
            if isinstance(drawn, str):
                text = drawn
            else:
                text = " ".join(drawn)
            found = re.findall(r"\w{3,}", text)
            words = set(found) - COMMON
            if words.isdisjoint(self.used):
                self.used |= words
                return drawn


def has_mention(template: str) -> bool:
    """Whether one of the slots is a mention."""
    return any(match[1] not in MAKERS for match in SLOT.finditer(template))


def with_article(before: str, word: str) -> str:
    """`before` with "a" turned into "an" where the next word starts with a vowel."""
    if word[0] not in "AEIOUaeiou":
        return before
    if CONSONANT.match(word):
        return before
    return re.sub(r"(?<=\b[aA]) $", "n ", before)


def typo(text: str, rng: random.Random) -> str:
    """A text with a slip in one of its longer words: two letters the other way round, one
    left out, or one twice.
    """
    words = list(re.finditer(r"\b[a-z]{5,}\b", text))
    if not words:
        return text
    word = rng.choice(words)
    last = len(word.group()) - 2
    inside = rng.randint(1, last)
    at = word.start() + inside
    before = text[:at]
    letter = text[at]
    following = text[at + 1]
    after = text[at + 2 :]
    slips = [
        f"{before}{following}{letter}{after}",
        f"{before}{following}{after}",
        f"{before}{letter}{letter}{following}{after}",
    ]
    return rng.choice(slips)


def roughened(
    pieces: list[Piece],
    kind: str,
    rng: random.Random,
) -> list[Piece]:
    """The pieces with slips, in other cases, and with the small differences of keyboards
    and habits. The pieces themselves are changed.
    """
    outside = []
    for piece in pieces:
        if not piece.type and not piece.fixed:
            outside.append(piece)

    _set_quotes(pieces, rng)
    if rng.random() < 0.12:
        for piece in pieces:
            piece.text = re.sub(r"(?<=\w)'(?=\w)", "’", piece.text)
    if rng.random() < 0.4:
        for piece in outside:
            piece.text = piece.text.replace(" – ", " - ")
    if kind not in CAREFUL and outside:
        _slip(outside, kind, rng)

    last = pieces[-1]
    open_end = rng.random() < 0.12
    if open_end and not last.type and len(last.text) > 1:
        last.text = last.text.removesuffix(".")
    single = not any("\n" in piece.text for piece in pieces)
    if single and kind not in UNLISTED and rng.random() < 0.05:
        bullet = rng.choice(BULLETS)
        pieces = [Piece(bullet, fixed=True), *pieces]
    return _recased(pieces, kind, rng)


def _set_quotes(pieces: list[Piece], rng: random.Random) -> None:
    marks = '""'
    if rng.random() < 0.5:
        marks = "“”"
    turn = itertools.cycle(marks)
    for piece in pieces:
        piece.text = re.sub("[“”]", lambda _: next(turn), piece.text)


def _slip(
    outside: list[Piece],
    kind: str,
    rng: random.Random,
) -> None:
    chance = 0.25 if kind in HASTY else 0.08
    if rng.random() < chance:
        piece = rng.choice(outside)
        piece.text = typo(piece.text, rng)
    if rng.random() < 0.05:
        piece = rng.choice(outside)
        piece.text = re.sub(r"(?<=\w[.,]) (?=\w)", "  ", piece.text, count=1)


def _recased(
    pieces: list[Piece],
    kind: str,
    rng: random.Random,
) -> list[Piece]:
    """All in lower case, all in upper case, or as it is."""
    lower = 0.11
    upper = 0.05
    if kind == "chat":
        lower = 0.85
        upper = 0.0

    chance = rng.random()
    change: Callable[[str], str] = str
    if chance < lower:
        change = str.lower
    elif chance > 1 - upper:
        change = str.upper
    out = []
    for piece in pieces:
        text = change(piece.text)
        out.append(Piece(text, piece.type, piece.fixed))
    return out
