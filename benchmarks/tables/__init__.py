"""Tables of the docs, filled from the JSON files that benchmarks wrote.

    python -m benchmarks.tables                   # all pages of docs
    python -m benchmarks.tables docs/open-sm.md

A table stands between `<!-- table: NAME -->` and `<!-- end -->`. NAME is declared in one
of the modules of this package. `--check` fails if a table is not what the runs say.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from . import ablations, corpora, decoding, open_sm, results, smollm2
from ._declare import Runs

ROOT = Path(__file__).parents[2]
RUNS = ROOT / "docs/research/runs"
TABLES: dict[str, Callable[[Runs], str]] = {
    **open_sm.TABLES,
    **smollm2.TABLES,
    **results.TABLES,
    **ablations.TABLES,
    **decoding.TABLES,
    **corpora.TABLES,
}
PLACE = re.compile(r"(<!-- table: (\w+) -->)\n.*?(<!-- end -->)", re.DOTALL)


def read_runs(folder: Path = RUNS) -> Runs:
    """All run files by name. What is archived is not read."""
    runs = {}
    for file in sorted(folder.glob("*.json")):
        runs[file.stem] = json.loads(file.read_text("utf8"))
    return runs


def fill(text: str, runs: Runs) -> str:
    """RAISES KeyError: For an unknown table, or a run that it needs and that is not there."""

    def table(match: re.Match[str]) -> str:
        begin, name, end = match.groups()
        return f"{begin}\n{TABLES[name](runs)}\n{end}"

    return PLACE.sub(table, text)


def fill_pages(
    pages: Sequence[Path] = (), folder: Path = RUNS, *, check: bool = False
) -> None:
    """Fill the tables of these pages, or of all pages of the docs.

    RAISES SystemExit: With `check`, if a page is not what the runs say.
    """
    runs = read_runs(folder)
    for page in pages or sorted((ROOT / "docs").rglob("*.md")):
        old = page.read_text("utf8")
        new = fill(old, runs)
        if check and new != old:
            sys.exit(f"{page} does not agree with {folder}. Run: make results")
        if new != old:
            page.write_text(new, "utf8")
