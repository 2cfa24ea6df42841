"""spaCy's own components, trained on the same gold and scored alike."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import spacy
import srsly
from spacy.language import Language
from spacy.tokens import Doc, Span

from spacy_cascade.doc.corpus import create_corpus
from spacy_cascade.scoring.scorers import cascade_score
from tests import util
from tests.baselines.util import CONFIGS, call


def test_gold_labels_as_paths(nlp: Language, gold_file: Path) -> None:
    eg = next(iter(create_corpus(gold_file, paths=True)(nlp)))
    assert [e.label_ for e in eg.reference.ents] == ["person", "location > city"]
    assert [s.label_ for s in eg.reference.spans["gold"]] == [
        "person",
        "location > city",
    ]
    assert [
        e.label_ for e in next(iter(create_corpus(gold_file)(nlp))).reference.ents
    ] == [
        "person",
        "city",
    ]
    eg.predicted.set_ents(
        [Span(eg.predicted, e.start, e.end, label=e.label_) for e in eg.reference.ents]
    )
    assert cascade_score([eg])["cascade_typed_f"] == 1.0


def test_fused_spans(nlp: Language) -> None:
    nlp = util.blank()
    nlp.add_pipe("span_fuser", config={"spans_key": "sc"})
    doc = Doc(nlp.vocab, words=["New", "York", "City", "x"])
    assert not nlp(doc).ents and len(doc.spans["cascade"]) == 0
    doc.spans["sc"] = [
        Span(doc, 0, 2, "a > b"),
        Span(doc, 0, 3, "c"),
        Span(doc, 3, 4, "d"),
    ]
    doc = nlp(doc)
    assert [(e.text, e.label_) for e in doc.ents] == [
        ("New York City", "c"),
        ("x", "d"),
    ]
    assert doc.spans["cascade"].attrs["paths"] == ["a > b", "c", "d"]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: Any, base: Path) -> Path:
    """A tiny encoder with random weights, saved like any other."""
    from transformers import AutoTokenizer, BertConfig, BertModel

    path = tmp_path_factory.mktemp("encoder") / "tiny"
    tokenizer = AutoTokenizer.from_pretrained(base)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
    )
    BertModel(config).save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["baseline_ner", "baseline_spancat", "baseline_transformer"]
)
def test_trained_baselines_train_and_are_scored(
    name: str, gold_file: Path, tmp_path: Path, request: Any
) -> None:
    paths = [f"--paths.train={gold_file}", f"--paths.dev={gold_file}"]
    if name == "baseline_transformer":
        if importlib.util.find_spec("spacy_transformers") is None:
            pytest.skip(
                "needs spacy-transformers: pip install 'spacy-cascade[transformers]'"
            )
        paths.append(f"--paths.encoder={request.getfixturevalue('encoder')}")
    call("init", "fill-config", CONFIGS / f"{name}.cfg", tmp_path / "full.cfg")
    call("debug", "config", tmp_path / "full.cfg", *paths)
    call(
        "train",
        tmp_path / "full.cfg",
        "-o",
        tmp_path / "out",
        *paths,
        "--training.max_steps",
        2,
        "--training.eval_frequency",
        1,
    )
    call(
        "evaluate",
        tmp_path / "out" / "model-last",
        gold_file,
        "-o",
        tmp_path / "scores.json",
    )
    assert {"cascade_typed_f", "cascade_extraction_f"} <= set(
        srsly.read_json(tmp_path / "scores.json")
    )


@pytest.mark.slow
def test_ner_learns_paths(gold_file: Path, tmp_path: Path) -> None:
    """What the config trains is scored at every level, not by boundaries alone."""
    limits = ["--training.max_steps", 40, "--training.eval_frequency", 40]
    call(
        "train",
        CONFIGS / "baseline_ner.cfg",
        "-o",
        tmp_path,
        f"--paths.train={gold_file}",
        f"--paths.dev={gold_file}",
        *limits,
    )
    performance = spacy.load(tmp_path / "model-last").meta["performance"]
    assert performance["cascade_typed_f"] > 0.5
