"""Counts over a stream of records: sizes and distributions in memory that does not grow
with the number of records.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from spacy_cascade.taxonomy import Taxonomy, TypePath, parse_path

from ..dynamic.metrics import gini, normalized_entropy, variation
from ..label_paths import LabelPaths
from ..records import Record

MAX_LISTS = 100_000  # distinct type lists that are told apart
QUANTILES = (("median", 0.5), ("p90", 0.9), ("p99", 0.99))


@dataclass
class Tally:
    """What is counted; can be added up (`update`).

    types (Counter[TypePath]): Mentions by path. nested (int): Mentions in or across a longer one.
    sentence_tokens, mention_tokens, mention_characters, per_sentence, list_lengths
        (Counter[int]): Histograms: value -> how often. `per_sentence`: mentions of a
        sentence; `list_lengths`: types of a type list.
    lists (set[bytes]): Hashes of the distinct type lists, at most `MAX_LISTS`.
    """

    sentences: int = 0
    mentions: int = 0
    characters: int = 0
    tokens: int = 0
    nested: int = 0
    types: Counter[TypePath] = field(default_factory=Counter)
    sentence_tokens: Counter[int] = field(default_factory=Counter)
    mention_tokens: Counter[int] = field(default_factory=Counter)
    mention_characters: Counter[int] = field(default_factory=Counter)
    per_sentence: Counter[int] = field(default_factory=Counter)
    list_lengths: Counter[int] = field(default_factory=Counter)
    lists: set[bytes] = field(default_factory=set)

    def add(
        self, record: Record, paths: Sequence[TypePath], starts: np.ndarray
    ) -> None:
        """Counts a record.

        paths (Sequence[TypePath]): One per mention.
        starts (int, shape (tokens,)): Offsets of the first characters of the tokens, ascending.
        """
        spans = np.array(
            [(m.start, m.end) for m in record.mentions], dtype=np.int64
        ).reshape(-1, 2)
        # a mention that begins inside a token covers it too
        first = np.searchsorted(starts, spans[:, 0], side="right") - 1
        last = np.searchsorted(starts, spans[:, 1], side="left")
        self.sentences += 1
        self.mentions += len(spans)
        self.characters += len(record.text)
        self.tokens += len(starts)
        self.nested += len(spans) - len(record.flat())
        self.types.update(paths)
        self.sentence_tokens[len(starts)] += 1
        self.mention_tokens.update((last - first).tolist())
        self.mention_characters.update((spans[:, 1] - spans[:, 0]).tolist())
        self.per_sentence[len(spans)] += 1
        lists = record.meta.get("type_lists") or (
            [record.labels] if record.labels is not None else []
        )
        for types in lists:
            if types:
                self._add_list(types)

    def _add_list(self, types: Sequence[str]) -> None:
        self.list_lengths[len(types)] += 1
        if len(self.lists) < MAX_LISTS:
            names = "\0".join(sorted(types)).encode("utf8", "surrogatepass")
            self.lists.add(hashlib.blake2b(names, digest_size=8).digest())

    def update(self, other: Tally) -> Tally:
        """Adds another tally to this one and returns this one."""
        for name, value in vars(other).items():
            if isinstance(value, int):
                setattr(self, name, getattr(self, name) + value)
            else:
                getattr(self, name).update(value)
        return self

    @property
    def empty(self) -> int:
        """Sentences without mention."""
        return self.per_sentence[0]

    def at_level(self, level: int) -> Counter[TypePath]:
        """Mentions by the first `level` names of their path."""
        found: Counter[TypePath] = Counter()
        for path, n in self.types.items():
            found[path[:level]] += n
        return found

    def to_dict(self) -> dict[str, Any]:
        """JSON-serializable.

        Type counts, most frequent first, are keyed by the path joined with ' > '.
        """
        return {
            "sentences": self.sentences,
            "without_mention": self.empty,
            "mentions": self.mentions,
            "nested": self.nested,
            "characters": self.characters,
            "tokens": self.tokens,
            "types": len(self.types),
            "mentions_per_sentence": summary(self.per_sentence),
            "sentence_tokens": summary(self.sentence_tokens),
            "mention_tokens": summary(self.mention_tokens),
            "mention_characters": summary(self.mention_characters),
            "type_lists": {
                "lists": sum(self.list_lengths.values()),
                "distinct": len(self.lists),
                "at_least": len(self.lists) >= MAX_LISTS,
                **summary(self.list_lengths),
            },
            "balance": balance(self.types),
            "coarse_balance": balance(self.at_level(1)),
            "type_counts": {
                " > ".join(path): n for path, n in self.types.most_common()
            },
        }


def summary(histogram: Mapping[int, int]) -> dict[str, float]:
    """Mean, minimum, quantiles (smallest value that so large a share does not exceed)
    and maximum; {} if it is empty.
    """
    values = np.array(sorted(histogram), dtype=np.int64)
    counts = np.array([histogram[v] for v in values.tolist()], dtype=np.int64)
    if not counts.sum():
        return {}
    share = np.cumsum(counts) / counts.sum()
    quantiles = {
        name: int(values[np.searchsorted(share, q - 1e-12)]) for name, q in QUANTILES
    }
    mean = float((values * counts).sum() / counts.sum())
    return {"mean": mean, "min": int(values[0]), **quantiles, "max": int(values[-1])}


def balance(types: Mapping[TypePath, int]) -> dict[str, float]:
    """Normalized entropy, Gini coefficient and variation coefficient
    (`dynamic.metrics`) of the types with a mention.
    """
    counts = list(types.values())
    if not counts:
        return {}
    return {
        "entropy": normalized_entropy(counts),
        "gini": gini(counts),
        "variation": variation(counts),
    }


class Paths:
    """Type names to paths.

    Without a taxonomy, 'a -> b' and 'a > b' are paths and all other names types without
    a parent.

    unresolved (Counter[str]): Names that the taxonomy does not resolve, by mentions:
        each is its own path.
    """

    def __init__(self, taxonomy: Taxonomy | None = None):
        self._resolve = LabelPaths(taxonomy) if taxonomy is not None else None
        self.unresolved: Counter[str] = Counter()
        self._known: dict[str, tuple[TypePath, bool]] = {}

    def __call__(self, label: str) -> TypePath:
        if label not in self._known:
            self._known[label] = self._find(label)
        path, resolved = self._known[label]
        if not resolved:
            self.unresolved[label] += 1
        return path

    def _find(self, label: str) -> tuple[TypePath, bool]:
        own = parse_path(label) or (label,)
        if self._resolve is None:
            return own, True
        try:
            return self._resolve(label), True
        except ValueError:  # unknown or ambiguous
            return own, False
