"""A tagger that costs next to nothing, to guess what the language model will mark.

Log-linear over hashed features of the words around a token and of the tag before it,
trained by AdaGrad, decoded by Viterbi. It learns from gold when training begins, and
from every sentence that the language model has marked.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np

from ..doc.words import is_mark
from ..types import Unit

OUTSIDE, BEGIN, INSIDE = range(3)
_BITS = 17
_MIX = np.array(
    [0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], dtype=np.uint64
)
# Which words (relative to the token) and which of their attributes make up each feature.
_WORD, _PREFIX, _SUFFIX, _SHAPE = range(4)
_FEATURES: tuple[tuple[tuple[int, int], ...], ...] = (
    ((0, _WORD),),
    ((0, _PREFIX),),
    ((0, _SUFFIX),),
    ((0, _SHAPE),),
    ((-1, _WORD),),
    ((1, _WORD),),
    ((-1, _WORD), (0, _SHAPE)),
    ((0, _SHAPE), (1, _WORD)),
    ((-1, _SHAPE), (0, _SHAPE)),
    ((0, _SHAPE), (1, _SHAPE)),
    ((-1, _SHAPE), (0, _SHAPE), (1, _SHAPE)),
    ((-2, _WORD), (-1, _SHAPE), (0, _SHAPE)),
)
# The same for features that are joined with the tag before.
_AFTER_TAG: tuple[tuple[tuple[int, int], ...], ...] = (
    (),
    ((0, _WORD),),
    ((0, _SHAPE), (1, _SHAPE)),
)


def _plan(
    features: Sequence[Sequence[tuple[int, int]]],
) -> list[tuple[int, np.ndarray, np.ndarray]]:
    """For the first, second ... part of features that are ordered by their number of
    parts: the first feature that has it, and places and attributes of it and those
    behind it. Shapes (features, 1)
    """
    out = []
    for k in range(len(features[-1])):
        first = next(i for i, parts in enumerate(features) if len(parts) > k)
        places, attributes = np.array([parts[k] for parts in features[first:]]).T[
            ..., None
        ]
        out.append((first, places, attributes))
    return out


_PLAIN, _JOINED = _plan(_FEATURES), _plan(_AFTER_TAG)
_PLAIN_KEYS = np.array(
    [[1009 * (k + 1) for k in range(len(_FEATURES))]], dtype=np.uint64
)
_TAG_KEYS = np.array(
    [
        [7919 * (k + 1) + 104729 * tag for k in range(len(_AFTER_TAG))]
        for tag in range(3)
    ],
    dtype=np.uint64,
)


class Tagger:
    """weights (np.ndarray): One row per hash bucket, one column per tag. (2 ** 17, 3)"""

    def __init__(self, weights: np.ndarray | None = None, *, rate: float = 0.5):
        self.weights = (
            np.zeros((1 << _BITS, 3), dtype=np.float32)
            if weights is None
            else weights.astype(np.float32)
        )
        self.rate = rate
        self._squares = np.full_like(self.weights, 1.0)

    def spans(self, unit: Unit) -> tuple[list[tuple[int, int]], list[float]]:
        """RETURNS: likeliest flat mentions as token indices, and for every token the
        probability that it continues a mention of which the token before is part.
        """
        plain, after = self._scores(unit)
        # (tokens, tag before, tag)
        logits = plain[:, None, :] + after
        logits[:, OUTSIDE, INSIDE] = -np.inf
        logits -= np.log(
            np.exp(logits - logits.max(-1, keepdims=True)).sum(-1, keepdims=True)
        ) + logits.max(-1, keepdims=True)
        goes_on = np.exp(logits[:, [BEGIN, INSIDE], INSIDE]).mean(1).tolist()
        return spans_of_tags(_viterbi(logits.tolist())), goes_on

    def learn(self, unit: Unit, spans: Iterable[tuple[int, int]]) -> None:
        """One step towards these mentions."""
        tags = tags_of_spans(len(unit.tokens), spans)
        plain, after = _features(unit)
        before = np.concatenate([[OUTSIDE], tags[:-1]])
        index = np.concatenate([plain, after[np.arange(len(tags)), before]], axis=1)
        logits = self.weights[index].sum(1)
        p = np.exp(logits - logits.max(1, keepdims=True))
        gradient = p / p.sum(1, keepdims=True)
        gradient[np.arange(len(tags)), tags] -= 1
        flat, every = index.ravel(), np.repeat(gradient, index.shape[1], axis=0)
        np.add.at(self._squares, flat, every**2)
        np.add.at(self.weights, flat, -self.rate * every / np.sqrt(self._squares[flat]))

    def fit(
        self,
        gold: Sequence[tuple[Unit, Sequence[tuple[int, int]]]],
        *,
        epochs: int = 3,
        seed: int = 0,
    ) -> None:
        """Learn from gold mentions, in an order drawn anew for every epoch."""
        rng = np.random.default_rng(seed)
        for _ in range(epochs):
            for i in rng.permutation(len(gold)):
                self.learn(*gold[i])

    def _scores(self, unit: Unit) -> tuple[np.ndarray, np.ndarray]:
        plain, after = _features(unit)
        return self.weights[plain].sum(1), self.weights[after].sum(2)


# a unit is looked at twice: for its draft, and to learn from what became of it
@lru_cache(maxsize=1024)
def _features(unit: Unit) -> tuple[np.ndarray, np.ndarray]:
    """Hash buckets of every token's features: (tokens, features), and joined with each
    tag before: (tokens, 3, features).
    """
    n = len(unit.tokens)
    words = np.zeros((n + 3, 4), dtype=np.uint64)  # two before, one behind
    for i, (start, end) in enumerate(unit.tokens):
        words[i + 2] = _attributes(unit.text[start:end])
    if unit.text.isupper():  # headlines are written in another way
        words[:, _SHAPE] += np.uint64(7)

    with np.errstate(over="ignore"):
        plain = _mixed(words, _PLAIN_KEYS, _PLAIN)
        after = _mixed(words, _TAG_KEYS, _JOINED)
    return plain[0].T, after.transpose(2, 0, 1)


def _mixed(
    words: np.ndarray,
    keys: np.ndarray,
    plan: Sequence[tuple[int, np.ndarray, np.ndarray]],
) -> np.ndarray:
    """Hash buckets of features for every token.

    keys (np.ndarray): (variants, features). RETURNS: (variants, features, tokens)
    """
    n = len(words) - 3
    out = np.repeat(keys[..., None], n, axis=2)
    tokens = np.arange(2, n + 2)
    for k, (first, places, attributes) in enumerate(plan):
        mixed = out[:, first:]
        mixed ^= words[tokens + places, attributes] + np.uint64(k)
        mixed *= _MIX[k]
        mixed ^= mixed >> np.uint64(29)
    return ((out >> np.uint64(64 - _BITS - 20)) & np.uint64((1 << _BITS) - 1)).astype(
        np.int64
    )


@lru_cache(maxsize=1 << 16)
def _attributes(word: str) -> np.ndarray:
    """Hashes of a word, its beginning, its end and its shape."""
    lower = word.lower()
    shape: list[str] = []
    for ch in word:
        if is_mark(ch):  # has the shape of its letter
            continue
        kind = (
            "A"
            if ch.isupper()
            else "a"
            if ch.islower()
            else "0"
            if ch.isdigit()
            else "w"
            if ch.isalpha()
            else ch
        )
        if shape[-2:] != [kind, kind]:
            shape.append(kind)
    return np.array(
        [
            zlib.crc32(s.encode("utf8", "surrogatepass"))
            for s in (lower, lower[:3], lower[-3:], "".join(shape))
        ],
        dtype=np.uint64,
    )


def _viterbi(logits: list[list[list[float]]]) -> list[int]:
    best, back = [0.0, -1e9, -1e9], []
    for first, second, third in logits:
        ways = [
            (best[0] + a, best[1] + b, best[2] + c)
            for a, b, c in zip(first, second, third, strict=True)
        ]
        best = [max(way) for way in ways]
        back.append([way.index(top) for way, top in zip(ways, best, strict=True)])
    tags = []
    tag = max(range(3), key=lambda t: best[t])
    for came in reversed(back):
        tags.append(tag)
        tag = came[tag]
    return tags[::-1]


def tags_of_spans(n: int, spans: Iterable[tuple[int, int]]) -> np.ndarray:
    tags = np.full(n, OUTSIDE)
    for start, end in spans:
        tags[start], tags[start + 1 : end] = BEGIN, INSIDE
    return tags


def spans_of_tags(tags: Sequence[int]) -> list[tuple[int, int]]:
    out: list[tuple[int, int]] = []
    for i, tag in enumerate(tags):
        if tag == BEGIN:
            out.append((i, i + 1))
        elif tag == INSIDE and out:
            out[-1] = (out[-1][0], i + 1)
    return out
