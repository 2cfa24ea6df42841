"""The seven judgements of mentions on the page of errors: names, marks and bars."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import NamedTuple

from ..pages import format_share
from ..scoring.judging import KINDS, Tally


class Kind(NamedTuple):
    """How a judgement is called on the page, and what it means."""

    name: str
    meaning: str


NAMES = {
    "right": Kind("right", "boundaries and the whole path"),
    "type": Kind("wrong type", "right boundaries, another path"),
    "long": Kind("too long", "the prediction holds the mention and more"),
    "short": Kind("too short", "the prediction is a part of the mention"),
    "overlap": Kind(
        "crossing",
        "prediction and mention share a part, and each has more",
    ),
    "missed": Kind("missed", "no prediction touches the mention"),
    "spurious": Kind("spurious", "a prediction that touches no mention"),
}
SHORT_NAMES = tuple(NAMES[kind].name for kind in KINDS)


def mark(kind: str) -> str:
    """A box in the colour of a kind."""
    return f'<i class="k {kind}"></i>'


def bars(groups: Mapping[str, Tally]) -> str:
    """Name -> a bar of the shares of all kinds, below a legend."""
    legend = [f"<span>{mark(kind)}{NAMES[kind].name}</span>" for kind in KINDS]
    rows = []
    for name, tally in groups.items():
        rows.append(
            f'<li><span class="name">{escape(name or "?")}</span>'
            f'{_stack(tally)}<span class="n">{tally.gold:,}</span></li>'
        )
    return (
        f'<div class="legend">{"".join(legend)}</div>'
        f'<ul class="bars">{"".join(rows)}</ul>'
    )


def _stack(tally: Tally) -> str:
    parts = []
    for kind in KINDS:
        n = tally.kinds[kind]
        if not n:
            continue
        share = format_share(n, tally.gold)
        title = f"{NAMES[kind].name}: {n:,} ({share})"
        parts.append(f'<span class="k {kind}" style="flex:{n}" title="{title}"></span>')
    return f'<div class="stack">{"".join(parts)}</div>'
