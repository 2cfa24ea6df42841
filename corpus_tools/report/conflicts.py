"""A ranked list of conflicts between data sets, as `corpus_tools conflicts` writes it,
for the page.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from ..errors import CorpusError, Errors
from ..files import check_file

SETS = 4
# Numbers of occurrences: those that disagree, those looked at, by what they were found.
HEADER = ("", "label", "others say", "occurrences", "F1", "where", "proposed split")
EVIDENCE = (
    ("n", "checked", "equal mentions"),
    ("edges", "edges_checked", "edge words"),
    ("predicted", "predictions", "taggers"),
)


def load(path: Path) -> list[Mapping[str, Any]]:
    """A list of conflicts, highest rank first, or an object with such a list under "conflicts".

    RAISES CorpusFileNotFoundError: T001. CorpusError: T082 if it holds anything else.
    """
    check_file(path)
    try:
        data = json.loads(path.read_text("utf8"))
    except ValueError as err:
        raise CorpusError(
            Errors.T082.format(path=path, why=f"it is no JSON ({err})")
        ) from err
    found = data.get("conflicts") if isinstance(data, Mapping) else data
    if not isinstance(found, list):
        raise CorpusError(
            Errors.T082.format(
                path=path,
                why="it is neither a list nor an object with a list 'conflicts'",
            )
        )
    for i, one in enumerate(found, 1):
        if not isinstance(one, Mapping) or not isinstance(one.get("label"), str):
            raise CorpusError(
                Errors.T082.format(path=path, why=f"its entry {i} has no 'label'")
            )
    return found


def render(conflicts: Sequence[Mapping[str, Any]], top: int) -> str:
    """HTML table of the first `top` conflicts."""
    rows = "".join(_row(rank, one) for rank, one in enumerate(conflicts[:top], 1))
    more = (
        f'<p class="note">and {len(conflicts) - top:,} more</p>'
        if len(conflicts) > top
        else ""
    )
    head = "".join(f"<th>{name}</th>" for name in HEADER)
    table = f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody>"
    return f'<div class="scroll"><table class="conflicts">{table}</table></div>{more}'


def _row(rank: int, one: Mapping[str, Any]) -> str:
    strings = ", ".join(escape(str(s)) for s in list(one.get("strings") or ())[:6])
    wide, narrow = (_sets(one.get(side) or ()) for side in ("wide", "narrow"))
    found = "<br>".join(
        f"{one[n]:,} of {one[of]:,} <small>{what}</small>"
        for n, of, what in EVIDENCE
        if one.get(n) and one.get(of)
    )
    home, cross = one.get("home"), one.get("cross")
    f1 = ""
    if isinstance(home, (int, float)) and isinstance(cross, (int, float)):
        f1 = f"{home:.2f} → {cross:.2f}"
    example = ""
    for pair in one.get("examples") or ():
        if isinstance(pair, Sequence) and len(pair) > 1:
            example = str(pair[1])
            break
    split = "<br>".join(escape(str(part)) for part in one.get("split") or ())
    label = f"<b>{escape(one['label'])}</b><br><small>{strings}</small>"
    where = (
        f"{wide}<br><small>against</small> {narrow}<br><small>{escape(example)}</small>"
    )
    cells = [
        f'<td class="n">{rank}</td>',
        f"<td>{label}</td>",
        f"<td>{escape(str(one.get('other', '')))}</td>",
        f'<td class="n">{found}</td>',
        f'<td class="n">{f1}</td>',
        f"<td>{where}</td>",
        f"<td>{split}</td>",
    ]
    return f"<tr>{''.join(cells)}</tr>"


def _sets(names: Sequence[Any]) -> str:
    shown = ", ".join(escape(str(n)) for n in names[:SETS])
    return shown + (f" and {len(names) - SETS} more" if len(names) > SETS else "")
