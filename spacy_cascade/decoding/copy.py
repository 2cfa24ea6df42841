"""Copy-verified decoding, and the step-by-step decoding that it must equal.

The output is known up to its markers. So the rest of the sentence is drafted, run
through the model in one pass, and the model's choice is read at every position at once.
Up to the first position where the choice differs from the draft the result is final,
just as if it had been generated token by token; the later choices are the next draft.
What was read before the first difference is remembered (`ty.CacheRow`), so the next pass
runs only what lies behind it. Prior art: input-guided aggressive decoding (arXiv
2106.04970), LLMA (2304.04487).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import CascadeError, Errors
from ..types import CachedPrefix, CacheRow, CausalLM, Mention, Query, Unit
from .automaton import Choice, CopyAutomaton, Guess, spans_of
from .noise import gumbel
from .prefix import Beginning, run_beginnings


@dataclass(frozen=True)
class Sampling:
    """How to choose among the allowed tokens.

    open_bias (float): Added to the logits of tokens that open a mention: log((1 - t) /
        t) opens at probability t.
    temperature (float), round (int): Above 0, Gumbel noise keyed by (text, round,
        position in the text) turns the choice into a sample that depends neither on the
        batch nor on the number of passes.
    """

    open_bias: float = 0.0
    temperature: float = 0.0
    round: int = 0


GREEDY = Sampling()


@dataclass
class Job:
    """One unit to be copied. `tokens`, `mentions` and `passes` are filled by decoding.

    depths (list[int] | None): Positions of the prompt's tokens, for templates that give
        a copied token the position
        of its original (see `prompts.compact`); None: positions are counted on.
    kept (CachedPrefix | None): The model's memory of prompt and copy, if it was to be kept.
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
    """A state in which more than one token was allowed, and the logits of those."""

    state: Any
    allowed: Sequence[int]
    logits: np.ndarray


def choose(
    job: Job, state: Any, allowed: Sequence[int], logits: np.ndarray, sampling: Sampling
) -> int:
    """Index of the chosen candidate. Ties go to the first, in both ways of decoding."""
    scores = logits[: len(allowed)].tolist()  # of two or three: faster than arrays
    if sampling.temperature > 0:
        noise = gumbel(job.unit.text, sampling.round, state, allowed)
        scores = [
            score / sampling.temperature + float(n)
            for score, n in zip(scores, noise, strict=True)
        ]
    if sampling.open_bias:
        for k, token in enumerate(allowed):
            if any(
                c.kind == "open" and c.marked
                for c in job.automaton.choices(state, token)
            ):
                scores[k] += sampling.open_bias
    return scores.index(max(scores))


def decode(
    lm: CausalLM,
    jobs: Sequence[Job],
    sampling: Sampling | Sequence[Sampling] = GREEDY,
    *,
    keep: bool = False,
) -> None:
    """Fill `tokens` and `mentions` of all jobs.

    A pass takes all jobs under way together; finished ones make room for others, the
    longest first. Jobs that ask the same (the rounds of one text, before their samples
    part) are run once.

    sampling (Sampling | Sequence[Sampling]): How to choose, for all jobs or one by one.
    keep (bool): Leave every job what was run of it, as `kept`.
    RAISES CascadeError: C026 if a job does not settle (a defect), C022 if a unit is too
        long for the model.
    """
    each = [sampling] * len(jobs) if isinstance(sampling, Sampling) else sampling
    runs = [_Run(job, s, keep) for job, s in zip(jobs, each, strict=True)]
    memory = lm.cache_pool(sum(run.size for run in runs))
    budget = math.inf if memory is None else memory.room
    if memory is not None and len(runs) > 1:
        # what all prompts begin with, as a system prompt and an instruction
        beginnings = [
            Beginning(run.job.prompt, run.job.depths, len(run.job.prompt) - 1)
            for run in runs
        ]
        for i, row in run_beginnings(lm, memory, beginnings):
            runs[i].row = row
    waiting = sorted(runs, key=lambda run: (run.size, run.job.prompt))
    live: list[_Run] = []
    while waiting or live:
        room = budget - sum(run.size for run in live)
        while waiting and (not live or waiting[-1].size <= room):
            run = waiting.pop()
            room -= run.size
            if memory is not None and run.row is None:
                run.row = memory.row()
            live.append(run)
        asked = [(run, query, _key(query)) for run in live for query in [run.query()]]
        first = {key: (run, query) for run, query, key in reversed(asked)}
        answers = dict(
            zip(
                first,
                lm.candidate_logits([query for _, query in first.values()]),
                strict=True,
            )
        )
        for run, query, key in asked:
            leader = first[key][0]
            if leader is not run and leader.row is not None:
                run.row = leader.row.fork(len(query.ids))
        live = [run for run, _, key in asked if not run.read(answers[key])]


def _key(query: Query) -> tuple[Any, ...]:
    """Equal for queries that ask the same."""
    return (
        *query.ids,
        *query.positions,
        *map(tuple, query.candidates),
        *(query.depths or ()),
    )


class _Run:
    """A job on its way."""

    def __init__(self, job: Job, sampling: Sampling, keep: bool = False):
        self.job = job
        self.sampling = sampling
        self.keep = keep
        self.row: CacheRow | None = None
        job.tokens, job.passes = [], 0
        self._states: list[Any] = []  # before every final token
        self._decisions: list[Decision] = []
        self._redraft(job.automaton.start())
        self.size = len(job.prompt) + len(self._draft)

    def _redraft(self, state: Any) -> None:
        """Draft the rest of the copy from this state, and see where the model has to be asked."""
        automaton = self.job.automaton
        self._draft = automaton.draft(state, self.job.guess)
        self._drafted_states: list[Any] = []
        self._open: list[tuple[int, Any, Sequence[int]]] = []
        for k, token in enumerate(self._draft):
            self._drafted_states.append(state)
            allowed = automaton.allowed(state)
            if len(allowed) > 1:
                self._open.append((k, state, allowed))
            state = automaton.step(state, token)

    def query(self) -> Query:
        job = self.job
        before = len(job.prompt) + len(job.tokens) - 1
        return Query(
            job.prompt + job.tokens + self._draft,
            [before + k for k, _, _ in self._open],
            [allowed for _, _, allowed in self._open],
            depths=copy_depths(job, self._states + self._drafted_states),
            row=self.row,
        )

    def read(self, logits: np.ndarray) -> bool:
        """Take over the agreed part of the draft and learn from the rest.

        RETURNS: whether the copy is complete.
        """
        job = self.job
        job.passes += 1
        chosen = self._choose(logits)
        agreed = len(self._open)
        for n, ((k, _, _), best) in enumerate(zip(self._open, chosen, strict=True)):
            if best != self._draft[k]:
                agreed = n
                break
        self._decisions += [
            Decision(s, a, r)
            for (_, s, a), r in zip(self._open[: agreed + 1], logits, strict=False)
        ]
        if agreed == len(self._open):
            job.tokens = job.tokens + self._draft
            states = self._states + self._drafted_states
            _finish(job, states, self._decisions)
            if self.keep and self.row is not None:
                job.kept = CachedPrefix(
                    job.prompt + job.tokens, copy_depths(job, states), self.row
                )
            self.row = None
            return True
        for (k, state, _), best in zip(
            self._open[agreed:], chosen[agreed:], strict=True
        ):
            job.guess.learn(_learned(job.automaton, state, self._draft[k], best))
        k, state, _ = self._open[agreed]
        job.tokens = [*job.tokens, *self._draft[:k], chosen[agreed]]
        self._states += self._drafted_states[: k + 1]
        if self.row is not None:
            self.row.truncate(len(job.prompt) + len(job.tokens) - 1)
        if (
            job.passes > 4 * len(job.unit.text.encode()) + 16
        ):  # every pass confirms a token or more
            raise CascadeError(
                Errors.C026.format(passes=job.passes, n=len(job.unit.text))
            )
        self._redraft(job.automaton.step(state, chosen[agreed]))
        return False

    def _choose(self, logits: np.ndarray) -> list[int]:
        if not self._open:
            return []
        if self.sampling == GREEDY:
            return [
                allowed[i]
                for (_, _, allowed), i in zip(
                    self._open, logits.argmax(1).tolist(), strict=True
                )
            ]
        return [
            allowed[choose(self.job, state, allowed, row, self.sampling)]
            for (_, state, allowed), row in zip(self._open, logits, strict=True)
        ]


def _learned(
    automaton: CopyAutomaton, state: Any, drafted: int, chosen: int
) -> list[Choice]:
    """What a chosen token says about markers.

    One that stops at a place which the draft passed by unmarked, as a mere space before
    a word, most likely stops for a marker.
    """
    found = automaton.choices(state, chosen)
    if chosen != drafted:
        decided = {(c.kind, c.token) for c in found}
        passed = (
            c
            for c in automaton.choices(state, drafted)
            if not c.marked and (c.kind, c.token) not in decided
        )
        found = found + [c._replace(marked=True) for c in itertools.islice(passed, 1)]
    return found


def copy_depths(job: Job, states: Sequence[Any]) -> list[int] | None:
    """Positions of the prompt and of the tokens written in these states: a copied token
    has its original's position, a marker that of the token behind it.
    """
    if job.depths is None:
        return None
    return job.depths + [1 + job.automaton.offset(s) for s in states]


def _finish(job: Job, states: Sequence[Any], decisions: Sequence[Decision]) -> None:
    """Read mentions off the confirmed copy.

    The score of a mention is the probability of all decisions from its first marker to
    its last: of opening it, of not closing it earlier, of closing it there.

    states (Sequence): Before every token. decisions (Sequence[Decision]): In order,
        where there was a choice.
    """
    job.mentions = []
    begin, score, asked = -1, 1.0, iter(decisions)
    for state, token in zip(states, job.tokens, strict=True):
        p = 1.0
        if len(job.automaton.allowed(state)) > 1:
            p = _probability(next(asked), token)
        score *= p
        for kind, i, marked in job.automaton.choices(state, token):
            if marked and kind == "open":
                begin, score = i, p
            elif marked:
                ((start, end),) = spans_of(
                    job.unit, [Choice("open", begin, True), Choice("close", i, True)]
                )
                job.mentions.append(Mention(start, end, score))


def _probability(decision: Decision, token: int) -> float:
    values = decision.logits[: len(decision.allowed)].tolist()
    top = max(values)
    p = [math.exp(v - top) for v in values]
    return p[decision.allowed.index(token)] / math.fsum(p)


def decode_stepwise(
    lm: CausalLM, jobs: Sequence[Job], sampling: Sampling = GREEDY
) -> None:
    """The reference: constrained greedy decoding, one token of one job after the other.

    Slow, and simple.
    """
    for job in jobs:
        job.tokens, job.passes = [], 0
        state = job.automaton.start()
        states: list[Any] = []
        decisions: list[Decision] = []
        while not job.automaton.done(state):
            allowed = job.automaton.allowed(state)
            token = allowed[0]
            if len(allowed) > 1:
                ids = job.prompt + job.tokens
                query = Query(
                    ids, [len(ids) - 1], [allowed], depths=copy_depths(job, states)
                )
                (logits,) = lm.candidate_logits([query])
                token = allowed[choose(job, state, allowed, logits[0], sampling)]
                decisions.append(Decision(state, allowed, logits[0]))
                job.passes += 1
            states.append(state)
            job.tokens.append(token)
            state = job.automaton.step(state, token)
        _finish(job, states, decisions)
