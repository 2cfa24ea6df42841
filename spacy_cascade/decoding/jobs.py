"""What copy verification and stepwise decoding fill: jobs, and mentions with scores."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..types import CachedPrefix, Mention, Unit
from .automaton import CopyAutomaton, CopyState, Guess


@dataclass
class Job:
    """One unit to be copied.

    unit (Unit): The text.
    prompt (list[int]): Token ids.
    automaton (CopyAutomaton): What may be written.
    guess (Guess): What is believed about the markers. It learns while decoding.
    depths (list[int] | None): Positions of the prompt's tokens, for templates that give
        a copied token the position of its original (see `prompts.compact`). None:
        positions are counted on.
    tokens (list[int]): The copy. Filled by decoding.
    mentions (list[Mention]): What it marks. Filled by decoding.
    passes (int): How often the model ran. Filled by decoding.
    kept (CachedPrefix | None): The cache of prompt and copy, if it was to be kept.
    """

    unit: Unit
    prompt: list[int]
    automaton: CopyAutomaton
    guess: Guess
    depths: list[int] | None = None
    tokens: list[int] = field(default_factory=list)
    mentions: list[Mention] = field(default_factory=list)
    passes: int = 0
    kept: CachedPrefix | None = None


@dataclass(frozen=True)
class Decision:
    """A choice of the model among several allowed tokens.

    state (CopyState): Where the copy stood.
    allowed (Sequence[int]): The candidates.
    logits (np.ndarray): Shape (candidates,) or longer.
    """

    state: CopyState
    allowed: Sequence[int]
    logits: np.ndarray


def copy_depths(job: Job, states: Sequence[CopyState]) -> list[int] | None:
    """Positions of the prompt and of the tokens written in these states.

    A copied token has its original's position, a marker that of the token behind it.

    states (Sequence): The state before every token.
    RETURNS (list[int] | None): None if positions are counted on.
    """
    if job.depths is None:
        return None
    offset = job.automaton.offset
    written = [1 + offset(state) for state in states]
    return job.depths + written


def finish(
    job: Job,
    states: Sequence[CopyState],
    decisions: Sequence[Decision],
) -> None:
    """Read mentions off the confirmed copy.

    The score of a mention is the probability of all decisions from its first marker to
    its last: of opening it, of not closing it earlier, of closing it there.

    states (Sequence): The state before every token.
    decisions (Sequence[Decision]): In order, where there was a choice.
    """
    automaton = job.automaton
    borders = job.unit.tokens
    mentions = []
    begin = -1
    score = 1.0
    rest = iter(decisions)
    for state, token in zip(states, job.tokens, strict=True):
        p = 1.0
        if len(automaton.allowed(state)) > 1:
            p = _probability(next(rest), token)
        score *= p

        for kind, i, marked in automaton.choices(state, token):
            if not marked:
                continue
            if kind == "open":
                begin = i
                score = p
            else:
                start, _ = borders[begin]
                _, end = borders[i - 1]
                mentions.append(Mention(start, end, score))
    job.mentions = mentions


def _probability(decision: Decision, token: int) -> float:
    """The token's probability among the allowed ones."""
    allowed = decision.allowed
    # Lists, since there are but two or three: faster than arrays.
    values: list[float] = decision.logits[: len(allowed)].tolist()
    top = max(values)
    exponentials = [math.exp(value - top) for value in values]
    return exponentials[allowed.index(token)] / math.fsum(exponentials)
