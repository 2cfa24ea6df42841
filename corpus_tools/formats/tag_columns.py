"""Which columns of a file hold the tags, and how these are spelled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from .columns import Row
from .spelling import (
    BARE,
    BRACKETS,
    LETTER_O,
    PLAIN,
    PREFIX,
    Found,
    Spelling,
    find_brackets,
    find_spelling,
)

MOST = 0.5  # share of the rows that a column of tags has to explain
SURE = 0.95
CONLLU_COLUMNS = 10
LAYERS = "|"
_EVEN = 0.9  # share of the rows that have the usual number of columns
_MAX_COLUMNS = 40
_FEATURES = ("name", "ner", "ne", "entity", "namedentity")


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
class Wanted:
    """What the user says of the layout; None: to be found out. plain: The tags have no prefixes."""

    separator: str = "auto"
    token: int | None = None
    tag: int | None = None
    plain: bool = False


def find_tag_columns(
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
    if width != CONLLU_COLUMNS:
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
            if key.lower() in _FEATURES and found.understood > SURE * len(rows):
                return column
    return None
