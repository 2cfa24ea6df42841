"""A tree of types as a treemap: nested rectangles whose areas are the numbers of
mentions, drawn as SVG.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import NamedTuple

from spacy_cascade.taxonomy import TypePath

# Height of the title bar of inner nodes, by level; deeper ones have none.
HEADERS = (19.0, 14.0)
LEAF_FONT, HEADER_FONTS = 11.0, (12.5, 10.5)
SMALL = 0.00065  # share of the picture; siblings smaller than that are put together
GAP = 1.5
Box = tuple[float, float, float, float]  # x, y, width, height


@dataclass
class Node:
    """A type.

    own (int): Mentions of the type itself.
    total (int): Those of its descendants too.
    """

    path: TypePath
    own: int = 0
    total: int = 0
    children: dict[str, Node] = field(default_factory=dict)


def tree(types: Mapping[TypePath, int]) -> Node:
    """The tree of counted paths; its root has the path ()."""
    root = Node(())
    for path, n in types.items():
        node = root
        node.total += n
        for name in path:
            node = node.children.setdefault(name, Node((*node.path, name)))
            node.total += n
        node.own += n
    return root


def squarify(values: Sequence[float], box: Box) -> list[Box]:
    """Cuts a box into boxes with areas in proportion to the values, as square as can be
    (Bruls, Huizing, van Wijk 2000).

    values (Sequence[float]): Positive, descending. RETURNS (list[Box]): Parallel to the values.
    """
    x, y, width, height = box
    scale = width * height / sum(values) if values else 0.0
    areas = [v * scale for v in values]
    boxes: list[Box] = []
    while areas:
        side = min(width, height)
        n = 1
        while n < len(areas):
            longer = _worst(areas[: n + 1], side)
            if longer > _worst(areas[:n], side):
                break
            n += 1
        row, areas = areas[:n], areas[n:]

        depth = sum(row) / side if side else 0.0
        upright = width >= height
        at = 0.0
        for area in row:
            length = area / depth if depth else 0.0
            if upright:
                boxes.append((x, y + at, depth, length))
            else:
                boxes.append((x + at, y, length, depth))
            at += length
        if upright:
            x, width = x + depth, width - depth
        else:
            y, height = y + depth, height - depth
    return boxes


def _worst(row: Sequence[float], side: float) -> float:
    """Highest ratio of the sides of the boxes of a row."""
    square, total = side * side, sum(row) ** 2
    return max(square * max(row) / total, total / (square * min(row)))


def draw(
    root: Node,
    colors: Mapping[str, str],
    *,
    width: float,
    height: float,
    name: str = "",
    depth: int = 3,
) -> str:
    """An SVG image without outside references.

    colors (Mapping[str, str]): CSS class by coarse type. name (str): CSS class of the
        image. depth (int): Levels to draw.
    """
    body = "".join(_draw(root, (0.0, 0.0, width, height), 0, depth, colors, root.total))
    label = f"Treemap of {root.total:,} mentions by type"
    return (
        f'<svg class="tree {name}" viewBox="0 0 {width:g} {height:g}" role="img"'
        f' aria-label="{label}">{body}</svg>'
    )


def _draw(
    node: Node, box: Box, level: int, depth: int, colors: Mapping[str, str], total: int
) -> Iterator[str]:
    """The boxes of the children of a node."""
    header = HEADERS[level] if level < len(HEADERS) else 0.0
    parts = _parts(node, total)
    places = squarify([part.mentions for part in parts], box)
    for part, place in zip(parts, places, strict=True):
        n, label = part.mentions, part.label
        path = part.node.path if part.node else (*node.path, label)
        color = colors.get(path[0], "cx")
        title = escape(f"{' > '.join(path)}: {n:,} ({n / total:.1%})")
        inner = _inset(place, GAP / (level + 1))
        x, y, w, h = inner
        divided = part.node is not None and part.node.children and level + 1 < depth
        if part.node and divided and h > 2.2 * header and w > 40:
            bar = (x, y, w, header)
            heading = _text(f"{label} {n:,}", bar, HEADER_FONTS[level], lines=1)
            yield f'<g class="{color} l{level}"><title>{title}</title>{_rect(inner)}'
            yield f"{heading}</g>"
            below = (x + 1, y + header, w - 2, h - header - 1)
            yield from _draw(part.node, below, level + 1, depth, colors, total)
        else:
            lines = int((h - 3) / (LEAF_FONT * 1.15))
            name = _text(label, inner, LEAF_FONT, lines=lines)
            yield f'<g class="{color} leaf"><title>{title}</title>{_rect(inner)}'
            yield f"{name}</g>"


class _Part(NamedTuple):
    """What gets a box. node (Node): The type, None for a part of its parent."""

    mentions: int
    node: Node | None
    label: str


def _parts(node: Node, total: int) -> list[_Part]:
    """The children of a node, the largest first."""
    shown = sorted(node.children.values(), key=lambda c: (-c.total, c.path))
    small = [child for child in shown if child.total < SMALL * total]
    rest = 0
    if len(small) > 1:
        shown = shown[: len(shown) - len(small)]
        rest = sum(child.total for child in small)
    parts = [_Part(child.total, child, child.path[-1]) for child in shown]
    if rest:
        parts.append(_Part(rest, None, f"{len(small)} more types"))
    # mentions of the type itself, where it has subtypes, are a box like these
    if node.own and node.path:
        parts.append(_Part(node.own, None, f"{node.path[-1]} itself"))
    parts.sort(key=lambda part: -part.mentions)
    return parts


def _inset(box: Box, by: float) -> Box:
    x, y, w, h = box
    by = min(by, w / 4, h / 4)
    return x + by / 2, y + by / 2, w - by, h - by


def _rect(box: Box) -> str:
    x, y, w, h = (f"{v:.1f}".removesuffix(".0") for v in box)
    return f'<rect x="{x}" y="{y}" width="{w}" height="{h}"/>'


def _text(label: str, box: Box, font: float, *, lines: int) -> str:
    x, y, w, _ = box
    found = wrap(label, w - 6, font, lines)
    if not found:
        return ""
    left, down = f"{x + 3:.1f}", f"{font * 1.15:.1f}"
    spans = "".join(
        f'<tspan x="{left}" dy="{down}">{escape(line)}</tspan>' for line in found
    )
    return f'<text y="{y + 1:.1f}" font-size="{font:g}">{spans}</text>'


def wrap(text: str, width: float, font: float, lines: int) -> list[str]:
    """Breaks a label into lines that fit, the last one cut with an ellipsis if it has
    to be; [] where nothing readable fits.
    """
    found: list[str] = []
    for word in re.findall(r"[^\s/\-]+[/\-]?|[/\-]", text):
        glue = "" if not found or found[-1].endswith(("/", "-")) else " "
        if found and text_width(found[-1] + glue + word, font) <= width:
            found[-1] += glue + word
        else:
            found.append(word)
    cut = len(found) > lines
    found = found[: max(lines, 0)]
    if cut and found:
        found[-1] += "…"
    for i, line in enumerate(found):
        if text_width(line, font) <= width:
            continue
        while line and text_width(line + "…", font) > width:
            line = line.rstrip("…")[:-1]
        readable = i or len(line) > 3
        return [*found[:i], line + "…"] if readable else []
    return found


def text_width(text: str, font: float) -> float:
    """Estimated, in the units of the font size."""
    widths = (
        1.0 if unicodedata.east_asian_width(char) in "WF" else 0.6 for char in text
    )
    return font * sum(widths)
