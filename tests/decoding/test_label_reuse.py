"""What was run once is not run again: prompts and rows that begin alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from spacy.language import Language

from spacy_cascade.decoding.labels import LabelJob, LabelScorer, LabelTrie
from spacy_cascade.pipeline.typer import Typer
from spacy_cascade.prompts.chat import ChatClassify
from spacy_cascade.types import MentionQuery
from tests import util
from tests.decoding.label_scores import TREE, brute_force, type_mentions


@pytest.fixture
def seen(rnd: Any) -> Iterator[list[int]]:
    """Tokens (with padding) of every forward pass."""
    sizes: list[int] = []
    before = rnd.cache_tokens
    hook = rnd.decoder.register_forward_pre_hook(
        lambda _, __, kwargs: sizes.append(kwargs["input_ids"].numel()),
        with_kwargs=True,
    )
    yield sizes
    hook.remove()
    rnd.cache_tokens = before


@pytest.mark.parametrize("strategy", ["progressive", "beam", "path"])
def test_what_is_remembered_does_not_change_the_types(
    rnd: Any, nlp: Language, strategy: str, seen: list[int]
) -> None:
    found, costs = [], []
    for kept in (0, 150, 16384):
        rnd.cache_tokens = kept
        del seen[:]
        found.append(type_mentions(rnd, nlp, strategy))
        costs.append(sum(seen))
    for other in found[1:]:
        assert [r.path for r in other] == [r.path for r in found[0]]
        assert [r.step_scores for r in other] == [
            pytest.approx(r.step_scores, rel=1e-4) for r in found[0]
        ]
    if strategy != "path":
        assert costs[2] < 0.75 * costs[0], "later levels go on from the first one"


def test_rows_that_begin_alike_share_their_beginning(
    rnd: Any, nlp: Language, seen: list[int]
) -> None:
    template = ChatClassify()
    asked = [(MentionQuery(u, 0, 1), TREE) for u in util.units(nlp, util.SENTENCES)]
    found, costs = [], []
    for kept in (0, 16384):
        rnd.cache_tokens = kept
        del seen[:]
        found.append(Typer(template, "progressive", 1, 0.0, False)(rnd, asked))
        costs.append(sum(seen))
    assert [r.path for r in found[0]] == [r.path for r in found[1]]
    assert [r.score for r in found[0]] == pytest.approx(
        [r.score for r in found[1]], rel=1e-4
    )
    assert costs[1] < 0.8 * costs[0]


def test_other_lists_for_the_same_prompt_are_asked_anew(rnd: Any) -> None:
    end = rnd.token_id("<sep>")
    scorer = LabelScorer(rnd)
    for answers in ([[20], [21, 22]], [[21], [20, 20], [23]], [[20], [21, 22]]):
        job = LabelJob([5, 6, 7, 8], LabelTrie(answers, end), text="t")
        scorer([job])
        assert job.log_probs == pytest.approx(
            brute_force(rnd, ([5, 6, 7, 8], None), answers, end), abs=1e-4
        )
