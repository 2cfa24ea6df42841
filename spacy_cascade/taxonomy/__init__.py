"""Type hierarchies: `Taxonomy`, its file forms and its names."""

from .names import (
    SEP,
    TypePath,
    format_path,
    normalize_name,
    normalize_path,
    parse_path,
)
from .tree import Taxonomy, builtin

__all__ = [
    "SEP",
    "Taxonomy",
    "TypePath",
    "builtin",
    "format_path",
    "normalize_name",
    "normalize_path",
    "parse_path",
]
