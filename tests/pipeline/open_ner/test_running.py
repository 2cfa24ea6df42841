"""Entities and spans of `open_ner`, in batches, processes and windows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import spacy
from spacy.language import Language

from spacy_cascade.errors import CascadeError
from spacy_cascade.pipeline.open_ner import SHORTENED
from tests import util

from .util import B2NER, LABEL_SET, TEXTS, code, exact, pipe_of, pipeline, result


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_pipe_equals_single_calls(nlp_open: Language, batch_size: int) -> None:
    single = [nlp_open(t) for t in TEXTS]
    assert sum(len(d.ents) for d in single) > 3, (
        "the model must find something, or nothing is tested"
    )
    for a, b in zip(single, nlp_open.pipe(TEXTS, batch_size=batch_size), strict=True):
        assert result(a) == result(b)
        assert util.scores(a) == pytest.approx(util.scores(b), rel=1e-3)


def test_two_processes_equal_one(talkative: Path) -> None:
    nlp = pipeline(talkative)
    contexts = [
        {"cascade_labels": ["dog", "cat"]} if i % 2 else None for i in range(len(TEXTS))
    ]
    one = list(nlp.pipe(zip(TEXTS, contexts, strict=True), as_tuples=True))
    two = list(
        nlp.pipe(
            zip(TEXTS, contexts, strict=True), as_tuples=True, n_process=2, batch_size=4
        )
    )
    assert [result(d) for d, _ in one] == [result(d) for d, _ in two]


def test_entities_of_others_stay_unless_overwritten(nlp_open: Language) -> None:
    pipe = pipe_of(nlp_open)
    text = next(t for t in TEXTS if nlp_open(t).ents)
    for overwrite in (False, True):
        doc = nlp_open.make_doc(text)
        doc.set_ents(
            [
                doc.char_span(
                    0, len(text.split()[0]), label="OLD", alignment_mode="expand"
                )
            ]
        )
        pipe.overwrite_ents = overwrite
        assert ("OLD" in {e.label_ for e in pipe(doc).ents}) is not overwrite
    pipe.overwrite_ents = False


def test_nested_mentions_stay_in_the_spans(talkative: Path) -> None:
    nlp = pipeline(talkative, nested=True)
    docs = list(nlp.pipe(TEXTS))
    overlaps = [
        (a, b)
        for d in docs
        for a in d.spans["cascade"]
        for b in d.spans["cascade"]
        if a.start <= b.start < a.end and a != b
    ]
    assert overlaps
    for doc in docs:
        assert {(e.start, e.end) for e in doc.ents} <= {
            (s.start, s.end) for s in doc.spans["cascade"]
        }


def test_min_score_drops_mentions(nlp_open: Language) -> None:
    pipe = pipe_of(nlp_open)
    before = [
        s._.cascade_score for d in nlp_open.pipe(TEXTS) for s in d.spans["cascade"]
    ]
    pipe.min_score = sorted(before)[len(before) // 2]
    try:
        after = [
            s._.cascade_score for d in nlp_open.pipe(TEXTS) for s in d.spans["cascade"]
        ]
    finally:
        pipe.min_score = 0.0
    assert 0 < len(after) < len(before)
    assert min(after) >= sorted(before)[len(before) // 2]


def test_long_texts_are_cut_into_windows(nlp_open: Language) -> None:
    pipe = pipe_of(nlp_open)
    text = " ".join(util.SENTENCES[:5]) * 2
    pipe.max_tokens, pipe.overlap = 40, 8
    try:
        doc = nlp_open(text)
    finally:
        pipe.max_tokens, pipe.overlap = 256, 64
    covered = doc._.cascade_coverage
    assert len(covered) > 2 and {status for *_, status in covered} == {"split"}
    assert covered[0][0] == 0 and covered[-1][1] == len(text)


@pytest.mark.slow
def test_a_list_that_does_not_fit_is_reported(talkative: Path, caplog: Any) -> None:
    nlp = pipeline(talkative, template=B2NER, nested=True)
    lm = pipe_of(nlp).weights.lm = exact(talkative)
    text = next(t for t in TEXTS if len(nlp(t).spans["cascade"]) > 2)
    whole = len(nlp(text).spans["cascade"])
    lm.max_length = pipe_of(nlp).template.overhead(lm, LABEL_SET) + 3 * len(
        lm.encode(text)
    )
    found = nlp(text)
    assert len(found.spans["cascade"]) < whole
    assert found._.cascade_coverage == [(0, len(text), SHORTENED)]
    assert "[CW05]" in caplog.text


def test_a_failing_doc_leaves_the_others_alone(nlp_open: Language) -> None:
    failed = []
    pipe = pipe_of(nlp_open)
    pipe.set_error_handler(lambda name, pipe, docs, err: failed.extend(docs))
    docs = [nlp_open.make_doc(t) for t in TEXTS[:3]]
    docs[1].user_data["cascade_labels"] = 3
    try:
        done = list(pipe.pipe(docs))
    finally:
        pipe.set_error_handler(spacy.util.raise_error)
    assert done == [docs[0], docs[2]] and failed == [docs[1]]
    assert docs[1]._.cascade_coverage == [(0, len(docs[1].text), "failed")]


@pytest.mark.parametrize(
    "config",
    [
        {"level": -1},
        {"min_score": 2.0},
        {"max_tokens": 3},
        {"overlap": 500},
        {"window": "page"},
        {"save_weights": "some"},
    ],
)
def test_settings_are_checked(talkative: Path, config: dict[str, Any]) -> None:
    with pytest.raises(CascadeError) as err:
        pipeline(talkative, **config)
    assert code(err) in ("C020", "C021")
