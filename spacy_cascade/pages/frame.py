"""The frame of the pages, and the parts that several of them have."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from .. import __version__

Cell = str | int | float | None


def html_page(
    *,
    title: str,
    css: str,
    body: str,
    script: str = "",
) -> str:
    """A page whose content security policy allows this style and this script alone.

    They are allowed by their hashes.

    title (str): Text.
    css (str): Must not depend on data.
    body (str): HTML. Whatever comes from data has to be escaped in it.
    script (str): Must not depend on data.
    RETURNS (str): A whole page. What UTF-8 can't hold (lone surrogates) is shown as a
        question mark.
    """
    policy = {
        "default-src": "'none'",
        "style-src-elem": _hash(css),
        # widths of bars; they can load nothing
        "style-src-attr": "'unsafe-inline'",
        "script-src": _hash(script) if script else "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    content = "; ".join(f"{name} {value}" for name, value in policy.items())
    heading = escape(title)
    parts = [
        "<!DOCTYPE html>\n",
        '<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{content}">',
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        f"<title>{heading}</title><style>{css}</style></head>",
        f"<body><h1>{heading}</h1>{body}",
        f"<script>{script}</script>" if script else "",
        "</body></html>\n",
    ]
    return "".join(parts).encode("utf8", "replace").decode("utf8")


def _hash(text: str) -> str:
    """As a policy names an inline style or script."""
    digest = hashlib.sha256(text.encode("utf8")).digest()
    encoded = base64.b64encode(digest).decode("ascii")
    return f"'sha256-{encoded}'"


def sectioned_page(
    sections: Mapping[str, str],
    *,
    title: str,
    css: str,
    above: str,
    command: str,
    script: str = "",
) -> str:
    """A page of sections, with links to them.

    sections (Mapping[str, str]): Heading -> HTML.
    above (str): HTML between the links and the first section.
    command (str): What made the page, for its last line.
    """
    links = []
    body = []
    for name, html in sections.items():
        anchor = name.lower().replace(" ", "-")
        links.append(f'<a href="#{anchor}">{name}</a>')
        body.append(f'<section id="{anchor}"><h2>{name}</h2>{html}</section>')
    parts = [
        f"<nav>{''.join(links)}</nav>",
        above,
        *body,
        note(f"spacy-cascade {__version__}, {command}"),
    ]
    return html_page(title=title, css=css, body="".join(parts), script=script)


def note(text: str) -> str:
    """A paragraph of small print."""
    return f'<p class="note">{escape(text)}</p>'


def tiles(figures: Mapping[str, object]) -> str:
    """Name -> figure, in large print."""
    boxes = [f"<div><b>{v}</b><span>{k}</span></div>" for k, v in figures.items()]
    return f'<div class="tiles">{"".join(boxes)}</div>'


def format_share(n: float, of: float) -> str:
    """A percentage; a dash of nothing."""
    return f"{n / of:.1%}" if of else "–"


def format_number(value: float | None) -> str:
    """Three digits; a dash for None."""
    return "–" if value is None else f"{value:.3f}"


def table(
    header: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    *,
    total: bool = False,
) -> str:
    """A table that scrolls in its own box. Strings are set left, numbers right.

    total (bool): The last row is one of sums.
    """
    rows = list(rows)
    first = rows[0] if rows else header
    head = []
    for name, value in zip(header, first, strict=True):
        css = "" if isinstance(value, str) else ' class="n"'
        head.append(f"<th{css}>{escape(name)}</th>")

    lines = []
    for row in rows:
        cells = [_table_cell(value) for value in row]
        lines.append(f"<tr>{''.join(cells)}</tr>")
    if total and lines:
        lines[-1] = lines[-1].replace("<tr>", '<tr class="total">', 1)
    return scrolling_table("".join(head), lines)


def _table_cell(value: Cell) -> str:
    if isinstance(value, str):
        return f"<td>{escape(value)}</td>"
    shown = f"{value:,}" if isinstance(value, int) else format_number(value)
    return f'<td class="n">{shown}</td>'


def scrolling_table(
    head: str,
    rows: Iterable[str],
    *,
    kind: str = "",
) -> str:
    """head (str): Cells of the heading. rows (Iterable[str]): HTML. kind (str): CSS class."""
    css = f"scroll {kind}".rstrip()
    return (
        f'<div class="{css}"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )
