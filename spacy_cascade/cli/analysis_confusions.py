"""Which types are taken for which others, on the page of errors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

from ..pages import format_share, note, table
from ..pages.frame import Cell
from ..scoring.analysis import Analysis
from ..scoring.judging import MISSED, SPURIOUS
from ..taxonomy import TypePath, format_path

# Most types of the heat map, and most pairs of the table below it.
HEAT_TYPES = 16
PAIRS = 60

NO_TYPE = "(none)"


class Heading(NamedTuple):
    """Of a row or column: what is shown, and what is shown when it is pointed at."""

    label: str
    full: str


def show_confusions(analysis: Analysis) -> str:
    """Heat maps of the first level and of the types that are confused most, and a table."""
    parts = []
    if _depth(analysis) > 1:
        parts.append(f"<h3>First level</h3>{_first_level(analysis)}")
    confused = analysis.total.confusions()
    if confused:
        parts += [_most_confused(analysis, confused), _pairs(analysis, confused)]
    else:
        parts.append("<p>No type is confused with another.</p>")
    return "".join(parts)


def path_name(path: TypePath) -> str:
    """The whole path, or a name for none."""
    return format_path(path) or NO_TYPE


def ratio(n: int, of: int) -> float | None:
    """None of nothing."""
    return n / of if of else None


def _depth(analysis: Analysis) -> int:
    depth = 1
    for gold, found in analysis.total.pairs:
        depth = max(depth, len(gold), len(found))
    return depth


def _first_level(analysis: Analysis) -> str:
    """All gold mentions by first level, and what became of them.

    Mentions with wrong boundaries and missed ones have columns of their own, spurious
    predictions a row.
    """
    cells: Counter[tuple[str, str]] = Counter()
    for (gold, found), n in analysis.total.pairs.items():
        cells["".join(gold[:1]), "".join(found[:1])] += n
    groups = analysis.groups["type"]
    names = set(groups)
    for pair in cells:
        names.update(pair)
    columns = sorted(names)

    gold_names = [name for name in columns if name in groups and groups[name].gold]
    rows = []
    for name in gold_names:
        row = [cells[name, other] for other in columns]
        rows.append([*row, groups[name].boundary, groups[name].kinds[MISSED]])
    spurious = [
        groups[name].kinds[SPURIOUS] if name in groups else 0 for name in columns
    ]
    rows.append([*spurious, 0, 0])
    sums = [groups[name].gold for name in gold_names]
    sums.append(max(1, sum(spurious)))

    row_headings = [Heading(name or NO_TYPE, name) for name in gold_names]
    row_headings.append(Heading("spurious", ""))
    headings = [Heading(name or NO_TYPE, name) for name in columns]
    headings += [Heading("wrong boundaries", ""), Heading("missed", "")]
    text = (
        "Rows: gold, columns: predicted. All mentions; the last row holds spurious predictions."
        " Shades: share of the row. Outlined: right."
    )
    return note(text) + _heat_map(row_headings, headings, rows, sums)


def _most_confused(
    analysis: Analysis,
    confused: Mapping[tuple[TypePath, TypePath], int],
) -> str:
    weight: Counter[TypePath] = Counter()
    for (gold, found), n in confused.items():
        weight[gold] += n
        weight[found] += n
    # neighbours in the taxonomy stand side by side
    names = sorted(path for path, _ in weight.most_common(HEAT_TYPES))

    pairs = analysis.total.pairs
    rows = []
    for gold in names:
        rows.append([pairs.get((gold, found), 0) for found in names])
    all_sums = _sums(analysis)
    sums = [all_sums[path] for path in names]
    headings = []
    for path in names:
        label = path[-1] if path else NO_TYPE
        headings.append(Heading(label, format_path(path)))
    text = (
        "Rows: gold, columns: predicted, of mentions with right boundaries. Shades: share"
        " of the row's mentions. Outlined: right."
    )
    return (
        f"<h3>The {len(names)} types that are confused most</h3>"
        f"{note(text)}{_heat_map(headings, headings, rows, sums)}"
    )


def _sums(analysis: Analysis) -> Counter[TypePath]:
    """Mentions with right boundaries, by gold path."""
    sums: Counter[TypePath] = Counter()
    for (gold, _), n in analysis.total.pairs.items():
        sums[gold] += n
    return sums


def _pairs(
    analysis: Analysis,
    confused: Counter[tuple[TypePath, TypePath]],
) -> str:
    sums = _sums(analysis)
    rows: list[list[Cell]] = []
    for (gold, found), n in confused.most_common(PAIRS):
        rows.append(
            [
                path_name(gold),
                path_name(found),
                n,
                ratio(n, sums[gold]),
                confused[found, gold],
                _parting_level(gold, found),
            ]
        )
    header = (
        "gold",
        "predicted",
        "mentions",
        "share of gold",
        "the other way",
        "paths part at",
    )
    more = len(confused) - PAIRS
    below = note(f"and {more:,} pairs more") if more > 0 else ""
    return f"<h3>Most confused pairs</h3>{table(header, rows)}{below}"


def _parting_level(gold: TypePath, found: TypePath) -> str:
    """The first level at which two paths differ, or behind the end of the shorter one."""
    shared = 0
    for a, b in zip(gold, found, strict=False):
        if a != b:
            break
        shared += 1
    return f"level {shared + 1}"


def _heat_map(
    rows: Sequence[Heading],
    columns: Sequence[Heading],
    cells: Sequence[Sequence[int]],
    sums: Sequence[int],
) -> str:
    """sums (Sequence[int]): What a row's cells are shares of."""
    head = []
    for column in columns:
        title = escape(column.full, quote=True)
        name = escape(column.label)
        head.append(f'<th title="{title}"><span>{name}</span></th>')

    lines = []
    for row, values, whole in zip(rows, cells, sums, strict=True):
        title = escape(row.full, quote=True)
        parts = [f'<th scope="row" title="{title}">{escape(row.label)}</th>']
        for column, n in zip(columns, values, strict=True):
            parts.append(_heat_cell(row, column, n, whole))
        lines.append(f"<tr>{''.join(parts)}</tr>")
    return (
        '<div class="scroll heat"><table>'
        f"<thead><tr><th></th>{''.join(head)}</tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def _heat_cell(
    row: Heading,
    column: Heading,
    n: int,
    whole: int,
) -> str:
    right = bool(row.full) and row.full == column.full
    css = ' class="same"' if right else ""
    percent = 100 * n / max(1, whole)
    share = format_share(n, whole)
    title = escape(f"{row.label} as {column.label}: {n:,} ({share})", quote=True)
    return f'<td{css} style="--p:{percent:.0f}%" title="{title}">{n or ""}</td>'
