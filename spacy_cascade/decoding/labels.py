"""Scoring lists of labels as token tries: the log-probability of every label under the
constraint, in one pass per list.

What prompts have in common runs once: the mentions of a sentence share a row, the lists
    of later levels go on from it,
and rows that begin alike share their beginning.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..types import CachedPrefix, CausalLM, Query
from .prefix import Beginning, common, run_beginnings
from .tree import TokenTree


class LabelTrie:
    """The tokens of a list of labels, each closed by an end token, so that no label is
    the beginning of another.

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
            stack += [
                (child, [*ids, token]) for token, child in self.children[node].items()
            ]
        self._paths = out
        return out


@dataclass
class LabelJob:
    """A prompt (with positions of its own, if not counted on) and the list to choose
    from. `log_probs` is filled: one value per label, normalized over the list.

    text (Hashable): Equal for jobs that are about the same text and so may share a row.
    """

    prompt: list[int]
    trie: LabelTrie
    depths: list[int] | None = None
    text: Hashable = None
    log_probs: np.ndarray = field(default_factory=lambda: np.zeros(0))


def score_labels(
    lm: CausalLM, jobs: Sequence[LabelJob], *, max_nodes: int = 1024
) -> None:
    """Fill `log_probs` of all jobs; nothing is remembered."""
    LabelScorer(lm, remember=False, max_nodes=max_nodes)(jobs)


class LabelScorer:
    """Scores lists, call after call, for mentions of the same texts.

    remember (bool): Keep what was run for the calls to come.
    max_nodes (int): Largest tree, since attention in a row is quadratic in its nodes.
    """

    def __init__(self, lm: CausalLM, *, remember: bool = True, max_nodes: int = 1024):
        self.lm = lm
        self.remember = remember
        self.max_nodes = max_nodes
        self._memory: Any = None
        self._left = 0
        self._rows: dict[Hashable, _Row] = {}

    def __call__(self, jobs: Sequence[LabelJob]) -> None:
        """Fill `log_probs` of all jobs.

        Those of one text that share at least half of their prompt share a tree.
        """
        rows: dict[int, _Row] = {}
        known = self._recalled(jobs)
        for job in jobs:
            row = self._rows.get(job.text)
            if row is None or not row.fits(job, self.max_nodes):
                if (
                    row is not None
                    and row.query.row is not None
                    and id(row) not in rows
                ):
                    self._left += len(row.query.row)
                row = self._rows[job.text] = _Row()
                if job.text in known:
                    row.begin(*known.pop(job.text))
            row.add(job)
            rows[id(row)] = row
        asked = [row for row in rows.values() if row.query.positions]
        if asked and self.remember:
            self._keep(asked)
        fresh = [row for row in asked if row.fresh]
        for row in fresh:
            row.stop_recalling()
        self._run_beginnings(
            [
                r
                for r in fresh
                if (not r.query.row if r.query.row is not None else not self.remember)
            ]
        )
        for row, logits in zip(
            asked, self.lm.candidate_logits([row.query for row in asked]), strict=True
        ):
            row.take(logits)
        for row in rows.values():
            row.read()

    def _keep(self, rows: Iterable[_Row]) -> None:
        """Make room for new trees, as long as there is some."""
        if self._memory is None:
            self._memory = self.lm.cache_pool(
                sum(3 * len(row.tree) // 2 for row in rows)
            )
            self._left = 0 if self._memory is None else self._memory.room
        for row in rows:
            if row.query.row is None and row.fresh and len(row.tree) <= self._left:
                self._left -= len(row.tree)
                row.query.row = self._memory.row()

    def _run_beginnings(self, rows: Sequence[_Row]) -> None:
        """Run what several rows begin with once, and let them go on from there."""
        beginnings = [
            Beginning(row.tree.ids, row.tree.depths, row.stem()) for row in rows
        ]
        if self._memory is None:
            self._memory = self.lm.cache_pool(sum(len(row.tree) for row in rows))
        if self._memory is not None:
            for i, found in run_beginnings(self.lm, self._memory, beginnings):
                rows[i].query.row = found

    def _recalled(
        self, jobs: Sequence[LabelJob]
    ) -> dict[Hashable, tuple[CachedPrefix, int]]:
        """What an earlier stage has run of these texts, and how much of it is of use."""
        recall = self.lm.prefixes
        if recall is None or not len(recall):
            return {}
        out: dict[Hashable, tuple[CachedPrefix, int]] = {}
        for job in jobs:
            kept = out[job.text][0] if job.text in out else recall.take(job.text)
            if kept is not None:
                n = common(
                    Beginning(kept.ids, kept.depths, len(kept.ids)),
                    Beginning(job.prompt, job.depths, len(job.prompt) - 1),
                )
                out[job.text] = kept, max(n, out[job.text][1] if job.text in out else 0)
        return out


class _Row:
    """Jobs whose prompts are merged into one token tree, which may grow from call to call."""

    def __init__(self) -> None:
        self.tree = TokenTree()
        self.query = Query(
            self.tree.ids, parents=self.tree.parents, depths=self.tree.depths
        )
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
                if (
                    at < self._run
                    and (at, tuple(job.trie.children[node])) not in self._asked
                ):
                    return False
        return True

    def begin(self, kept: CachedPrefix, n: int) -> None:
        """Go on from the first n tokens of what was kept."""
        self.tree.insert(
            kept.ids[:n], depths=None if kept.depths is None else kept.depths[:n]
        )
        self.query.row = kept.row.fork(n)

    def stop_recalling(self) -> None:
        """Nothing may be asked at a node that was run before: from the first such place
        on, it is run again.
        """
        if self.query.row is not None and len(self.query.row):
            self.query.row.truncate(min(self.query.positions))

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
                step.update(
                    {
                        (node, t): float(v - total)
                        for t, v in zip(tokens, values, strict=True)
                    }
                )
            job.log_probs = np.array(
                [sum(step.get(s, 0.0) for s in steps) for steps in job.trie.steps]
            )
        self._jobs = []
