"""Naming the type of mentions through a taxonomy: which lists are asked, in which
order, and where to stop.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from spacy.tokens import Doc

from ..contracts import ClassifyPrompt
from ..decoding.labels import LabelJob, LabelScorer, LabelTrie, score_labels
from ..errors import CascadeError, Errors
from ..taxonomy import Taxonomy, TypePath, format_path, normalize_name
from ..types import CausalLM, MentionQuery, TypeResult, Unit
from .windows import Window, make_unit

STRATEGIES = ("progressive", "beam", "path")
UNKNOWN = "unknown"
# Tokens on both sides of a mention that is in no window.
_CONTEXT = 10


@dataclass
class _Beam:
    path: TypePath
    steps: tuple[float, ...]

    @property
    def log_prob(self) -> float:
        return sum(self.steps)


class _Step(NamedTuple):
    """One more level of a beam. mention (int): Index of the mention it belongs to."""

    mention: int
    beam: _Beam
    types: list[str]
    job: LabelJob

    def grown(self) -> list[_Beam]:
        """The beam with each of the types."""
        path, steps = self.beam.path, self.beam.steps
        named = zip(self.types, self.job.log_probs, strict=True)
        return [_Beam((*path, name), (*steps, float(value))) for name, value in named]


def _likeliest(beams: Iterable[_Beam]) -> list[_Beam]:
    """Beams in order, the likeliest first."""
    return sorted(beams, key=lambda beam: -beam.log_prob)


def _mass(
    paths: Sequence[TypePath], log_probs: Iterable[float]
) -> dict[TypePath, float]:
    """The probability of every node: that of all leaves below it."""
    mass: dict[TypePath, float] = {}
    for path, value in zip(paths, log_probs, strict=True):
        for level in range(1, len(path) + 1):
            node = path[:level]
            mass[node] = mass.get(node, 0.0) + math.exp(value)
    return mass


def _with_steps(path: TypePath, mass: dict[TypePath, float]) -> _Beam:
    """A path with the log-probability of each step, given the one before."""
    steps = []
    before = 0.0
    for level in range(1, len(path) + 1):
        here = math.log(min(1.0, mass[path[:level]]) or 1e-300)
        steps.append(here - before)
        before = here
    return _Beam(path, tuple(steps))


class Typer:
    """Asks level after level for many mentions at once.

    Progressive classification is a beam of width one.

    n_best (int): How many of the likeliest complete paths to give with each result, if
        the strategy sees as many.
    """

    def __init__(
        self,
        template: ClassifyPrompt,
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

        alive: list[list[_Beam]] = [[_Beam((), ())] for _ in asked]
        done: list[list[_Beam]] = [[] for _ in asked]
        # what was run for one level is the beginning of the next
        several_levels = any(taxonomy.depth > 1 for _, taxonomy in asked)
        score = LabelScorer(lm, remember=several_levels)

        while any(alive):
            steps = []
            for mention, (query, taxonomy) in enumerate(asked):
                for beam in alive[mention]:
                    types = self._types(taxonomy, beam.path)
                    job = self._job(lm, query, beam.path, types)
                    steps.append(_Step(mention, beam, types, job))
            score([step.job for step in steps])

            grown: list[list[_Beam]] = [[] for _ in asked]
            for step in steps:
                grown[step.mention] += step.grown()
            for mention, (_, taxonomy) in enumerate(asked):
                best = _likeliest(grown[mention])[: self.width]
                alive[mention] = []
                for beam in best:
                    ends = self._is_unknown(beam.path)
                    if ends or not taxonomy.children(beam.path):
                        done[mention].append(beam)
                    else:
                        alive[mention].append(beam)

        return [self._result(_likeliest(beams)) for beams in done]

    def _types(self, taxonomy: Taxonomy, parent: TypePath) -> list[str]:
        types = [p[-1] for p in taxonomy.children(parent)]
        if not types:
            written = format_path(parent)
            message = Errors.C023.format(level=len(parent) + 1, parent=written)
            raise CascadeError(message)
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
        self, lm: CausalLM, query: MentionQuery, parent: TypePath, types: list[str]
    ) -> LabelJob:
        prompt, depths = self.template.prompt(lm, query, parent, types)
        if len(prompt) >= lm.max_length and depths is None:
            unit = query.unit
            first, last = unit.tokens[query.start], unit.tokens[query.end - 1]
            message = Errors.C109.format(
                mention=unit.text[first[0] : last[1]],
                found=len(prompt),
                n=len(types),
                limit=lm.max_length,
            )
            raise CascadeError(message)
        return LabelJob(prompt, self._trie(lm, tuple(types)), depths, text=query.unit)

    def _trie(self, lm: CausalLM, types: tuple[str, ...]) -> LabelTrie:
        found = self._tries.get(types)
        if found is None:
            answers = [self.template.answer(lm, t) for t in types]
            found = self._tries[types] = LabelTrie(answers, self.template.end_id(lm))
        return found

    def _whole_paths(
        self, lm: CausalLM, asked: Sequence[tuple[MentionQuery, Taxonomy]]
    ) -> list[TypeResult]:
        """All leaves in one list.

        With a template that continues its prompt, a path is the answers one after the
        other; else it is written out.
        """
        jobs = []
        lists = []
        for query, taxonomy in asked:
            paths = list(taxonomy.leaves)
            if self._lacks_unknown(taxonomy.roots):
                paths.append((UNKNOWN,))
            lists.append(paths)
            jobs.append(self._path_job(lm, query, paths))
        score_labels(lm, jobs)

        results = []
        for paths, job in zip(lists, jobs, strict=True):
            mass = _mass(paths, job.log_probs)
            order = np.argsort(-job.log_probs, kind="stable")
            best = [paths[k] for k in order[: self.n_best]]
            results.append(self._result([_with_steps(path, mass) for path in best]))
        return results

    def _path_job(
        self, lm: CausalLM, query: MentionQuery, paths: list[TypePath]
    ) -> LabelJob:
        if not self.template.continues:
            return self._job(lm, query, (), [format_path(path) for path in paths])
        roots = [path[0] for path in paths]
        prompt, depths = self.template.prompt(lm, query, (), roots)
        return LabelJob(prompt, self._path_trie(lm, paths), depths, text=query.unit)

    def _path_trie(self, lm: CausalLM, paths: list[TypePath]) -> LabelTrie:
        """Answers that name the types of a path one after the other."""
        key = tuple(map(format_path, paths))
        if key not in self._tries:
            end = self.template.end_id(lm)
            answers = []
            for path in paths:
                tokens: list[int] = []
                for level, name in enumerate(path):
                    if level:
                        tokens.append(end)
                    tokens += self.template.answer(lm, name)
                answers.append(tokens)
            self._tries[key] = LabelTrie(answers, end)
        return self._tries[key]

    def _result(self, beams: Sequence[_Beam]) -> TypeResult:
        """beams (Sequence[_Beam]): Complete paths, the likeliest first."""
        best = self._back_off(beams[0])
        others = []
        if self.n_best > 1:
            for beam in beams[: self.n_best]:
                others.append((beam.path, math.exp(beam.log_prob)))
        return TypeResult(best.path, best.step_scores, tuple(others))

    def _back_off(self, beam: _Beam) -> TypeResult:
        path, steps = beam.path, beam.steps
        if self._is_unknown(path):
            return TypeResult((), (math.exp(beam.log_prob),))
        while path and sum(steps) < self.floor:
            path, steps = path[:-1], steps[:-1]
        return TypeResult(path, tuple(math.exp(s) for s in steps))


class Question(NamedTuple):
    """What to ask about a candidate.

    doc, candidate (int): Index of the Doc, and of the candidate in it.
    """

    doc: int
    candidate: int
    query: MentionQuery
    taxonomy: Taxonomy


def batch_by_text(questions: Iterable[Question], size: int) -> Iterator[list[Question]]:
    """Parts of `size` questions or a few more: those about one text stay together."""
    part: list[Question] = []
    for _, same in itertools.groupby(questions, lambda item: item.query.unit):
        part += same
        if len(part) >= size:
            yield part
            part = []
    if part:
        yield part


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
    low = bisect_left(flat, first, key=lambda span: span[0])
    high = bisect_right(flat, start, key=lambda span: span[1])
    before = tuple((s - first, e - first) for s, e in flat[low:high])
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
    low = bisect_left(windows, end, key=lambda window: window.end)
    high = bisect_right(windows, start, key=lambda window: window.start)
    near = windows[low:high]
    for window in near:
        if window.owns(start, end):
            return window.unit, window.start
    for window in near:
        if window.start <= start and end <= window.end:
            return window.unit, window.start

    # none of them has all of it
    first = max(0, start - _CONTEXT)
    last = min(len(doc), end + _CONTEXT)
    return make_unit(doc, first, last, labels), first
