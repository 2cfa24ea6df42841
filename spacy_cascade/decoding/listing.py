"""Letting a model list the mentions of texts: constrained greedy decoding, all texts
advancing together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..types import CacheRow, CausalLM, Query, Unit
from .answers import AnswerAutomaton
from .readings import State


@dataclass(frozen=True)
class Listed:
    """A mention that was listed.

    start, end (int): Tokens of its unit, end exclusive.
    label (int): Index of its label.
    score (float): Probability of its text under the constraint: of being named, and of
        ending where it does.
    label_score (float): Probability of its label under the constraint.
    """

    start: int
    end: int
    label: int
    score: float = 1.0
    label_score: float = 1.0


@dataclass
class ListJob:
    """One unit whose mentions are to be listed.

    unit (Unit): The text.
    prompt (list[int]): Token ids.
    automaton (AnswerAutomaton): What may be written.
    depths (list[int] | None): Positions of the prompt's tokens, for templates that give
        a copied token the position of its original. None: positions are counted on.
    origin (int): Position of the text's first token, with `depths`.
    text (range): Where the text stands in the prompt, if it stands there token by token.
    tokens (list[int]), mentions (list[Listed]): Filled by decoding.
    complete (bool): Whether the answer came to its end. Otherwise the model's window
        was full, and the mentions up to there are kept.
    passes (int): How often the model ran.
    row (CacheRow | None): The cache of what was read so far.
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
        """Begin the answer anew."""
        self.tokens = []
        self.mentions = []
        self.complete = False
        self.passes = 0
        self._depths = []
        self._log_probs = []
        self._state = self.automaton.start()

    @property
    def state(self) -> State:
        """Where the answer stands."""
        if self._state is None:
            self.restart()
        assert self._state is not None
        return self._state

    def write(self, token: int, log_prob: float = 0.0) -> None:
        """Add a token to the answer.

        log_prob (float): Its log-probability under the constraint.
        token (int): An allowed token.
        """
        state = self.automaton.step(self.state, token)
        self._state = state
        self.tokens.append(token)
        self._log_probs.append(log_prob)
        if self.depths is not None:
            self._depths.append(self.origin + self.automaton.offset(state))

    def query(self, candidates: Sequence[int]) -> Query:
        """The question which of these tokens follows.

        candidates (Sequence[int]): Token ids.
        RETURNS (Query): Over prompt and answer.
        """
        ids = self.prompt + self.tokens
        return Query(
            ids,
            positions=[len(ids) - 1],
            candidates=[candidates],
            depths=self.all_depths(),
            row=self.row,
        )

    def all_depths(self) -> list[int] | None:
        """Positions of the prompt and of the answer. None: counted on."""
        return None if self.depths is None else self.depths + self._depths

    def finish(self) -> None:
        """Read the mentions and their probabilities off what was written."""
        found = self.automaton.mentions(self.state)
        self.complete = self.automaton.done(self.state)

        # log-probabilities of every mention's text and label, and of what is behind them
        texts = [0.0] * (len(found) + 1)
        labels = [0.0] * (len(found) + 1)
        end = 0
        k = 0
        for token, log_prob in zip(self.tokens, self._log_probs, strict=True):
            begin = end
            end += len(self.automaton.symbols_of(token))
            # the token behind a mention decides that it ends
            while k < len(found) and begin > found[k].ended:
                k += 1
            inside = k < len(found) and end > found[k].begun
            sums = texts if inside else labels
            sums[k] += log_prob

        self.mentions = []
        for mention, text, label in zip(found, texts, labels, strict=False):
            listed = Listed(
                mention.start,
                mention.end,
                mention.label,
                score=math.exp(text),
                label_score=math.exp(label),
            )
            self.mentions.append(listed)


def list_mentions(lm: CausalLM, jobs: Sequence[ListJob]) -> None:
    """Fill all jobs.

    Each pass asks for one more token of every unfinished job, in batches. Tokens
    without an alternative need no pass. What was run is remembered, as far as there is
    room.

    lm (CausalLM): The model.
    jobs (Sequence[ListJob]): Their `tokens`, `mentions`, `complete` and `passes` are filled.
    """
    pool = lm.cache_pool(2 * sum(len(job.prompt) for job in jobs))
    room = 0 if pool is None else pool.room
    for job in jobs:
        job.restart()
        room -= 2 * len(job.prompt)
        job.row = pool.row() if pool is not None and room >= 0 else None

    live = list(jobs)
    while live:
        live = _run_pass(lm, live)


def _run_pass(lm: CausalLM, live: Sequence[ListJob]) -> list[ListJob]:
    """Write one more token of every job.

    lm (CausalLM): The model.
    live (Sequence[ListJob]): The jobs under way.
    RETURNS (list[ListJob]): Those that are not finished yet.
    """
    asked = []
    queries = []
    for job in live:
        allowed = _advance(job, lm.max_length)
        if allowed:
            asked.append((job, allowed))
            queries.append(job.query(allowed))
        else:
            job.finish()
            job.row = None
    if not asked:
        return []

    answers = lm.candidate_logits(queries)
    for (job, allowed), logits in zip(asked, answers, strict=True):
        values = logits[0, : len(allowed)].astype(np.float64)
        best = int(values.argmax())
        total = np.exp(values - values[best]).sum()
        job.write(allowed[best], -math.log(total))
        job.passes += 1
    return [job for job, _ in asked]


def _advance(job: ListJob, limit: int) -> tuple[int, ...]:
    """Write tokens that have no alternative.

    limit (int): Most tokens of prompt and answer.
    job (ListJob): A job under way.
    RETURNS (tuple[int, ...]): The candidates for the next one. None if the job is over.
    """
    automaton = job.automaton
    while not automaton.done(job.state):
        allowed = automaton.allowed(job.state)
        is_full = len(job.prompt) + len(job.tokens) >= limit
        if is_full or not allowed:
            return ()
        if len(allowed) > 1:
            return allowed
        job.write(allowed[0])
    return ()
