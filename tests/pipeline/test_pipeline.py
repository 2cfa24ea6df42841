"""Components as parts of a pipeline: streams, offsets, failures."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spacy.language import Language
from spacy.tokens import Doc, DocBin

from tests import util

ALL = [*util.SENTENCES, *util.ODD, "", " ", "\n\t "]


@pytest.fixture(scope="module")
def both(lively: Path) -> Language:
    return util.cascade(lively, extractor={"rounds": 2})


def same(a: Doc, b: Doc) -> None:
    assert a.text == b.text
    assert util.entities(a) == util.entities(b)
    assert util.spans(a) == util.spans(b)
    assert util.scores(a) == pytest.approx(util.scores(b), rel=1e-3)
    assert a._.cascade_coverage == b._.cascade_coverage


# -- One by one and in a stream ------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [1, 2, 7, 32])
def test_pipe_equals_single_calls(both: Language, batch_size: int) -> None:
    single = [both(t) for t in ALL]
    assert sum(len(d.ents) for d in single) > 5, (
        "the model must find something, or nothing is tested"
    )
    for a, b in zip(single, both.pipe(ALL, batch_size=batch_size), strict=True):
        same(a, b)


@pytest.mark.slow
def test_pipe_with_two_processes_equals_single_calls(both: Language) -> None:
    single = [both(t) for t in ALL]
    for a, b in zip(single, both.pipe(ALL, batch_size=4, n_process=2), strict=True):
        same(a, b)


def test_several_processes_print_nothing(base: Path, tmp_path: Path) -> None:
    """Tokenizers that have run warn in every forked process, unless they are told beforehand."""
    script = f"""
import os, spacy
nlp = spacy.blank("en")
lm = {{"@causal_lms": "spacy-cascade.HF.v1", "name": {str(base)!r}}}
template = {{"@prompts": "spacy-cascade.CompactExtract.v1"}}
config = {{"model": lm, "adapter": None, "template": template}}
nlp.add_pipe("cascade_extractor", config=config)
nlp("John lives in Paris.")
nlp.get_pipe("cascade_extractor").lm.tokenizer(["many", "texts"] * 50)
docs = list(nlp.pipe(["Mary lives in Rome."] * 4, n_process=2, batch_size=2))
print(len(docs), "TOKENIZERS_PARALLELISM" in os.environ)
"""
    env = {k: v for k, v in os.environ.items() if k != "TOKENIZERS_PARALLELISM"}
    found = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env=env,
        check=True,
    )
    assert found.stdout.split() == ["4", "False"]
    assert "forked" not in found.stderr


@pytest.mark.slow
def test_order_of_the_stream_does_not_matter(both: Language) -> None:
    for a, b in zip(both.pipe(ALL), reversed(list(both.pipe(ALL[::-1]))), strict=True):
        same(a, b)


def test_the_model_runs_on_whole_batches() -> None:
    nlp, lm = util.scripted(util.NAMES)
    texts = ["John saw Paris."] * 20
    list(nlp.pipe(texts, batch_size=20))
    together = lm.calls
    for t in texts:
        nlp(t)
    assert together * 5 < lm.calls - together


def test_a_generator_is_read_lazily() -> None:
    nlp, _ = util.scripted(util.NAMES)
    read = []

    def texts() -> Any:
        for i in range(1000):
            read.append(i)
            yield "John"

    next(iter(nlp.pipe(texts(), batch_size=5)))
    assert len(read) <= 50


@pytest.mark.parametrize("text", ["", " ", "\n", "\t \r\n", "\u3000"])
def test_nothing_but_white_space(both: Language, text: str) -> None:
    doc = both(text)
    assert doc.text == text
    assert len(doc.ents) == 0
    assert len(doc.spans["cascade"]) == 0


@pytest.mark.parametrize("text", [t for t in ALL if t.strip()])
def test_mentions_lie_on_tokens_and_coverage_spans_the_text(
    both: Language, text: str
) -> None:
    doc = both(text)
    assert doc.text == text
    for s in doc.spans["cascade"]:
        assert s.text == text[s.start_char : s.end_char]
        assert s.text.strip() == s.text != ""
    covered = {i for a, b, _ in doc._.cascade_coverage for i in range(a, b)}
    assert {i for i, ch in enumerate(text) if not ch.isspace()} - covered <= {
        i for t in doc if t.is_space for i in range(t.idx, t.idx + len(t))
    }


@pytest.mark.slow
@given(text=st.text(st.characters(blacklist_categories=["Cs"]), max_size=40))
def test_any_unicode_text(both: Language, text: str) -> None:
    doc = both(text)
    assert doc.text == text
    same(doc, next(iter(both.pipe([text]))))


def test_a_lone_surrogate_in_user_data_is_no_obstacle(both: Language) -> None:
    doc = both.make_doc("John saw Paris.")
    doc.user_data["note"] = "\ud800"
    assert both(doc).user_data["note"] == "\ud800"


# -- Offsets -------------------------------------------------------------------------


def test_repeated_mentions_are_told_apart() -> None:
    """CascadeNER's infer.py found the first occurrence only."""
    nlp, _ = util.scripted(util.NAMES)
    doc = nlp("Paris, Paris and Paris.")
    assert util.entities(doc) == [(0, 5, "city"), (7, 12, "city"), (17, 22, "city")]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("李小龙去东京和东京塔", {"李小龙": ("person",), "东京": ("location", "city")}),
        ("👩‍👩‍👧 John in e\u0301 Paris", util.NAMES),
        ("שלום עולם", {"עולם": ("location", "country")}),
        ("a\u200bb John\u200b Paris", {"Paris": ("location", "city")}),
        ("  John \n\n Paris  ", util.NAMES),
        ("##John## Paris", {"Paris": ("location", "city")}),
        ("서울에서 김철수는", {"서울": ("location", "city"), "김철수": ("person",)}),
    ],
)
def test_offsets_are_exact(text: str, names: Any) -> None:
    nlp, lm = util.scripted(names)
    doc = nlp(text)
    assert doc.text == text
    assert [(s, e) for s, e, _ in util.entities(doc)] == lm.mentions(text)
    assert [label for *_, label in util.entities(doc)] == [
        names[text[s:e]][-1] for s, e in lm.mentions(text)
    ]


def test_case_of_the_mention_is_kept_at_every_level() -> None:
    """CascadeNER's infer.py lower-cased the mention at levels 2 and 3."""
    nlp, _ = util.scripted(
        {"PARIS": ("location", "country"), "Paris": ("location", "city")}
    )
    assert [e.label_ for e in nlp("PARIS and Paris").ents] == ["country", "city"]


# -- Failures ------------------------------------------------------------------------


def test_one_failing_doc_does_not_take_the_batch_down() -> None:
    nlp, _ = util.scripted(util.NAMES, fail_on="BOOM")
    failed: list[tuple[str, list[str], str]] = []
    nlp.set_error_handler(
        lambda name, proc, docs, err: failed.append(
            (name, [d.text for d in docs], str(err))
        )
    )
    texts = ["John", "BOOM John", "Paris", "France"]
    docs = list(nlp.pipe(texts, batch_size=4))
    assert [d.text for d in docs] == ["John", "Paris", "France"]
    assert [util.entities(d) for d in docs] == [
        [(0, 4, "person")],
        [(0, 5, "city")],
        [(0, 6, "country")],
    ]
    assert [(n, t) for n, t, _ in failed] == [("cascade_extractor", ["BOOM John"])]
    assert "scripted failure" in failed[0][2]


def test_without_a_handler_the_error_is_raised() -> None:
    nlp, _ = util.scripted(util.NAMES, fail_on="BOOM")
    with pytest.raises(RuntimeError, match="scripted failure"):
        nlp("BOOM")
    with pytest.raises(RuntimeError, match="scripted failure"):
        list(nlp.pipe(["John", "BOOM"]))


def test_a_failed_doc_says_so() -> None:
    nlp, _ = util.scripted(util.NAMES, stages=["extractor"], fail_on="BOOM")
    nlp.set_error_handler(lambda *args: None)
    doc = nlp.get_pipe("cascade_extractor")(nlp.make_doc("BOOM John"))
    assert doc._.cascade_coverage == [(0, 9, "failed")]
    assert len(doc.spans["cascade"]) == 0


def test_a_bad_label_set_fails_its_doc_only() -> None:
    nlp, _ = util.scripted(util.NAMES)
    failed = []
    nlp.set_error_handler(
        lambda name, proc, docs, err: failed.append(getattr(err, "code", ""))
    )
    docs = [nlp.make_doc("John") for _ in range(3)]
    docs[1]._.cascade_labels = 7
    assert len(list(nlp.pipe(docs, batch_size=3))) == 2
    assert failed == ["C024"]


# -- Living in a pipeline ------------------------------------------------------------


def test_both_stages_share_one_model(both: Language) -> None:
    assert (
        both.get_pipe("cascade_extractor").lm is both.get_pipe("cascade_classifier").lm
    )  # type: ignore[attr-defined]


def test_pipe_analysis_finds_no_problem(both: Language) -> None:
    problems = both.analyze_pipes()["problems"]
    assert not any(problems.values())


def test_select_pipes(both: Language) -> None:
    with both.select_pipes(disable="cascade_classifier"):
        assert {e.label_ for d in both.pipe(util.SENTENCES) for e in d.ents} == {
            "MENTION"
        }


def test_two_extractors_may_have_other_names(lively: Path) -> None:
    nlp = util.blank()
    nlp.add_pipe(
        "cascade_extractor", name="first", config={"model": util.model_config(lively)}
    )
    shared = {"@causal_lms": "spacy-cascade.SharedLM.v1", "component": "first"}
    nlp.add_pipe(
        "cascade_extractor",
        name="second",
        config={"model": shared, "rounds": 3, "overwrite_ents": True},
    )
    assert nlp(util.SENTENCES[0]).text == util.SENTENCES[0]


def test_results_survive_a_docbin(both: Language) -> None:
    docs = list(both.pipe(util.SENTENCES))
    data = DocBin(docs=docs, store_user_data=True).to_bytes()
    for a, b in zip(docs, DocBin().from_bytes(data).get_docs(both.vocab), strict=True):
        same(a, b)
        assert [s._.cascade_path for s in a.ents] == [s._.cascade_path for s in b.ents]


def test_gold_and_predictions_keep_apart(both: Language) -> None:
    eg = util.example(both, *util.GOLD[0])
    before = [(s.start, s.end, s.label_) for s in eg.reference.spans["gold"]]
    both.evaluate([eg])
    assert [(s.start, s.end, s.label_) for s in eg.reference.spans["gold"]] == before
    assert "cascade" not in eg.reference.spans


def test_evaluate_reports_the_cascade_scores(both: Language) -> None:
    scores = both.evaluate(util.examples(both))
    assert {
        "cascade_extraction_f",
        "cascade_coarse_f",
        "cascade_fine_f",
        "cascade_hierarchical_f",
        "cascade_accuracy",
    } <= set(scores)


def test_a_label_set_of_a_text_may_be_nested(lively: Path) -> None:
    nlp = util.cascade(lively)
    own = {"agent": None, "place": ["town", "land"]}
    texts = [(text, {"cascade_labels": own}) for text in util.SENTENCES]
    found = [util.spans(doc) for doc, _ in nlp.pipe(texts, as_tuples=True)]
    nlp.get_pipe("cascade_classifier").set_taxonomy(own)  # type: ignore[attr-defined]
    assert found == [util.spans(doc) for doc in nlp.pipe(util.SENTENCES)]
    assert any(
        path.startswith("place > ") or path == "agent"
        for doc in found
        for *_, path in doc
    )
