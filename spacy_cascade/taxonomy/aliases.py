"""Which known types come nearest to a name: by a list of usual names, then by spelling."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import srsly

from .names import normalize_name

_FILE = Path(__file__).parent / "data" / "aliases.json"


@lru_cache(maxsize=1)
def label_aliases() -> dict[str, tuple[str, ...]]:
    """The types that usual names stand for, the best first.

    The names are those of spaCy, of CoNLL and of everyday speech: PER, GPE, company.
    They stand in `taxonomy/data/aliases.json`. They advise, and never replace a label.

    RETURNS (dict[str, tuple[str, ...]]): By name in lower case. `_` is a space.
    """
    out = {}
    for name, types in srsly.read_json(_FILE)["aliases"].items():
        out[_key(name)] = tuple(types)
    return out


def nearest_types(name: str, known: Iterable[str], *, n: int = 3) -> list[str]:
    """The known types that come nearest to a name.

    The name in another spelling comes first, then what its alias stands for. Similar
    names are given only if there is neither.

    name (str): A label, as users spell it.
    known (Iterable[str]): Names of types.
    n (int): Most to give.
    RETURNS (list[str]): As they are spelled in `known`. Empty if nothing is near.
    """
    spelled: dict[str, str] = {}
    for other in known:
        spelled.setdefault(_key(other), other)

    key = _key(name)
    wanted = [key, *label_aliases().get(key, ())]
    near = [other for other in wanted if other in spelled]
    if not near:
        near = difflib.get_close_matches(key, spelled, n, cutoff=0.75)
    found = [spelled[other] for other in near]
    return list(dict.fromkeys(found))[:n]


def unknown_names(names: Iterable[str], known: Iterable[str]) -> list[str]:
    """The names that are not among the known ones. Case and white space don't matter.

    names (Iterable[str]): What is looked up.
    known (Iterable[str]): Names of types.
    RETURNS (list[str]): Each once, in order.
    """
    have = {normalize_name(name) for name in known}
    missing = [name for name in names if normalize_name(name) not in have]
    return list(dict.fromkeys(missing))


def with_nearest(names: Iterable[str], known: Iterable[str], *, most: int = 8) -> str:
    """Names with the types that come nearest, for a message.

    names (Iterable[str]): The names.
    known (Iterable[str]): Names of types.
    most (int): How many names to write.
    RETURNS (str): `'PER' (nearest: person), 'flurbel' (nothing near)`.
    """
    known = list(known)
    names = list(names)
    parts = []
    for name in names[:most]:
        near = ", ".join(nearest_types(name, known))
        hint = f"nearest: {near}" if near else "nothing near"
        parts.append(f"'{name}' ({hint})")
    rest = len(names) - most
    if rest > 0:
        parts.append(f"and {rest} more")
    return ", ".join(parts)


def _key(name: str) -> str:
    return normalize_name(name.replace("_", " "))
