"""HTML pages in one file, which load nothing and run nothing but what they are written with."""

from __future__ import annotations

from .frame import (
    Cell,
    format_number,
    format_share,
    html_page,
    note,
    scrolling_table,
    sectioned_page,
    table,
    tiles,
)
from .style import CLASSES, LIGHT, OTHER, errors_css, read_asset, report_css

__all__ = [
    "CLASSES",
    "LIGHT",
    "OTHER",
    "Cell",
    "errors_css",
    "format_number",
    "format_share",
    "html_page",
    "note",
    "read_asset",
    "report_css",
    "scrolling_table",
    "sectioned_page",
    "table",
    "tiles",
]
