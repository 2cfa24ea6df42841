"""The four quality metrics of a categorization (DynamicNER, arXiv 2409.11022):
cohesion, normalized entropy, Gini coefficient, variation coefficient.

All of them look at classes of mentions. Cohesion is computed from the sum vector of
each class: for n unit vectors with sum S, the mean cosine of the n(n-1)/2 pairs is
(|S|^2 - n) / (n(n-1)), so that memory grows with classes, not with pairs.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from ..embedding import CHUNK, Embedder, unit_rows
from ..errors import CorpusError, Errors

BLOCK = 8192  # mentions at a time
# The paper's bounds: it adjusts entropy below, Gini and variation above, and merges
# types whose cohesion is above.
THRESHOLDS = {"cohesion": 0.9, "entropy": 0.8, "gini": 0.4, "variation": 0.5}
# +1: more is better, -1: less is better.
DIRECTIONS = {"cohesion": 1, "entropy": 1, "gini": -1, "variation": -1}
METRICS = tuple(DIRECTIONS)


@dataclass(frozen=True)
class Metrics:
    """The four metrics of one categorization.

    cohesion (float): Mean over types of at least two mentions, in [-1, 1]; NaN if there is none.
    entropy (float): Normalized, in [0, 1]; 0 for a single type.
    gini (float): In [0, 1 - 1/types]. variation (float): At least 0.
    types (int): Names with a mention. mentions (int): Mentions.
    """

    cohesion: float
    entropy: float
    gini: float
    variation: float
    types: int
    mentions: int

    def gain(self, name: str, before: Metrics) -> float:
        """Change of one metric, positive if it got better."""
        return DIRECTIONS[name] * (getattr(self, name) - getattr(before, name))

    def wanting(self, name: str) -> bool:
        """Whether the paper's bound is not reached: there is something to gain."""
        return DIRECTIONS[name] * (getattr(self, name) - THRESHOLDS[name]) < 0

    def to_dict(self) -> dict[str, float | int]:
        """JSON-serializable."""
        return asdict(self)


def normalized_entropy(counts: Sequence[int] | np.ndarray) -> float:
    """-sum(p log2 p) / log2(n) over the n types with a mention; 0 for one type, where
    there is nothing to distribute.

    RAISES CorpusError: T030 for counts that are negative, not finite, or all zero.
    """
    p = _shares(counts)
    return float(-(p * np.log2(p)).sum() / np.log2(len(p))) if len(p) > 1 else 0.0


def gini(counts: Sequence[int] | np.ndarray) -> float:
    """(n + 1 - 2 sum_i (n - i + 1) p_i) / n over the n types with a mention, p
    ascending, i from 1. RAISES: As above.
    """
    p = np.sort(_shares(counts))
    n = len(p)
    # max: a uniform distribution may come out as -1e-17
    return max(0.0, float((n + 1 - 2 * (np.arange(n, 0, -1) * p).sum()) / n))


def variation(counts: Sequence[int] | np.ndarray) -> float:
    """Population standard deviation / mean of the counts of the types with a mention.

    RAISES: As above.
    """
    p = _shares(counts)
    return float(p.std() / p.mean())


def _shares(counts: Sequence[int] | np.ndarray) -> np.ndarray:
    found = np.asarray(counts, dtype=np.float64).ravel()
    if not np.isfinite(found).all() or (found < 0).any() or not found.sum():
        raise CorpusError(Errors.T030.format(found=f"the counts {found[:8].tolist()}"))
    found = found[found > 0]
    return found / found.sum()


class ClassSums:
    """Counts and sum vectors of classes, added up block by block: all that the four metrics need.

    classes (int): Number of classes. dim (int): Width of the vectors.
    """

    def __init__(self, classes: int, dim: int):
        self.counts = np.zeros(classes, dtype=np.int64)
        self.sums = np.zeros((classes, dim), dtype=np.float64)
        self.squares = np.zeros(classes, dtype=np.float64)

    def grow(self, classes: int) -> None:
        """Makes room for classes that turn up on the way."""
        more = max(0, classes - len(self.counts))
        self.counts = np.pad(self.counts, (0, more))
        self.sums = np.pad(self.sums, ((0, more), (0, 0)))
        self.squares = np.pad(self.squares, (0, more))

    def add(self, codes: np.ndarray, vectors: np.ndarray) -> None:
        """One block of mentions, each in one class.

        codes (int, shape (block,)): Class numbers. vectors (float, shape (block, dim)):
            Unit vectors.
        RAISES CorpusError: T030 for a vector that is not of length one (zeros, NaN, infinity).
        """
        if not len(codes):
            return
        _check_unit(vectors)
        order = np.argsort(codes, kind="stable")
        found, starts = np.unique(codes[order], return_index=True)
        self.counts += np.bincount(codes, minlength=len(self.counts))
        self.sums[found] += np.add.reduceat(
            vectors[order].astype(np.float64), starts, axis=0
        )
        self.squares += np.bincount(
            codes,
            weights=np.einsum("ij,ij->i", vectors, vectors),
            minlength=len(self.counts),
        )

    def add_members(self, member: np.ndarray, vectors: np.ndarray) -> None:
        """One block of mentions, each in any number of classes.

        member (bool, shape (block, classes)): Which classes. vectors: As above. RAISES
            CorpusError: T030.
        """
        _check_unit(vectors)
        self.counts += member.sum(axis=0)
        self.sums += member.T.astype(np.float32) @ vectors
        self.squares += np.einsum("ij,ij->i", vectors, vectors) @ member

    def moved(self, source: int, target: int) -> ClassSums:
        """A copy in which one class is part of another."""
        copy = ClassSums(0, 0)
        for name in ("counts", "sums", "squares"):
            values = getattr(self, name).copy()
            values[target] += values[source]
            values[source] = 0
            setattr(copy, name, values)
        return copy

    def cohesion(self) -> np.ndarray:
        """Mean pairwise cosine of each class, shape (classes,); NaN for less than two mentions."""
        n = self.counts.astype(np.float64)
        pairs = np.where(n > 1, n * (n - 1), np.nan)
        return (np.einsum("ij,ij->i", self.sums, self.sums) - self.squares) / pairs

    def metrics(self, counts: np.ndarray | None = None) -> Metrics:
        """counts (int): Whose distribution is measured; default: that of the classes themselves.

        RAISES CorpusError: T030 if no mention was added.
        """
        counts = self.counts if counts is None else counts
        per_type = self.cohesion()
        known = per_type[~np.isnan(per_type)]
        return Metrics(
            cohesion=float(known.mean()) if len(known) else float("nan"),
            entropy=normalized_entropy(counts),
            gini=gini(counts),
            variation=variation(counts),
            types=int((counts > 0).sum()),
            mentions=int(counts.sum()),
        )


def _check_unit(vectors: np.ndarray) -> None:
    norms = np.linalg.norm(vectors, axis=1)
    wrong = np.flatnonzero(~(np.abs(norms - 1) < 1e-3))
    if len(wrong):
        raise CorpusError(
            Errors.T030.format(
                found=f"{len(wrong)} vector(s) of length {norms[wrong[0]]:.3g}, not 1"
            )
        )


@dataclass(frozen=True)
class Vectors:
    """Embeddings of mentions, one row per distinct text.

    rows (float32, shape (texts, dim)): Unit vectors. of (int, shape (mentions,)): Row
        of each mention.
    """

    rows: np.ndarray
    of: np.ndarray

    def __len__(self) -> int:
        return len(self.of)

    def block(self, start: int) -> np.ndarray:
        """Vectors of the mentions [start, start + BLOCK)."""
        return self.rows[self.of[start : start + BLOCK]]


def measure(
    names: np.ndarray, vectors: Vectors, *, types: np.ndarray | None = None
) -> Metrics:
    """The metrics of mentions that each bear one type.

    names (int, shape (mentions,)): Number of the name that a mention's type bears: the
        distribution is counted by name.
    types (int, shape (mentions,)): Number of the type, where one type has several
        names: cohesion is that of types, whatever they are called. None: each name is a
        type.
    RAISES CorpusError: T030 for no mention or an unusable vector.
    """
    classes = names if types is None else types
    sums = ClassSums(int(classes.max(initial=0)) + 1, vectors.rows.shape[1])
    for start in range(0, len(classes), BLOCK):
        sums.add(classes[start : start + BLOCK], vectors.block(start))
    return sums.metrics() if types is None else sums.metrics(np.bincount(names))


def measure_members(member: np.ndarray, vectors: Vectors) -> Metrics:
    """The metrics of mentions that are in several classes at once.

    member (bool, shape (mentions, classes)). RAISES CorpusError: As `measure`.
    """
    sums = ClassSums(member.shape[1], vectors.rows.shape[1])
    for start in range(0, len(member), BLOCK):
        sums.add_members(member[start : start + BLOCK], vectors.block(start))
    return sums.metrics()


def measure_stream(
    mentions: Iterable[tuple[str, str, str]], embedder: Embedder
) -> Metrics:
    """The metrics of mentions that are read one by one; memory grows with types only.

    mentions (Iterable[tuple[str, str, str]]): Text, name that its type bears, and type
        (its path, or the name again).
    RAISES CorpusError: T030 for no mention, T042 for a text without a usable vector.
    """
    names: dict[str, int] = {}
    types: dict[str, int] = {}
    counts: Counter[int] = Counter()
    sums: ClassSums | None = None
    stream = iter(mentions)
    while block := list(itertools.islice(stream, CHUNK)):
        vectors = unit_rows(
            embedder([text for text, _, _ in block]), [text for text, _, _ in block]
        )
        codes = np.array([types.setdefault(path, len(types)) for _, _, path in block])
        counts.update(names.setdefault(name, len(names)) for _, name, _ in block)
        sums = sums or ClassSums(len(types), vectors.shape[1])
        sums.grow(len(types))
        sums.add(codes, vectors)
    if sums is None:
        raise CorpusError(Errors.T030.format(found="no mention"))
    return sums.metrics(np.array([counts[i] for i in range(len(names))]))
