"""Letting a model list the mentions of texts: constrained greedy decoding, all texts
advancing together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..types import CacheRow, CausalLM, Query, Unit
from .answers import AnswerAutomaton, State


@dataclass(frozen=True)
class Listed:
    """A mention that was listed: tokens of its unit, index of its label, and two
    probabilities under the constraint: of its text (to be named and to end where it
    does) and of its label.
    """

    start: int
    end: int
    label: int
    score: float = 1.0
    label_score: float = 1.0


@dataclass
class ListJob:
    """One unit whose mentions are to be listed.

    `tokens`, `mentions` and `complete` are filled by decoding.

    prompt (list[int]): Token ids. depths (list[int] | None): Their positions, for
        templates that give a copied token the position of its original; None: positions
        are counted on.
    origin (int): Position of the text's first token, with `depths`.
    text (range): Where the text stands in the prompt, if it stands there token by token.
    complete (bool): Whether the answer came to its end; else the model's window was
        full, and the mentions up to there are kept.
    """

    unit: Unit
    prompt: list[int]
    automaton: AnswerAutomaton
    depths: list[int] | None = None
    origin: int = 0
    text: range = range(0)
    tokens: list[int] = field(default_factory=list)
    mentions: list[Listed] = field(default_factory=list)
    complete: bool = False
    passes: int = 0
    row: CacheRow | None = None
    _depths: list[int] = field(default_factory=list)
    _log_probs: list[float] = field(default_factory=list)
    _state: State | None = None

    def restart(self) -> None:
        self.tokens, self.mentions, self.complete, self.passes = [], [], False, 0
        self._depths, self._log_probs, self._state = [], [], self.automaton.start()

    @property
    def state(self) -> State:
        if self._state is None:
            self.restart()
        assert self._state is not None
        return self._state

    def write(self, token: int, log_prob: float = 0.0) -> None:
        self._state = self.automaton.step(self.state, token)
        self.tokens.append(token)
        self._log_probs.append(log_prob)
        if self.depths is not None:
            self._depths.append(self.origin + self.automaton.offset(self._state))

    def query(self, candidates: Sequence[int]) -> Query:
        """What follows the tokens so far?"""
        ids = self.prompt + self.tokens
        return Query(
            ids, [len(ids) - 1], [candidates], depths=self.all_depths(), row=self.row
        )

    def all_depths(self) -> list[int] | None:
        return None if self.depths is None else self.depths + self._depths

    def finish(self) -> None:
        """Read the mentions and their probabilities off what was written."""
        found = self.automaton.mentions(self.state)
        self.complete = self.automaton.done(self.state)
        # of each mention: log-probabilities of its text and of its label
        sums = [[0.0, 0.0] for _ in range(len(found) + 1)]
        at = k = 0
        for token, value in zip(self.tokens, self._log_probs, strict=True):
            begin, at = at, at + len(self.automaton.symbols_of(token))
            # the token behind a mention decides that it ends
            while k < len(found) and begin > found[k].ended:
                k += 1
            inside = k < len(found) and at > found[k].begun
            sums[k][0 if inside else 1] += value
        self.mentions = [
            Listed(f.start, f.end, f.label, math.exp(text), math.exp(label))
            for f, (text, label) in zip(found, sums, strict=False)
        ]


def list_mentions(lm: CausalLM, jobs: Sequence[ListJob]) -> None:
    """Fill all jobs.

    Each pass asks for one more token of every unfinished job, in batches; tokens
    without an alternative need no pass. What was run is remembered, as far as there is
    room.
    """
    memory = lm.cache_pool(2 * sum(len(job.prompt) for job in jobs))
    room = 0 if memory is None else memory.room
    for job in jobs:
        job.restart()
        room -= 2 * len(job.prompt)
        job.row = memory.row() if memory is not None and room >= 0 else None
    live = list(jobs)
    while live:
        asked = []
        for job in live:
            allowed = _advance(job, lm.max_length)
            if allowed:
                asked.append((job, allowed))
            else:
                job.finish()
                job.row = None
        answers = (
            lm.candidate_logits([job.query(allowed) for job, allowed in asked])
            if asked
            else []
        )
        for (job, allowed), logits in zip(asked, answers, strict=True):
            values = logits[0, : len(allowed)].astype(np.float64)
            best = int(values.argmax())
            top = values[best]
            job.write(allowed[best], -math.log(np.exp(values - top).sum()))
            job.passes += 1
        live = [job for job, _ in asked]


def _advance(job: ListJob, limit: int) -> tuple[int, ...]:
    """Write tokens that have no alternative.

    RETURNS: the candidates for the next one, none if the job is over.
    """
    while not job.automaton.done(job.state):
        allowed = job.automaton.allowed(job.state)
        if len(allowed) > 1 and len(job.prompt) + len(job.tokens) < limit:
            return allowed
        if len(allowed) != 1 or len(job.prompt) + len(job.tokens) >= limit:
            return ()
        job.write(allowed[0])
    return ()
