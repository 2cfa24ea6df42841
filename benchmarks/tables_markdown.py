"""Tables in markdown."""

from __future__ import annotations

from typing import Any

# What the files in docs/research/runs hold, by the name of the file.
Runs = dict[str, Any]


def row(*cells: Any) -> str:
    return (
        "| "
        + " | ".join(
            f"{c:.3f}" if isinstance(c, float) else "–" if c is None else str(c)
            for c in cells
        )
        + " |"
    )


def table(head: list[str], rows: list[list[Any]]) -> str:
    return "\n".join([row(*head), "|" + "---|" * len(head), *(row(*r) for r in rows)])
