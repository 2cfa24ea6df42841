"""Naming the type of mentions through a taxonomy: which lists are asked, in which
order, and where to stop.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from spacy.tokens import Doc

from ..decoding.labels import LabelJob, LabelScorer, LabelTrie, score_labels
from ..errors import CascadeError, Errors
from ..taxonomy import Taxonomy, TypePath, format_path, normalize_name
from ..types import CausalLM, MentionQuery, TypeResult, Unit
from .windows import Window, make_unit

STRATEGIES = ("progressive", "beam", "path")
UNKNOWN = "unknown"


@dataclass
class _Beam:
    path: TypePath
    steps: tuple[float, ...]

    @property
    def log_prob(self) -> float:
        return sum(self.steps)


class Typer:
    """Asks level after level for many mentions at once.

    Progressive classification is a beam of width one.

    n_best (int): How many of the likeliest complete paths to give with each result, if
        the strategy sees as many.
    """

    def __init__(
        self,
        template: Any,
        strategy: str,
        beam_width: int,
        min_score: float,
        unknown: bool,
        n_best: int = 1,
    ):
        self.template = template
        self.strategy = strategy
        self.width = 1 if strategy == "progressive" else beam_width
        self.floor = math.log(min_score) if min_score > 0 else -math.inf
        self.unknown = unknown
        self.n_best = n_best
        self._tries: dict[tuple[str, ...], LabelTrie] = {}

    def __call__(
        self, lm: CausalLM, asked: Sequence[tuple[MentionQuery, Taxonomy]]
    ) -> list[TypeResult]:
        """Type mentions, each with its own taxonomy."""
        if self.strategy == "path":
            return self._whole_paths(lm, asked)
        beams: list[list[_Beam]] = [[_Beam((), ())] for _ in asked]
        done: list[list[_Beam]] = [[] for _ in asked]
        # what was run for one level is the beginning of the next
        score = LabelScorer(
            lm, remember=any(taxonomy.depth > 1 for _, taxonomy in asked)
        )
        while any(beams):
            jobs, owners = [], []
            for i, (a, taxonomy) in enumerate(asked):
                for beam in beams[i]:
                    types = self._types(taxonomy, beam.path)
                    jobs.append(self._job(lm, a, beam.path, types))
                    owners.append((i, beam, types))
            score(jobs)
            grown: list[list[_Beam]] = [[] for _ in asked]
            for (i, beam, types), job in zip(owners, jobs, strict=True):
                for name, value in zip(types, job.log_probs, strict=True):
                    grown[i].append(
                        _Beam((*beam.path, name), (*beam.steps, float(value)))
                    )
            for i, (_, taxonomy) in enumerate(asked):
                best = sorted(grown[i], key=lambda b: -b.log_prob)[: self.width]
                beams[i] = [
                    b
                    for b in best
                    if not self._is_unknown(b.path) and taxonomy.children(b.path)
                ]
                done[i] += [b for b in best if b not in beams[i]]
        return [self._result(sorted(d, key=lambda b: -b.log_prob)) for d in done]

    def _types(self, taxonomy: Taxonomy, parent: TypePath) -> list[str]:
        types = [p[-1] for p in taxonomy.children(parent)]
        if not types:
            raise CascadeError(
                Errors.C023.format(level=len(parent) + 1, parent=format_path(parent))
            )
        if not parent and self._lacks_unknown(types):
            types.append(UNKNOWN)
        return types

    def _lacks_unknown(self, names: Iterable[str]) -> bool:
        """Whether `unknown` has to be offered beside these names of the first level."""
        return self.unknown and UNKNOWN not in map(normalize_name, names)

    def _is_unknown(self, path: TypePath) -> bool:
        """Whether the answer is `unknown`.

        Where that is not offered, a type of this name is one like all others.
        """
        return self.unknown and len(path) == 1 and normalize_name(path[0]) == UNKNOWN

    def _job(
        self, lm: Any, a: MentionQuery, parent: TypePath, types: list[str]
    ) -> LabelJob:
        prompt, depths = self.template.prompt(lm, a, parent, types)
        if len(prompt) >= lm.max_length and depths is None:
            mention = a.unit.text[
                a.unit.tokens[a.start][0] : a.unit.tokens[a.end - 1][1]
            ]
            message = Errors.C109.format(
                mention=mention, found=len(prompt), n=len(types), limit=lm.max_length
            )
            raise CascadeError(message)
        return LabelJob(prompt, self._trie(lm, tuple(types)), depths, text=a.unit)

    def _trie(self, lm: Any, types: tuple[str, ...]) -> LabelTrie:
        found = self._tries.get(types)
        if found is None:
            answers = [self.template.answer(lm, t) for t in types]
            found = self._tries[types] = LabelTrie(answers, self.template.end_id(lm))
        return found

    def _whole_paths(
        self, lm: Any, asked: Sequence[tuple[MentionQuery, Taxonomy]]
    ) -> list[TypeResult]:
        """All leaves in one list.

        With a template that continues its prompt, a path is the answers one after the
        other; else it is written out.
        """
        jobs, leaves = [], []
        for a, taxonomy in asked:
            paths = [
                *taxonomy.leaves,
                *([(UNKNOWN,)] if self._lacks_unknown(taxonomy.roots) else []),
            ]
            leaves.append(paths)
            if self.template.continues:
                prompt, depths = self.template.prompt(lm, a, (), [p[0] for p in paths])
                jobs.append(
                    LabelJob(prompt, self._path_trie(lm, paths), depths, text=a.unit)
                )
            else:
                names = [format_path(p) for p in paths]
                jobs.append(self._job(lm, a, (), names))
        score_labels(lm, jobs)
        out = []
        for paths, job in zip(leaves, jobs, strict=True):
            # the probability of a node is that of all leaves below it
            mass: dict[TypePath, float] = {}
            for path, value in zip(paths, job.log_probs, strict=True):
                for level in range(1, len(path) + 1):
                    mass[path[:level]] = mass.get(path[:level], 0.0) + math.exp(value)
            beams = []
            for k in np.argsort(-job.log_probs, kind="stable")[: self.n_best]:
                path = paths[k]
                logs = [
                    0.0,
                    *(
                        math.log(min(1.0, mass[path[: n + 1]]) or 1e-300)
                        for n in range(len(path))
                    ),
                ]
                beams.append(
                    _Beam(path, tuple(b - a for a, b in itertools.pairwise(logs)))
                )
            out.append(self._result(beams))
        return out

    def _path_trie(self, lm: Any, paths: list[TypePath]) -> LabelTrie:
        key = tuple(map(format_path, paths))
        if key not in self._tries:
            end = self.template.end_id(lm)
            answers = [
                [
                    t
                    for n, name in enumerate(p)
                    for t in ([end] if n else []) + self.template.answer(lm, name)
                ]
                for p in paths
            ]
            self._tries[key] = LabelTrie(answers, end)
        return self._tries[key]

    def _result(self, beams: Sequence[_Beam]) -> TypeResult:
        """beams (Sequence[_Beam]): Complete paths, the likeliest first."""
        best = self._back_off(beams[0])
        others = (
            [(b.path, math.exp(b.log_prob)) for b in beams[: self.n_best]]
            if self.n_best > 1
            else []
        )
        return TypeResult(best.path, best.step_scores, tuple(others))

    def _back_off(self, beam: _Beam) -> TypeResult:
        path, steps = beam.path, beam.steps
        if self._is_unknown(path):
            return TypeResult((), (math.exp(beam.log_prob),))
        while path and sum(steps) < self.floor:
            path, steps = path[:-1], steps[:-1]
        return TypeResult(path, tuple(math.exp(s) for s in steps))


def with_context(
    doc: Doc,
    windows: Sequence[Window],
    start: int,
    end: int,
    flat: Sequence[tuple[int, int]],
    labels: tuple[str, ...] = (),
) -> tuple[MentionQuery, int]:
    """A mention in its context. RETURNS: what to ask, and the first token of its unit.

    flat (Sequence): Token spans of the Doc's flat mentions, in order. labels (tuple):
        Type names that the windows are read for.
    """
    unit, first = context_unit(doc, windows, start, end, labels)
    inside = (
        bisect_left(flat, first, key=lambda span: span[0]),
        bisect_right(flat, start, key=lambda span: span[1]),
    )
    before = tuple((s - first, e - first) for s, e in flat[slice(*inside)])
    return MentionQuery(unit, start - first, end - first, before), first


def context_unit(
    doc: Doc,
    windows: Sequence[Window],
    start: int,
    end: int,
    labels: tuple[str, ...] = (),
) -> tuple[Unit, int]:
    """The text a mention is read in: the window that holds it best; for one that
    crosses sentences, a few tokens on both sides. RETURNS: the unit and its first
    token.

    windows (Sequence[Window]): In the order of the text, as `cut` gives them.
    """
    # neither starts nor ends ever go back from one window to the next
    near = windows[
        bisect_left(windows, end, key=lambda w: w.end) : bisect_right(
            windows, start, key=lambda w: w.start
        )
    ]
    for w in near:
        if w.owns(start, end):
            return w.unit, w.start
    for w in near:
        if w.start <= start and end <= w.end:
            return w.unit, w.start
    first, last = max(0, start - 10), min(len(doc), end + 10)
    return make_unit(doc, first, last, labels), first
