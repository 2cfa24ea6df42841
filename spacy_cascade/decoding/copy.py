"""Copy verification (speculative decoding): a draft is checked in one pass.

The output is known up to its markers. So the rest of the sentence is drafted and run
through the model in one pass, and the model's choice is read at every position at once.
Up to the first position where the choice differs from the draft the result is final,
just as if it had been generated token by token. The later choices are the next draft.

What was read before the first difference stays in the key-value cache
(`types.CacheRow`), so the next pass runs only what lies behind it. The result equals
that of `stepwise.decode_stepwise`.

Prior art: input-guided aggressive decoding (arXiv 2106.04970), LLMA (2304.04487).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..errors import CascadeError, Errors
from ..types import CachedPrefix, CacheRow, CausalLM, Query
from .automaton import Choice, CopyAutomaton, CopyState
from .jobs import Decision, Job, copy_depths, finish
from .prefix import Beginning, run_beginnings
from .sampling import GREEDY, Sampling, choose

__all__ = ["GREEDY", "Job", "Sampling", "copy_depths", "decode"]

# Equal for queries that ask the same.
_Key = tuple[object, ...]


class _Question(NamedTuple):
    """A place in a draft where more than one token is allowed.

    at (int): Index in the draft.
    state (CopyState): Where the copy stands there.
    allowed (Sequence[int]): The candidates.
    """

    at: int
    state: CopyState
    allowed: Sequence[int]


def decode(
    lm: CausalLM,
    jobs: Sequence[Job],
    sampling: Sampling | Sequence[Sampling] = GREEDY,
    *,
    keep: bool = False,
) -> None:
    """Fill `tokens` and `mentions` of all jobs.

    A pass takes all jobs under way together. Finished ones make room for others, the
    longest first. Jobs that ask the same (the rounds of one text, before their samples
    part) are run once.

    lm (CausalLM): The model.
    jobs (Sequence[Job]): What is to be copied.
    sampling (Sampling | Sequence[Sampling]): How to choose, for all jobs or one by one.
    keep (bool): Leave every job what was run of it, as `kept`.
    RAISES CascadeError: C026 if a job does not settle (a defect), C022 if a unit is too
        long for the model.
    """
    if isinstance(sampling, Sampling):
        sampling = [sampling] * len(jobs)
    runs = [_Run(job, each, keep) for job, each in zip(jobs, sampling, strict=True)]

    pool = lm.cache_pool(sum(run.size for run in runs))
    budget = math.inf if pool is None else pool.room
    if pool is not None and len(runs) > 1:
        # what all prompts begin with, such as a system prompt and an instruction
        beginnings = [run.beginning() for run in runs]
        for i, row in run_beginnings(lm, pool, beginnings):
            runs[i].row = row

    waiting = sorted(runs, key=lambda run: (run.size, run.job.prompt))
    live: list[_Run] = []
    while waiting or live:
        for run in _admitted(waiting, live, budget):
            if pool is not None and run.row is None:
                run.row = pool.row()
            live.append(run)
        live = _run_pass(lm, live)


def _admitted(
    waiting: list[_Run],
    live: Sequence[_Run],
    budget: float,
) -> list[_Run]:
    """Take as many waiting runs as there is room for, the longest first.

    One is taken in any case if nothing is under way.

    waiting (list[_Run]): Sorted by size. Those that are taken are removed.
    live (Sequence[_Run]): The runs under way.
    budget (float): Tokens that there is room for in all.
    RETURNS (list[_Run]): Those that are taken.
    """
    room = budget - sum(run.size for run in live)
    out: list[_Run] = []
    while waiting:
        size = waiting[-1].size
        is_first = not live and not out
        if size > room and not is_first:
            break
        room -= size
        out.append(waiting.pop())
    return out


def _run_pass(lm: CausalLM, live: Sequence[_Run]) -> list[_Run]:
    """Run the drafts of all jobs under way, equal ones once.

    lm (CausalLM): The model.
    live (Sequence[_Run]): The runs under way.
    RETURNS (list[_Run]): The runs that are not finished yet.
    """
    queries = [run.query() for run in live]
    keys = [_key(query) for query in queries]
    # of the runs that ask the same the first one leads
    leaders: dict[_Key, int] = {}
    for i in reversed(range(len(live))):
        leaders[keys[i]] = i

    logits = lm.candidate_logits([queries[i] for i in leaders.values()])
    answers = dict(zip(leaders, logits, strict=True))

    for run, query, key in zip(live, queries, keys, strict=True):
        leader = live[leaders[key]]
        if leader is not run and leader.row is not None:
            run.row = leader.row.fork(len(query.ids))

    unfinished = []
    for run, key in zip(live, keys, strict=True):
        complete = run.read(answers[key])
        if not complete:
            unfinished.append(run)
    return unfinished


def _key(query: Query) -> _Key:
    """What a query asks, hashable.

    query (Query): That of a run.
    RETURNS (tuple): Equal for queries that get equal answers.
    """
    candidates = map(tuple, query.candidates)
    depths = query.depths or ()
    return (*query.ids, *query.positions, *candidates, *depths)


class _Run:
    """A job on its way.

    job (Job): What is copied.
    sampling (Sampling): How to choose among the allowed tokens.
    keep (bool): Leave the job what was run of it.
    row (CacheRow | None): The cache of what was read so far.
    size (int): Tokens of the prompt and of the first draft.
    """

    def __init__(
        self,
        job: Job,
        sampling: Sampling,
        keep: bool = False,
    ):
        self.job = job
        self.sampling = sampling
        self.keep = keep
        self.row: CacheRow | None = None
        job.tokens = []
        job.passes = 0

        # the state before every final token
        self._states: list[CopyState] = []
        self._decisions: list[Decision] = []
        self._redraft(job.automaton.start())
        self.size = len(job.prompt) + len(self._draft)

    def beginning(self) -> Beginning:
        """The prompt. Its last token is asked, so it is not shared.

        RETURNS (Beginning): What the run may share with others.
        """
        prompt = self.job.prompt
        return Beginning(prompt, self.job.depths, len(prompt) - 1)

    def _redraft(self, state: CopyState) -> None:
        """Draft the rest of the copy, and see where the model has to be asked.

        state (CopyState): Where the final tokens have led.
        """
        automaton = self.job.automaton
        draft = automaton.draft(state, self.job.guess)
        states: list[CopyState] = []
        questions: list[_Question] = []
        for at, token in enumerate(draft):
            states.append(state)
            allowed = automaton.allowed(state)
            if len(allowed) > 1:
                questions.append(_Question(at, state, allowed))
            state = automaton.step(state, token)

        self._draft = draft
        self._drafted_states = states
        self._questions = questions

    def query(self) -> Query:
        """Prompt, final tokens and draft, with all questions at once.

        RETURNS (Query): Each question asks what follows the token before it.
        """
        job = self.job
        before = len(job.prompt) + len(job.tokens) - 1
        states = self._states + self._drafted_states
        return Query(
            job.prompt + job.tokens + self._draft,
            positions=[before + question.at for question in self._questions],
            candidates=[question.allowed for question in self._questions],
            depths=copy_depths(job, states),
            row=self.row,
        )

    def read(self, logits: np.ndarray) -> bool:
        """Take over the agreed part of the draft and learn from the rest.

        logits (np.ndarray): Shape (questions, most candidates).
        RETURNS (bool): Whether the copy is complete.
        """
        self.job.passes += 1
        questions = self._questions
        chosen = self._choose(logits)
        agreed = self._count_agreed(chosen)

        answered = questions[: agreed + 1]
        for (_, state, allowed), row in zip(answered, logits, strict=False):
            self._decisions.append(Decision(state, allowed, row))

        if agreed == len(questions):
            self._complete()
            return True
        self._correct(agreed, chosen)
        return False

    def _choose(self, logits: np.ndarray) -> list[int]:
        """The model's choice at every question.

        logits (np.ndarray): Shape (questions, most candidates).
        RETURNS (list[int]): Token ids.
        """
        questions = self._questions
        if not questions:
            return []

        chosen = []
        if self.sampling == GREEDY:
            best = logits.argmax(1).tolist()
            for question, i in zip(questions, best, strict=True):
                chosen.append(question.allowed[i])
            return chosen

        text = self.job.unit.text
        automaton = self.job.automaton
        for (_, state, allowed), row in zip(questions, logits, strict=True):
            i = choose(text, automaton, state, allowed, row, self.sampling)
            chosen.append(allowed[i])
        return chosen

    def _count_agreed(self, chosen: Sequence[int]) -> int:
        """How many choices are as drafted, before the first that is not.

        chosen (Sequence[int]): A token id for every question.
        RETURNS (int): The number of questions if all are as drafted.
        """
        draft = self._draft
        questions = self._questions
        for n, token in enumerate(chosen):
            if token != draft[questions[n].at]:
                return n
        return len(chosen)

    def _complete(self) -> None:
        """The whole draft is confirmed.

        Reads the mentions off it, and leaves the cache to the job if it is to be kept.
        """
        job = self.job
        job.tokens = job.tokens + self._draft
        states = self._states + self._drafted_states
        finish(job, states, self._decisions)

        if self.keep and self.row is not None:
            ids = job.prompt + job.tokens
            depths = copy_depths(job, states)
            job.kept = CachedPrefix(ids, depths, self.row)
        self.row = None

    def _correct(self, agreed: int, chosen: Sequence[int]) -> None:
        """Go on from the model's first other choice, with a new draft.

        agreed (int): Number of the question with that choice.
        chosen (Sequence[int]): All choices.
        """
        job = self.job
        automaton = job.automaton
        draft = self._draft
        questions = self._questions[agreed:]
        for (at, state, _), token in zip(questions, chosen[agreed:], strict=True):
            learned = _learned(automaton, state, draft[at], token)
            job.guess.learn(learned)

        at, state, _ = questions[0]
        token = chosen[agreed]
        job.tokens = [*job.tokens, *draft[:at], token]
        self._states += self._drafted_states[: at + 1]
        if self.row is not None:
            written = len(job.prompt) + len(job.tokens)
            self.row.truncate(written - 1)
        self._check_progress()
        self._redraft(automaton.step(state, token))

    def _check_progress(self) -> None:
        """Every pass confirms a token or more, so there can't be many.

        RAISES CascadeError: C026 if the job does not settle.
        """
        text = self.job.unit.text
        passes = self.job.passes
        most = 4 * len(text.encode()) + 16
        if passes > most:
            message = Errors.C026.format(passes=passes, n=len(text))
            raise CascadeError(message)


def _learned(
    automaton: CopyAutomaton,
    state: CopyState,
    drafted: int,
    chosen: int,
) -> list[Choice]:
    """What a chosen token says about markers.

    One that stops at a place which the draft passed by unmarked, such as a mere space
    before a word, most likely stops for a marker.

    state (CopyState): Where the copy stood.
    drafted, chosen (int): The token of the draft, and that of the model.
    automaton (CopyAutomaton): What may be written.
    RETURNS (list[Choice]): What is decided about places for markers.
    """
    found = automaton.choices(state, chosen)
    if chosen == drafted:
        return found

    decided = {(choice.kind, choice.token) for choice in found}
    for choice in automaton.choices(state, drafted):
        if choice.marked or (choice.kind, choice.token) in decided:
            continue
        return [*found, choice._replace(marked=True)]
    return found
