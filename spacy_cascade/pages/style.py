"""Style of the pages: a palette, and one sheet for all beside one for each kind of page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple


class Color(NamedTuple):
    """One colour on light and on dark pages."""

    light: str
    dark: str


# Light and well apart, readable under text; one per coarse type.
_TYPES = (
    Color("#a6cee3", "#2f6f95"),
    Color("#b2df8a", "#4d7f2b"),
    Color("#fdbf6f", "#9a611b"),
    Color("#cab2d6", "#73559b"),
    Color("#fb9a99", "#a2494b"),
    Color("#ffe08a", "#85701a"),
    Color("#8fd9c8", "#2a7f6e"),
    Color("#e3b7a0", "#85573c"),
    Color("#d4e157", "#6c7620"),
    Color("#9fb4ff", "#4a5fb5"),
    Color("#f5a6d5", "#94457b"),
    Color("#b7c9a8", "#5b7352"),
)
# Judgements of the page of errors.
_KINDS = {
    "right": Color("#7fb98a", "#4c8a59"),
    "type": Color("#f0b35e", "#b07a24"),
    "long": Color("#5b83c4", "#5f86c9"),
    "short": Color("#8fb0e0", "#3d5f99"),
    "overlap": Color("#bfd0ee", "#2c4570"),
    "missed": Color("#d87a7a", "#a84a4a"),
    "spurious": Color("#b79ad0", "#7b5a9c"),
}
LIGHT = tuple(color.light for color in _TYPES)
# CSS classes of coarse types, and of all others.
CLASSES = tuple(f"c{i}" for i in range(len(_TYPES)))
OTHER = "cx"
_COLORS = {
    **dict(zip(CLASSES, _TYPES, strict=True)),
    OTHER: Color("#d3d6db", "#4c5159"),
}


@cache
def errors_css() -> str:
    """Style of the page of `spacy cascade errors`."""
    classes = [f".{name}" for name in _COLORS]
    classes += [f".k.{name}" for name in _KINDS]
    return _sheet("errors.css", {**_COLORS, **_KINDS}, classes)


@cache
def report_css() -> str:
    """Style of the page of `corpus_tools report`."""
    classes = [f".{name}" for name in _COLORS]
    return _sheet("report.css", _COLORS, classes)


def read_asset(name: str) -> str:
    """A style sheet or script that is installed beside this module."""
    return (Path(__file__).parent / name).read_text("utf8")


def _sheet(name: str, colors: Mapping[str, Color], classes: Iterable[str]) -> str:
    """A page's own sheet behind the common one. Each class sets --c to its colour."""
    light = _variables({name: color.light for name, color in colors.items()})
    dark = _variables({name: color.dark for name, color in colors.items()})
    palette = [
        f":root {{ {light} }}",
        f"@media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}",
    ]
    for selector in classes:
        variable = selector.rpartition(".")[2]
        palette.append(f"{selector} {{ --c: var(--{variable}) }}")
    return "\n".join([*palette, read_asset("common.css"), read_asset(name)])


def _variables(values: Mapping[str, str]) -> str:
    return "; ".join(f"--{name}: {value}" for name, value in values.items())
