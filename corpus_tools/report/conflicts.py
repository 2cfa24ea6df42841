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
    head = "".join(
        f"<th>{name}</th>"
        for name in (
            "",
            "label",
            "others say",
            "occurrences",
            "F1",
            "where",
            "proposed split",
        )
    )
    return (
        '<div class="scroll"><table'
        f' class="conflicts"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>{more}'
    )


def _row(rank: int, one: Mapping[str, Any]) -> str:
    strings = ", ".join(escape(str(s)) for s in list(one.get("strings") or ())[:6])
    wide, narrow = (_sets(one.get(side) or ()) for side in ("wide", "narrow"))
    found = "<br>".join(
        f"{one[n]:,} of {one[of]:,} <small>{what}</small>"
        for n, of, what in EVIDENCE
        if one.get(n) and one.get(of)
    )
    both = isinstance(one.get("home"), (int, float)) and isinstance(
        one.get("cross"), (int, float)
    )
    f1 = f"{one['home']:.2f} → {one['cross']:.2f}" if both else ""
    example = next(
        (
            str(e[1])
            for e in one.get("examples") or ()
            if isinstance(e, Sequence) and len(e) > 1
        ),
        "",
    )
    split = "<br>".join(escape(str(s)) for s in one.get("split") or ())
    return (
        "<tr><td"
        f' class="n">{rank}</td><td><b>{escape(one["label"])}</b><br><small>{strings}</small></td><td>{escape(str(one.get("other", "")))}</td><td'
        f' class="n">{found}</td><td class="n">{f1}</td><td>{wide}<br><small>against</small>'
        f" {narrow}<br><small>{escape(example)}</small></td><td>{split}</td></tr>"
    )


def _sets(names: Sequence[Any]) -> str:
    shown = ", ".join(escape(str(n)) for n in names[:SETS])
    return shown + (f" and {len(names) - SETS} more" if len(names) > SETS else "")
