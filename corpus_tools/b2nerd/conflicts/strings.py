"""Where the mention strings of all data sets occur in their texts, in one pass per text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from spacy_cascade.doc.tokenizer import CHARACTER_TOKEN
from spacy_cascade.doc.words import WORD_CHARACTER

from ...records import Mention, Record
from .sets import DataSet

EXACT, PARTIAL, UNMARKED = "exact", "partial", "unmarked"
EXAMPLES = 2
# Context-free, so that a mention has the same tokens as its occurrence in a text: one
# per character in scripts without spaces, else runs of letters and digits, else single
# symbols.
_TOKEN = re.compile(
    rf"{CHARACTER_TOKEN}|(?:(?!{CHARACTER_TOKEN})(?:{WORD_CHARACTER}|_))+|[^\w\s]"
)
_CHARACTER = re.compile(CHARACTER_TOKEN)


class Token(NamedTuple):
    text: str
    start: int
    end: int


class Outcome(NamedTuple):
    """What a data set made of an occurrence of a string.

    kind (str): "exact", "partial" or "unmarked". label (str): Of the mention there,
        raw. rest (str): Of the string, what that mention leaves out.
    """

    kind: str
    label: str = ""
    rest: str = ""


@dataclass
class Uses:
    """All occurrences of a string in one data set.

    Those inside a longer mention are only counted.
    """

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    examples: dict[Outcome, list[str]] = field(default_factory=dict)
    nested: int = 0

    @property
    def total(self) -> int:
        return sum(self.outcomes.values())

    def label(self) -> str:
        """The label of more than half of the occurrences, '' if none has it: such
        strings are ambiguous even within the set, so that they prove nothing about
        others.
        """
        best, n = max(
            self.outcomes.items(),
            key=lambda pair: pair[1],
            default=(Outcome(UNMARKED), 0),
        )
        return best.label if best.kind == EXACT and 2 * n > self.total else ""


class StringIndex:
    """A trie over the tokens of mention strings.

    Finding all of them in a text takes time linear in its length (times the length of
    the longest string), whatever their number.

    aliases (Mapping[str, str]): Strings that stand for the same, such as translations:
        alias -> string.
    """

    def __init__(
        self, strings: Iterable[str], *, aliases: Mapping[str, str] | None = None
    ):
        aliases = aliases or {}
        variants: dict[str, list[str]] = {}
        for alias, string in aliases.items():
            variants.setdefault(string, [string]).append(alias)
        self.names: dict[str, int] = {}
        self._root: dict[str, Any] = {}
        for string in strings:
            key = aliases.get(string, string)
            if key in self.names:
                continue
            number = self.names[key] = len(self.names)
            for form in variants.get(key, [key]):
                self._add(form, number)
        self._aliases = aliases
        self.strings = list(self.names)

    def _add(self, form: str, number: int) -> None:
        tokens = [t.text for t in tokenize(form)]
        # a single character of a script without spaces may be a part of any word
        if not tokens or (len(tokens) == 1 and _CHARACTER.fullmatch(tokens[0])):
            return
        node = self._root
        for token in tokens:
            node = node.setdefault(token, {})
        node[""] = number

    def number(self, string: str) -> int | None:
        return self.names.get(self._aliases.get(string, string))

    def find(self, text: str) -> Iterator[tuple[int, int, int]]:
        """YIELDS (tuple[int, int, int]): Number of a string, start and end of an
        occurrence. Sorted by start.
        """
        tokens = tokenize(text)
        root = self._root
        for i, first in enumerate(tokens):
            node, k = root.get(first.text), i
            while node is not None:
                if "" in node:
                    yield node[""], first.start, tokens[k].end
                k += 1
                node = node.get(tokens[k].text) if k < len(tokens) else None


def tokenize(text: str) -> list[Token]:
    return [Token(m[0], m.start(), m.end()) for m in _TOKEN.finditer(text)]


def scan(dataset: DataSet, index: StringIndex) -> dict[int, Uses]:
    """What the data set makes of each string of the index that occurs in it."""
    found: dict[int, Uses] = {}
    for record in dataset.records():
        hits = list(index.find(record.text))
        longest = _longest(hits)
        exact = {(m.start, m.end): m for m in record.mentions}
        for hit in hits:
            number, start, end = hit
            uses = found.setdefault(number, Uses())
            outcome = _outcome(record, record.mentions, exact, start, end)
            if outcome is None or (outcome.kind == UNMARKED and hit not in longest):
                uses.nested += 1
                continue
            uses.outcomes[outcome] += 1
            examples = uses.examples.setdefault(outcome, [])
            if len(examples) < EXAMPLES:
                examples.append(snippet(record.text, start, end))
    return found


def _outcome(
    record: Record,
    mentions: Sequence[Mention],
    exact: Mapping[tuple[int, int], Mention],
    start: int,
    end: int,
) -> Outcome | None:
    """None: the occurrence lies inside a longer mention."""
    overlaps = [m for m in mentions if m.start < end and start < m.end]
    if any(
        m.start <= start and end <= m.end and m.end - m.start > end - start
        for m in overlaps
    ):
        return None
    if (start, end) in exact:
        return Outcome(EXACT, exact[start, end].label)
    if not overlaps:
        return Outcome(UNMARKED)
    part = max(overlaps, key=lambda m: min(m.end, end) - max(m.start, start))
    rest = f"{record.text[start : part.start]} {record.text[part.end : end]}".strip()
    return Outcome(PARTIAL, part.label, rest)


def _longest(hits: Sequence[tuple[int, int, int]]) -> set[tuple[int, int, int]]:
    """Without occurrences inside longer ones: 'York' in 'New York' is hardly ever the
    city of York.
    """
    kept, reach = set(), -1
    for hit in sorted(hits, key=lambda h: (h[1], -h[2])):
        if hit[2] > reach:
            kept.add(hit)
            reach = hit[2]
    return kept


def snippet(text: str, start: int, end: int, width: int = 30) -> str:
    """The occurrence in brackets, with a few words around it."""
    left, right = text[max(0, start - width) : start], text[end : end + width]
    left = (
        left
        if start <= width
        else "…" + left.partition(" ")[2]
        if " " in left
        else "…" + left
    )
    right = (
        right
        if end + width >= len(text)
        else right.rpartition(" ")[0] + "…"
        if " " in right
        else right + "…"
    )
    return f"{left}[{text[start:end]}]{right}".replace("\n", " ")
