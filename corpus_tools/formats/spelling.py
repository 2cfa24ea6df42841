"""How files spell the tags of the BIO family: `B-PER`, `b-per`, `B_PER`, `PER-B`, `B`, `PER` or
`(PER*`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .tags import OUTSIDE, Tokens, split_tag

OUTSIDES = frozenset({"O", "o", "0", "_", "-"})
# Those that a column of entity tags is known by; a dash stands in columns of all kinds.
LETTER_O = frozenset({"O", "o"})
UNTYPED = "mention"
PREFIX, SUFFIX, BARE, PLAIN, BRACKETS = "prefix", "suffix", "bare", "plain", "brackets"
DESCRIPTIONS = {
    PREFIX: "B-TYPE",
    SUFFIX: "TYPE-B",
    BARE: f"letters without a type, read as '{UNTYPED}'",
    PLAIN: "types without prefixes: neighbours of one type are one mention",
    BRACKETS: "brackets of CoNLL-2012",
}
_NAME = (
    r"[^\s][^\t\n-\r\x1c-\x1f\x85\u2028\u2029]*"  # no type goes over the end of a line
)
_PREFIX = re.compile(rf"([BIEMLSUW])[-_]({_NAME})", re.IGNORECASE)
_SUFFIX = re.compile(rf"({_NAME})[-_]([BIEMLSUW])")
_BARE = re.compile(r"[BIEMLSUW]")
_PLAIN = re.compile(r"[^\W\d_][\w./>& -]*")
# Prefixes that are written otherwise: without them, B.PER and I.PER are no types.
_PREFIXED = re.compile(
    r"([BI]|BEG(?:IN)?|IN(?:SIDE|TERMEDIATE)?|END|LAST|MIDDLE|SINGLE|UNIT)[-_./ ]\S.*",
    re.IGNORECASE,
)
_BRACKETS = re.compile(r"((?:\([^()*\s|]+)*)\*?(\)*)")
# Columns of CoNLL-2012 with predicates and phrases have brackets too.
_ONTONOTES = frozenset(
    [
        "PERSON",
        "NORP",
        "FAC",
        "ORG",
        "GPE",
        "LOC",
        "PRODUCT",
        "DATE",
        "TIME",
        "PERCENT",
        "MONEY",
        "QUANTITY",
        "ORDINAL",
        "CARDINAL",
        "EVENT",
        "WORK_OF_ART",
        "LAW",
        "LANGUAGE",
        "PER",
        "MISC",
    ]
)
_PHRASES = frozenset(
    [
        "NP",
        "VP",
        "PP",
        "ADVP",
        "ADJP",
        "SBAR",
        "PRT",
        "CONJP",
        "INTJ",
        "LST",
        "UCP",
    ]
)
_LEAST_OUTSIDE = 0.1


@dataclass(frozen=True)
class Spelling:
    """A way to write tags. types (frozenset[str]): Of PLAIN, the types that were seen."""

    kind: str
    types: frozenset[str] = frozenset()

    def canonical(self, tag: str) -> str | None:
        """The tag as 'O', 'B-type', ... of IOB2 or BIOES; None if it can't be read. Not for
        BRACKETS."""
        if tag in OUTSIDES:
            return OUTSIDE
        if self.kind == PLAIN:
            return f"I-{tag}" if tag in self.types or _PLAIN.fullmatch(tag) else None
        if self.kind == BARE:
            return f"{tag}-{UNTYPED}" if _BARE.fullmatch(tag) else None
        if self.kind == SUFFIX:
            match = _SUFFIX.fullmatch(tag)
            return f"{match[2]}-{match[1]}" if match else None
        match = _PREFIX.fullmatch(tag)
        return f"{match[1].upper()}-{match[2]}" if match else None

    def reads(self, tag: str) -> bool:
        """Whether it is a tag. Of PLAIN, only types that were seen count."""
        if self.kind == BRACKETS:
            return bool(tag) and bool(_BRACKETS.fullmatch(tag))
        if self.kind == PLAIN:
            return tag in OUTSIDES or tag in self.types
        return self.canonical(tag) is not None


@dataclass(frozen=True)
class Found:
    """What a column of tags looks like: its spelling, how many of its cells are tags, and how many
    of these are not outside."""

    spelling: Spelling
    understood: int
    inside: int
    types: frozenset[str] = frozenset()

    @property
    def phrases(self) -> bool:
        """Whether it is a column of chunks, which is no column of entities."""
        return bool(self.types) and self.types <= _PHRASES


def find_spelling(tags: Mapping[str, int], *, plain: bool) -> Found:
    """The spelling by which most of the tags can be read.

    tags (Mapping[str, int]): How often each stands in the column.
    plain (bool): Whether types without prefixes and letters without types may count as tags.
    """
    outside = sum(n for tag, n in tags.items() if tag in OUTSIDES)
    best = Found(Spelling(PREFIX), outside, 0)
    kinds = (PREFIX, SUFFIX, BARE) if plain else (PREFIX, SUFFIX)
    for kind in kinds:
        spelling = Spelling(kind)
        read = {tag: spelling.canonical(tag) for tag in tags if tag not in OUTSIDES}
        inside = sum(
            tags[tag] for tag, canonical in read.items() if canonical is not None
        )
        if inside > best.inside and not (kind == BARE and not _has_start(tags)):
            labels = frozenset(
                (split_tag(c) or ("", ""))[1] for c in read.values() if c
            )
            best = Found(spelling, outside + inside, inside, labels)
    total = sum(tags.values())
    if 2 * best.inside >= total - outside:
        return best
    if plain and _is_plain(tags):
        types = frozenset(tags) - OUTSIDES
        return Found(Spelling(PLAIN, types), total, total - outside, types)
    return best


def _has_start(tags: Mapping[str, int]) -> bool:
    return bool(LETTER_O & tags.keys()) and bool({"B", "S", "U", "W"} & tags.keys())


def _is_plain(tags: Mapping[str, int]) -> bool:
    outside = sum(tags.get(o, 0) for o in LETTER_O)
    types = tags.keys() - OUTSIDES
    if types and all(map(_PREFIXED.fullmatch, types)):
        return False
    return outside >= max(1, _LEAST_OUTSIDE * sum(tags.values())) and all(
        map(_PLAIN.fullmatch, types)
    )


def find_brackets(tags: Mapping[str, int]) -> Found:
    """A column of CoNLL-2012's named entities: `(PERSON*`, `*`, `*)`, `(GPE)`."""
    labels = {label for tag in tags for label in re.findall(r"\(([^()*]+)", tag)}
    understood = sum(n for tag, n in tags.items() if tag and _BRACKETS.fullmatch(tag))
    inside = sum(n for tag, n in tags.items() if "(" in tag or ")" in tag)
    known = bool(labels) and labels <= _ONTONOTES
    return Found(
        Spelling(BRACKETS),
        understood if known else 0,
        inside if known else 0,
        frozenset(labels),
    )


def decode_brackets(tags: Sequence[str]) -> tuple[list[Tokens], list[int]]:
    """Mentions of a sentence, nested ones too, and the tokens whose tag can't be read."""
    found: list[Tokens] = []
    unreadable: list[int] = []
    opened: list[tuple[int, str]] = []
    for i, tag in enumerate(tags):
        match = _BRACKETS.fullmatch(tag)
        if match is None and tag not in OUTSIDES:
            unreadable.append(i)
        if match is None:
            continue
        opened += [(i, label) for label in match[1].split("(")[1:]]
        for _ in match[2]:
            if not opened:
                unreadable.append(i)
                break
            start, label = opened.pop()
            found.append((start, i + 1, label))
    unreadable += [start for start, _ in opened]
    return sorted(found), unreadable
