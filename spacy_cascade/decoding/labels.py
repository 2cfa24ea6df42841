"""Scoring lists of labels as token tries: the log-probability of every label under the constraint, in one pass per list.

What prompts have in common runs once: the mentions of a sentence share a row, the lists of later levels go on from it,
and rows that begin alike share their beginning.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..ty import CausalLM, Query
from .tree import TokenTree


class LabelTrie:
    """The tokens of a list of labels, each closed by an end token, so that no label is the beginning of another.

    answers (Sequence[Sequence[int]]): Token ids of every label, all different.
    end (int): Id of the token that may follow a complete label.
    """

    def __init__(self, answers: Sequence[Sequence[int]], end: int):
        self._paths: dict[int, list[int]] | None = None
        self.children: list[dict[int, int]] = [{}]
        self.steps: list[list[tuple[int, int]]] = []
        for answer in answers:
            node, steps = 0, []
            for token in (*answer, end):
                steps.append((node, token))
                if token not in self.children[node]:
                    self.children[node][token] = len(self.children)
                    self.children.append({})
                node = self.children[node][token]
            self.steps.append(steps)

    def branching(self) -> list[int]:
        """Nodes with more than one child: only there the model is asked."""
        return [n for n, children in enumerate(self.children) if len(children) > 1]

    def paths(self) -> dict[int, list[int]]:
        """Token ids from the root to every branching node."""
        if self._paths is not None:
            return self._paths
        out: dict[int, list[int]] = {}
        wanted = set(self.branching())
        stack: list[tuple[int, list[int]]] = [(0, [])]
        while stack:
            node, ids = stack.pop()
            if node in wanted:
                out[node] = ids
            stack += [(child, [*ids, token]) for token, child in self.children[node].items()]
        self._paths = out
        return out


@dataclass
class LabelJob:
    """A prompt (with positions of its own, if not counted on) and the list to choose from. `log_probs` is filled: one
    value per label, normalized over the list.

    text (Hashable): Equal for jobs that are about the same text and so may share a row.
    """

    prompt: list[int]
    trie: LabelTrie
    depths: list[int] | None = None
    text: Hashable = None
    log_probs: np.ndarray = field(default_factory=lambda: np.zeros(0))


def score_labels(lm: CausalLM, jobs: Sequence[LabelJob], *, max_nodes: int = 1024) -> None:
    """Fill `log_probs` of all jobs; nothing is remembered."""
    LabelScorer(lm, remember=False, max_nodes=max_nodes)(jobs)


class LabelScorer:
    """Scores lists, call after call, for mentions of the same texts.

    remember (bool): Keep what was run for the calls to come.
    max_nodes (int): Largest tree, since attention in a row is quadratic in its nodes.
    """

    # A common beginning of rows that is shorter is not worth a pass of its own.
    shortest_prefix = 16

    def __init__(self, lm: CausalLM, *, remember: bool = True, max_nodes: int = 1024):
        self.lm = lm
        self.remember = remember
        self.max_nodes = max_nodes
        self._memory: Any = None
        self._left = 0
        self._rows: dict[Hashable, _Row] = {}

    def __call__(self, jobs: Sequence[LabelJob]) -> None:
        """Fill `log_probs` of all jobs. Those of one text that share at least half of their prompt share a tree."""
        rows: dict[int, _Row] = {}
        for job in jobs:
            row = self._rows.get(job.text)
            if row is None or not row.fits(job, self.max_nodes):
                if row is not None and row.query.row is not None and id(row) not in rows:
                    self._left += len(row.query.row)
                row = self._rows[job.text] = _Row()
            row.add(job)
            rows[id(row)] = row
        asked = [row for row in rows.values() if row.query.positions]
        if asked and self.remember:
            self._keep(asked)
        self._run_prefixes([row for row in asked if row.fresh and (row.query.row is not None or not self.remember)])
        for row, logits in zip(asked, self.lm.candidate_logits([row.query for row in asked]), strict=True):
            row.take(logits)
        for row in rows.values():
            row.read()

    def _keep(self, rows: Iterable[_Row]) -> None:
        """Make room for new trees, as long as there is some."""
        if self._memory is None:
            self._memory = self.lm.memory(sum(3 * len(row.tree) // 2 for row in rows))
            self._left = 0 if self._memory is None else self._memory.capacity
        for row in rows:
            if row.query.row is None and row.fresh and len(row.tree) <= self._left:
                self._left -= len(row.tree)
                row.query.row = self._memory.row()

    def _run_prefixes(self, rows: Sequence[_Row]) -> None:
        """Run what several rows begin with once, and let them go on from there."""
        groups: dict[tuple[int, ...], list[_Row]] = {}
        for row in rows:
            groups.setdefault(tuple(row.tree.ids[: self.shortest_prefix]), []).append(row)
        for group in groups.values():
            n = min(row.stem() for row in group)
            ids, depths = group[0].tree.ids, group[0].tree.depths
            while any(row.tree.ids[:n] != ids[:n] or row.tree.depths[:n] != depths[:n] for row in group):
                n -= 1
            if len(group) < 2 or n < self.shortest_prefix:
                continue
            if self._memory is None:
                self._memory = self.lm.memory(n + sum(len(row.tree) - n for row in group))
                if self._memory is None:
                    return
            common = self._memory.row()
            self.lm.candidate_logits([Query(ids[:n], depths=depths[:n], row=common)])
            for row in group:
                row.query.row = common.fork(n)


class _Row:
    """Jobs whose prompts are merged into one token tree, which may grow from call to call."""

    def __init__(self) -> None:
        self.tree = TokenTree()
        self.query = Query(self.tree.ids, parents=self.tree.parents, depths=self.tree.depths)
        self.fresh = True
        self._jobs: list[tuple[LabelJob, dict[int, int]]] = []
        # (node, candidates) -> index of the answer
        self._asked: dict[tuple[int, tuple[int, ...]], int] = {}
        self._answers: list[np.ndarray] = []
        self._run = 0

    def fits(self, job: LabelJob, max_nodes: int) -> bool:
        shared = self.tree.shared(job.prompt)
        paths = job.trie.paths()
        new = len(job.prompt) - shared + sum(map(len, paths.values()))
        if 2 * shared < len(job.prompt) or len(self.tree) + new > max_nodes:
            return False
        if self.fresh or shared < len(job.prompt):
            return True
        # All of the prompt was run: the questions must have been asked, too.
        stem = self.tree.insert(job.prompt)
        for node, ids in paths.items():
            if self.tree.shared([*job.prompt, *ids]) == len(job.prompt) + len(ids):
                at = self.tree.insert(ids, stem)
                if at < self._run and (at, tuple(job.trie.children[node])) not in self._asked:
                    return False
        return True

    def stem(self) -> int:
        """How many nodes stand in one line before the first question and the first branch."""
        n = 1
        while n < len(self.tree) and self.tree.parents[n] == n - 1:
            n += 1
        return min(n, *self.query.positions)

    def add(self, job: LabelJob) -> None:
        stem = self.tree.insert(job.prompt, depths=job.depths)
        where = {}
        for node, ids in job.trie.paths().items():
            at = self.tree.insert(ids, stem)
            candidates = tuple(job.trie.children[node])
            key = (at, candidates)
            if key not in self._asked:
                self._asked[key] = len(self._asked)
                self.query.positions.append(at)
                self.query.candidates.append(candidates)
            where[node] = self._asked[key]
        self._jobs.append((job, where))

    def take(self, logits: np.ndarray) -> None:
        """Answers to the questions that are open."""
        self._answers += list(logits)
        self._run, self.fresh = len(self.tree), False
        self.query.positions, self.query.candidates = [], []

    def read(self) -> None:
        for job, where in self._jobs:
            step: dict[tuple[int, int], float] = {}
            for node, row in where.items():
                tokens = list(job.trie.children[node])
                values = self._answers[row][: len(tokens)].astype(np.float64)
                top = values.max()
                total = top + math.log(np.exp(values - top).sum())
                step.update({(node, t): float(v - total) for t, v in zip(tokens, values, strict=True)})
            job.log_probs = np.array([sum(step.get(s, 0.0) for s in steps) for steps in job.trie.steps])
        self._jobs = []
