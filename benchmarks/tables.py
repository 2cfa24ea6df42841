"""Fill the tables of a docs page from the JSON files that benchmarks wrote.

    python benchmarks/tables.py docs/open-sm.md --runs docs/runs

A table stands between `<!-- table: NAME -->` and `<!-- end -->`; NAME is one of the functions below. `--check` fails if a
table is not what the runs say.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

Runs = dict[str, Any]
GROUPS = {"in_domain": "trained on", "zero_shot": "zero-shot", "others": "never seen, other guidelines"}


def _row(*cells: Any) -> str:
    return "| " + " | ".join(f"{c:.3f}" if isinstance(c, float) else str(c) for c in cells) + " |"


def _table(head: list[str], rows: list[list[Any]]) -> str:
    return "\n".join([_row(*head), "|" + "---|" * len(head), *(_row(*r) for r in rows)])


def open_means(runs: Runs) -> str:
    """Mean over data sets."""
    found = runs["open_sm"]
    rows = [[name, found[g]["data_sets"], found[g]["span_f"], found[g]["typed_f"]] for g, name in GROUPS.items() if g in found]
    return _table(["data sets", "number", "span F1", "typed F1"], rows)


def open_sets(runs: Runs) -> str:
    """Every data set."""
    rows = [
        [data_set, name, s["docs"], s["mentions"], s["span_f"], s["typed_f"]]
        for group, name in GROUPS.items()
        for data_set, s in runs["open_sm"]["figures"].get(group, {}).items()
    ]
    return _table(["data set", "", "sentences", "mentions", "span F1", "typed F1"], rows)


TABLES: dict[str, Callable[[Runs], str]] = {"open_means": open_means, "open_sets": open_sets}


def fill(text: str, runs: Runs) -> str:
    """RAISES KeyError: For an unknown table, or a run that it needs and that is not there."""

    def table(match: re.Match[str]) -> str:
        return f"{match[1]}\n{TABLES[match[2]](runs)}\n{match[3]}"

    return re.sub(r"(<!-- table: (\w+) -->)\n.*?(<!-- end -->)", table, text, flags=re.DOTALL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path)
    parser.add_argument("--runs", type=Path, default=Path("docs/runs"))
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    runs = {file.stem: json.loads(file.read_text("utf8")) for file in sorted(args.runs.glob("*.json"))}
    old = args.page.read_text("utf8")
    new = fill(old, runs)
    if args.check and new != old:
        sys.exit(f"{args.page} does not agree with {args.runs}")
    if not args.check:
        args.page.write_text(new, "utf8")


if __name__ == "__main__":
    main()
