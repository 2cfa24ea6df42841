"""Names of types and paths of names, as text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

SEP = " > "
TypePath = tuple[str, ...]

# Spelling slips of the published type files; each use is written to `Taxonomy.notes`.
CORRECTIONS = {"transortation": "transportation"}


@lru_cache(maxsize=1 << 14)
def normalize_name(name: str) -> str:
    """Lower case, single spaces, known spelling slips corrected: for look-up and
    comparison, never for what users see.
    """
    name = single_spaced(name).lower()
    for wrong, right in CORRECTIONS.items():
        name = name.replace(wrong, right)
    return name


def correct_name(name: str) -> str:
    """The name as it is spelled, unless it holds a known spelling slip."""
    right = normalize_name(name)
    return name if right == single_spaced(name).lower() else right


def single_spaced(name: str) -> str:
    """The name as prompts write it: one space between words, none at the ends."""
    return re.sub(r"\s+", " ", name.strip())


def normalize_path(path: Sequence[str]) -> TypePath:
    """Each name normalized."""
    return tuple(map(normalize_name, path))


def format_path(path: Sequence[str]) -> str:
    """('location', 'address', 'road') -> 'location > address > road'."""
    return SEP.join(path)


def parse_path(text: str) -> TypePath:
    """Reads 'a > b' as well as B2NERD's 'a->b'."""
    return tuple(
        part.strip()
        for part in re.split(r"\s*->\s*|\s+>\s+", text.strip())
        if part.strip()
    )
