"""A tagger that costs next to nothing, to guess what the language model will mark.

It is log-linear over hashed features of the words around a token and of the tag before
it, trained by AdaGrad, decoded by Viterbi. It learns from gold when training begins,
and from every sentence that the language model has marked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from ..types import Unit
from .features import BUCKETS, features_of

# The tags of tokens: in no mention, the first token of one, a later one.
OUTSIDE, BEGIN, INSIDE = range(3)


class Tagging(NamedTuple):
    """What a tagger makes of a text.

    spans (list[tuple[int, int]]): The likeliest flat mentions, as token indices.
    goes_on (list[float]): For every token the probability that it continues a mention
        of which the token before is part.
    """

    spans: list[tuple[int, int]]
    goes_on: list[float]


class Tagger:
    """A log-linear tagger of mentions.

    weights (np.ndarray | None): One row per hash bucket, one column per tag. Shape
        (2 ** 17, 3). None: zeros.
    rate (float): Learning rate of AdaGrad.
    """

    def __init__(self, weights: np.ndarray | None = None, *, rate: float = 0.5):
        if weights is None:
            weights = np.zeros((BUCKETS, 3))
        weights = weights.astype(np.float32)
        self.weights = weights
        self.rate = rate
        # sums of squared gradients
        self._squares = np.full_like(weights, 1.0)

    def spans(self, unit: Unit) -> Tagging:
        """Tag a text.

        unit (Unit): The text.
        RETURNS (Tagging): Mentions and probabilities.
        """
        features = features_of(unit)
        # (tokens, tag)
        plain = self.weights[features.plain].sum(1)
        # (tokens, tag before, tag)
        after = self.weights[features.after].sum(2)

        logits = plain[:, None, :] + after
        # nothing continues a mention that was not begun
        logits[:, OUTSIDE, INSIDE] = -np.inf
        log_probs = _log_softmax(logits)

        # (tokens, tag before) -> (tokens,)
        continued = log_probs[:, [BEGIN, INSIDE], INSIDE]
        goes_on = np.exp(continued).mean(1)
        tags = _viterbi(log_probs.tolist())
        return Tagging(spans_of_tags(tags), goes_on.tolist())

    def learn(self, unit: Unit, spans: Iterable[tuple[int, int]]) -> None:
        """Take one step towards these mentions.

        unit (Unit): The text.
        spans (Iterable): Token indices, end exclusive.
        """
        tags = tags_of_spans(len(unit.tokens), spans)
        before = np.concatenate([[OUTSIDE], tags[:-1]])
        tokens = np.arange(len(tags))
        features = features_of(unit)
        after = features.after[tokens, before]
        # (tokens, features)
        index = np.concatenate([features.plain, after], axis=1)

        # (tokens, tag)
        logits = self.weights[index].sum(1)
        top = logits.max(1, keepdims=True)
        p = np.exp(logits - top)
        gradient = p / p.sum(1, keepdims=True)
        gradient[tokens, tags] -= 1
        self._update(index, gradient)

    def _update(self, index: np.ndarray, gradient: np.ndarray) -> None:
        """Take one step of AdaGrad.

        index (np.ndarray): Hash buckets. Shape (tokens, features).
        gradient (np.ndarray): The same for all features of a token. Shape (tokens, tag).
        """
        n_features = index.shape[1]
        # (tokens * features,)
        buckets = index.ravel()
        # (tokens * features, tag)
        every = np.repeat(gradient, n_features, axis=0)
        np.add.at(self._squares, buckets, every**2)
        scale = np.sqrt(self._squares[buckets])
        step = self.rate * every / scale
        np.add.at(self.weights, buckets, -step)

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


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    """Log-probabilities over the last axis.

    logits (np.ndarray): They are overwritten.
    RETURNS (np.ndarray): The same array.
    """
    top = logits.max(-1, keepdims=True)
    total = np.exp(logits - top).sum(-1, keepdims=True)
    logits -= np.log(total) + top
    return logits


def _viterbi(logits: list[list[list[float]]]) -> list[int]:
    """The likeliest tags.

    logits (list): By token, tag before and tag.
    RETURNS (list[int]): A tag for every token.
    """
    best = [0.0, -1e9, -1e9]
    back = []
    for by_tag_before in logits:
        x, y, z = best
        best = []
        came = []
        for a, b, c in zip(*by_tag_before, strict=True):
            ways = (x + a, y + b, z + c)
            top = max(ways)
            best.append(top)
            came.append(ways.index(top))
        back.append(came)

    tags = []
    top = max(best)
    tag = best.index(top)
    for came in reversed(back):
        tags.append(tag)
        tag = came[tag]
    tags.reverse()
    return tags


def tags_of_spans(n: int, spans: Iterable[tuple[int, int]]) -> np.ndarray:
    """The tags of n tokens with these mentions. Shape (n,).

    n (int): The number of tokens.
    spans (Iterable): (start, end) of mentions that don't overlap.
    RETURNS (np.ndarray): Integers.
    """
    tags = np.full(n, OUTSIDE)
    for start, end in spans:
        tags[start] = BEGIN
        tags[start + 1 : end] = INSIDE
    return tags


def spans_of_tags(tags: Sequence[int]) -> list[tuple[int, int]]:
    """The mentions that tags mark, as token indices.

    tags (Sequence[int]): A tag for every token.
    RETURNS (list): (start, end) of the mentions.
    """
    out: list[tuple[int, int]] = []
    for i, tag in enumerate(tags):
        if tag == BEGIN:
            out.append((i, i + 1))
        elif tag == INSIDE and out:
            start, _ = out[-1]
            out[-1] = (start, i + 1)
    return out
