"""How the next token is chosen: greedily, with a bias, or with reproducible noise."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .automaton import CopyAutomaton, CopyState


@dataclass(frozen=True)
class Sampling:
    """How to choose among the allowed tokens.

    open_bias (float): Added to the logits of tokens that open a mention. log((1 - t) / t)
        opens at probability t.
    temperature (float): Above 0, Gumbel noise turns the choice into a sample. The
        sample depends neither on the batch nor on the number of passes.
    round (int): Rounds with other numbers draw other samples.
    """

    open_bias: float = 0.0
    temperature: float = 0.0
    round: int = 0


GREEDY = Sampling()


def choose(
    text: str,
    automaton: CopyAutomaton,
    state: CopyState,
    allowed: Sequence[int],
    logits: np.ndarray,
    sampling: Sampling,
) -> int:
    """Choose one of the allowed tokens. Ties go to the first, in both ways of decoding.

    text (str): The text that is copied: noise is keyed by it.
    automaton (CopyAutomaton): Tells which tokens open a mention.
    state (CopyState): Where the copy stands.
    allowed (Sequence[int]): The candidates.
    logits (np.ndarray): Shape (candidates,) or longer.
    RETURNS (int): Index of the chosen candidate.
    """
    # Lists, since there are but two or three: faster than arrays.
    scores: list[float] = logits[: len(allowed)].tolist()

    if sampling.temperature > 0:
        noise = gumbel(text, sampling.round, state, allowed).tolist()
        for k, score in enumerate(scores):
            scores[k] = score / sampling.temperature + noise[k]

    if sampling.open_bias:
        for k, token in enumerate(allowed):
            if _opens(automaton, state, token):
                scores[k] += sampling.open_bias

    return scores.index(max(scores))


def _opens(automaton: CopyAutomaton, state: CopyState, token: int) -> bool:
    """Whether a token opens a mention."""
    for choice in automaton.choices(state, token):
        if choice.kind == "open" and choice.marked:
            return True
    return False


def gumbel(
    text: str,
    round: int,
    state: CopyState,
    candidates: Sequence[int],
) -> np.ndarray:
    """Standard Gumbel noise per candidate.

    Adding it to logits and taking the argmax samples from their softmax. It is keyed by
    what is decided and not by when, so any batch size gives the same samples.

    text (str): The text that is copied.
    round (int): Number of the sample.
    state (CopyState): Where the copy stands.
    candidates (Sequence[int]): Token ids.
    RETURNS (np.ndarray): Shape (candidates,).
    """
    decided = repr((round, state)).encode()
    written = text.encode("utf8", "surrogatepass")
    key = hashlib.blake2b(decided + written, digest_size=16)

    out = np.empty(len(candidates))
    for k, token in enumerate(candidates):
        digest = key.copy()
        digest.update(b":%d" % token)
        number = int.from_bytes(digest.digest()[:8], "big")
        uniform = (number + 0.5) / 2.0**64
        out[k] = -math.log(-math.log(uniform))
    return out
