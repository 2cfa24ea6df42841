"""Label scoring: one pass over a token trie gives the log-probability of every label
under the constraint.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from spacy.language import Language

from spacy_cascade.decoding.labels import LabelJob, LabelTrie, score_labels
from spacy_cascade.prompts.compact import CompactClassify
from spacy_cascade.types import MentionQuery
from tests import util
from tests.decoding.label_scores import NAMES, Prompt, brute_force


@pytest.fixture(scope="module")
def template() -> CompactClassify:
    return CompactClassify()


@pytest.fixture
def no_trees(rnd: Any) -> Iterator[Any]:
    """The same model, as if it took no tree mask."""
    rnd.trees = False
    yield rnd
    rnd.trees = True


def _job(prompt: Prompt, trie: LabelTrie) -> LabelJob:
    return LabelJob(list(prompt[0]), trie, prompt[1] and list(prompt[1]))


def _prompts(lm: Any, template: CompactClassify, nlp: Language) -> list[Prompt]:
    out = []
    for unit in util.units(nlp, util.SENTENCES[:3]):
        words = [i for i, space in enumerate(unit.spaces) if not space]
        out += [
            template.prompt(lm, MentionQuery(unit, i, i + 1), (), NAMES)
            for i in words[:3]
        ]
    return out


def test_the_tiny_models_trees_are_used(rnd: Any) -> None:
    assert rnd.trees
    assert rnd.exact_rows


def test_equals_brute_force(rnd: Any, template: CompactClassify, nlp: Language) -> None:
    answers, end = [template.answer(rnd, n) for n in NAMES], template.end_id(rnd)
    for prompt in _prompts(rnd, template, nlp):
        job = _job(prompt, LabelTrie(answers, end))
        score_labels(rnd, [job])
        assert job.log_probs == pytest.approx(
            brute_force(rnd, prompt, answers, end), abs=1e-4
        )


def test_probabilities_of_a_list_add_up_to_one(
    rnd: Any, template: CompactClassify, nlp: Language
) -> None:
    trie = LabelTrie([template.answer(rnd, n) for n in NAMES], template.end_id(rnd))
    jobs = [_job(p, trie) for p in _prompts(rnd, template, nlp)]
    score_labels(rnd, jobs)
    for job in jobs:
        assert np.exp(job.log_probs).sum() == pytest.approx(1.0, abs=1e-5)


def test_a_label_that_begins_another_keeps_its_own_probability(rnd: Any) -> None:
    prompt, end = [5, 6, 7], rnd.token_id("<sep>")
    answers = [[20], [20, 21], [20, 21, 22]]
    job = LabelJob(prompt, LabelTrie(answers, end))
    score_labels(rnd, [job])
    assert job.log_probs == pytest.approx(
        brute_force(rnd, (prompt, None), answers, end), abs=1e-4
    )
    assert (job.log_probs < 0).all()


@given(
    st.lists(
        st.lists(st.integers(20, 24), min_size=1, max_size=5).map(tuple),
        min_size=1,
        max_size=7,
        unique=True,
    )
)
def test_equals_brute_force_on_any_trie(
    rnd: Any, answers: list[tuple[int, ...]]
) -> None:
    prompt, end = [5, 6, 7], rnd.token_id("<sep>")
    job = LabelJob(prompt, LabelTrie(answers, end))
    score_labels(rnd, [job])
    assert job.log_probs == pytest.approx(
        brute_force(rnd, (prompt, None), answers, end), abs=1e-4
    )


def test_jobs_in_shared_rows_score_as_alone(
    rnd: Any, template: CompactClassify, nlp: Language
) -> None:
    trie = LabelTrie([template.answer(rnd, n) for n in NAMES], template.end_id(rnd))
    together = [_job(p, trie) for p in _prompts(rnd, template, nlp)]
    alone = [_job(p, trie) for p in _prompts(rnd, template, nlp)]
    split = [_job(p, trie) for p in _prompts(rnd, template, nlp)]
    score_labels(rnd, together)
    score_labels(rnd, split, max_nodes=1)
    for a, b, c in zip(together, alone, split, strict=True):
        score_labels(rnd, [b])
        assert a.log_probs == pytest.approx(b.log_probs, abs=1e-5)
        assert c.log_probs == pytest.approx(b.log_probs, abs=1e-5)


def test_shared_prompts_run_once(
    rnd: Any, template: CompactClassify, nlp: Language
) -> None:
    trie = LabelTrie([template.answer(rnd, n) for n in NAMES], template.end_id(rnd))
    prompts = _prompts(rnd, template, nlp)[:3]
    sizes: list[int] = []
    run = rnd.candidate_logits

    def counted(queries: Any) -> Any:
        sizes.append(sum(len(q.ids) for q in queries))
        return run(queries)

    rnd.candidate_logits = counted
    try:
        score_labels(rnd, [_job(p, trie) for p in prompts])
        for p in prompts:
            score_labels(rnd, [_job(p, trie)])
    finally:
        del rnd.candidate_logits
    assert sizes[0] < 0.7 * sum(sizes[1:])


def test_without_tree_masks_the_scores_are_the_same(
    no_trees: Any, template: CompactClassify, nlp: Language
) -> None:
    lm = no_trees
    answers, end = [template.answer(lm, n) for n in NAMES], template.end_id(lm)
    chains = [_job(p, LabelTrie(answers, end)) for p in _prompts(lm, template, nlp)]
    score_labels(lm, chains)
    lm.trees = True
    trees = [_job(p, LabelTrie(answers, end)) for p in _prompts(lm, template, nlp)]
    score_labels(lm, trees)
    for a, b in zip(chains, trees, strict=True):
        assert a.log_probs == pytest.approx(b.log_probs, abs=1e-5)


def test_different_lists_in_one_batch(rnd: Any) -> None:
    end = rnd.token_id("<sep>")
    lists = [[[20], [21, 22]], [[21], [20, 20], [23]], [[20], [25]]]
    jobs = [LabelJob([5, 6, 7, 8], LabelTrie(answers, end)) for answers in lists]
    score_labels(rnd, jobs)
    for job, answers in zip(jobs, lists, strict=True):
        assert job.log_probs == pytest.approx(
            brute_force(rnd, ([5, 6, 7, 8], None), answers, end), abs=1e-4
        )


def test_a_single_label_needs_no_model() -> None:
    lm = util.ScriptedLM({})
    job = LabelJob([1], LabelTrie([[3, 4]], 5))
    score_labels(lm, [job])
    assert job.log_probs.tolist() == [0.0]


def test_no_jobs() -> None:
    score_labels(util.ScriptedLM({}), [])
