"""The chat prompt whose mentions and levels go on from one reading of the sentence."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from spacy.language import Language

from spacy_cascade.decoding.automaton import Guess
from spacy_cascade.decoding.labels import LabelJob, LabelScorer, LabelTrie
from spacy_cascade.errors import CascadeError
from spacy_cascade.models.loading import load_model
from spacy_cascade.models.spec import HFSpec
from spacy_cascade.pipeline.typer import Typer
from spacy_cascade.prompts.chat import (
    CascadeNERExtract,
    ChatClassify,
    ChatExtract,
    ChatLabeledExtract,
)
from spacy_cascade.prompts.continued import ChatClassifyContinued
from spacy_cascade.taxonomy import Taxonomy
from spacy_cascade.types import MentionQuery
from tests import util
from tests.decoding.label_scores import NAMES, TREE, brute_force

SPANS = [(0, 2), (4, 6), (7, 8)]  # John Smith, New York, Paris


def _asked(nlp: Language) -> list[MentionQuery]:
    unit = util.units(nlp, util.SENTENCES[:1])[0]
    return [
        MentionQuery(unit, s, e, tuple(SPANS[:k])) for k, (s, e) in enumerate(SPANS)
    ]


def _written(lm: Any, ids: list[int]) -> str:
    return b"".join(lm.token_bytes()[i] or b"" for i in ids).decode("utf8")


@pytest.fixture
def seen(rnd: Any) -> Iterator[list[int]]:
    """Tokens (with padding) of every forward pass."""
    sizes: list[int] = []
    hook = rnd.decoder.register_forward_pre_hook(
        lambda _, __, kwargs: sizes.append(kwargs["input_ids"].numel()),
        with_kwargs=True,
    )
    yield sizes
    hook.remove()


def test_types_stand_behind_the_marked_copy(rnd: Any, nlp: Language) -> None:
    template = ChatClassifyContinued()
    asked = _asked(nlp)[1]
    ids, depths = template.prompt(rnd, asked, ("location", "city"), ["capital", "town"])
    behind = ids[len(template.extract.prompt(rnd, asked.unit)) :]
    assert depths is None
    assert (
        _written(rnd, behind)
        == "##John Smith## flew from ##New York## = location\n city\n"
    )


@pytest.mark.parametrize("text", [*util.SENTENCES, *util.ODD])
def test_any_text_is_copied_exactly(rnd: Any, nlp: Language, text: str) -> None:
    template = ChatClassifyContinued()
    (unit,) = util.units(nlp, [text])
    words = [i for i, space in enumerate(unit.spaces) if not space]
    asked = MentionQuery(unit, words[-1], words[-1] + 1)
    behind = template.prompt(rnd, asked, (), NAMES)[0][
        len(template.extract.prompt(rnd, unit)) :
    ]
    start, end = unit.tokens[words[-1]]
    assert _written(rnd, behind) == f"{unit.text[:start]}##{unit.text[start:end]}## ="


@pytest.mark.parametrize(
    ("extract", "classify"),
    [
        (ChatExtract(), ChatClassifyContinued()),
        (
            ChatExtract("Be brief.", "Mark {names}."),
            ChatClassifyContinued("Be brief.", "Mark {names}."),
        ),
        (
            ChatLabeledExtract(instruction="Mark {types}."),
            ChatClassifyContinued(instruction="Mark {types}."),
        ),
        (CascadeNERExtract(), ChatClassifyContinued(instruction="")),
    ],
)
def test_both_stages_begin_alike(
    rnd: Any, nlp: Language, extract: Any, classify: Any
) -> None:
    """All that the extractor has run up to a mention is the beginning of the prompt,
    but for the closing marker, whose token may reach into the text behind it.
    """
    for asked in _asked(nlp):
        asked = replace(asked, unit=replace(asked.unit, labels=("person", "place")))
        job = extract.job(rnd, asked.unit, Guess(asked.unit, SPANS))
        whole = [*job.prompt, *job.automaton.draft(job.automaton.start(), job.guess)]
        ids = classify.prompt(rnd, asked, (), NAMES)[0]
        alike = next(
            k for k, (a, b) in enumerate(zip(whole, ids, strict=False)) if a != b
        )
        lead = len(rnd.encode(classify.lead))
        assert alike >= len(ids) - lead - 2 > len(job.prompt)


def test_equals_labels_scored_one_by_one(rnd: Any, nlp: Language) -> None:
    """All mentions of a sentence in one tree, level after level, against a pass over
    the whole sequence per label.
    """
    template, score = ChatClassifyContinued(), LabelScorer(rnd)
    answers, end = [template.answer(rnd, n) for n in NAMES], template.end_id(rnd)
    for parent in ((), ("location",), ("location", "geo-political entity")):
        prompts = [template.prompt(rnd, a, parent, NAMES)[0] for a in _asked(nlp)]
        jobs = [
            LabelJob(p, LabelTrie(answers, end), text="the sentence") for p in prompts
        ]
        score(jobs)
        for job, prompt in zip(jobs, prompts, strict=True):
            assert job.log_probs == pytest.approx(
                brute_force(rnd, (prompt, None), answers, end), abs=1e-4
            )


def _path_probability(
    lm: Any,
    template: Any,
    asked: MentionQuery,
    path: tuple[str, ...],
    taxonomy: Taxonomy,
) -> float:
    total = 0.0
    for level in range(len(path)):
        types = [p[-1] for p in taxonomy.children(path[:level])]
        prompt = template.prompt(lm, asked, path[:level], types)
        values = brute_force(
            lm, prompt, [template.answer(lm, t) for t in types], template.end_id(lm)
        )
        total += values[types.index(path[level])]
    return math.exp(total)


@pytest.mark.parametrize("strategy", ["progressive", "beam", "path"])
def test_scores_of_paths_are_those_of_the_reference(
    rnd: Any, nlp: Language, strategy: str
) -> None:
    template, asked = ChatClassifyContinued(), _asked(nlp)
    results = Typer(template, strategy, 50, 0.0, False, n_best=50)(
        rnd, [(a, TREE) for a in asked]
    )
    for a, result in zip(asked, results, strict=True):
        expected = {
            p: _path_probability(rnd, template, a, p, TREE) for p in TREE.leaves
        }
        assert sum(expected.values()) == pytest.approx(1.0, abs=1e-5)
        assert result.score == pytest.approx(expected[result.path], rel=1e-3)
        if strategy != "progressive":
            assert dict(result.n_best) == pytest.approx(expected, rel=1e-3)


def test_a_sentence_is_run_once_for_all_mentions_and_levels(
    rnd: Any, nlp: Language, seen: list[int]
) -> None:
    costs = []
    for template in (ChatClassify(), ChatClassifyContinued()):
        del seen[:]
        Typer(template, "progressive", 1, 0.0, False)(
            rnd, [(a, TREE) for a in _asked(nlp)]
        )
        costs.append(sum(seen))
    prompt = len(ChatClassifyContinued().prompt(rnd, _asked(nlp)[-1], (), [])[0])
    assert costs[1] < 1.5 * prompt
    assert costs[1] < 0.7 * costs[0]


def test_a_component_with_it_learns(base: Path, gold: list[Any]) -> None:
    nlp = util.blank()
    template = {
        "@prompts": "spacy-cascade.ChatClassifyContinued.v1",
        "instruction": "Mark {types}.",
    }
    settings = {
        "model": util.model_config(base),
        "template": template,
        "taxonomy": util.labels_config(),
        "source": "ents",
        "adapter": None,
    }
    pipe: Any = nlp.add_pipe("cascade_classifier", config=settings)
    optimizer = nlp.initialize(lambda: gold)
    optimizer.learn_rate = 0.01
    losses = []
    for _ in range(8):
        step: dict[str, float] = {}
        nlp.update(gold, sgd=optimizer, losses=step)
        losses.append(step["cascade_classifier"])
    assert losses[-1] < 0.85 * losses[0]
    # all mentions of a sentence are trained on in one tree
    assert all(len(items) <= 1 for items in pipe.training_items(gold))


def test_a_vocabulary_without_line_breaks_is_a_clear_error(base: Path) -> None:
    lm = load_model(HFSpec(str(base), device="cpu"), private=True)
    table = [None if b == b"\n" else b for b in lm.token_bytes()]
    lm.token_bytes = lambda: table
    with pytest.raises(CascadeError, match=r"C015.*line break"):
        ChatClassifyContinued().end_id(lm)
