"""Names of types and paths of names, as text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

SEP = " > "
# Names from the first level downwards.
TypePath = tuple[str, ...]

# Spelling slips of the published type files. Each use is written to `Taxonomy.notes`.
CORRECTIONS = {"transortation": "transportation"}
_WHITE_SPACE = re.compile(r"\s+")
_ARROW = re.compile(r"\s*->\s*|\s+>\s+")


@lru_cache(maxsize=1 << 14)
def normalize_name(name: str) -> str:
    """A name for look-up and comparison, never for what users see.

    In lower case, with single spaces, with known spelling slips corrected.
    """
    name = single_spaced(name).lower()
    for wrong, right in CORRECTIONS.items():
        name = name.replace(wrong, right)
    return name


def correct_name(name: str) -> str:
    """The name as it is spelled, unless it holds a known spelling slip.

    name (str): As users spell it.
    RETURNS (str): Normalized, if it holds a slip.
    """
    right = normalize_name(name)
    return name if right == single_spaced(name).lower() else right


def single_spaced(name: str) -> str:
    """The name as prompts write it: one space between words, none at the ends.

    name (str): As users spell it.
    RETURNS (str): In the same case.
    """
    return _WHITE_SPACE.sub(" ", name.strip())


def normalize_path(path: Sequence[str]) -> TypePath:
    """Each name normalized."""
    return tuple(map(normalize_name, path))


def format_path(path: Sequence[str]) -> str:
    """('location', 'address', 'road') -> 'location > address > road'."""
    return SEP.join(path)


def parse_path(text: str) -> TypePath:
    """Reads 'a > b' as well as B2NERD's 'a->b'.

    text (str): A name or a path string.
    RETURNS (TypePath): The names as they are spelled, without empty ones.
    """
    parts = [part.strip() for part in _ARROW.split(text.strip())]
    return tuple(filter(None, parts))
