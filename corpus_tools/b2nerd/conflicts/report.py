"""The ranked list as a Markdown page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

SHOWN = 30
STRINGS = 6
SETS = 4
HEADER = (
    "#",
    "label",
    "elsewhere",
    "score",
    "same strings",
    "same edges",
    "predictions",
    "F1 home",
    "F1 cross",
    "proposed split",
)


def rows(conflicts: Iterable[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """One row per conflict, as in HEADER."""
    return [
        (
            str(i),
            c["label"],
            c["other"],
            f"{c['score']:.2f}",
            _share(c["n"], c["checked"]),
            _share(c["edges"], c["edges_checked"]),
            _share(c["predicted"], c["predictions"]),
            _percent(c["home"]),
            _percent(c["cross"]),
            " / ".join(c["split"]),
        )
        for i, c in enumerate(conflicts, 1)
    ]


def as_markdown(result: Mapping[str, Any], figures: Sequence[tuple[str, str]]) -> str:
    """figures (Sequence): Type and file name of the heat maps."""
    classes = (
        ", ".join(f"{n} {kind}" for kind, n in result["classes"].items()) or "none"
    )
    parts = [
        "# Conflicts",
        (
            f"{len(result['sets'])} data sets: {', '.join(s['name'] for s in result['sets'])}. "
            f"Occurrences of shared strings, counted once per pair of sets: {classes}."
        ),
        _section("Ranked conflicts", result["conflicts"]),
        _section("Labels without a counterpart", result["no_counterpart"]),
        "## Names to unite or to nest",
        _table(
            ("name", "relation", "name", "in", "and in"),
            [
                (p["a"], p["relation"], p["b"], _some(p["sets_a"]), _some(p["sets_b"]))
                for p in result["similar"][: 3 * SHOWN]
            ],
        ),
    ]
    parts += [f"## {kind}\n\n![F1 across data sets]({name})" for kind, name in figures]
    return "\n\n".join(parts) + "\n"


def _section(title: str, conflicts: Sequence[Mapping[str, Any]]) -> str:
    top = conflicts[:SHOWN]
    if not top:
        return f"## {title}\n\nNone."
    more = (
        f"\n\n{len(conflicts) - len(top)} more in conflicts.json."
        if len(conflicts) > len(top)
        else ""
    )
    return f"## {title}\n\n{_table(HEADER, rows(top))}{more}\n\n" + "\n".join(
        _detail(i, c) for i, c in enumerate(top, 1)
    )


def _detail(number: int, c: Mapping[str, Any]) -> str:
    strings = ", ".join(f"{s} ({n})" for s, n in list(c["strings"].items())[:STRINGS])
    lines = [
        (
            f"{number}. **{c['label']}** in {_some(c['wide'])}; **{c['other']}** in"
            f" {_some(c['narrow'])}: {strings}"
        ),
        *(f"   - {name}: {text}" for name, text in c["examples"]),
    ]
    return "\n".join(lines)


def _table(header: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *body]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |"
        for line in lines
    )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:SETS]) + (
        f" and {len(names) - SETS} more" if len(names) > SETS else ""
    )


def _share(n: int, total: int) -> str:
    return f"{n}/{total} ({n / total:.0%})" if total else "-"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"
