"""Fill the tables of docs pages from the JSON files that benchmarks wrote.

    python benchmarks/tables.py             # all pages of docs
    python benchmarks/tables.py docs/open-sm.md

A table stands between `<!-- table: NAME -->` and `<!-- end -->`; NAME is a function of
one of the modules below. `--check` fails if a table is not what the runs say.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path

import tables_ablations
import tables_corpora
import tables_errors
import tables_open
import tables_pages
import tables_results
import tables_smollm2
from tables_markdown import Runs

MODULES = (
    tables_open,
    tables_errors,
    tables_ablations,
    tables_results,
    tables_pages,
    tables_corpora,
    tables_smollm2,
)
TABLES = {name: table for module in MODULES for name, table in module.TABLES.items()}


def fill(text: str, runs: Runs) -> str:
    """RAISES KeyError: For an unknown table, or a run that it needs and that is not there."""

    def table(match: re.Match[str]) -> str:
        return f"{match[1]}\n{TABLES[match[2]](runs)}\n{match[3]}"

    return re.sub(
        r"(<!-- table: (\w+) -->)\n.*?(<!-- end -->)", table, text, flags=re.DOTALL
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pages", type=Path, nargs="*", help="all of docs if none")
    parser.add_argument("--runs", type=Path, default=Path("docs/research/runs"))
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    runs = {
        file.stem: json.loads(file.read_text("utf8"))
        for file in sorted(args.runs.glob("*.json"))
    }
    for page in args.pages or sorted(Path("docs").rglob("*.md")):
        old = page.read_text("utf8")
        new = fill(old, runs)
        if args.check and new != old:
            sys.exit(f"{page} does not agree with {args.runs}")
        if new != old:
            page.write_text(new, "utf8")


if __name__ == "__main__":
    main()
