"""Scoring lists of labels as token tries: the log-probability of every label under the
constraint, in one pass per list.

What prompts have in common runs once. The mentions of a sentence share a row, the lists
of later levels go on from it, and rows that begin alike share their beginning.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ..types import CachedPrefix, CachePool, CausalLM, Query
from .prefix import Beginning, common, run_beginnings
from .tree import TokenTree


class LabelTrie:
    """The tokens of a list of labels.

    Each label is closed by an end token, so that none is the beginning of another.

    answers (Sequence[Sequence[int]]): Token ids of every label, all different.
    end (int): Id of the token that may follow a complete label.
    """

    def __init__(self, answers: Sequence[Sequence[int]], end: int):
        self._paths: dict[int, list[int]] | None = None
        # for every node, the node behind each token
        self.children: list[dict[int, int]] = [{}]
        # for every label, the nodes on its way and the tokens that leave them
        self.steps: list[list[tuple[int, int]]] = []

        for answer in answers:
            node = 0
            steps = []
            for token in (*answer, end):
                steps.append((node, token))
                children = self.children[node]
                if token not in children:
                    children[token] = len(self.children)
                    self.children.append({})
                node = children[token]
            self.steps.append(steps)

    def branching(self) -> list[int]:
        """Nodes with more than one child: only there the model is asked."""
        return [
            node for node, children in enumerate(self.children) if len(children) > 1
        ]

    def paths(self) -> dict[int, list[int]]:
        """Token ids from the root to every branching node."""
        if self._paths is not None:
            return self._paths

        out: dict[int, list[int]] = {}
        stack: list[tuple[int, list[int]]] = [(0, [])]
        while stack:
            node, ids = stack.pop()
            children = self.children[node]
            if len(children) > 1:
                out[node] = ids
            for token, child in children.items():
                stack.append((child, [*ids, token]))
        self._paths = out
        return out


@dataclass
class LabelJob:
    """A prompt and the list to choose from.

    prompt (list[int]): Token ids.
    trie (LabelTrie): The labels.
    depths (list[int] | None): Positions of the prompt's tokens. None: counted on.
    text (Hashable): Equal for jobs that are about the same text, and so may share a
        row.
    log_probs (np.ndarray): Filled by scoring: one value per label, normalized over the
        list.
    """

    prompt: list[int]
    trie: LabelTrie
    depths: list[int] | None = None
    text: Hashable = None
    log_probs: np.ndarray = field(default_factory=lambda: np.zeros(0))


def score_labels(
    lm: CausalLM,
    jobs: Sequence[LabelJob],
    *,
    max_nodes: int = 1024,
) -> None:
    """Fill `log_probs` of all jobs. Nothing is remembered."""
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
        """
        rows = self._assign_rows(jobs)
        asked = [row for row in rows if row.query.positions]
        if asked and self.remember:
            self._give_caches(asked)

        alone = []
        for row in asked:
            if not row.fresh:
                continue
            row.stop_recalling()
            cache = row.query.row
            begins_empty = not self.remember if cache is None else not cache
            if begins_empty:
                alone.append(row)
        self._run_beginnings(alone)

        queries = [row.query for row in asked]
        answers = self.lm.candidate_logits(queries)
        for row, logits in zip(asked, answers, strict=True):
            row.take(logits)
        for row in rows:
            row.read()

    def _assign_rows(self, jobs: Sequence[LabelJob]) -> list[_Row]:
        """Add every job to the row of its text, or to a new one where it does not fit.

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
        """Count the room of a row that nothing is added to any more."""
        if row.query.row is not None:
            self._room += len(row.query.row)

    def _give_caches(self, rows: Sequence[_Row]) -> None:
        """Give new trees a cache, as long as there is room."""
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
        """Run what several rows begin with once, and let them go on from there."""
        if self._pool is None:
            wanted = sum(len(row.tree) for row in rows)
            self._pool = self.lm.cache_pool(wanted)
        if self._pool is None:
            return

        beginnings = [row.beginning() for row in rows]
        for i, found in run_beginnings(self.lm, self._pool, beginnings):
            rows[i].query.row = found

    def _recall(self, jobs: Iterable[LabelJob]) -> dict[Hashable, _Recalled]:
        """What an earlier stage has run of these texts, and how much of it is of use."""
        store = self.lm.prefixes
        if store is None or not len(store):
            return {}

        out: dict[Hashable, _Recalled] = {}
        for job in jobs:
            known = out.get(job.text)
            prefix = store.take(job.text) if known is None else known.prefix
            if prefix is None:
                continue
            kept = Beginning(prefix.ids, prefix.depths, len(prefix.ids))
            prompt = Beginning(job.prompt, job.depths, len(job.prompt) - 1)
            tokens = common(kept, prompt)
            if known is not None:
                tokens = max(tokens, known.tokens)
            out[job.text] = _Recalled(prefix, tokens)
        return out


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
        """
        prompt = job.prompt
        shared = self.tree.shared(prompt)
        if 2 * shared < len(prompt):
            return False

        paths = job.trie.paths()
        new = len(prompt) - shared + sum(map(len, paths.values()))
        if len(self.tree) + new > max_nodes:
            return False
        if self.fresh or shared < len(prompt):
            return True
        return self._knows_answers(job, paths)

    def _knows_answers(self, job: LabelJob, paths: Mapping[int, list[int]]) -> bool:
        """Whether no node that was run has to be asked.

        All of the prompt was run. So where answers were run, too, their questions must
        have been asked.
        """
        prompt = job.prompt
        stem = self.tree.insert(prompt)
        for node, ids in paths.items():
            whole = len(prompt) + len(ids)
            if self.tree.shared([*prompt, *ids]) < whole:
                continue
            at = self.tree.insert(ids, stem)
            question = (at, tuple(job.trie.children[node]))
            if at < self._run and question not in self._asked:
                return False
        return True

    def begin(self, recalled: _Recalled) -> None:
        """Go on from what an earlier stage has run."""
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
        """The nodes that stand in one line before the first question and the first branch."""
        tree = self.tree
        n = 1
        while n < len(tree) and tree.parents[n] == n - 1:
            n += 1
        most = min(n, *self.query.positions)
        return Beginning(tree.ids, tree.depths, most)

    def add(self, job: LabelJob) -> None:
        """Add the prompt of a job to the tree, and its questions to the query."""
        stem = self.tree.insert(job.prompt, depths=job.depths)
        answers = {}
        for node, ids in job.trie.paths().items():
            at = self.tree.insert(ids, stem)
            candidates = tuple(job.trie.children[node])
            question = (at, candidates)
            if question not in self._asked:
                self._asked[question] = len(self._asked)
                self.query.positions.append(at)
                self.query.candidates.append(candidates)
            answers[node] = self._asked[question]
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
        """Fill `log_probs` of the jobs that were added."""
        for job, answers in self._jobs:
            log_probs: dict[tuple[int, int], float] = {}
            for node, answer in answers.items():
                tokens = job.trie.children[node]
                values = _normalized(self._answers[answer][: len(tokens)])
                for token, value in zip(tokens, values, strict=True):
                    log_probs[node, token] = value

            sums = []
            for steps in job.trie.steps:
                sums.append(sum(log_probs.get(step, 0.0) for step in steps))
            job.log_probs = np.array(sums)
        self._jobs = []


def _normalized(logits: np.ndarray) -> list[float]:
    """Log-probabilities. Shape of the logits: (candidates,)."""
    values = logits.astype(np.float64)
    top = values.max()
    total = top + math.log(np.exp(values - top).sum())
    out: list[float] = (values - total).tolist()
    return out
