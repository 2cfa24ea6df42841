"""Hashed features of words, as the tagger looks at them.

A feature is made of attributes of one or more words around a token, and possibly of the
tag before it. It is hashed to a bucket, a row of the tagger's weights.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ..doc.words import is_mark
from ..types import Unit

# How many hash buckets there are.
BUCKETS = 1 << 17
# How many tags there are, see `tagger`.
_TAGS = 3
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
    """The parts of features that are ordered by their number of parts.

    features (Sequence): The features.
    RETURNS (list[_Part]): As many as the longest feature has parts.
    """
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
    tags = np.arange(_TAGS, dtype=np.uint64)
    return 7919 * numbers[None] + 104729 * tags[:, None]


_PLAIN_KEYS = _plain_keys()
_TAG_KEYS = _tag_keys()


class Features(NamedTuple):
    """Hash buckets of every token's features.

    plain (np.ndarray): Shape (tokens, features).
    after (np.ndarray): Joined with each tag before. Shape (tokens, tags, features).
    """

    plain: np.ndarray
    after: np.ndarray


# A unit is looked at twice: for its draft, and to learn from what became of it.
@lru_cache(maxsize=1024)
def features_of(unit: Unit) -> Features:
    """The hash buckets of a text.

    unit (Unit): The text.
    RETURNS (Features): For every token.
    """
    text = unit.text
    n = len(unit.tokens)
    # two words before the first token, one behind the last
    words = np.zeros((n + 3, 4), dtype=np.uint64)
    for row, (start, end) in enumerate(unit.tokens, 2):
        word = text[start:end]
        words[row] = _attributes(word)
    if text.isupper():
        # headlines are written in another way
        words[:, _SHAPE] += np.uint64(7)

    with np.errstate(over="ignore"):
        plain = _mixed(words, _PLAIN_KEYS, _PLAIN)
        after = _mixed(words, _TAG_KEYS, _JOINED)
    return Features(plain[0].T, after.transpose(2, 0, 1))


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

    high = hashes >> np.uint64(27)
    buckets = high & np.uint64(BUCKETS - 1)
    return buckets.astype(np.int64)


@lru_cache(maxsize=1 << 16)
def _attributes(word: str) -> np.ndarray:
    """Hashes of a word, its beginning, its end and its shape. Shape (4,).

    word (str): The word.
    RETURNS (np.ndarray): Unsigned integers.
    """
    lower = word.lower()
    strings = (lower, lower[:3], lower[-3:], _shape(word))
    encoded = [string.encode("utf8", "surrogatepass") for string in strings]
    hashes = [zlib.crc32(data) for data in encoded]
    return np.array(hashes, dtype=np.uint64)


def _shape(word: str) -> str:
    """Kinds of its characters, two of a kind at most in a row: 'Berlin' is 'Aaa'.

    word (str): The word.
    RETURNS (str): "A" upper case, "a" lower case, "0" digits, "w" other letters.
    """
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
    """The kind of a character. Marks of punctuation are of their own kind."""
    if char.isupper():
        return "A"
    if char.islower():
        return "a"
    if char.isdigit():
        return "0"
    return "w" if char.isalpha() else char
