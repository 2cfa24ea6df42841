"""Scoring a list of labels as a token trie: the log-probability of every label under the constraint, in one pass."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..ty import CausalLM, Query
from .tree import TokenTree


class LabelTrie:
    """The tokens of a list of labels, each closed by an end token, so that no label is the beginning of another.

    answers (Sequence[Sequence[int]]): Token ids of every label, all different.
    end (int): Id of the token that may follow a complete label.
    """

    def __init__(self, answers: Sequence[Sequence[int]], end: int):
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
        out: dict[int, list[int]] = {}
        wanted = set(self.branching())
        stack: list[tuple[int, list[int]]] = [(0, [])]
        while stack:
            node, ids = stack.pop()
            if node in wanted:
                out[node] = ids
            stack += [(child, [*ids, token]) for token, child in self.children[node].items()]
        return out


@dataclass
class LabelJob:
    """A prompt (with positions of its own, if not counted on) and the list to choose from. `log_probs` is filled: one
    value per label, normalized over the list."""

    prompt: list[int]
    trie: LabelTrie
    depths: list[int] | None = None
    log_probs: np.ndarray = field(default_factory=lambda: np.zeros(0))


def score_labels(lm: CausalLM, jobs: Sequence[LabelJob], *, max_nodes: int = 1024) -> None:
    """Fill `log_probs` of all jobs. Jobs that share at least half of their prompt share one row (a tree), in which
    the common part runs once.

    max_nodes (int): Largest tree, since attention in a row is quadratic in its nodes.
    """
    rows: list[_Row] = []
    for job in jobs:
        row = rows[-1] if rows else None
        if row is None or not row.fits(job, max_nodes):
            row = _Row()
            rows.append(row)
        row.add(job)
    answers = lm.candidate_logits([row.query for row in rows])
    for row, logits in zip(rows, answers, strict=True):
        row.read(logits)


class _Row:
    """Jobs whose prompts are merged into one token tree."""

    def __init__(self) -> None:
        self.tree = TokenTree()
        self.query = Query(self.tree.ids, parents=self.tree.parents, depths=self.tree.depths)
        self.jobs: list[tuple[LabelJob, dict[int, int]]] = []
        self._asked: dict[tuple[int, tuple[int, ...]], int] = {}

    def fits(self, job: LabelJob, max_nodes: int) -> bool:
        shared = self.tree.shared(job.prompt)
        new = len(job.prompt) - shared + sum(map(len, job.trie.paths().values()))
        return 2 * shared >= len(job.prompt) and len(self.tree) + new <= max_nodes

    def add(self, job: LabelJob) -> None:
        stem = self.tree.insert(job.prompt, depths=job.depths)
        where = {}
        for node, ids in job.trie.paths().items():
            at = self.tree.insert(ids, stem)
            candidates = tuple(job.trie.children[node])
            key = (at, candidates)
            if key not in self._asked:
                self._asked[key] = len(self.query.positions)
                self.query.positions.append(at)
                self.query.candidates.append(candidates)
            where[node] = self._asked[key]
        self.jobs.append((job, where))

    def read(self, logits: np.ndarray) -> None:
        for job, where in self.jobs:
            step: dict[tuple[int, int], float] = {}
            for node, row in where.items():
                tokens = list(job.trie.children[node])
                values = logits[row, : len(tokens)].astype(np.float64)
                top = values.max()
                total = top + math.log(np.exp(values - top).sum())
                step.update({(node, t): float(v - total) for t, v in zip(tokens, values, strict=True)})
            job.log_probs = np.array([sum(step.get(s, 0.0) for s in steps) for steps in job.trie.steps])
