"""Run a benchmark: python benchmarks/run.py speed.throughput --model ... --data ...

The name of a suite is its place below benchmarks/suites. Its options are those of its
function `run`; --help shows them. The result is printed as one line of JSON. --output
writes it to a run file, with command, commit, versions and machine. --tables then
fills the tables of the docs from docs/research/runs.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import inspect
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from benchmarks import options  # noqa: E402  (the folder is no installed package)
from benchmarks.provenance import provenance  # noqa: E402

SUITES = ROOT / "benchmarks" / "suites"


def suites() -> dict[str, Path]:
    """All suites by name."""
    found = {}
    for file in sorted(SUITES.glob("*/[!_]*.py")):
        group = file.parent.name
        found[f"{group}.{file.stem}"] = file
    return found


def listing() -> str:
    """All suites, each with the first sentence of its module. Nothing is imported."""
    lines = [(__doc__ or "").strip(), "", "suites:"]
    for name, file in suites().items():
        module = ast.parse(file.read_text("utf8"))
        about = ast.get_docstring(module) or ""
        first = " ".join(about.split("\n\n")[0].split())
        lines.append(f"  {name:24}{first}")
    return "\n".join(lines)


def suite(name: str) -> Callable[..., dict[str, Any]]:
    """RAISES SystemExit: If there is no suite of this name."""
    if name not in suites():
        raise SystemExit(f"No suite '{name}'. There are: {', '.join(suites())}")
    run: Callable[..., dict[str, Any]] = importlib.import_module(
        f"benchmarks.suites.{name}"
    ).run
    return run


def parser_of(name: str, run: Callable[..., Any]) -> argparse.ArgumentParser:
    """Options of a suite, and those of the runner."""
    about = inspect.getdoc(inspect.getmodule(run))
    parser = argparse.ArgumentParser(
        prog=f"run.py {name}",
        description=about,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add(parser, run)
    if "output" not in inspect.signature(run).parameters:
        parser.add_argument("--output", type=Path, help="run file, JSON")
    parser.add_argument(
        "--tables", action="store_true", help="then fill the tables of docs"
    )
    return parser


def main() -> None:
    words = sys.argv[1:]
    if not words or words[0].startswith("-"):
        print(listing())
        return

    run = suite(words[0])
    parser = parser_of(words[0], run)
    given = vars(parser.parse_args(words[1:]))
    fill = given.pop("tables")
    # A suite with an output of its own adds to the file what is finished.
    own = "output" in inspect.signature(run).parameters
    output = None if own else given.pop("output")

    result = {**provenance(), **run(**given)}
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(
            json.dumps(result, indent=1, ensure_ascii=False) + "\n", "utf8"
        )
    print(json.dumps(result), flush=True)
    if fill:
        from benchmarks import tables

        tables.fill_pages()


if __name__ == "__main__":
    main()
