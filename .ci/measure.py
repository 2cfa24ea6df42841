"""Measure how dense and how well declared the code is; fail above the limits.

python .ci/measure.py
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = "spacy_cascade"
FOLDERS = (PACKAGE, "corpus_tools", "benchmarks")
# Of the package: syntax-tree nodes per line of code, and mentions of `Any`.
MOST_NODES = 7.0
MOST_ANY = 80
# Of every folder.
LONGEST_MODULE = 400
LONGEST_LINE = 100


def modules(folder: str) -> list[Path]:
    """The Python files of a folder."""
    return sorted((ROOT / folder).rglob("*.py"))


def nodes_per_line(paths: Iterable[Path]) -> float:
    """All nodes of the syntax trees, divided by the lines that hold neither nothing nor
    a comment alone.
    """
    nodes = lines = 0
    for path in paths:
        text = path.read_text("utf8")
        nodes += sum(1 for _ in ast.walk(ast.parse(text)))
        lines += sum(1 for line in text.splitlines() if _counts(line))
    return nodes / max(1, lines)


def _counts(line: str) -> bool:
    stripped = line.strip()
    return bool(stripped) and not stripped.startswith("#")


def mentions_of_any(paths: Iterable[Path]) -> int:
    """How often the type `Any` is written, imports included."""
    return sum(len(re.findall(r"\bAny\b", path.read_text("utf8"))) for path in paths)


def longest_module(paths: Iterable[Path]) -> tuple[int, str]:
    """RETURNS (tuple[int, str]): Lines, and the module."""
    return max((len(_lines(path)), _name(path)) for path in paths)


def longest_line(paths: Iterable[Path]) -> tuple[int, str]:
    """RETURNS (tuple[int, str]): Characters, and where the line is."""
    found = []
    for path in paths:
        for number, line in enumerate(_lines(path), 1):
            found.append((len(line), f"{_name(path)}:{number}"))
    return max(found)


def _lines(path: Path) -> list[str]:
    return path.read_text("utf8").splitlines()


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def failures() -> Iterator[str]:
    """Print all figures. RETURNS (Iterator[str]): What is above its limit."""
    for folder in FOLDERS:
        paths = modules(folder)
        nodes = nodes_per_line(paths)
        mentions = mentions_of_any(paths)
        lines, module = longest_module(paths)
        columns, place = longest_line(paths)
        print(f"{folder}: {len(paths)} modules")
        print(f"  syntax-tree nodes per line: {nodes:.2f}")
        print(f"  mentions of Any: {mentions}")
        print(f"  longest module: {lines} lines ({module})")
        print(f"  longest line: {columns} columns ({place})")
        if folder == PACKAGE and nodes > MOST_NODES:
            yield f"{folder} has {nodes:.2f} nodes per line, more than {MOST_NODES:g}"
        if folder == PACKAGE and mentions > MOST_ANY:
            yield f"{folder} mentions Any {mentions} times, more than {MOST_ANY}"
        if lines > LONGEST_MODULE:
            yield f"{module} has {lines} lines, more than {LONGEST_MODULE}"
        if columns > LONGEST_LINE:
            yield f"{place} has {columns} columns, more than {LONGEST_LINE}"


if __name__ == "__main__":
    found = list(failures())
    sys.exit("\n".join(found) if found else 0)
