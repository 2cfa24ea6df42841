"""Copy-verified decoding, and the step-by-step decoding that it must equal.

The output is known up to its markers. So the rest of the sentence is drafted, run through the model in one pass, and
the model's choice is read at every position at once. Up to the first position where the choice differs from the draft
the result is final, just as if it had been generated token by token; the later choices are the next draft.
Prior art: input-guided aggressive decoding (arXiv 2106.04970), LLMA (2304.04487).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import CascadeError, Errors
from ..ty import CausalLM, Mention, Query, Unit
from .automaton import Choice, CopyAutomaton, Guess, spans_of
from .noise import gumbel


@dataclass(frozen=True)
class Sampling:
    """How to choose among the allowed tokens.

    open_bias (float): Added to the logits of tokens that open a mention: log((1 - t) / t) opens at probability t.
    temperature (float), round (int): Above 0, Gumbel noise keyed by (text, round, position in the text) turns the
        choice into a sample that depends neither on the batch nor on the number of passes.
    """

    open_bias: float = 0.0
    temperature: float = 0.0
    round: int = 0


GREEDY = Sampling()


@dataclass
class Job:
    """One unit to be copied. `tokens`, `mentions` and `passes` are filled by decoding.

    depths (list[int] | None): Positions of the prompt's tokens, for templates that give a copied token the position
        of its original (see `prompts.compact`); None: positions are counted on.
    """

    unit: Unit
    prompt: list[int]
    automaton: CopyAutomaton
    guess: Guess
    depths: list[int] | None = None
    tokens: list[int] = field(default_factory=list)
    mentions: list[Mention] = field(default_factory=list)
    passes: int = 0
    _state: Any = None


def choose(job: Job, state: Any, allowed: Sequence[int], logits: np.ndarray, sampling: Sampling) -> int:
    """Index of the chosen candidate. Ties go to the first, in both ways of decoding."""
    scores = logits[: len(allowed)].astype(np.float64)
    if sampling.temperature > 0:
        scores = scores / sampling.temperature + gumbel(job.unit.text, sampling.round, state, allowed)
    if sampling.open_bias:
        for k, token in enumerate(allowed):
            if any(c.kind == "open" and c.marked for c in job.automaton.choices(state, token)):
                scores[k] += sampling.open_bias
    return int(scores.argmax())


def decode(lm: CausalLM, jobs: Sequence[Job], sampling: Sampling = GREEDY) -> None:
    """Fill `tokens` and `mentions` of all jobs; every pass runs all unfinished ones in batches.

    RAISES CascadeError: C026 if a job does not settle (a defect), C022 if a unit is too long for the model.
    """
    for job in jobs:
        job.tokens, job._state, job.passes = [], job.automaton.start(), 0
    live = list(jobs)
    while live:
        drafts = [job.automaton.draft(job._state, job.guess) for job in live]
        asked = [_ask(job, draft) for job, draft in zip(live, drafts, strict=True)]
        answers = lm.candidate_logits([query for query, _ in asked])
        still = []
        for job, draft, (_, states), logits in zip(live, drafts, asked, answers, strict=True):
            job.passes += 1
            if _accept(job, draft, states, logits, sampling):
                _finish(job, states, logits)
            else:
                still.append(job)
            if job.passes > 4 * len(job.unit.text.encode()) + 16:  # every pass confirms a token or more
                raise CascadeError(Errors.C026.format(passes=job.passes, n=len(job.unit.text)))
        live = still


def _ask(job: Job, draft: list[int]) -> tuple[Query, list[Any]]:
    """The query for prompt + final tokens + draft, and the state before every token behind the prompt."""
    tokens = job.tokens + draft
    state, states = job.automaton.start(), []
    positions, candidates = [], []
    for k, token in enumerate(tokens):
        states.append(state)
        allowed = job.automaton.allowed(state)
        if len(allowed) > 1:
            positions.append(len(job.prompt) + k - 1)
            candidates.append(allowed)
        state = job.automaton.step(state, token)
    return Query(job.prompt + tokens, positions, candidates, depths=copy_depths(job, states)), states


def copy_depths(job: Job, states: Sequence[Any]) -> list[int] | None:
    """Positions of the prompt and of the tokens written in these states: a copied token has its original's position,
    a marker that of the token behind it."""
    if job.depths is None:
        return None
    return job.depths + [1 + job.automaton.offset(s) for s in states]


def _accept(job: Job, draft: list[int], states: list[Any], logits: np.ndarray, sampling: Sampling) -> bool:
    """Take over the agreed part of a draft and learn from the rest. RETURNS: whether all of it was agreed."""
    tokens = job.tokens + draft
    row, first = 0, None
    for k, (state, token) in enumerate(zip(states, tokens, strict=True)):
        allowed = job.automaton.allowed(state)
        if len(allowed) < 2:
            continue
        best = allowed[choose(job, state, allowed, logits[row], sampling)]
        row += 1
        if k < len(job.tokens):
            continue
        if best != token and first is None:
            first = k, best
        job.guess.learn(job.automaton.choices(state, best))
    if first is None:
        job.tokens = tokens
        return True
    k, best = first
    job.tokens = [*tokens[:k], best]
    job._state = job.automaton.step(states[k], best)
    return False


def _finish(job: Job, states: list[Any], logits: np.ndarray) -> None:
    """Read mentions and their probabilities off the confirmed copy."""
    choices: list[Choice] = []
    probability: dict[tuple[str, int], float] = {}
    row = 0
    for state, token in zip(states, job.tokens, strict=True):
        allowed = job.automaton.allowed(state)
        made = job.automaton.choices(state, token)
        if len(allowed) > 1:
            values = logits[row, : len(allowed)].astype(np.float64)
            p = np.exp(values - values.max())
            p /= p.sum()
            row += 1
            for choice in made:
                if choice.marked:
                    probability[choice.kind, choice.token] = float(p[list(allowed).index(token)])
        choices += made
    job.mentions = []
    begin = -1
    for kind, token, marked in choices:
        if not marked:
            continue
        if kind == "open":
            begin = token
            continue
        ((start, end),) = spans_of(job.unit, [Choice("open", begin, True), Choice("close", token, True)])
        score = probability.get(("open", begin), 1.0) * probability.get(("close", token), 1.0)
        job.mentions.append(Mention(start, end, score))


def decode_stepwise(lm: CausalLM, jobs: Sequence[Job], sampling: Sampling = GREEDY) -> None:
    """The reference: constrained greedy decoding, one token of one job after the other. Slow, and simple."""
    for job in jobs:
        job.tokens, job.passes = [], 0
        state = job.automaton.start()
        states: list[Any] = []
        rows: list[np.ndarray] = []
        while not job.automaton.done(state):
            allowed = job.automaton.allowed(state)
            token = allowed[0]
            if len(allowed) > 1:
                ids = job.prompt + job.tokens
                query = Query(ids, [len(ids) - 1], [allowed], depths=copy_depths(job, states))
                (logits,) = lm.candidate_logits([query])
                token = allowed[choose(job, state, allowed, logits[0], sampling)]
                rows.append(logits[0])
                job.passes += 1
            states.append(state)
            job.tokens.append(token)
            state = job.automaton.step(state, token)
        table = np.full((len(rows), max(map(len, rows), default=0)), -np.inf, dtype=np.float32)
        for i, r in enumerate(rows):
            table[i, : len(r)] = r
        _finish(job, states, table)
