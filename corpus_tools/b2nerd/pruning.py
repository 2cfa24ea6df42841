"""Diversity-aware pruning (B2NERD, arXiv 2406.11192), with a threshold variant, and
random sampling for comparison.

Per data set and type there is a pool of at most k samples. The samples with the type
come in random order, and x enters with probability 1 - max over the pool of cos(x, y) +
b. What is kept is the union of the pools; a kept sample keeps all its mentions. Samples
without a mention have a pool of their own, of k / 5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..errors import CorpusError, Errors, check_choice, check_rule
from ..units import NO_TYPE, Incidence, Key, random

METHODS = ("diversity", "threshold", "type-random", "random")
NEGATIVES = 5
# Candidates whose similarities to the pool are one matrix product.
BLOCK = 512


@dataclass(frozen=True)
class PruneOptions:
    """How to choose.

    method (str): "diversity", the paper's; "threshold": x enters if max cos(x, y) <
        threshold; "type-random": the first k of each type in random order; "random":
        any samples.
    k (int): Size of a pool. b (float): Added to the probability of entering; 1 lets
        everything in, as "type-random" does.
    size (int): Samples per data set, for the two random methods ("type-random" then
        lowers or raises k to fit).
    seed (int): Order and draws.
    RAISES CorpusError: T003 for an unknown method, T008 for a number out of range.
    """

    method: str = "diversity"
    k: int = 400
    b: float = 0.0
    threshold: float = 0.8
    size: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        check_choice("--method", self.method, METHODS)
        rules = (
            ("k", "at least 1", self.k >= 1),
            ("b", "between -1 and 1", -1 <= self.b <= 1),
            ("threshold", "above -1 and at most 1", -1 < self.threshold <= 1),
            ("size", "at least 1", self.size is None or self.size >= 1),
            ("seed", "at least 0", self.seed >= 0),
        )
        for name, rule, kept in rules:
            check_rule(name, rule, getattr(self, name), kept=kept)

    @property
    def needs_vectors(self) -> bool:
        return self.method in ("diversity", "threshold")


@dataclass(frozen=True)
class Selection:
    """What was chosen of a unit.

    keep (ndarray[bool], shape (records,)): The union.
    pools (dict[Key, ndarray]): Record numbers in the order in which they entered; empty
        for "random".
    """

    keep: np.ndarray
    pools: Mapping[Key, np.ndarray]


def fill_pool(
    rows: np.ndarray, vectors: np.ndarray, limits: np.ndarray, k: int
) -> np.ndarray:
    """Goes through candidates in order; one enters if its highest cosine to the pool is
    below its limit. Each block of candidates is compared with the pool by one matrix
    product, and among itself by another.

    rows (ndarray[int], shape (n,)): Candidates, as rows of `vectors`.
    vectors (ndarray[float32], shape (records, dimensions)): Unit rows, possibly a memory map.
    limits (ndarray[float], shape (n,)): 1 + b - u with u uniform in [0, 1) makes the
    probability 1 - cos + b.
    k (int): The pool's size, at which the search ends.

    RETURNS (ndarray[int]): The rows that entered, in order.
    """
    pool = np.empty((min(k, len(rows)), vectors.shape[1]), dtype=np.float32)
    entered: list[int] = []
    for start in range(0, len(rows) if k else 0, BLOCK):
        numbers = rows[start : start + BLOCK]
        block = np.asarray(vectors[numbers], dtype=np.float32)
        among = block @ block.T
        n = len(entered)
        nearest = (
            (block @ pool[:n].T).max(axis=1)
            if n
            else np.full(len(block), -np.inf, dtype=np.float32)
        )
        for i, limit in enumerate(limits[start : start + BLOCK]):
            if nearest[i] < limit:
                pool[len(entered)] = block[i]
                entered.append(int(numbers[i]))
                if len(entered) == k:
                    return np.array(entered)
                np.maximum(nearest, among[i], out=nearest)
    return np.array(entered, dtype=np.int64)


def select(
    incidence: Incidence,
    vectors: np.ndarray | None,
    options: PruneOptions,
    *,
    sizes: Mapping[str, int] | None = None,
) -> Selection:
    """Chooses records.

    vectors (ndarray[float32], shape (records, dimensions)): Needed by the methods
    "diversity" and "threshold".
    sizes (Mapping[str, int]): Samples per data set, for the two random methods; comes
        before `options.size`.
    RAISES CorpusError: T074 if a random method has no size for a data set.
    """
    ranks = _ranks(incidence, options.seed)
    candidates = [
        rows[np.argsort(ranks[rows], kind="stable")] for rows in incidence.by_key()
    ]
    sized = options.size is not None or sizes is not None
    if options.method == "random" or (options.method == "type-random" and sized):
        return _sample(incidence, candidates, ranks, options, sizes)
    pools: dict[Key, np.ndarray] = {}
    for key, rows in zip(incidence.keys, candidates, strict=True):
        size = pool_size(key, options.k)
        if vectors is None or not options.needs_vectors:
            pools[key] = rows[:size]
        else:
            pools[key] = fill_pool(
                rows, vectors, _limits(key, len(rows), options), size
            )
    keep = np.zeros(incidence.n_records, dtype=bool)
    for rows in pools.values():
        keep[rows] = True
    return Selection(keep, pools)


def pool_size(key: Key, k: int) -> int:
    """k, and a fifth of it for samples without a mention."""
    return k // NEGATIVES if key[1] == NO_TYPE else k


def _limits(key: Key, n: int, options: PruneOptions) -> np.ndarray:
    if options.method == "threshold":
        return np.full(n, options.threshold)
    return 1 + options.b - random(options.seed, "draw", *key).random(n)


def _ranks(incidence: Incidence, seed: int) -> np.ndarray:
    """Place of each record in the random order of its data set."""
    ranks = np.zeros(incidence.n_records, dtype=np.int64)
    for name, rows in incidence.groups().items():
        ranks[rows] = random(seed, "order", name).permutation(len(rows))
    return ranks


def _sample(
    incidence: Incidence,
    candidates: list[np.ndarray],
    ranks: np.ndarray,
    options: PruneOptions,
    sizes: Mapping[str, int] | None,
) -> Selection:
    """The first records of each data set: in random order, or in the order of the best
    place that a record has among the candidates of one of its types, which is per-type
    sampling with the k that gives this size.
    """
    place = ranks.copy()
    if options.method == "type-random":
        place[:] = np.iinfo(np.int64).max
        for key, rows in zip(incidence.keys, candidates, strict=True):
            weight = NEGATIVES if key[1] == NO_TYPE else 1
            place[rows] = np.minimum(place[rows], weight * np.arange(len(rows)))
    keep = np.zeros(incidence.n_records, dtype=bool)
    for name, rows in incidence.groups().items():
        size = options.size if sizes is None else sizes.get(name)
        if size is None:
            raise CorpusError(
                Errors.T074.format(
                    why=f"there is no size for the data set '{name}'",
                    remedy="--size or --like",
                )
            )
        keep[rows[np.lexsort((ranks[rows], place[rows]))[:size]]] = True
    return Selection(keep, {})
