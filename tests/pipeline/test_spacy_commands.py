"""spaCy's own commands on pipelines of ours, and consoles of other encodings."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
import spacy
from spacy.cli.find_threshold import find_threshold
from spacy.cli.train import train
from spacy.language import Language
from spacy.tokens import DocBin
from typer.testing import CliRunner

from spacy_cascade.console import safe_output
from spacy_cascade.errors import CascadeError
from tests import util

ROOT = Path(__file__).parents[2]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    nlp = util.blank()
    DocBin(
        docs=[eg.reference for eg in util.examples(nlp)], store_user_data=True
    ).to_disk(tmp_path / "gold.spacy")
    return tmp_path / "gold.spacy"


def test_spacy_train_of_the_classifier_alone(
    base: Path, corpus: Path, tmp_path: Path
) -> None:
    """configs/classifier.cfg, whose pipeline has nothing that finds mentions: gold mentions are
    typed."""
    labels = util.labels_config()
    overrides = {
        "paths.train": str(corpus),
        "paths.dev": str(corpus),
        "paths.base": str(base),
        "components.cascade_classifier.taxonomy.@taxonomies": labels["@taxonomies"],
        "components.cascade_classifier.taxonomy.labels": labels["labels"],
        "training.max_steps": 2,
        "training.eval_frequency": 1,
    }
    train(ROOT / "configs" / "classifier.cfg", tmp_path / "out", overrides=overrides)
    scores = spacy.util.load_meta(tmp_path / "out" / "model-best" / "meta.json")[
        "performance"
    ]
    assert (
        scores["cascade_typed_f"] == scores["cascade_accuracy"] > 0
    )  # all boundaries are right
    alone = spacy.load(tmp_path / "out" / "model-best")
    with pytest.raises(CascadeError) as err:
        alone("John saw Paris.")
    assert err.value.code == "C025"


def saved(base: Path, path: Path) -> Language:
    nlp = util.cascade(base)
    nlp.to_disk(path)
    return nlp


def test_find_threshold_tries_zero_and_one(
    lively: Path, corpus: Path, tmp_path: Path
) -> None:
    saved(lively, tmp_path / "nlp")
    *_, scores = find_threshold(
        str(tmp_path / "nlp"),
        corpus,
        "cascade_extractor",
        "open_threshold",
        "cascade_extraction_r",
        n_trials=3,
    )
    assert list(scores) == [0.0, 0.5, 1.0]
    assert scores[1.0] == 0.0


@pytest.mark.parametrize(("threshold", "found"), [(0.0, True), (1.0, False)])
def test_the_ends_of_the_threshold(lively: Path, threshold: float, found: bool) -> None:
    nlp = util.cascade(lively, extractor={"open_threshold": threshold, "rounds": 2})
    for doc in nlp.pipe(["John saw Paris.", "x"]):
        words = {
            i for span in doc.spans["cascade"] for i in range(span.start, span.end)
        }
        assert (
            0 in words
        ) == found  # a mention opens at the very first word, or nowhere
        assert bool(words) == found


def test_spacy_evaluate_prints_ner(lively: Path, corpus: Path, tmp_path: Path) -> None:
    from spacy.cli._util import app

    saved(lively, tmp_path / "nlp")
    for command in (["evaluate"], ["benchmark", "accuracy"]):
        out = CliRunner().invoke(app, [*command, str(tmp_path / "nlp"), str(corpus)])
        assert out.exit_code == 0
        rows = [line.split() for line in out.stdout.splitlines()]
        assert {("NER", "P"), ("NER", "R"), ("NER", "F")} <= {
            tuple(row[:2]) for row in rows if len(row) == 3 and row[2] != "-"
        }
        assert "NER (per type)" in out.stdout


@pytest.mark.slow
@pytest.mark.parametrize("module", ["corpus_tools", "spacy cascade"])
def test_names_that_the_console_lacks(
    module: str, corpus: Path, lively: Path, tmp_path: Path
) -> None:
    import json

    data = [
        {
            "sentence": "李小龙来了。",
            "entities": [{"name": "李小龙", "type": "人", "pos": [0, 3]}],
        }
    ]
    (tmp_path / "zh.json").write_text(json.dumps(data), encoding="utf8")
    saved(lively, tmp_path / "nlp")
    folder = tmp_path / "中文"
    folder.mkdir()
    (folder / "test.spacy").write_bytes(corpus.read_bytes())
    command = {
        "corpus_tools": ["stats", str(tmp_path / "zh.json")],
        "spacy cascade": ["evaluate", str(tmp_path / "nlp"), str(tmp_path)],
    }[module]
    env = {**os.environ, "PYTHONIOENCODING": "cp1252"}
    done = subprocess.run(
        [sys.executable, "-m", *module.split(), *command],
        capture_output=True,
        env=env,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert {"corpus_tools": rb"\u4eba", "spacy cascade": rb"\u4e2d\u6587"}[
        module
    ] in done.stdout


def test_what_is_printed_as_json_stays_json(monkeypatch: pytest.MonkeyPatch) -> None:
    import json

    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    safe_output()
    print(json.dumps(["é", "李", "😀"], ensure_ascii=False), flush=True)
    assert json.loads(raw.getvalue()) == ["é", "李", "😀"]
