"""Docs of which a part is annotated: scores, training and files leave the rest out."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from spacy.language import Language
from spacy.scorer import get_ner_prf
from spacy.tokens import DocBin
from spacy.training import Example
from typer.testing import CliRunner

from corpus_tools.cli import app
from corpus_tools.formats.docs import DocMaker, to_record
from spacy_cascade.cli.evaluate import evaluate
from spacy_cascade.doc.corpus import create_corpus
from spacy_cascade.doc.missing import is_annotated, missing_ranges
from spacy_cascade.scoring.analysis import Analysis
from spacy_cascade.scoring.scorers import cascade_score
from spacy_cascade.training.augment import MentionReplacer
from tests import util
from tests.doc.missing import PREDICTED, TEXT, doc, found, write


@pytest.fixture(scope="module")
def mixed(nlp: Language) -> list[Example]:
    """Full, none, partial (John alone is known), explicitly empty: one right, and of the last text
    two wrong predictions."""
    return [
        found(nlp, TEXT, PREDICTED, doc(nlp, TEXT, PREDICTED)),
        found(nlp, TEXT, PREDICTED, doc(nlp, TEXT, [], default=None)),
        found(nlp, TEXT, PREDICTED, doc(nlp, TEXT, PREDICTED[:1], default="missing")),
        found(nlp, TEXT, PREDICTED, doc(nlp, TEXT, [])),
    ]


def test_what_is_missing() -> None:
    nlp = util.blank()
    full, none, partial, empty = (
        doc(nlp, TEXT, PREDICTED),
        doc(nlp, TEXT, [], default=None),
        doc(nlp, TEXT, [("Mary", "person")], default="missing"),
        doc(nlp, TEXT, []),
    )
    assert [is_annotated(d) for d in (full, none, partial, empty)] == [
        True,
        False,
        True,
        True,
    ]
    assert missing_ranges(full) == missing_ranges(empty) == []
    assert missing_ranges(none) == [(0, len(TEXT))]
    assert [TEXT[s:e] for s, e in missing_ranges(partial)] == ["John met", "in Paris ."]
    none.spans["gold"] = []
    assert is_annotated(none)
    assert missing_ranges(none) == []


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_scores_are_those_of_spacy(mixed: list[Example], n: int) -> None:
    scores, spacys = cascade_score(mixed[:n]), get_ner_prf(mixed[:n])
    assert [scores[f"cascade_typed_{k}"] for k in "prf"] == [
        spacys[f"ents_{k}"] for k in "prf"
    ]
    assert [scores[f"ents_{k}"] for k in ("p", "r", "f", "per_type")] == [
        spacys[f"ents_{k}"] for k in ("p", "r", "f", "per_type")
    ]
    assert scores["cascade_extraction_p"] == (1.0 if n < 4 else 3 / 5)


def test_the_scorer_gives_spacys_figures_by_exact_label(nlp: Language) -> None:
    scores = cascade_score(
        [
            found(
                nlp,
                TEXT,
                [("John", "person"), ("Paris", "town")],
                doc(nlp, TEXT, PREDICTED),
            )
        ]
    )
    assert (scores["ents_p"], scores["ents_r"]) == (0.5, 0.5)
    assert scores["ents_per_type"]["person"] == {"p": 1.0, "r": 1.0, "f": 1.0}
    assert scores["ents_per_type"]["city"]["r"] == 0.0


def test_error_analysis_leaves_them_out(mixed: list[Example]) -> None:
    analysis = Analysis()
    for eg in mixed[:3]:
        analysis.add(eg.predicted, eg.reference)
    assert analysis.to_dict()["unannotated"] == analysis.unannotated == 1
    assert analysis.total.docs == 2
    assert analysis.total.kinds == {"right": 3}


def test_spans_alone_are_annotation(nlp: Language) -> None:
    reference = doc(nlp, TEXT, [], default=None)
    reference.spans["gold"] = [reference.char_span(0, 4, label="person")]
    scores = cascade_score([found(nlp, TEXT, PREDICTED, reference)])
    assert (scores["cascade_extraction_p"], scores["cascade_extraction_r"]) == (
        0.5,
        1.0,
    )


# -- Training ------------------------------------------------------------------------


def opened(item: Any) -> int:
    return len(item.gold)


def test_the_extractor_learns_from_what_is_known(lively: Path) -> None:
    nlp = util.cascade(lively)
    pipe: Any = nlp.get_pipe("cascade_extractor")

    def items(mentions: list[tuple[str, str]], default: str | None) -> list[Any]:
        return pipe.training_items(
            [Example(nlp.make_doc(TEXT), doc(nlp, TEXT, mentions, default=default))]
        )[0]

    assert items([], None) == []
    (empty,) = items([], "outside")
    assert set(empty.gold) == {0}
    assert opened(empty) == 6  # before each word
    (partial,) = items([("Mary", "person")], "missing")
    assert partial.gold == [
        1,
        1,
    ]  # Mary opens, Mary closes; of all others nothing is known
    (full,) = items([("Mary", "person")], "outside")
    assert opened(full) == 7  # and behind Mary
    assert sum(full.gold) == 2


def test_neither_do_the_others_learn_from_what_is_not_known(lively: Path) -> None:
    nlp = util.blank()
    nlp.add_pipe(
        "open_ner",
        config={
            "model": util.model_config(lively),
            "taxonomy": util.labels_config(["person", "city"]),
        },
    )
    pipe: Any = nlp.get_pipe("open_ner")
    gold = [
        doc(nlp, TEXT, PREDICTED[:1], default=d) for d in (None, "missing", "outside")
    ]
    assert [
        len(i)
        for i in pipe.training_items([Example(nlp.make_doc(TEXT), g) for g in gold])
    ] == [0, 0, 1]


def test_calibration_leaves_them_out(lively: Path) -> None:
    nlp = util.cascade(lively)
    pipe: Any = nlp.get_pipe("cascade_extractor")
    texts = [t for t, _ in util.GOLD]
    empty = [Example(nlp.make_doc(t), doc(nlp, t, [])) for t in texts]
    unknown = [Example(nlp.make_doc(t), doc(nlp, t, [], default=None)) for t in texts]
    assert len(pipe.scored(empty)[0]) > 2
    assert pipe.scored(unknown) == ([], [])


def test_counts_are_reported(lively: Path, caplog: pytest.LogCaptureFixture) -> None:
    nlp = util.cascade(lively)
    gold = [
        doc(nlp, TEXT, PREDICTED, default=d) for d in ("outside", "missing", None, None)
    ]
    with caplog.at_level(logging.WARNING, "spacy_cascade"):
        nlp.initialize(lambda: [Example(nlp.make_doc(TEXT), g) for g in gold])
    assert (
        "[CW15] 2 of 4 Doc(s) have no entity annotation and 1 have it on some tokens only"
        in caplog.text
    )


def test_names_are_not_replaced_in_what_is_only_partly_known(nlp: Language) -> None:
    replacer = MentionReplacer({"": {("person",): ["Peter"]}}, rate=1.0)
    assert replacer(nlp, doc(nlp, TEXT, [("John", "person")])) is not None
    assert (
        replacer(nlp, doc(nlp, TEXT, [("John", "person")], default="missing")) is None
    )


# -- Files ---------------------------------------------------------------------------


def test_paths_as_labels_keep_what_is_missing(nlp: Language, tmp_path: Path) -> None:
    docs = [
        doc(nlp, TEXT, PREDICTED[:1], default=d) for d in ("outside", "missing", None)
    ]
    path = write(tmp_path / "a.spacy", docs)
    read = [eg.reference for eg in create_corpus(path, paths=True)(nlp)]
    assert [missing_ranges(d) for d in read] == [missing_ranges(d) for d in docs]


@pytest.mark.parametrize("default", ["outside", "missing", None])
def test_records_keep_what_is_missing(nlp: Language, default: str | None) -> None:
    before = doc(nlp, TEXT, PREDICTED[:1], default=default)
    record = to_record(before)
    assert record.annotated == (default is not None)
    after = DocMaker(nlp)(record)
    assert missing_ranges(after) == missing_ranges(before)
    assert is_annotated(after) == is_annotated(before)
    assert to_record(after).mentions == record.mentions


def test_stats_and_convert_count_them(nlp: Language, tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.spacy",
        [doc(nlp, TEXT, [], default=d) for d in ("outside", None, None)],
    )
    found = CliRunner().invoke(app, ["stats", str(path), "--json"])
    assert json.loads(found.stdout)["unannotated"] == 2
    assert "2 Doc(s) have no entity annotation" in " ".join(
        CliRunner().invoke(app, ["stats", str(path)]).stdout.split()
    )
    out = (
        CliRunner()
        .invoke(app, ["convert", str(path), str(tmp_path / "b.spacy")])
        .stdout
    )
    assert "2 Doc(s) have no entity annotation" in " ".join(out.split())
    again = DocBin().from_disk(tmp_path / "b.spacy").get_docs(nlp.vocab)
    assert [is_annotated(d) for d in again] == [True, False, False]


def test_evaluate_counts_them(nlp: Language, tmp_path: Path) -> None:
    pipeline, _ = util.scripted(util.NAMES)
    path = write(
        tmp_path / "test.spacy",
        [doc(nlp, TEXT, [("John", "person")], default=d) for d in ("outside", None)],
    )
    scores = evaluate(pipeline, [path])["all"]
    assert (scores["docs"], scores["unannotated"]) == (2, 1)
    assert scores["cascade_extraction_p"] == 0.5  # John and Paris, once
