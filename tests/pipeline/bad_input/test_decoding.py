"""Errors of components and decoding on a text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from spacy_cascade.decoding.automaton import Choice, Guess
from spacy_cascade.decoding.copy import Job, decode
from spacy_cascade.models.loading import load_model
from spacy_cascade.models.spec import HFSpec
from spacy_cascade.pipeline.typer import Typer
from spacy_cascade.prompts.compact import CompactClassify
from spacy_cascade.taxonomy import Taxonomy
from spacy_cascade.types import Query, Unit
from tests import util

from .util import fails


def test_c022_longer_than_the_models_window(base: Path) -> None:
    lm = load_model(HFSpec(str(base), device="cpu", max_length=20), private=True)
    fails(
        "C022",
        lambda: lm.candidate_logits([Query([5] * 21, [20], [[3, 4]])]),
        "21",
        "20",
        "max_tokens",
    )


def test_a_window_too_small_for_anything_skips_and_says_so(base: Path) -> None:
    nlp = util.blank()
    nlp.add_pipe(
        "cascade_extractor", config={"model": util.model_config(base, max_length=16)}
    )
    doc = nlp("Internationalization of Donaudampfschifffahrtsgesellschaft")
    assert {s for *_, s in doc._.cascade_coverage} >= {"skipped"}


def test_c023_no_types_below_a_leaf() -> None:
    typer = Typer(CompactClassify(), "progressive", 1, 0.0, False)
    fails(
        "C023",
        lambda: typer._types(Taxonomy({"a": ["b"]}), ("a", "b")),
        "level 3",
        "'a > b'",
    )


@pytest.mark.parametrize("value", [7, "person", {"a": 1}, [1, 2], [["a"]]])
def test_c024_label_set_of_a_doc(value: Any) -> None:
    nlp, _ = util.scripted({"Ann": ("person",)})
    doc = nlp.make_doc("Ann")
    doc._.cascade_labels = value
    fails("C024", lambda: nlp(doc), "cascade_labels", repr(value)[:20])


def test_empty_label_set_of_a_doc() -> None:
    nlp, _ = util.scripted({"Ann": ("person",)})
    doc = nlp.make_doc("Ann")
    doc._.cascade_labels = []
    fails("C003", lambda: nlp(doc))


def test_c025_classifier_without_candidates(base: Path) -> None:
    nlp = util.blank()
    nlp.add_pipe("cascade_classifier", config={"model": util.model_config(base)})
    fails(
        "C025",
        lambda: nlp("Ann"),
        "'cascade_classifier'",
        "Add 'cascade_extractor' before it",
        'source = "ents"',
    )


class _Endless:
    """An automaton that never comes to an end."""

    def start(self) -> int:
        return 0

    def done(self, state: int) -> bool:
        return False

    def allowed(self, state: int) -> tuple[int, int]:
        return (1, 2)

    def step(self, state: int, token: int) -> int:
        return state + 1

    def choices(self, state: int, token: int) -> list[Choice]:
        return []

    def draft(self, state: int, guess: Guess) -> list[int]:
        return [2]

    def offset(self, state: int) -> int:
        return 0


def test_c026_decoding_that_does_not_settle(rnd: Any) -> None:
    unit = Unit("Ann", ((0, 3),), (False,))

    class Stubborn:
        prefixes = None

        def cache_pool(self, tokens: int) -> None:
            return None

        def candidate_logits(self, queries: Any) -> Any:
            import numpy as np

            return [
                np.tile(np.array([1.0, 0.0], dtype=np.float32), (len(q.positions), 1))
                for q in queries
            ]

    fails(
        "C026",
        lambda: decode(Stubborn(), [Job(unit, [0], _Endless(), Guess(unit))]),
        "3 characters",
        "report",
    )  # type: ignore[arg-type]
