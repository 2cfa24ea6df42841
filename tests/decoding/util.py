"""Jobs of both kinds decoded in both ways, and answers of random tokens."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from spacy.language import Language

from spacy_cascade.decoding.answers import AnswerAutomaton
from spacy_cascade.decoding.copy import GREEDY, Job, Sampling, decode
from spacy_cascade.decoding.readings import Grammar, State
from spacy_cascade.decoding.stepwise import decode_stepwise
from spacy_cascade.types import Unit
from tests import util

END = 0
GRAMMAR = Grammar(lead=b" ", colon=b": ", separator=b"; ", empty=b"None")
SAMPLINGS = {
    "greedy": GREEDY,
    "sampled": Sampling(temperature=1.0, round=1),
    "hot": Sampling(temperature=3.0, round=2),
    "open_bias": Sampling(open_bias=1.5),
    "sampled_and_biased": Sampling(open_bias=-1.0, temperature=1.0, round=3),
}
MAKERS: dict[str, Callable[..., list[Job]]] = {
    "segments": util.segment_jobs,
    "native": util.native_jobs,
}


def outcome(jobs: Sequence[Job]) -> list[tuple[list[int], list[tuple[int, int]]]]:
    return [(job.tokens, [(m.start, m.end) for m in job.mentions]) for job in jobs]


def both(
    lm: Any, make: Callable[..., list[Job]], units: list[Unit], sampling: Sampling
) -> tuple[list[Job], list[Job]]:
    fast, slow = make(lm, units), make(lm, units)
    decode(lm, fast, sampling)
    decode_stepwise(lm, slow, sampling)
    return fast, slow


def unit_of(nlp: Language, text: str) -> Unit | None:
    found = util.units(nlp, [text])
    return found[0] if found else None


def wander(
    automaton: AnswerAutomaton, seed: int, *, go_on: bool
) -> tuple[bytes, State]:
    """An answer of random tokens.

    go_on (bool): End only if nothing else is allowed.
    """
    rng, state, out = random.Random(seed), automaton.start(), b""
    while not automaton.done(state):
        allowed = list(automaton.allowed(state))
        assert allowed, (
            "the vocabulary can write everything, so there is always a way on"
        )
        if go_on and len(allowed) > 1 and END in allowed:
            allowed.remove(END)
        token = rng.choice(allowed)
        state = automaton.step(state, token)
        out += automaton.vocabulary.table[token] or b""
    return out, state
