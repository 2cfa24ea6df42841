"""A tagger that costs next to nothing, to guess what the language model will mark.

It is log-linear over hashed features of the words around a token and of the tag before
it, trained by AdaGrad, decoded by Viterbi. It learns from gold when training begins,
and from every sentence that the language model has marked.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ..doc.words import is_mark
from ..types import Unit

# The tags of tokens: in no mention, the first token of one, a later one.
OUTSIDE, BEGIN, INSIDE = range(3)
# There are 2 ** 17 hash buckets.
_BITS = 17
# Large odd numbers that mix the bits of hashes, one for each part of a feature.
_MIX = np.array(
    [
        0x9E3779B97F4A7C15,
        0xC2B2AE3D27D4EB4F,
        0x165667B19E3779F9,
    ],
    dtype=np.uint64,
)
# The attributes of words.
_WORD, _PREFIX, _SUFFIX, _SHAPE = range(4)
# Which words (relative to the token) and which of their attributes make up a feature.
_Feature = tuple[tuple[int, int], ...]
_FEATURES: tuple[_Feature, ...] = (
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
_AFTER_TAG: tuple[_Feature, ...] = (
    (),
    ((0, _WORD),),
    ((0, _SHAPE), (1, _SHAPE)),
)


class _Part(NamedTuple):
    """The first, second ... part of all features that have it.

    Features are ordered by their number of parts, so these are the last ones.

    first (int): Index of the first feature that has the part.
    places (np.ndarray): Which word, relative to the token. Shape (features, 1).
    attributes (np.ndarray): Which of its attributes. Shape (features, 1).
    """

    first: int
    places: np.ndarray
    attributes: np.ndarray


def _parts(features: Sequence[_Feature]) -> list[_Part]:
    """The parts of features that are ordered by their number of parts."""
    out = []
    for k in range(len(features[-1])):
        shorter = [parts for parts in features if len(parts) <= k]
        first = len(shorter)
        table = np.array([parts[k] for parts in features[first:]])
        places = table[:, :1]
        attributes = table[:, 1:]
        out.append(_Part(first, places, attributes))
    return out


_PLAIN = _parts(_FEATURES)
_JOINED = _parts(_AFTER_TAG)


def _plain_keys() -> np.ndarray:
    """What the hashes of plain features begin with. Shape (1, features)."""
    numbers = np.arange(1, len(_FEATURES) + 1, dtype=np.uint64)
    return 1009 * numbers[None]


def _tag_keys() -> np.ndarray:
    """What the hashes of features after a tag begin with. Shape (tags, features)."""
    numbers = np.arange(1, len(_AFTER_TAG) + 1, dtype=np.uint64)
    tags = np.arange(3, dtype=np.uint64)
    return 7919 * numbers[None] + 104729 * tags[:, None]


_PLAIN_KEYS = _plain_keys()
_TAG_KEYS = _tag_keys()


class Tagger:
    """A log-linear tagger of mentions.

    weights (np.ndarray | None): One row per hash bucket, one column per tag. Shape
        (2 ** 17, 3). None: zeros.
    rate (float): Learning rate of AdaGrad.
    """

    def __init__(self, weights: np.ndarray | None = None, *, rate: float = 0.5):
        if weights is None:
            weights = np.zeros((1 << _BITS, 3))
        self.weights = weights.astype(np.float32)
        self.rate = rate
        self._squares = np.full_like(self.weights, 1.0)

    def spans(self, unit: Unit) -> tuple[list[tuple[int, int]], list[float]]:
        """Tag a text.

        RETURNS (tuple): The likeliest flat mentions as token indices, and for every
            token the probability that it continues a mention of which the token before
            is part.
        """
        features = _features(unit)
        # (tokens, tag)
        plain = self.weights[features.plain].sum(1)
        # (tokens, tag before, tag)
        after = self.weights[features.after].sum(2)

        logits = plain[:, None, :] + after
        logits[:, OUTSIDE, INSIDE] = -np.inf
        top = logits.max(-1, keepdims=True)
        total = np.exp(logits - top).sum(-1, keepdims=True)
        logits -= np.log(total) + top

        # (tokens, tag before) -> (tokens,)
        goes_on = np.exp(logits[:, [BEGIN, INSIDE], INSIDE]).mean(1)
        tags = _viterbi(logits.tolist())
        return spans_of_tags(tags), goes_on.tolist()

    def learn(self, unit: Unit, spans: Iterable[tuple[int, int]]) -> None:
        """Take one step towards these mentions.

        spans (Iterable): Token indices, end exclusive.
        """
        tags = tags_of_spans(len(unit.tokens), spans)
        before = np.concatenate([[OUTSIDE], tags[:-1]])
        tokens = np.arange(len(tags))
        features = _features(unit)
        after = features.after[tokens, before]
        # (tokens, features)
        index = np.concatenate([features.plain, after], axis=1)

        # (tokens, tag)
        logits = self.weights[index].sum(1)
        p = np.exp(logits - logits.max(1, keepdims=True))
        gradient = p / p.sum(1, keepdims=True)
        gradient[tokens, tags] -= 1

        # (tokens * features, tag)
        flat = index.ravel()
        every = np.repeat(gradient, index.shape[1], axis=0)
        np.add.at(self._squares, flat, every**2)
        step = self.rate * every / np.sqrt(self._squares[flat])
        np.add.at(self.weights, flat, -step)

    def fit(
        self,
        gold: Sequence[tuple[Unit, Sequence[tuple[int, int]]]],
        *,
        epochs: int = 3,
        seed: int = 0,
    ) -> None:
        """Learn from gold mentions, in an order drawn anew for every epoch.

        gold (Sequence): Texts with their mentions as token indices.
        epochs (int): How often to learn from each text.
        seed (int): Of the order.
        """
        rng = np.random.default_rng(seed)
        for _ in range(epochs):
            for i in rng.permutation(len(gold)):
                unit, spans = gold[i]
                self.learn(unit, spans)


class _Features(NamedTuple):
    """Hash buckets of every token's features.

    plain (np.ndarray): Shape (tokens, features).
    after (np.ndarray): Joined with each tag before. Shape (tokens, tags, features).
    """

    plain: np.ndarray
    after: np.ndarray


# A unit is looked at twice: for its draft, and to learn from what became of it.
@lru_cache(maxsize=1024)
def _features(unit: Unit) -> _Features:
    n = len(unit.tokens)
    # two words before the first token, one behind the last
    words = np.zeros((n + 3, 4), dtype=np.uint64)
    for i, (start, end) in enumerate(unit.tokens):
        words[i + 2] = _attributes(unit.text[start:end])
    if unit.text.isupper():
        # headlines are written in another way
        words[:, _SHAPE] += np.uint64(7)

    with np.errstate(over="ignore"):
        plain = _mixed(words, _PLAIN_KEYS, _PLAIN)
        after = _mixed(words, _TAG_KEYS, _JOINED)
    return _Features(plain[0].T, after.transpose(2, 0, 1))


def _mixed(
    words: np.ndarray,
    keys: np.ndarray,
    parts: Sequence[_Part],
) -> np.ndarray:
    """Hash buckets of features for every token.

    words (np.ndarray): Shape (tokens + 3, attributes).
    keys (np.ndarray): What hashes begin with. Shape (variants, features).
    parts (Sequence[_Part]): What is mixed in, one after the other.
    RETURNS (np.ndarray): Shape (variants, features, tokens).
    """
    n = len(words) - 3
    tokens = np.arange(2, n + 2)
    hashes = np.repeat(keys[..., None], n, axis=2)
    for k, (first, places, attributes) in enumerate(parts):
        mixed = hashes[:, first:]
        mixed ^= words[tokens + places, attributes] + np.uint64(k)
        mixed *= _MIX[k]
        mixed ^= mixed >> np.uint64(29)

    highest = hashes >> np.uint64(64 - _BITS - 20)
    buckets = highest & np.uint64((1 << _BITS) - 1)
    return buckets.astype(np.int64)


@lru_cache(maxsize=1 << 16)
def _attributes(word: str) -> np.ndarray:
    """Hashes of a word, its beginning, its end and its shape. Shape (4,)."""
    lower = word.lower()
    strings = (lower, lower[:3], lower[-3:], _shape(word))
    encoded = [string.encode("utf8", "surrogatepass") for string in strings]
    hashes = [zlib.crc32(data) for data in encoded]
    return np.array(hashes, dtype=np.uint64)


def _shape(word: str) -> str:
    """Kinds of its characters, two of a kind at most in a row: 'Berlin' is 'Aaa'."""
    shape: list[str] = []
    for char in word:
        # a mark has the shape of its letter
        if is_mark(char):
            continue
        kind = _kind(char)
        if shape[-2:] != [kind, kind]:
            shape.append(kind)
    return "".join(shape)


def _kind(char: str) -> str:
    if char.isupper():
        return "A"
    if char.islower():
        return "a"
    if char.isdigit():
        return "0"
    return "w" if char.isalpha() else char


def _viterbi(logits: list[list[list[float]]]) -> list[int]:
    """The likeliest tags. logits (list): By token, tag before and tag."""
    best = [0.0, -1e9, -1e9]
    back = []
    for first, second, third in logits:
        ways = []
        for a, b, c in zip(first, second, third, strict=True):
            ways.append((best[0] + a, best[1] + b, best[2] + c))
        best = [max(way) for way in ways]
        back.append([way.index(top) for way, top in zip(ways, best, strict=True)])

    tags = []
    tag = best.index(max(best))
    for came in reversed(back):
        tags.append(tag)
        tag = came[tag]
    tags.reverse()
    return tags


def tags_of_spans(n: int, spans: Iterable[tuple[int, int]]) -> np.ndarray:
    """The tags of n tokens with these mentions. Shape (n,)."""
    tags = np.full(n, OUTSIDE)
    for start, end in spans:
        tags[start] = BEGIN
        tags[start + 1 : end] = INSIDE
    return tags


def spans_of_tags(tags: Sequence[int]) -> list[tuple[int, int]]:
    """The mentions that tags mark, as token indices."""
    out: list[tuple[int, int]] = []
    for i, tag in enumerate(tags):
        if tag == BEGIN:
            out.append((i, i + 1))
        elif tag == INSIDE and out:
            start, _ = out[-1]
            out[-1] = (start, i + 1)
    return out
