"""Which labels of two data sets mean, by their names, the same, something similar, or
more or less than each other.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np

from spacy_cascade.taxonomy import Taxonomy, normalize_name, parse_path
from spacy_cascade.taxonomy.names import normalize_path

from ...embedding import Embedder
from ...errors import CorpusError, CorpusFileNotFoundError, Errors
from ..labelmap import load_maps

THRESHOLD = 0.75  # cosine of two names' embeddings
_SPELLING = {
    "isation": "ization",
    "colour": "color",
    "flavour": "flavor",
    "geopolitical": "geo-political",
}
_FILLERS = frozenset(
    ["a", "an", "the", "named", "name", "names", "type", "geographic", "geographical"]
)
_ALTERNATIVES = re.compile(r"\s*(?:,|/|\bor\b|\band\b)\s*")


class Relation(IntEnum):
    """How two labels relate, the closest first."""

    SAME = 0
    SIMILAR = 1  # other words for what is probably the same
    BROADER = 2  # the first includes the second
    NARROWER = 3
    NONE = 4


class Names:
    """Reads label names.

    maps (Mapping): Data set -> raw label -> standardized name; the key "" holds for all sets.
    taxonomy (Taxonomy): Says what lies below what.
    embedder (Embedder): For names that share no word; without one, words alone decide.
    threshold (float): From which cosine on two names are similar.
    """

    def __init__(
        self,
        *,
        maps: Mapping[str, Mapping[str, str]] | None = None,
        taxonomy: Taxonomy | None = None,
        embedder: Embedder | None = None,
        threshold: float = THRESHOLD,
    ):
        self.maps = maps or {}
        self.taxonomy = taxonomy
        self.embedder = embedder
        self.threshold = threshold
        self._paths: dict[str, tuple[str, ...]] = {}
        self._relations: dict[tuple[str, str], Relation] = {}
        self._vectors: dict[str, np.ndarray] = {}

    def __call__(self, dataset: str, label: str) -> str:
        """The standardized name of a label: mapped, American spelling, 'x->others' and
        'other x' as 'x'. Of a path that the taxonomy has, the last part.
        """
        raw = (
            self.maps.get(dataset, {}).get(label)
            or self.maps.get("", {}).get(label)
            or label
        )
        parts = [_plain(part) for part in parse_path(raw)] or [_plain(raw)]
        if len(parts) > 1 and parts[-1] in ("other", "others"):
            parts.pop()
        if len(parts) == 1:
            parts[0] = parts[0].removeprefix("other ")
        name = "->".join(parts)
        path = self.path(name)
        return path[-1] if self._paths.setdefault(path[-1], path) == path else name

    def path(self, name: str) -> tuple[str, ...]:
        """The place of a standardized name in the taxonomy; its own parts if it has none."""
        if name not in self._paths:
            parts = tuple(name.split("->"))
            self._paths[name] = parts
            if self.taxonomy is not None:
                self._paths[name] = (
                    _resolve(self.taxonomy, name)
                    or _resolve(self.taxonomy, parts[-1])
                    or parts
                )
        return self._paths[name]

    def relation(self, a: str, b: str) -> Relation:
        """Between two standardized names."""
        if (a, b) not in self._relations:
            self._relations[a, b] = self._relate(a, b)
        return self._relations[a, b]

    def closest(self, name: str, others: Iterable[str]) -> Relation:
        """The closest relation of a name to any of the others."""
        return min(
            (self.relation(name, other) for other in others), default=Relation.NONE
        )

    def _relate(self, a: str, b: str) -> Relation:
        path_a, path_b = self.path(a), self.path(b)
        if a == b or path_a == path_b:
            return Relation.SAME
        words_a, words_b = _alternatives(a), _alternatives(b)
        if words_a == words_b:  # 'geographic location' and 'location'
            return Relation.SIMILAR
        if path_a == path_b[: len(path_a)]:
            return Relation.BROADER
        if path_b == path_a[: len(path_b)]:
            return Relation.NARROWER
        if words_a & words_b:  # 'chemical or drug' and 'drug'
            return Relation.SIMILAR
        # the head of an English name is its last word: a 'sports event' is an 'event',
        # a 'product model' no 'product'
        if any(y.endswith(f" {x}") for x in words_a for y in words_b):
            return Relation.BROADER
        if any(x.endswith(f" {y}") for x in words_a for y in words_b):
            return Relation.NARROWER
        if self.embedder is not None:
            one, two = (self._vector(name, self.embedder) for name in (a, b))
            if float(one @ two) >= self.threshold:
                return Relation.SIMILAR
        return Relation.NONE

    def _vector(self, name: str, embedder: Embedder) -> np.ndarray:
        if name not in self._vectors:
            self._vectors[name] = embedder([name.split("->")[-1]])[0]
        return self._vectors[name]


def _resolve(taxonomy: Taxonomy, name: str) -> tuple[str, ...] | None:
    try:
        return normalize_path(taxonomy.resolve(name))
    except ValueError:  # unknown or ambiguous: the name speaks for itself
        return None


def _plain(name: str) -> str:
    name = normalize_name(name)
    for wrong, right in _SPELLING.items():
        name = name.replace(wrong, right)
    return name


def _alternatives(name: str) -> set[str]:
    found = _ALTERNATIVES.split(name.split("->")[-1])
    words = (" ".join(w for w in part.split() if w not in _FILLERS) for part in found)
    return {w for w in words if w}


def read_maps(path: Path) -> dict[str, dict[str, str]]:
    """Label maps: a directory of maps as `standardize` has them (see `labelmap`), or a
    JSON object, either raw -> name for all sets or data set -> raw -> name. Labels that
    a map drops keep their raw names.

    RAISES CorpusFileNotFoundError: T001. CorpusError: T066, and T055 or T056 for a
        damaged map of a directory.
    """
    if path.is_dir():
        return _from_folder(path)
    data = _read_object(path)
    if all(isinstance(v, str) for v in data.values()):
        return {"": data}
    return {name: _strings(part, path) for name, part in data.items()}


def _from_folder(path: Path) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    stems: Counter[str] = Counter()
    for name, one in load_maps(path).items():
        stem = name.rpartition("/")[2]
        found[name] = found[stem] = {
            raw: target for raw, target in one.targets.items() if target is not None
        }
        stems[stem] += 1
    return {
        name: targets for name, targets in found.items() if stems[name] < 2
    }  # the short name only if it is unique


def read_map(path: Path) -> dict[str, str]:
    """A JSON object of strings.

    RAISES CorpusFileNotFoundError: T001. CorpusError: T066.
    """
    return _strings(_read_object(path), path)


def _read_object(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise CorpusFileNotFoundError(Errors.T001.format(path=path, cwd=Path.cwd()))
    try:
        data = json.loads(path.read_text("utf-8-sig"))
    except ValueError as err:
        raise CorpusError(Errors.T066.format(path=path, why=err)) from err
    if not isinstance(data, dict):
        raise CorpusError(
            Errors.T066.format(path=path, why=f"it holds a {type(data).__name__}")
        )
    return data


def _strings(data: Any, path: Path) -> dict[str, str]:
    wrong = (
        data
        if not isinstance(data, dict)
        else next((v for v in data.values() if not isinstance(v, str)), None)
    )
    if wrong is not None:
        raise CorpusError(
            Errors.T066.format(
                path=path, why=f"{str(wrong)[:60]!r} stands where a name is expected"
            )
        )
    return data
