"""Which column of a file holds the tokens, which the tags, and how these are spelled: seen from the
first lines."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from .columns import SEPARATORS, Row, Separator, is_blank, is_document, may_be_comment
from .spelling import (
    BARE,
    BRACKETS,
    DESCRIPTIONS,
    LETTER_O,
    PLAIN,
    PREFIX,
    Found,
    Spelling,
    find_brackets,
    find_spelling,
)

Line = tuple[int, str]
MOST = 0.5
_SURE = 0.95
_MAX_COLUMNS = 40
_WORDS_PER_LINE = 1.5  # less than that in a line are no sentence
_CONLLU_COLUMNS = 10
_FEATURES = ("name", "ner", "ne", "entity", "namedentity")
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
LAYERS = "|"
_ENDS = frozenset(",;|")  # of tokens, if they separate columns beside blanks


@dataclass(frozen=True)
class Column:
    """A column of tags. key: of a feature in a column like `name=B-PER|SpaceAfter=No`. layer: place
    in cells like `I-ORG|B-LOC`; None: the whole cell."""

    index: int
    key: str = ""
    layer: int | None = None

    def cell(self, row: Row) -> str:
        """'' if the row is too short; 'O' if it lacks the feature."""
        if len(row) < 2 or not -len(row) <= self.index < len(row):
            return ""
        cell = row[self.index]
        if self.layer is not None:
            layers = cell.split(LAYERS)
            return layers[self.layer] if self.layer < len(layers) else "O"
        if not self.key:
            return cell
        features = dict(part.partition("=")[::2] for part in cell.split("|"))
        return features.get(self.key, "O")


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


@dataclass(frozen=True)
class Wanted:
    """What the user says of the layout; None: to be found out. plain: The tags have no prefixes."""

    separator: str = "auto"
    token: int | None = None
    tag: int | None = None
    plain: bool = False


def guess_layout(lines: Sequence[Line], wanted: Wanted) -> Guess:
    """The layout by which most lines are understood."""
    names = list(SEPARATORS) if wanted.separator == "auto" else [wanted.separator]
    best = Guess(None, 0, 0)
    for name in names:
        guess = _guess(lines, SEPARATORS[name], wanted)
        if best.rows == 0 or guess.share > best.share:
            best = guess
        if best.share >= _SURE:
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
    found = _tag_columns(rows, wanted, width, plain=plain)
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
    conllu = index is not None and width == _CONLLU_COLUMNS
    language = "" if conllu else _language(rows, token)
    ends = {row[token][-1:] for row in rows if -len(row) <= token < len(row)}
    if len(rows) > 1 and len(ends) == 1 and ends <= _ENDS:
        return None
    return Layout(
        separator, token, columns, spelling, width, index, sentence, 0, language, conllu
    )


def _tag_columns(
    rows: Sequence[Row], wanted: Wanted, width: int, *, plain: bool
) -> tuple[tuple[Column, ...], Spelling] | None:
    """The columns of tags. Entities come before chunks, tags with prefixes before those without.

    plain (bool): Whether tags without prefixes are looked for.
    """
    even = sum(len(row) == width for row in rows) > 0.9 * len(rows)
    plain = plain and even and width > 1
    if wanted.tag is not None:
        one = Column(wanted.tag)
        cells = Counter(filter(None, map(one.cell, rows)))
        return (one,), _spelling(cells, plain=True, wanted=wanted).spelling
    last = [-1] if not even else []
    places = [
        Column(i)
        for i in [*range(min(max(map(len, rows)), _MAX_COLUMNS)), *last]
        if i != wanted.token
    ]
    seen = {
        c: _spelling(
            Counter(filter(None, map(c.cell, rows))), plain=plain, wanted=wanted
        )
        for c in places
    }
    seen = {
        c: found for c, found in seen.items() if found.understood >= MOST * len(rows)
    }
    outside = [
        c
        for c in seen
        if not seen[c].inside and any(c.cell(row) in LETTER_O for row in rows)
    ]
    if (
        len(rows[0]) > 1
        and len([c for c in seen if seen[c].inside or c in outside]) > 1
    ):
        seen.pop(Column(0), None)  # a word that looks like a tag
    typed = [
        c for c in seen if seen[c].inside and seen[c].spelling.kind not in (BARE, PLAIN)
    ]
    entities = [c for c in typed if not seen[c].phrases] or typed
    if entities:
        columns, spelling = _layers(rows, entities, seen, outside)
        return _in_cells(rows, columns, spelling), spelling
    features = _feature_column(rows, width)
    if features is not None:
        return (features,), Spelling(PREFIX)
    others = [c for c in seen if seen[c].inside] or [c for c in outside if c in seen]
    if not others or width == 1:
        return None
    return (others[-1],), seen[others[-1]].spelling


def _spelling(tags: Counter[str], *, plain: bool, wanted: Wanted) -> Found:
    if wanted.plain:
        types = frozenset(tags)
        return Found(
            Spelling(PLAIN, types),
            sum(tags.values()),
            sum(n for t, n in tags.items() if t not in LETTER_O),
            types,
        )
    brackets = find_brackets(tags)
    return brackets if brackets.inside else find_spelling(tags, plain=plain)


def _layers(
    rows: Sequence[Row],
    columns: Sequence[Column],
    seen: dict[Column, Found],
    outside: Sequence[Column],
) -> tuple[tuple[Column, ...], Spelling]:
    """Columns side by side are layers of nested mentions, if they don't repeat the first, as
    predictions do."""
    best = max(seen[c].understood for c in columns)
    group = [c for c in columns if seen[c].understood >= 0.9 * best]
    last = group[-1]
    spelling = seen[last].spelling
    side_by_side = [last]
    for column in reversed(group[:-1]):
        if (
            column.index == side_by_side[0].index - 1
            and seen[column].spelling.kind == spelling.kind != BRACKETS
        ):
            side_by_side.insert(0, column)
    first = side_by_side[0]
    layers = [first, *(c for c in side_by_side[1:] if not _repeats(rows, c, first))]
    while Column(layers[-1].index + 1) in outside and layers[-1].index >= 0:
        layers.append(Column(layers[-1].index + 1))
    return tuple(layers), spelling


def _in_cells(
    rows: Sequence[Row], columns: tuple[Column, ...], spelling: Spelling
) -> tuple[Column, ...]:
    """Layers within the cells of a single column: `I-ORG|B-LOC`."""
    (column, *more) = columns
    if more or column.key or spelling.kind != PREFIX:
        return columns
    cells = [column.cell(row).split(LAYERS) for row in rows]
    depth = max(
        (len(cell) for cell in cells if all(map(spelling.reads, cell))), default=1
    )
    return (
        tuple(Column(column.index, layer=i) for i in range(depth))
        if depth > 1
        else columns
    )


def _repeats(rows: Sequence[Row], column: Column, first: Column) -> bool:
    inside = [row for row in rows if column.cell(row) not in LETTER_O]
    return 2 * sum(column.cell(row) == first.cell(row) for row in inside) > len(inside)


def _feature_column(rows: Sequence[Row], width: int) -> Column | None:
    """A column of CoNLL-U whose features hold the tags; tokens outside may lack the feature."""
    if width != _CONLLU_COLUMNS:
        return None
    for index in reversed(range(width)):
        cells = [row[index] for row in rows if index < len(row)]
        keys = {
            part.partition("=")[0]
            for cell in cells
            for part in cell.split("|")
            if "=" in part
        }
        for key in sorted(keys):
            column = Column(index, key)
            found = find_spelling(Counter(map(column.cell, rows)), plain=False)
            if key.lower() in _FEATURES and found.understood > _SURE * len(rows):
                return column
    return None


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
