"""Conflicts that show at the first or last word of mentions, for sets that share hardly
any string: one set takes titles, currency signs or articles into its mentions and the
other leaves them outside; or the same head word has another label.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

from spacy_cascade.doc.tokenizer import CHARACTER_TOKEN
from spacy_cascade.doc.words import LETTER, MARKS, is_word

from ...records import Record
from .evidence import EDGES, PARTIALLY_EXTRACTED, WRONG_CATEGORY, Evidence, wilson
from .sets import DataSet, Progress
from .similar import Names, Relation
from .strings import snippet

MIN_COUNT = 2
EXAMPLES = 3
FIRST, LAST = "first", "last"
Edge = tuple[
    str, str
]  # side and word in lower case, or '' and the name of a class of words
_LETTER = rf"(?:(?!{CHARACTER_TOKEN}){LETTER})"
_NOT_BEFORE, _NOT_BEHIND = rf"(?<!\w)(?<![{MARKS}])", rf"(?!\w|[{MARKS}])"
_WORD = _LETTER + "{3,}"  # shorter ones, and numbers, stand beside mentions by chance
# side, inside the mention or outside -> the word at its edge; inside, something else
# must be left of the mention
_WORDS = {
    (FIRST, True): re.compile(rf"^({_WORD}){_NOT_BEHIND}\.?\s+\S"),
    (LAST, True): re.compile(rf"\S\s+({_WORD})$"),
    (FIRST, False): re.compile(rf"{_NOT_BEFORE}({_WORD})\.?\s+$"),
    (LAST, False): re.compile(rf"^\s+({_WORD}){_NOT_BEHIND}"),
}
_INSIDE_WORD = re.compile(_LETTER + "{2}")
WIDTH = 40


@dataclass
class Edges:
    """Of one label in one data set: how often a word is the edge of a mention, and how
    often its neighbour.

    examples (dict): Edge and "inside" or "outside" -> snippet.
    """

    inside: Counter[Edge] = field(default_factory=Counter)
    outside: Counter[Edge] = field(default_factory=Counter)
    strings: dict[tuple[Edge, bool], Counter[str]] = field(default_factory=dict)
    examples: dict[tuple[Edge, bool], list[str]] = field(default_factory=dict)

    def share(self, edge: Edge) -> float:
        """Of the words at this place, those inside the mention."""
        return self.inside[edge] / (self.inside[edge] + self.outside[edge])


def find(
    sets: Sequence[DataSet],
    names: Names,
    *,
    min_count: int = MIN_COUNT,
    progress: Progress | None = None,
) -> list[Evidence]:
    """Compares related labels of every two sets.

    min_count (int): Mentions with the same head word in both sets together, for a head
        with another label.
    RETURNS (list[Evidence]): Source "edges", most occurrences first; `form` is the word
        or its class.
    """
    tables = [collect(s) for s in (progress(sets, "edges") if progress else sets)]
    standard = [{label: names(s.name, label) for label in s.labels} for s in sets]
    heads = [
        sum((edges.inside for edges in table.values()), Counter[Edge]())
        for table in tables
    ]
    found: list[Evidence] = []
    for i, (one, mine) in enumerate(zip(sets, tables, strict=True)):
        for k, (two, theirs) in enumerate(zip(sets, tables, strict=True)):
            if i == k:
                continue
            for label, a in mine.items():
                for other, b in theirs.items():
                    relation = names.relation(standard[i][label], standard[k][other])
                    if relation != Relation.NONE:
                        found += _boundary(one, two, label, other, a, b)
                    if relation == Relation.BROADER:
                        found += _category(
                            one, two, label, other, a, b, heads[k], min_count
                        )
    return sorted(found, key=lambda e: (-e.n, e.a, e.b, e.label, e.other, e.form))


def _boundary(
    one: DataSet, two: DataSet, label: str, other: str, a: Edges, b: Edges
) -> Iterator[Evidence]:
    for edge in a.inside.keys() & b.outside.keys():
        inside, outside = a.inside[edge], a.outside[edge]
        # a convention of the one set, with some certainty, and not of the other
        if wilson(inside, inside + outside) > 0.5 > b.share(edge):
            yield Evidence(
                EDGES,
                one.name,
                two.name,
                label,
                PARTIALLY_EXTRACTED,
                other,
                form=edge[1],
                n=b.outside[edge],
                checked=b.outside[edge] + b.inside[edge],
                own_rate=1 - a.share(edge),
                strings=b.strings[edge, False],
                examples=b.examples[edge, False],
            )


def _category(
    one: DataSet,
    two: DataSet,
    label: str,
    other: str,
    a: Edges,
    b: Edges,
    heads: Counter[Edge],
    min_count: int,
) -> Iterator[Evidence]:
    """heads (Counter[Edge]): Mentions of `two` with each edge, whatever their label."""
    for edge in a.inside.keys() & b.inside.keys():
        n = b.inside[edge]
        if edge[0] != FIRST and a.inside[edge] + n >= min_count:
            yield Evidence(
                EDGES,
                one.name,
                two.name,
                label,
                WRONG_CATEGORY,
                other,
                form=edge[1],
                n=n,
                checked=heads[edge],
                strings=b.strings[edge, True],
                examples=b.examples[edge, True],
            )


def collect(dataset: DataSet) -> dict[str, Edges]:
    """Label -> its edges."""
    found: dict[str, Edges] = {}
    for record in dataset.records():
        for mention in record.mentions:
            edges = found.setdefault(mention.label, Edges())
            for edge, inside in _edges(record, mention.start, mention.end):
                (edges.inside if inside else edges.outside)[edge] += 1
                edges.strings.setdefault((edge, inside), Counter())[
                    record.text[mention.start : mention.end]
                ] += 1
                examples = edges.examples.setdefault((edge, inside), [])
                if len(examples) < EXAMPLES:
                    examples.append(snippet(record.text, mention.start, mention.end))
    return found


def _edges(record: Record, start: int, end: int) -> Iterator[tuple[Edge, bool]]:
    text = record.text
    string = text[start:end]
    before, after = text[max(0, start - WIDTH) : start], text[end : end + WIDTH]
    places = (
        (FIRST, string, True),
        (LAST, string, True),
        (FIRST, before, False),
        (LAST, after, False),
    )
    for side, piece, inside in places:
        name = _class_at(side, piece, inside)
        if name:
            yield ("", name), inside
        elif match := _WORDS[side, inside].search(piece):
            yield (side, match[1].lower()), inside


def _class_at(side: str, piece: str, inside: bool) -> str:
    """The class of the longest known word at the edge of the mention or beside it, ''
    if there is none.
    """
    at_start = (side == FIRST) == inside
    piece = piece.lower().strip(" " if at_start else " .")
    classes, lengths = _classes()
    for length in lengths:
        word, rest = (
            (piece[:length], piece[length:])
            if at_start
            else (piece[-length:], piece[:-length])
        )
        if (side, word) not in classes or (inside and not rest.strip(" .")):
            continue
        # not inside another word, where the script shows that
        joint = word[-1:] + rest[:1] if at_start else rest[-1:] + word[:1]
        if len(joint) < 2 or not _INSIDE_WORD.fullmatch(joint):
            return classes[side, word]
    return ""


def class_of_rest(rest: str) -> str:
    """What is left of a mention of which only a part is annotated: the class of the
    word, the word in lower case, or '' for several words.
    """
    word = rest.strip(" .").lower()
    classes, _ = _classes()
    found = classes.get((FIRST, word)) or classes.get((LAST, word))
    return found or (word if is_word(word) else "")


def boundary_words() -> dict[str, Any]:
    """Classes of words that annotation guidelines treat differently, in several
    languages: name -> "words" and "sides", at which they stand.
    """
    return json.loads(
        resources.files("corpus_tools.data")
        .joinpath("boundary_words.json")
        .read_text("utf8")
    )


@cache
def _classes() -> tuple[dict[tuple[str, str], str], list[int]]:
    """(side, word) -> class, and the lengths of words, longest first."""
    classes = {
        (s, w.lower()): name
        for name, c in boundary_words().items()
        for s in c["sides"]
        for w in c["words"]
    }
    return classes, sorted({len(word) for _, word in classes}, reverse=True)
