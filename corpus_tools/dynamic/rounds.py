"""The four rounds of dynamic categorization as seeded transformations of type lists,
each with a few parameters.

Where a share of the mentions is chosen, it is the mentions with the highest weight plus
    Gumbel noise: a weighted draw
without replacement of exactly that size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from .lists import LEAST, Lists, blocks, drop_twins, keep_valid
from .metrics import METRICS, ClassSums, Vectors

_TINY = 1e-12
_FLAT = 1e-3  # a spread below this is rounding


@dataclass(frozen=True)
class Corpus:
    """What the rounds know of the mentions.

    gold (int, (mentions,)): Columns of the types as annotated. vectors (Vectors): Embeddings.
    atypical (float, (mentions,)): How little a mention resembles the others of its
        type, standardized.
    relevance (float16, (mentions, columns)): Cosine of a mention to the centroid of
        each type's mentions, standardized by type.
    """

    gold: np.ndarray
    vectors: Vectors
    atypical: np.ndarray
    relevance: np.ndarray


def describe(gold: np.ndarray, base: Lists, vectors: Vectors) -> Corpus:
    """Computes what the rounds need, block by block."""
    types = base.types
    sums = ClassSums(len(types), vectors.rows.shape[1])
    for rows in blocks(len(gold)):
        sums.add(gold[rows], vectors.block(rows.start))
    # A mention without another of its type is neither typical nor atypical.
    alone = sums.counts[gold] < 2
    atypical = np.zeros(len(gold))
    for rows in blocks(len(gold)):
        products = np.einsum(
            "ij,ij->i", vectors.block(rows.start), sums.sums[gold[rows]]
        )
        atypical[rows] = (1 - products) / np.maximum(sums.counts[gold[rows]] - 1, 1)
    atypical[alone] = atypical[~alone].mean() if not alone.all() else 0
    total = sums.sums + types.above.astype(np.float64) @ sums.sums
    centroids = total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), _TINY)
    relevance = np.zeros((len(gold), len(types)), dtype=np.float16)
    moments = np.zeros((2, len(types)))
    for rows in blocks(len(gold)):
        similarity = vectors.block(rows.start) @ centroids.T.astype(np.float32)
        relevance[rows] = similarity
        moments += (
            similarity.sum(axis=0, dtype=np.float64),
            (similarity**2).sum(axis=0, dtype=np.float64),
        )
    mean, square = moments / len(gold)
    spread = np.sqrt(np.maximum(square - mean**2, _TINY))
    for rows in blocks(len(gold)):
        relevance[rows] = np.where(
            spread > _FLAT, (relevance[rows] - mean) / np.maximum(spread, _FLAT), 0
        )
    atypical = (atypical - atypical.mean()) / max(float(atypical.std()), _TINY)
    return Corpus(gold, vectors, atypical, relevance)


def mix(
    lists: Lists,
    corpus: Corpus,
    rng: np.random.Generator,
    *,
    lift: float,
    further: float,
    rarity: float,
    atypical: float,
    clumped: float,
    split: float,
) -> Lists:
    """Round 1: granularities are mixed.

    lift (float): Share of the mentions whose answer is the parent of its type. further
        (float): Share of these that go on one level more. rarity (float): Prefers
        mentions of rare types. atypical (float): Prefers mentions unlike the others of
        their type. clumped (float): How much the mentions of one type are chosen
        together. split (float): Probability that a type beside the answer is replaced
        by its children.
    """
    types = lists.types
    weight = _weight(lists, corpus, rng, rarity, atypical, clumped)
    lifted = _draw(weight, types.parent[lists.answer] >= 0, lift, rng)
    answer = np.where(lifted, types.parent[lists.answer], lists.answer)
    again = _draw(weight, lifted & (types.parent[answer] >= 0), lift * further, rng)
    answer = np.where(again, types.parent[answer], answer)
    member = np.zeros_like(lists.member)
    for rows in blocks(len(lists)):
        line = types.ancestors(answer[rows])
        opened = (
            (rng.random(line.shape, dtype=np.float32) < split) | line
        ) & ~types.leaf
        opened[np.arange(len(line)), answer[rows]] = False
        visible = np.zeros_like(line)
        for column in np.flatnonzero(types.real):  # parents come before children
            parent = types.parent[column]
            visible[:, column] = (
                True if parent < 0 else visible[:, parent] & opened[:, parent]
            )
        member[rows] = visible & ~opened
    return keep_valid(drop_twins(replace(lists, answer=answer, member=member)), lists)


def rename(
    lists: Lists, corpus: Corpus, rng: np.random.Generator, *, rate: float, above: float
) -> Lists:
    """Round 2: types are replaced by synonyms, which divides frequent types among several names.

    rate (float): Probability that a type bears a synonym, in each list anew. above
        (float): Only types that are the answer more than so many times as often as the
        mean type.
    """
    types = lists.types
    counts = np.bincount(lists.answer, minlength=len(types))
    able = (types.synonyms > 0) & (counts > above * counts[counts > 0].mean())
    variant = lists.variant.copy()
    for rows in blocks(len(lists)):
        shape = variant[rows].shape
        replaced = (rng.random(shape, dtype=np.float32) < rate) & able
        which = 1 + (rng.random(shape, dtype=np.float32) * types.synonyms).astype(
            np.uint8
        )
        variant[rows] = np.where(replaced, np.minimum(which, types.synonyms), 0)
    return replace(lists, variant=variant)


def narrow(
    lists: Lists,
    corpus: Corpus,
    rng: np.random.Generator,
    *,
    share: float,
    keep: float,
    relevance: float,
    balance: float,
) -> Lists:
    """Round 3: irrelevant types leave the lists.

    share (float): Share of the lists that get shorter. keep (float): Such a list keeps
        between this part and all of its types.
    relevance (float): Prefers to keep types whose mentions resemble this one. balance
        (float): Prefers to keep types that stand in few lists.
    """
    member = lists.member.copy()
    offered = np.log(np.maximum(member.sum(axis=0), 1) / len(lists))
    for rows in blocks(len(lists)):
        part = member[rows]
        index = np.arange(len(part))
        shortened = rng.random(len(part)) < share
        left = np.ceil(part.sum(axis=1) * rng.uniform(keep, 1, len(part)))
        left = np.where(shortened, np.maximum(left, LEAST), part.shape[1])
        key = (
            rng.gumbel(size=part.shape)
            + relevance * corpus.relevance[rows].astype(np.float32)
            - balance * offered
        )
        key[~part] = -np.inf
        key[index, lists.answer[rows]] = np.inf
        rank = np.argsort(np.argsort(-key, axis=1), axis=1)
        member[rows] = part & (rank < left[:, None])
    return replace(lists, member=member)


def merge(
    lists: Lists,
    corpus: Corpus,
    rng: np.random.Generator,
    *,
    share: float,
    part: float,
    gain: float,
    rarity: float,
    width: float,
) -> Lists:
    """Round 4: types are merged into "other" (or "miscellaneous").

    share (float): Types are merged up to this share of the mentions. part (float): Part
        of such a type's mentions whose answer is merged. gain (float): Prefers types
        whose merging makes the metrics better. rarity (float): Prefers rare types.
        width (float): Probability that another type of such a list is merged too; as
        many other lists are merged in beside their answer.
    """
    types = lists.types
    counts = np.bincount(lists.answer, minlength=len(types))
    key = (
        gain * _merging_gains(lists, corpus)
        - rarity * np.log(np.maximum(counts, 1))
        + rng.gumbel(size=len(types))
    )
    key[(counts == 0) | (types.target < 0)] = -np.inf
    order = np.argsort(-key)[: int(np.isfinite(key).sum())]
    chosen = np.zeros(len(types), dtype=bool)
    chosen[order[np.cumsum(counts[order]) <= share * len(lists)]] = True
    merged = chosen[lists.answer] & (rng.random(len(lists)) < part)
    answer = np.where(merged, types.target[lists.answer], lists.answer)
    touched = merged | (rng.random(len(lists)) < share)
    member = lists.member.copy()
    columns = np.flatnonzero(types.target >= 0)
    for rows in blocks(len(lists)):
        block = member[rows]
        index = np.arange(len(block))
        gone = (
            block
            & (rng.random(block.shape, dtype=np.float32) < width)
            & touched[rows, None]
            & (types.target >= 0)
        )
        gone[index, lists.answer[rows]] = merged[rows]
        block = block & ~gone
        for column in columns:
            block[:, types.target[column]] |= gone[:, column]
        block[index, answer[rows]] = True
        member[rows] = block
    return keep_valid(drop_twins(replace(lists, answer=answer, member=member)), lists)


def _merging_gains(lists: Lists, corpus: Corpus) -> np.ndarray:
    """What the metrics gain in all if the whole of a type is merged; by column,
    standardized, 0 where none can be.
    """
    types = lists.types
    sums = ClassSums(len(types), corpus.vectors.rows.shape[1])
    for rows in blocks(len(lists)):
        sums.add(lists.answer[rows], corpus.vectors.block(rows.start))
    before = sums.metrics()
    gains = np.zeros(len(types))
    able = np.flatnonzero((sums.counts > 0) & (types.target >= 0))
    for column in able:
        after = sums.moved(int(column), int(types.target[column])).metrics()
        gains[column] = np.nan_to_num(sum(after.gain(m, before) for m in METRICS))
    return gains / max(float(gains[able].std()), _TINY) if len(able) else gains


def _weight(
    lists: Lists,
    corpus: Corpus,
    rng: np.random.Generator,
    rarity: float,
    atypical: float,
    clumped: float,
) -> np.ndarray:
    """Which mentions a draw prefers, by logarithm."""
    counts = np.maximum(np.bincount(lists.answer, minlength=len(lists.types)), 1)
    by_type = clumped * rng.gumbel(size=len(lists.types)) - rarity * np.log(
        counts / counts.max()
    )
    return by_type[lists.answer] + atypical * corpus.atypical


def _draw(
    weight: np.ndarray, able: np.ndarray, share: float, rng: np.random.Generator
) -> np.ndarray:
    """Draws round(share * len(weight)) rows, or all that are able, without replacement."""
    key: np.ndarray = weight + rng.gumbel(size=len(weight))
    key[~able] = -np.inf
    n = min(round(share * len(weight)), int(able.sum()))
    chosen = np.zeros(len(weight), dtype=bool)
    if n:
        chosen[np.argpartition(-key, n - 1)[:n]] = True
    return chosen


@dataclass(frozen=True)
class Round:
    """apply: The transformation. ranges: Where its parameters are searched. metrics:
    Those that steer it (paper, section on dynamic categorization). offers: Whether they
    are measured on the types offered, not on the answers.
    """

    name: str
    apply: Callable[..., Lists]
    ranges: Mapping[str, tuple[float, float]]
    metrics: tuple[str, ...]
    offers: bool = False


ROUNDS = (
    Round(
        "mix",
        mix,
        {
            "lift": (0.02, 0.6),
            "further": (0, 0.6),
            "rarity": (-4, 4),
            "atypical": (-1, 4),
            "clumped": (0, 6),
            "split": (0.2, 0.7),
        },
        ("cohesion", "entropy", "gini"),
    ),
    Round("rename", rename, {"rate": (0.1, 1), "above": (0, 4)}, ("gini", "variation")),
    Round(
        "narrow",
        narrow,
        {"share": (0.2, 1), "keep": (0, 1), "relevance": (0, 3), "balance": (-1, 3)},
        ("cohesion", "entropy"),
        offers=True,
    ),
    Round(
        "merge",
        merge,
        {
            "share": (0.01, 0.3),
            "part": (0.5, 1),
            "gain": (0, 6),
            "rarity": (-1, 3),
            "width": (0, 0.5),
        },
        METRICS,
    ),
)
