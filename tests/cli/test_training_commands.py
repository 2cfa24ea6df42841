"""The workflow of project.yml in small: finetune, assemble, export, train."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import spacy
import srsly

from tests import util
from tests.cli.util import SMALL, call, find_config


def test_base_is_a_hugging_face_directory(work: Path) -> None:
    names = {p.name for p in (work / "init").iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= names
    assert not any(n.endswith((".bin", ".pt")) for n in names)


def test_the_tuned_base_is_one_too(work: Path) -> None:
    names = {
        p.name for p in (work / "base/model-best/cascade_extractor/model").iterdir()
    }
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= names


@pytest.mark.parametrize("stage", ["base", "extractor", "classifier"])
def test_finetune_writes_its_results(work: Path, stage: str) -> None:
    assert {"model-best", "model-last", "checkpoint", "log.jsonl"} <= {
        p.name for p in (work / stage).iterdir()
    }
    steps = [
        json.loads(x)["step"]
        for x in (work / stage / "log.jsonl").read_text().splitlines()
    ]
    assert steps == [2, 3]


def test_a_finished_finetune_can_be_called_again(work: Path, paths: list[str]) -> None:
    """`spacy project run` does that whenever the outputs are not on record."""
    base = f"--paths.base={work / 'base/model-best/cascade_extractor/model'}"
    call(
        "cascade",
        "finetune",
        find_config("extractor"),
        "-o",
        work / "extractor",
        *paths,
        base,
        *SMALL,
    )


def test_assembled_pipeline_has_one_base_and_two_adapters(work: Path) -> None:
    nlp = spacy.load(work / "pipeline")
    assert nlp.pipe_names == ["sentencizer", "cascade_extractor", "cascade_classifier"]
    first, second = (
        nlp.get_pipe("cascade_extractor"),
        nlp.get_pipe("cascade_classifier"),
    )
    assert first.lm is second.lm  # type: ignore[attr-defined]
    assert (
        len({first.weights.adapter, second.weights.adapter} & set(first.lm.adapters))
        == 2
    )  # type: ignore[attr-defined]
    found = sorted(
        str(p.relative_to(work / "pipeline"))
        for p in (work / "pipeline").rglob("*.safetensors")
    )
    assert found == [
        "cascade_classifier/adapter/adapter_model.safetensors",
        "cascade_extractor/adapter/adapter_model.safetensors",
        "cascade_extractor/drafter.safetensors",
        "cascade_extractor/model/model.safetensors",
    ]


@pytest.mark.slow
def test_assembled_stages_answer_like_the_trained_ones(work: Path) -> None:
    nlp, stage = (
        spacy.load(work / "pipeline"),
        spacy.load(work / "extractor/model-best"),
    )
    for text, _ in util.GOLD:
        docs = nlp(text), stage(text)
        found, expected = (
            [(s.start_char, s.end_char) for s in doc.spans["cascade"]] for doc in docs
        )
        assert found == expected


@pytest.mark.slow
def test_open_pipeline_is_trained_assembled_and_exported(
    work: Path, corpus: Path, paths: list[str], tmp_path: Path
) -> None:
    init = f"--paths.init={work / 'init'}"
    call(
        "cascade",
        "finetune",
        find_config("open_base"),
        "-o",
        tmp_path / "base",
        *paths,
        init,
        *SMALL,
        "--paths.lexicon=null",
    )
    weights = [
        f"--paths.{s}={tmp_path / 'base/model-best' / f'cascade_{s}'}"
        for s in ("extractor", "classifier")
    ]
    call("assemble", find_config("open_pipeline"), tmp_path / "pipeline", *weights)
    srsly.write_json(
        tmp_path / "meta.json", {"description": "A test", "license": "MIT"}
    )
    options = ["--calibrate", corpus / "dev.spacy", "--meta", tmp_path / "meta.json"]
    call("cascade", "export", tmp_path / "pipeline", tmp_path / "out", *options)
    before, after = spacy.load(tmp_path / "pipeline"), spacy.load(tmp_path / "out")
    assert after.meta["description"] == "A test"
    assert all(
        after.get_pipe(n).calibration is not None
        for n in ("cascade_extractor", "cascade_classifier")
    )
    size = {
        n: (tmp_path / n / "cascade_extractor/model/model.safetensors").stat().st_size
        for n in ("pipeline", "out")
    }
    assert size["out"] < 0.6 * size["pipeline"]
    assert not (tmp_path / "out/cascade_classifier/model").exists()
    marks = {
        n: srsly.read_json(tmp_path / n / "sentencizer.json")["punct_chars"]
        for n in ("pipeline", "out")
    }
    assert marks["out"] == sorted(marks["pipeline"])
    for context in ({}, {"cascade_labels": ["city", "politician"]}):
        docs = [
            next(n.pipe([("Ann Lee is in Oslo.", context)], as_tuples=True))[0]
            for n in (before, after)
        ]
        assert [len(d.spans["cascade"]) for d in docs] == [
            len(docs[0].spans["cascade"])
        ] * 2
    assert "C020" in call(
        "cascade",
        "export",
        tmp_path / "pipeline",
        tmp_path / "x",
        "--dtype",
        "int3",
        code=1,
    )


@pytest.mark.slow
def test_spacy_train(
    work: Path, corpus: Path, paths: list[str], tmp_path: Path
) -> None:
    call("init", "fill-config", find_config("extractor"), tmp_path / "full.cfg")
    limits = ["--training.max_steps", 5, "--training.eval_frequency", 5]
    base = f"--paths.base={work / 'base/model-best/cascade_extractor/model'}"
    call("train", tmp_path / "full.cfg", "-o", tmp_path / "out", *paths, base, *limits)
    nlp = spacy.load(tmp_path / "out" / "model-last")
    assert nlp("John Smith flew to Paris.").text
    assert "cascade_extraction_f" in nlp.meta["performance"]
