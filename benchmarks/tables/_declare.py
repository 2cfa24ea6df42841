"""How a table is declared: where its rows are in which run, and what a cell shows.

A cell is a format string over its row, such as "{test[own][span_f]}" or "{lower}/{types}":
what stands in braces is a path into the JSON of the row. Floats have three digits unless
they are told otherwise, and what is not there is a dash. Where a format string does not
do, a cell is a function of the row.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

# What the run files hold, by the name of the file.
Runs = Mapping[str, Any]
Row = dict[str, Any]
Cell = str | Callable[[Row], Any]
# Heads and cells.
Columns = tuple[tuple[str, Cell], ...]
NOTHING = "–"


class _Formatter(string.Formatter):
    def get_field(self, field_name: str, args: Any, kwargs: Any) -> Any:
        try:
            return super().get_field(field_name, args, kwargs)
        except (KeyError, IndexError, TypeError):
            return None, field_name

    def format_field(self, value: Any, format_spec: str) -> str:
        if value is None:
            return NOTHING
        if isinstance(value, float) and not format_spec:
            format_spec = ".3f"
        return str(super().format_field(value, format_spec))


_FORMATTER = _Formatter()


def show(cell: Cell, row: Row) -> str:
    """What a cell shows of a row."""
    if isinstance(cell, str):
        return _FORMATTER.vformat(cell, (), row)
    return _FORMATTER.format_field(cell(row), "")


def at(runs: Runs, place: str) -> Any:
    """What is at a place such as "scaling:document.by_length": a run, and keys in it."""
    name, _, keys = place.partition(":")
    found = runs[name]
    for key in keys.split(".") if keys else ():
        found = found[key]
    return found


def markdown(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    rule = "|" + "---|" * len(heads)
    lines = [_line(heads), rule]
    for row in rows:
        lines.append(_line(row))
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


@dataclass(frozen=True)
class Table:
    """A row for each entry of a list or an object.

    rows (str | Callable): Their place (see `at`), or a function that makes them.
    columns (Columns): Heads are formatted with the run that the rows are from. Of an
        object, {key} is the name of the entry.
    names (dict): Key -> {name}, in the order of the table; all others are left out.
    only_measured (bool): Leave out columns that nothing was measured of.
    """

    rows: str | Callable[[Runs], Iterable[Row]]
    columns: Columns
    names: Mapping[str, str] = field(default_factory=dict)
    only_measured: bool = False

    def __call__(self, runs: Runs) -> str:
        heads = [head for head, _ in self.columns]
        if isinstance(self.rows, str):
            about = at(runs, self.rows.partition(":")[0])
            heads = [show(head, about) for head in heads]
        rows = []
        for row in self._rows(runs):
            rows.append([show(cell, row) for _, cell in self.columns])
        if not self.only_measured:
            return markdown(heads, rows)

        kept = []
        for i, column in enumerate(zip(*rows, strict=True)):
            if set(column) != {NOTHING}:
                kept.append(i)
        heads = [heads[i] for i in kept]
        rows = [[row[i] for i in kept] for row in rows]
        return markdown(heads, rows)

    def _rows(self, runs: Runs) -> list[Row]:
        if not isinstance(self.rows, str):
            return list(self.rows(runs))
        found = at(runs, self.rows)
        if isinstance(found, list):
            return found
        names = self.names or {key: key for key in found}
        out = []
        for key, name in names.items():
            if key in found:
                out.append(
                    {
                        "key": key,
                        "name": name,
                        **found[key],
                    }
                )
        return out


@dataclass(frozen=True)
class Across:
    """A column for each entry, and few rows.

    entries (str): Their place. Values that are no objects are {value}.
    head (str): Of the first column.
    heads (Cell): Of the others.
    rows (Columns): Title and cell of every row.
    """

    entries: str
    head: str
    heads: Cell
    rows: Columns

    def __call__(self, runs: Runs) -> str:
        heads = [self.head]
        rows = [[title] for title, _ in self.rows]
        for key, value in at(runs, self.entries).items():
            entry = value if isinstance(value, dict) else {"value": value}
            column = {"key": key, **entry}
            heads.append(show(self.heads, column))
            for row, (_, cell) in zip(rows, self.rows, strict=True):
                row.append(show(cell, column))
        return markdown(heads, rows)


def percent(part: str, total: str, digits: int = 0) -> Cell:
    """The share of one entry in another."""

    def share(row: Row) -> str:
        value = 100 * row[part] / row[total]
        return f"{value:.{digits}f} %"

    return share


def shown(
    template: str,
    values: Iterable[Any],
    separator: str = " / ",
) -> str:
    """Values by a template, such as "{:.4f}", with something between them."""
    return separator.join(template.format(value) for value in values)
