"""A pipeline of both stages on a model that is in memory, whose mentions are told."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

from spacy.language import Language

from benchmarks.common import blank
from benchmarks.random_models import TEMPLATES, GoldLM, usual_prompt
from spacy_cascade.decoding.copy import Job
from spacy_cascade.prompts.continued import ChatClassifyContinued
from spacy_cascade.registry import causal_lms, prompts
from spacy_cascade.types import Unit


def capitalized(unit: Unit) -> list[tuple[int, int]]:
    """Runs of capitalized words: what the model is made to mark."""
    marked = [unit.text[start].isupper() for start, _ in unit.tokens]
    out = []
    for is_run, group in itertools.groupby(enumerate(marked), lambda pair: pair[1]):
        tokens = [i for i, _ in group]
        if is_run:
            out.append((tokens[0], tokens[-1] + 1))
    return out


@dataclass(frozen=True)
class GoldTemplate:
    """An extractor's template that tells the model what to mark."""

    template: Any
    gold: GoldLM

    def __getattr__(self, name: str) -> Any:
        return getattr(self.template, name)

    def job(self, lm: Any, unit: Unit, guess: Any) -> Job:
        job: Job = self.template.job(lm, unit, guess)
        self.gold.expect(job, capitalized(unit))
        return job


@dataclass(frozen=True)
class Loaded:
    """The description of a model that is in memory already."""

    lm: Any
    name: str = "random"

    def load(self, path: Any = None, *, private: bool = False) -> Any:
        return self.lm


def pipeline(lm: Any, prompt: str | None = None) -> Language:
    """Sentences, mentions, types. prompt (str | None): None: the usual one of the shape."""
    prompt = prompt or usual_prompt(lm.name)
    gold = GoldLM(lm)
    extraction, classification = (make() for make in TEMPLATES[prompt])
    if prompt == "chat":
        classification = ChatClassifyContinued()
    causal_lms("benchmarks.Gold.v1", func=lambda: Loaded(gold))
    causal_lms("benchmarks.Plain.v1", func=lambda: Loaded(lm))
    prompts("benchmarks.Extract.v1", func=lambda: GoldTemplate(extraction, gold))
    prompts("benchmarks.Classify.v1", func=lambda: classification)
    nlp = blank()
    nlp.add_pipe("sentencizer")
    stages = (("extractor", "Gold", "Extract"), ("classifier", "Plain", "Classify"))
    for stage, model, template in stages:
        config = {
            "model": {"@causal_lms": f"benchmarks.{model}.v1"},
            "template": {"@prompts": f"benchmarks.{template}.v1"},
        }
        nlp.add_pipe(f"cascade_{stage}", config=config)
    return nlp
