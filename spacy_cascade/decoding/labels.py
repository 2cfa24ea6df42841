"""Scoring lists of labels as token tries: the log-probability of every label under the
constraint, in one pass per list.

What prompts have in common runs once. The mentions of a sentence share a row, the lists
of later levels go on from it, and rows that begin alike share their beginning.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ..types import CachedPrefix, CachePool, CausalLM, Query
from .prefix import Beginning, common, run_beginnings
from .tree import TokenTree
from .trie import LabelJob, LabelTrie

__all__ = ["LabelJob", "LabelScorer", "LabelTrie", "score_labels"]


def score_labels(
    lm: CausalLM,
    jobs: Sequence[LabelJob],
    *,
    max_nodes: int = 1024,
) -> None:
    """Fill `log_probs` of all jobs. Nothing is remembered.

    lm (CausalLM): The model.
    jobs (Sequence[LabelJob]): The prompts and lists.
    max_nodes (int): Largest tree.
    """
    scorer = LabelScorer(lm, remember=False, max_nodes=max_nodes)
    scorer(jobs)


class _Recalled(NamedTuple):
    """What an earlier stage has run of a text.

    prefix (CachedPrefix): Tokens and their cache.
    tokens (int): How many of them are of use.
    """

    prefix: CachedPrefix
    tokens: int


class LabelScorer:
    """Scores lists, call after call, for mentions of the same texts.

    lm (CausalLM): The model.
    remember (bool): Keep what was run for the calls to come.
    max_nodes (int): Largest tree, since attention in a row is quadratic in its nodes.
    """

    def __init__(
        self,
        lm: CausalLM,
        *,
        remember: bool = True,
        max_nodes: int = 1024,
    ):
        self.lm = lm
        self.remember = remember
        self.max_nodes = max_nodes
        self._pool: CachePool | None = None
        # tokens that the pool has room for
        self._room = 0
        self._rows: dict[Hashable, _Row] = {}

    def __call__(self, jobs: Sequence[LabelJob]) -> None:
        """Fill `log_probs` of all jobs.

        Those of one text that share at least half of their prompt share a tree.

        jobs (Sequence[LabelJob]): The prompts and lists.
        """
        rows = self._assign_rows(jobs)
        asked = [row for row in rows if row.query.positions]
        if asked and self.remember:
            self._give_caches(asked)

        empty = []
        for row in asked:
            if not row.fresh:
                continue
            row.stop_recalling()
            cache = row.query.row
            if cache is None:
                # with `remember`, there was no room for it
                is_empty = not self.remember
            else:
                is_empty = len(cache) == 0
            if is_empty:
                empty.append(row)
        self._run_beginnings(empty)

        queries = [row.query for row in asked]
        answers = self.lm.candidate_logits(queries)
        for row, logits in zip(asked, answers, strict=True):
            row.take(logits)
        for row in rows:
            row.read()

    def _assign_rows(self, jobs: Sequence[LabelJob]) -> list[_Row]:
        """Add every job to the row of its text, or to a new one where it does not fit.

        jobs (Sequence[LabelJob]): The prompts and lists.
        RETURNS (list[_Row]): The rows of this call.
        """
        rows: dict[int, _Row] = {}
        recalled = self._recall(jobs)
        for job in jobs:
            row = self._rows.get(job.text)
            if row is None or not row.fits(job, self.max_nodes):
                if row is not None and id(row) not in rows:
                    self._take_back(row)
                row = self._rows[job.text] = _Row()
                found = recalled.pop(job.text, None)
                if found is not None:
                    row.begin(found)
            row.add(job)
            rows[id(row)] = row
        return list(rows.values())

    def _take_back(self, row: _Row) -> None:
        """Count the room of a row that nothing is added to any more.

        row (_Row): The row that another one takes the place of.
        """
        cache = row.query.row
        if cache is not None:
            self._room += len(cache)

    def _give_caches(self, rows: Sequence[_Row]) -> None:
        """Give new trees a cache, as long as there is room.

        rows (Sequence[_Row]): The rows that are asked in this call.
        """
        if self._pool is None:
            wanted = sum(3 * len(row.tree) // 2 for row in rows)
            self._pool = self.lm.cache_pool(wanted)
            self._room = 0 if self._pool is None else self._pool.room
        if self._pool is None:
            return

        for row in rows:
            size = len(row.tree)
            if row.query.row is None and row.fresh and size <= self._room:
                self._room -= size
                row.query.row = self._pool.row()

    def _run_beginnings(self, rows: Sequence[_Row]) -> None:
        """Run what several rows begin with once, and let them go on from there.

        rows (Sequence[_Row]): Rows of which nothing was run yet.
        """
        if self._pool is None:
            wanted = sum(len(row.tree) for row in rows)
            self._pool = self.lm.cache_pool(wanted)
        if self._pool is None:
            return

        beginnings = [row.beginning() for row in rows]
        for i, found in run_beginnings(self.lm, self._pool, beginnings):
            rows[i].query.row = found

    def _recall(self, jobs: Iterable[LabelJob]) -> dict[Hashable, _Recalled]:
        """What an earlier stage has run of these texts, and how much of it is of use.

        jobs (Iterable[LabelJob]): The prompts.
        RETURNS (dict): By text. Nothing for texts of which nothing was kept.
        """
        store = self.lm.prefixes
        if store is None or not len(store):
            return {}

        out: dict[Hashable, _Recalled] = {}
        for job in jobs:
            text = job.text
            known = out.get(text)
            prefix = store.take(text) if known is None else known.prefix
            if prefix is None:
                continue

            tokens = _shared_tokens(prefix, job)
            if known is not None:
                tokens = max(tokens, known.tokens)
            out[text] = _Recalled(prefix, tokens)
        return out


def _shared_tokens(prefix: CachedPrefix, job: LabelJob) -> int:
    """How many tokens of a prompt were run by an earlier stage.

    The last token of the prompt is asked, so it is run anew.

    prefix (CachedPrefix): What the stage has left.
    job (LabelJob): The prompt.
    """
    ids = prefix.ids
    kept = Beginning(ids, prefix.depths, most=len(ids))
    prompt = Beginning(job.prompt, job.depths, most=len(job.prompt) - 1)
    return common(kept, prompt)


# A node of a tree, and the tokens that may follow it.
_Question = tuple[int, tuple[int, ...]]


class _Row:
    """Jobs whose prompts are merged into one token tree. It may grow from call to call.

    tree (TokenTree): Prompts and answers.
    query (Query): The tree, and the questions that are open.
    fresh (bool): Whether nothing of it was run yet.
    """

    def __init__(self) -> None:
        tree = TokenTree()
        self.tree = tree
        self.query = Query(tree.ids, parents=tree.parents, depths=tree.depths)
        self.fresh = True
        # each with the answers to the questions at the nodes of its trie
        self._jobs: list[tuple[LabelJob, dict[int, int]]] = []
        # question -> index of the answer
        self._asked: dict[_Question, int] = {}
        self._answers: list[np.ndarray] = []
        # how many nodes were run
        self._run = 0

    def fits(self, job: LabelJob, max_nodes: int) -> bool:
        """Whether a job may be added.

        max_nodes (int): Largest tree.
        job (LabelJob): A job about the same text.
        RETURNS (bool): At least half of its prompt is in the tree, and the tree stays small.
        """
        size = len(job.prompt)
        shared = self.tree.shared(job.prompt)
        if 2 * shared < size:
            return False

        paths = job.trie.paths()
        lengths = map(len, paths.values())
        new = size - shared + sum(lengths)
        if len(self.tree) + new > max_nodes:
            return False
        if self.fresh or shared < size:
            return True
        return self._knows_answers(job, paths)

    def _knows_answers(self, job: LabelJob, paths: Mapping[int, list[int]]) -> bool:
        """Whether no node that was run has to be asked.

        All of the prompt was run. So where answers were run, too, their questions must
        have been asked.

        job (LabelJob): A job whose prompt was run.
        paths (Mapping): The paths of its trie, by node.
        """
        tree = self.tree
        stem = tree.insert(job.prompt)
        for node, ids in paths.items():
            whole = [*job.prompt, *ids]
            if tree.shared(whole) < len(whole):
                continue

            at = tree.insert(ids, stem)
            candidates = tuple(job.trie.children[node])
            if at < self._run and (at, candidates) not in self._asked:
                return False
        return True

    def begin(self, recalled: _Recalled) -> None:
        """Go on from what an earlier stage has run.

        recalled (_Recalled): Its first tokens are those of all prompts.
        """
        prefix, n = recalled
        depths = None if prefix.depths is None else prefix.depths[:n]
        self.tree.insert(prefix.ids[:n], depths=depths)
        self.query.row = prefix.row.fork(n)

    def stop_recalling(self) -> None:
        """Run the tree again from the first question on.

        Nothing may be asked at a node that was run before.
        """
        row = self.query.row
        if row is not None and len(row):
            row.truncate(min(self.query.positions))

    def beginning(self) -> Beginning:
        """The nodes that stand in one line before the first question and the first branch.

        RETURNS (Beginning): What the row may share with others.
        """
        tree = self.tree
        n = 1
        while n < len(tree) and tree.parents[n] == n - 1:
            n += 1
        most = min(n, *self.query.positions)
        return Beginning(tree.ids, tree.depths, most)

    def add(self, job: LabelJob) -> None:
        """Add the prompt of a job to the tree, and its questions to the query.

        job (LabelJob): A job that fits.
        """
        trie = job.trie
        query = self.query
        asked = self._asked
        stem = self.tree.insert(job.prompt, depths=job.depths)
        answers = {}
        for node, ids in trie.paths().items():
            at = self.tree.insert(ids, stem)
            candidates = tuple(trie.children[node])
            question = (at, candidates)
            if question not in asked:
                asked[question] = len(asked)
                query.positions.append(at)
                query.candidates.append(candidates)
            answers[node] = asked[question]
        self._jobs.append((job, answers))

    def take(self, logits: np.ndarray) -> None:
        """Take over the answers to the questions that are open.

        logits (np.ndarray): Shape (questions, most candidates).
        """
        self._answers += list(logits)
        self._run = len(self.tree)
        self.fresh = False
        self.query.positions = []
        self.query.candidates = []

    def read(self) -> None:
        """Fill `log_probs` of the jobs that were added.

        All their questions are answered, in this call or in an earlier one.
        """
        for job, answers in self._jobs:
            log_probs = self._step_log_probs(job.trie, answers)
            sums = []
            for steps in job.trie.steps:
                # where there is one way only, nothing was asked
                values = [log_probs.get(step, 0.0) for step in steps]
                sums.append(sum(values))
            job.log_probs = np.array(sums)
        self._jobs = []

    def _step_log_probs(
        self,
        trie: LabelTrie,
        answers: Mapping[int, int],
    ) -> dict[tuple[int, int], float]:
        """The log-probability of every step at which the model was asked.

        trie (LabelTrie): The labels.
        answers (Mapping[int, int]): Index of the answer for every branching node.
        RETURNS (dict): By node and token.
        """
        out: dict[tuple[int, int], float] = {}
        for node, answer in answers.items():
            tokens = trie.children[node]
            logits = self._answers[answer][: len(tokens)]
            values = _normalized(logits)
            for token, value in zip(tokens, values, strict=True):
                out[node, token] = value
        return out


def _normalized(logits: np.ndarray) -> list[float]:
    """Log-probabilities. Shape of the logits: (candidates,).

    RETURNS (list[float]): They add up to one as probabilities.
    """
    values = logits.astype(np.float64)
    top = values.max()
    total = top + math.log(np.exp(values - top).sum())
    out: list[float] = (values - total).tolist()
    return out
