"""Tables of what the pipeline that ships gets wrong, from the JSON file of `spacy
cascade errors`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tables_markdown import Runs, table

KINDS = ("right", "type", "long", "short", "overlap", "missed")
REPAIRS = ("type", "boundary", "missed", "spurious")


def errors_languages(runs: Runs) -> str:
    """What became of the gold mentions, by language, and what typed F1 would gain from
    each repair.
    """
    found = runs["open_errors"]

    def cells(name: str, s: dict[str, Any]) -> list[Any]:
        shares = [f"{100 * s[k] / s['gold']:.0f} %" for k in KINDS]
        gains = [f"{s['f1_gain_if_repaired'][k]:+.2f}" for k in REPAIRS]
        return [
            name,
            s["gold"],
            *shares,
            f"{100 * s['spurious'] / s['found']:.0f} %",
            *gains,
        ]

    rows = [cells(name, s) for name, s in found["language"].items()] + [
        cells("all", found["all"])
    ]
    head = [
        "",
        "mentions",
        "right",
        "wrong type",
        "too long",
        "too short",
        "crossing",
        "missed",
        "of those found, spurious",
    ]
    return table([*head, *(f"F1 gain: {k}" for k in REPAIRS)], rows)


def errors_confused(runs: Runs) -> str:
    """The types that are confused most often, where boundaries are right."""
    rows = [
        [gold, found, n]
        for gold, found, n in runs["open_errors"]["all"]["confusions"][:15]
    ]
    return table(["gold", "found", "mentions"], rows)


TABLES: dict[str, Callable[[Runs], str]] = {
    f.__name__: f for f in (errors_languages, errors_confused)
}
