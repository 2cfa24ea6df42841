"""Both stages on a model that is told what to write, and the questions that the
published algorithm would ask.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.common import clock
from benchmarks.device import wait
from benchmarks.random_models import Gold, GoldLM, generate
from spacy_cascade.decoding.copy import Job, decode
from spacy_cascade.decoding.drafters import EntsDrafter
from spacy_cascade.models.hf import HFCausalLM
from spacy_cascade.pipeline.typer import Typer
from spacy_cascade.taxonomy import Taxonomy
from spacy_cascade.types import MentionQuery

# Prompt and answer, as token ids.
Pair = tuple[list[int], list[int]]


@dataclass
class Engine:
    """What both stages are run with. size (int): Sentences at a time."""

    gold_lm: GoldLM
    template: Any
    drafter: Any
    taxonomy: Taxonomy
    size: int

    @property
    def lm(self) -> HFCausalLM:
        return self.gold_lm.lm

    def copy(
        self,
        batch: Sequence[Gold],
        keep: bool = False,
    ) -> list[Job]:
        """Decode marked copies, all at once.

        keep (bool): Keep the rows of the copies for the classifier.
        """
        jobs = []
        for unit, spans in batch:
            known = spans if isinstance(self.drafter, EntsDrafter) else ()
            guess = self.drafter.guess(unit, known)
            job = self.template.job(self.lm, unit, guess)
            self.gold_lm.expect(job, spans)
            jobs.append(job)
        decode(self.gold_lm, jobs, keep=keep)
        return jobs

    def extract(
        self,
        gold: Sequence[Gold],
        size: int = 0,
    ) -> tuple[list[Job], float]:
        """RETURNS: what was decoded, and seconds."""
        size = size or self.size
        done: list[Job] = []
        start = clock()
        for i in range(0, len(gold), size):
            batch = gold[i : i + size]
            done += self.copy(batch)
        wait(self.lm)
        return done, clock() - start

    def classify(
        self, typer: Typer, asked: Sequence[MentionQuery]
    ) -> tuple[list[Any], float]:
        """RETURNS: types, and seconds."""
        size = 4 * self.size
        found: list[Any] = []
        start = clock()
        for i in range(0, len(asked), size):
            batch = asked[i : i + size]
            found += typer(self.lm, [(mention, self.taxonomy) for mention in batch])
        wait(self.lm)
        return found, clock() - start

    def both(
        self,
        typer: Typer,
        gold: Sequence[Gold],
    ) -> float:
        """Both stages batch after batch, as components of a pipeline that share weights.

        RETURNS: seconds.
        """
        start = clock()
        for i in range(0, len(gold), self.size):
            batch = gold[i : i + self.size]
            self.gold_lm.prefixes.clear()
            for job in self.copy(batch, keep=True):
                if job.kept is not None and job.mentions:
                    self.gold_lm.prefixes.keep(job.unit, job.kept)
                job.kept = None
            asked = [(mention, self.taxonomy) for mention in mentions(batch)]
            typer(self.lm, asked)
        wait(self.lm)
        return clock() - start


def mentions(gold: Sequence[Gold]) -> list[MentionQuery]:
    """The gold mentions as the classifier is asked for them.

    Each comes with those before it.
    """
    out = []
    for unit, spans in gold:
        for k, (start, end) in enumerate(spans):
            before = tuple(spans[:k])
            out.append(MentionQuery(unit, start, end, before))
    return out


def questions(
    lm: HFCausalLM,
    template: Any,
    asked: Sequence[MentionQuery],
    found: Sequence[Any],
    taxonomy: Taxonomy,
) -> list[Pair]:
    """One prompt and answer per mention and level, as (a) and (b) ask them."""
    out = []
    for mention, result in zip(asked, found, strict=True):
        for level, name in enumerate(result.path):
            parent = result.path[:level]
            types = [path[-1] for path in taxonomy.children(parent)]
            prompt = template.prompt(lm, mention, parent, types)[0]
            answer = [*template.answer(lm, name), template.end_id(lm)]
            out.append((prompt, answer))
    return out


def whole_answers(
    lm: HFCausalLM, template: Any, asked: Sequence[MentionQuery], found: Sequence[Any]
) -> list[Pair]:
    """One prompt and answer per mention: all levels one after the other, for a template
    that continues.
    """
    out = []
    for mention, result in zip(asked, found, strict=True):
        answer: list[int] = []
        for name in result.path:
            answer += template.answer(lm, name)
            answer.append(template.end_id(lm))
        prompt = template.prompt(lm, mention, (), [])[0]
        out.append((prompt, answer))
    return out


def ratios(
    published: tuple[float, float], fastest: tuple[float, float], ours: float
) -> dict[str, float]:
    """How many times as fast both stages are together.

    published, fastest (tuple): Seconds of both stages, one by one and in the best way.
    """
    return {
        "vs_published": sum(published) / ours,
        "vs_best_generate": sum(fastest) / ours,
    }


def best_of(
    single: tuple[float, float], batched: Sequence[tuple[float, float]]
) -> tuple[float, float]:
    """Seconds of the fastest way of each stage."""
    stages = zip(single, *batched, strict=True)
    copying, asking = (min(times) for times in stages)
    return copying, asking


def by_length(
    lm: HFCausalLM, copies: Sequence[Pair], asks: Sequence[Pair], size: int
) -> tuple[float, float]:
    """Seconds of batched `generate`, with neighbours of like length."""
    copies = sorted(copies, key=lambda pair: len(pair[1]))
    asks = sorted(asks, key=lambda pair: len(pair[0]))
    return generate(lm, copies, size), generate(lm, asks, size)
