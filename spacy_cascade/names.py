"""Names of types and paths of names, as text."""

from __future__ import annotations

import re
from collections.abc import Sequence

SEP = " > "
TypePath = tuple[str, ...]

# Spelling slips of the published type files; each use is written to `Taxonomy.notes`.
CORRECTIONS = {"transortation": "transportation"}


def normalize_name(name: str) -> str:
    """Lower case, single spaces, known spelling slips corrected."""
    name = re.sub(r"\s+", " ", name.strip()).lower()
    for wrong, right in CORRECTIONS.items():
        name = name.replace(wrong, right)
    return name


def format_path(path: Sequence[str]) -> str:
    """('location', 'address', 'road') -> 'location > address > road'."""
    return SEP.join(path)


def parse_path(text: str) -> TypePath:
    """Reads 'a > b' as well as B2NERD's 'a->b'."""
    return tuple(part.strip() for part in re.split(r"\s*->\s*|\s+>\s+", text.strip()) if part.strip())
