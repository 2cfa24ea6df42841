"""Which column of a file holds the tokens, which the tags, and how these are spelled: seen from the
first lines."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from .columns import SEPARATORS, Row, Separator, is_blank, is_document, may_be_comment
from .spelling import DESCRIPTIONS, LETTER_O, PREFIX, Spelling
from .tag_columns import (
    CONLLU_COLUMNS,
    SURE,
    Column,
    Wanted,
    find_tag_columns,
)

Line = tuple[int, str]
_WORDS_PER_LINE = 1.5  # less than that in a line are no sentence
_HEADERS = frozenset(
    [
        "word",
        "words",
        "token",
        "tokens",
        "form",
        "text",
        "tag",
        "tags",
        "ner",
        "ner_tag",
        "ner_tags",
        "label",
        "labels",
        "pos",
        "lemma",
        "entity",
        "chunk",
        "id",
        "index",
        "sentence",
    ]
)
_SENTENCES = (
    "sentence",
    "sentence #",
    "sentence_id",
    "sentence id",
    "sent_id",
    "sentence_idx",
)
_NUMBER = re.compile(r"\d+(?:[-.]\d+)?")
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[a-z]+)*:(?=.)")
_NOTHING = frozenset({"", "_", "-"})
_ENDS = frozenset(",;|")  # of tokens, if they separate columns beside blanks


@dataclass(frozen=True)
class Layout:
    """tags: one column, or one per layer of nested mentions. width: columns of most rows. index:
    the column that numbers the tokens.
    sentence: the column whose changes start sentences. header: the number of a line with names of
        columns.
    language: what stands before every token, `en:`. conllu: whether the last column says
        `SpaceAfter=No`."""

    separator: Separator
    token: int
    tags: tuple[Column, ...]
    spelling: Spelling
    width: int
    index: int | None = None
    sentence: int | None = None
    header: int = 0
    language: str = ""
    conllu: bool = False

    def fits(self, row: Row) -> bool:
        """Whether a row is understood."""
        return all(self.spelling.reads(column.cell(row)) for column in self.tags)

    def is_comment(self, line: str) -> bool:
        """A line that looks like one and does not have the columns of a token."""
        if not may_be_comment(line):
            return False
        rows = self.separator.split(line)
        return not all(len(row) == self.width and self.fits(row) for row in rows)

    def __str__(self) -> str:
        tags = ", ".join(
            f"{c.index} ({c.key}=)" if c.key else str(c.index) for c in self.tags
        )
        layers = f" in {len(self.tags)} layers" if len(self.tags) > 1 else ""
        header = "" if not self.header else f", line {self.header} is a header"
        language = f", '{self.language}' taken off" if self.language else ""
        return (
            f"columns by {self.separator.name}, token in column {self.token}, "
            f"tags in column {tags}{layers} ({DESCRIPTIONS[self.spelling.kind]}){header}{language}"
        )


@dataclass(frozen=True)
class Guess:
    """layout: None if no column looks like one of tags. wrong: The first line that is not
    understood."""

    layout: Layout | None
    understood: int
    rows: int
    wrong: Line = (0, "")

    @property
    def share(self) -> float:
        return self.understood / self.rows if self.layout is not None else 0.0


def guess_layout(lines: Sequence[Line], wanted: Wanted) -> Guess:
    """The layout by which most lines are understood."""
    names = list(SEPARATORS) if wanted.separator == "auto" else [wanted.separator]
    best = Guess(None, 0, 0)
    for name in names:
        guess = _guess(lines, SEPARATORS[name], wanted)
        if best.rows == 0 or guess.share > best.share:
            best = guess
        if best.share >= SURE:
            break
    return best


def _guess(lines: Sequence[Line], separator: Separator, wanted: Wanted) -> Guess:
    parsed = list(_rows(lines, separator, comments=False)) or list(
        _rows(lines, separator, comments=True)
    )
    if not parsed:
        return Guess(None, 0, 0)
    if separator.sentence_per_line and len(parsed) < _WORDS_PER_LINE * len(
        {number for (number, _), _ in parsed}
    ):
        return Guess(None, 0, len(parsed), parsed[0][0])
    header = parsed[0][0][0] if len(parsed) > 1 and _is_header(parsed[0][1]) else 0
    names = [cell.lower() for cell in parsed[0][1]] if header else []
    parsed = parsed[1:] if header else parsed
    rows = [row for _, row in parsed]
    layout = _layout(rows, separator, wanted, names)
    if layout is None:  # for the message, as if the last column held the tags
        last, prefix = Column(-1), Spelling(PREFIX)
        wrong = [line for line, row in parsed if not prefix.reads(last.cell(row))]
        return Guess(
            None, len(rows) - len(wrong), len(rows), (wrong or [parsed[0][0]])[0]
        )
    layout = replace(layout, header=header)
    wrong = [line for line, row in parsed if not layout.fits(row)]
    return Guess(
        layout, len(rows) - len(wrong), len(rows), wrong[0] if wrong else (0, "")
    )


def _rows(
    lines: Sequence[Line], separator: Separator, *, comments: bool
) -> Iterator[tuple[Line, Row]]:
    for line in lines:
        if (
            is_blank(line[1], separator)
            or is_document(line[1])
            or may_be_comment(line[1]) != comments
        ):
            continue
        for row in separator.split(line[1]):
            yield line, row


def _is_header(row: Row) -> bool:
    names = {cell.lower() for cell in row}
    return (
        len(row) > 1
        and len(names & {*_HEADERS, *_SENTENCES}) > 1
        and not LETTER_O & set(row)
    )


def _layout(
    rows: Sequence[Row], separator: Separator, wanted: Wanted, names: Sequence[str]
) -> Layout | None:
    width = Counter(map(len, rows)).most_common(1)[0][0]
    if separator.name == "last space" and Counter(map(len, rows))[2] < len(rows):
        return None
    plain = separator.plain or bool(names)
    found = find_tag_columns(rows, wanted, width, plain=plain)
    if found is None:
        return None
    columns, spelling = found
    sentence = next((i for i, name in enumerate(names) if name in _SENTENCES), None)
    taken = {c.index for c in columns} | ({sentence} if sentence is not None else set())
    token, index = _token_column(rows, width, taken)
    if wanted.token is not None:
        token, index = wanted.token, None if wanted.token == index else index
    if token is None:
        return None
    ragged = width == 2 and columns[0].index < 0 and wanted.tag is None
    if ragged and separator.name in ("blank", "space"):
        return None  # tokens of several words: "last space" reads them whole
    conllu = index is not None and width == CONLLU_COLUMNS
    language = "" if conllu else _language(rows, token)
    ends = {row[token][-1:] for row in rows if -len(row) <= token < len(row)}
    if len(rows) > 1 and len(ends) == 1 and ends <= _ENDS:
        return None
    return Layout(
        separator, token, columns, spelling, width, index, sentence, 0, language, conllu
    )


def _token_column(
    rows: Sequence[Row], width: int, taken: set[int]
) -> tuple[int | None, int | None]:
    """The columns of the tokens and of their numbers: the former is the first that is neither of
    tags nor of numbers nor empty."""
    taken = {i if i >= 0 else i + width for i in taken}
    free = [i for i in range(width) if i not in taken]
    filled = [
        i for i in free if _is_filled({row[i] for row in rows if i < len(row)})
    ] or free
    steps = {place: _count(rows, index) for place, index in enumerate(filled[:-1])}
    place = max(steps, key=lambda p: steps[p], default=0)
    if steps and steps[place] >= 0:
        return filled[place + 1], filled[place]
    return (filled[0], None) if filled else (None, None)


def _is_filled(cells: set[str]) -> bool:
    """Whether a column says something: neither nothing, nor the same mark in all rows, as tables
    have between their cells."""
    mark = len(cells) == 1 and not any(map(str.isalnum, *cells))
    return not mark and not cells <= _NOTHING


def _count(rows: Sequence[Row], index: int) -> int:
    """How often a column that numbers the tokens of sentences from 0 or 1 goes on; -1 if it is
    none."""
    steps, before = 0, -1
    for row in rows:
        cell = row[index] if index < len(row) else ""
        if not _NUMBER.fullmatch(cell):
            return -1
        if not cell.isdecimal():
            continue
        now = int(cell)
        if now not in (0, 1, before + 1):
            return -1
        steps += now == before + 1
        before = now
    return steps


def _language(rows: Sequence[Row], token: int) -> str:
    """What all tokens of PAN-X begin with: `en:`."""
    found = [
        _LANGUAGE.match(row[token]) if -len(row) <= token < len(row) else None
        for row in rows
    ]
    names = {match[0] if match else "" for match in found}
    return names.pop() if len(rows) > 1 and len(names) == 1 else ""
