"""Stepwise decoding: the reference that copy verification must equal."""

from __future__ import annotations

from collections.abc import Sequence

from ..types import CausalLM, Query
from .automaton import CopyState
from .jobs import Decision, Job, copy_depths, finish
from .sampling import GREEDY, Sampling, choose


def decode_stepwise(
    lm: CausalLM,
    jobs: Sequence[Job],
    sampling: Sampling = GREEDY,
) -> None:
    """Constrained decoding, one token of one job after the other. Slow, and simple.

    lm (CausalLM): The model.
    jobs (Sequence[Job]): Their `tokens`, `mentions` and `passes` are filled.
    sampling (Sampling): How to choose among the allowed tokens.
    """
    for job in jobs:
        _decode_one(lm, job, sampling)


def _decode_one(lm: CausalLM, job: Job, sampling: Sampling) -> None:
    """Decode one job. The arguments are those of `decode_stepwise`."""
    automaton = job.automaton
    text = job.unit.text
    job.tokens = []
    job.passes = 0
    state = automaton.start()
    states: list[CopyState] = []
    decisions: list[Decision] = []

    while not automaton.done(state):
        allowed = automaton.allowed(state)
        token = allowed[0]
        if len(allowed) > 1:
            ids = job.prompt + job.tokens
            query = Query(
                ids,
                positions=[len(ids) - 1],
                candidates=[allowed],
                depths=copy_depths(job, states),
            )
            (answer,) = lm.candidate_logits([query])
            logits = answer[0]
            i = choose(text, automaton, state, allowed, logits, sampling)
            token = allowed[i]
            decisions.append(Decision(state, allowed, logits))
            job.passes += 1

        states.append(state)
        job.tokens.append(token)
        state = automaton.step(state, token)
    finish(job, states, decisions)
