"""A tree of types as a treemap: nested rectangles whose areas are the numbers of
mentions, drawn as SVG.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

from spacy_cascade.taxonomy import TypePath

HEADERS = (
    19.0,
    14.0,
)  # height of the title bar of inner nodes, by level; deeper ones have none
LEAF_FONT, HEADER_FONTS = 11.0, (12.5, 10.5)
SMALL = 0.00065  # share of the picture; siblings smaller than that are put together
GAP = 1.5
Box = tuple[float, float, float, float]  # x, y, width, height


@dataclass
class Node:
    """A type. own (int): Mentions of the type itself; total (int): those of its descendants too."""

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
        while n < len(areas) and _worst(areas[: n + 1], side) <= _worst(
            areas[:n], side
        ):
            n += 1
        row, areas = areas[:n], areas[n:]
        depth = sum(row) / side if side else 0.0
        at = 0.0
        for area in row:
            length = area / depth if depth else 0.0
            boxes.append(
                (x, y + at, depth, length)
                if width >= height
                else (x + at, y, length, depth)
            )
            at += length
        if width >= height:
            x, width = x + depth, width - depth
        else:
            y, height = y + depth, height - depth
    return boxes


def _worst(row: Sequence[float], side: float) -> float:
    """Highest ratio of the sides of the boxes of a row."""
    total = sum(row)
    return max(side * side * max(row) / total**2, total**2 / (side * side * min(row)))


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
    shown = sorted(node.children.values(), key=lambda c: (-c.total, c.path))
    small = [c for c in shown if c.total < SMALL * total]
    shown = shown[: len(shown) - len(small)] if len(small) > 1 else shown
    rest = sum(c.total for c in small) if len(small) > 1 else 0
    # mentions of the type itself, where it has subtypes, are a box like these
    parts: list[tuple[int, Node | None, str]] = [
        (c.total, c, c.path[-1]) for c in shown
    ]
    parts += [(rest, None, f"{len(small)} more types")] if rest else []
    parts += (
        [(node.own, None, f"{node.path[-1]} itself")] if node.own and node.path else []
    )
    parts.sort(key=lambda part: -part[0])
    for (n, child, label), place in zip(
        parts, squarify([p[0] for p in parts], box), strict=True
    ):
        path = child.path if child else (*node.path, label)
        color = colors.get(path[0], "cx")
        title = f"{' > '.join(path)}: {n:,} ({n / total:.1%})"
        header = HEADERS[level] if level < len(HEADERS) else 0.0
        x, y, w, h = _inset(place, GAP / (level + 1))
        if (
            child
            and child.children
            and level + 1 < depth
            and h > 2.2 * header
            and w > 40
        ):
            yield (
                f'<g class="{color}'
                f' l{level}"><title>{escape(title)}</title>{_rect((x, y, w, h))}'
            )
            yield (
                _text(f"{label} {n:,}", (x, y, w, header), HEADER_FONTS[level], lines=1)
                + "</g>"
            )
            yield from _draw(
                child,
                (x + 1, y + header, w - 2, h - header - 1),
                level + 1,
                depth,
                colors,
                total,
            )
        else:
            yield f'<g class="{color} leaf"><title>{escape(title)}</title>{_rect((x, y, w, h))}'
            yield (
                _text(
                    label,
                    (x, y, w, h),
                    LEAF_FONT,
                    lines=int((h - 3) / (LEAF_FONT * 1.15)),
                )
                + "</g>"
            )


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
    spans = "".join(
        f'<tspan x="{x + 3:.1f}" dy="{font * 1.15:.1f}">{escape(line)}</tspan>'
        for line in found
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
        if text_width(line, font) > width:
            while line and text_width(line + "…", font) > width:
                line = line.rstrip("…")[:-1]
            return [*found[:i], line + "…"] if i or len(line) > 3 else []
    return found


def text_width(text: str, font: float) -> float:
    """Estimated, in the units of the font size."""
    return font * sum(
        1.0 if unicodedata.east_asian_width(c) in "WF" else 0.6 for c in text
    )
