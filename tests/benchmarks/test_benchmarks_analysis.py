"""Suites that analyse a pipeline, and what they share, in small."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from spacy.tokens import DocBin

from benchmarks.common import gain, hits, read, scores
from benchmarks.suites.decoding import fusion
from benchmarks.suites.models import dynamicner
from spacy_cascade.pipeline import extractor
from spacy_cascade.scoring.scorers import cascade_score
from tests import util


@pytest.fixture(scope="module")
def pipeline(lively: Path, tmp_path_factory: Any) -> Path:
    path = tmp_path_factory.mktemp("benchmark") / "pipeline"
    util.cascade(lively).to_disk(path)
    return path


@pytest.fixture(scope="module")
def corpus(pipeline: Path, nlp: Any) -> Path:
    docs = [util.example(nlp, text, mentions).reference for text, mentions in util.GOLD]
    DocBin(docs=docs, store_user_data=True).to_disk(pipeline.parent / "gold.spacy")
    return pipeline.parent / "gold.spacy"


@pytest.mark.slow
def test_fusion(run_suite: Any, pipeline: Path, corpus: Path, tmp_path: Path) -> None:
    files = [
        "--model",
        pipeline,
        "--dev",
        corpus,
        "--test",
        corpus,
        "--plot",
        tmp_path / "f.png",
    ]
    out = run_suite(
        "decoding.fusion",
        *files,
        "--rounds",
        3,
        "--temperatures",
        1,
        "--thresholds",
        0.2,
    )
    assert set(out["test"]) == {"fusion, temperature 1", "open_threshold"}
    rounds, thresholds = out["test"].values()
    assert [p["rounds"] for p in rounds] == [1, 2, 3]
    assert [p["open_threshold"] for p in thresholds] == [0.2, 0.5]
    assert rounds[0] == thresholds[1]
    assert rounds[2]["sequences"] > rounds[0]["sequences"] >= 1
    assert out["dev"] == out["test"]
    for name, setting in out["chosen_on_dev"].items():
        curve = rounds if name == "fusion" else thresholds
        best = max(curve, key=lambda p: p["f"])
        assert setting == {k: best[k] for k in setting}
        assert out["on_test"][name]["extraction"]["f"] == best["f"]
        assert out["on_test"][name]["extraction"]["gain"] == pytest.approx(
            best["f"] - rounds[0]["f"], abs=2e-4
        )
    assert (tmp_path / "f.png").stat().st_size < 150_000


def test_remembered_decoding_changes_nothing(pipeline: Path, corpus: Path) -> None:
    import spacy

    nlp = spacy.load(pipeline)
    gold = read(corpus, nlp)
    settings = [
        {**fusion.DEFAULT, "rounds": k, "open_threshold": t}
        for k, t in ((1, 0.5), (3, 0.5), (2, 0.5), (1, 0.2))
    ]
    real = extractor.decode
    with fusion.remembered():
        fast = [fusion.found(nlp, gold, s) for s in settings]
    assert extractor.decode is real
    slow = [fusion.found(nlp, gold, s) for s in settings]
    assert all((a == b).all() for a, b in zip(fast, slow, strict=True))
    assert len({a.tobytes() for a in fast}) > 2


def test_strategies(run_suite: Any, pipeline: Path, corpus: Path) -> None:
    out = run_suite("decoding.strategies", "--model", pipeline, "--test", corpus)
    assert out["mentions"] == 14
    for name in ("progressive", "beam", "path"):
        assert 0 <= out[name]["acc2"] <= 1
        assert out[name]["tokens"] > 0
    # types are of one level or two: a beam that wide sees every path
    assert {k: out["beam"][k] for k in ("acc1", "acc2")} == {
        k: out["path"][k] for k in ("acc1", "acc2")
    }
    gain, low, high = out["path"]["gain2"]
    assert low <= gain <= high
    assert gain == pytest.approx(
        out["path"]["acc2"] - out["progressive"]["acc2"], abs=2e-4
    )


def test_calibration(
    run_suite: Any, pipeline: Path, corpus: Path, tmp_path: Path
) -> None:
    files = [
        "--model",
        pipeline,
        "--dev",
        corpus,
        "--test",
        corpus,
        "--plot",
        tmp_path / "c.png",
    ]
    out = run_suite("decoding.calibration", *files)
    for stage in ("extractor", "classifier"):
        assert sum(n for n, *_ in out[stage]["as it is"]["bins"]) == out[stage]["n"]
        # the map is fitted on the very scores that are measured
        assert out[stage]["isotonic"]["ece"] < out[stage]["as it is"]["ece"]
        assert out[stage]["isotonic"]["brier"] < out[stage]["as it is"]["brier"]
    assert (tmp_path / "c.png").stat().st_size < 150_000


@pytest.mark.slow
@pytest.mark.parametrize("adapter", ["lora", "full"])
def test_dynamicner(run_suite: Any, lively: Path, tmp_path: Path, adapter: str) -> None:
    types = {
        "person": "politician",
        "location > city": "city",
        "location > country": "country",
    }
    records = {
        f"sentence{i}": {
            "sentence": text,
            "entity": [n for n, _ in mentions],
            "category": [types[t] for _, t in mentions],
        }
        for i, (text, mentions) in enumerate(
            util.GOLD * 3
        )  # so that every part holds sentences of the others
    }
    records["none"] = {"sentence": "Away.", "entity": ["Home"], "category": ["city"]}
    (tmp_path / "data.json").write_text(json.dumps(records))
    util.cascade(
        lively, extractor={"adapter": None}, classifier={"adapter": None}
    ).to_disk(tmp_path / "pipeline")
    files = [
        "--model",
        tmp_path / "pipeline",
        "--data",
        tmp_path / "data.json",
        "--adapter",
        adapter,
    ]
    out = run_suite(
        "models.dynamicner",
        *files,
        "--folds",
        2,
        "--steps",
        40,
        "--batch",
        4,
        "--rate",
        5e-3,
    )
    assert (out["sentences"], out["mentions"], out["not_located"]) == (25, 42, 1)
    before, after = out["zero_shot"], out["cross_validation_2"]
    assert (
        before["fine"]["f"]
        <= before["medium"]["f"]
        <= before["coarse"]["f"]
        <= before["extraction"]["f"]
    )
    assert after["gain_over_zero_shot"]["gain"] == pytest.approx(
        after["fine"]["f"] - before["fine"]["f"], abs=2e-4
    )
    assert after["extraction"]["f"] > before["extraction"]["f"]
    assert len(after["folds"]["fine"]["f"]) == 2


def test_all_weights_of_a_pipeline_with_adapters_cant_be_trained(
    lively: Path, gold: Any, tmp_path: Path
) -> None:
    nlp = util.cascade(lively)
    nlp.get_pipe("cascade_extractor").start_training()  # type: ignore[attr-defined]
    nlp.to_disk(tmp_path / "adapted")
    with pytest.raises(SystemExit, match="has an adapter"):
        dynamicner.load(str(tmp_path / "adapted"), "full")


def test_throughput(
    run_suite: Any, pipeline: Path, corpus: Path, tmp_path: Path
) -> None:
    result = run_suite(
        "speed.throughput",
        "--model",
        pipeline,
        "--data",
        corpus,
        "--rounds",
        "1",
        "--threads",
        "1",
        "--output",
        tmp_path / "t.json",
    )
    found = result["files"][str(corpus)]
    assert found["sentences_per_second"]["median"] > 0
    assert found["vs_transformers"] > 0
    assert set(result["seconds"]) == {"import_spacy", "load", "first_text"}
    assert json.loads((tmp_path / "t.json").read_text("utf8")) == result


def test_hits_and_gain(nlp: Any) -> None:
    gold = [util.example(nlp, text, mentions).reference for text, mentions in util.GOLD]
    found = [
        util.example(nlp, text, mentions[:1]).reference for text, mentions in util.GOLD
    ]
    for doc in found:
        doc.spans["cascade"] = doc.spans["gold"]
    table = hits(found, gold, typed=True)
    assert table.sum(0).tolist() == [7, 7, 14]
    from spacy.training import Example

    expected = cascade_score([Example(a, b) for a, b in zip(found, gold, strict=True)])
    assert scores(table) == {
        k: pytest.approx(expected[f"cascade_typed_{k}"], abs=1e-4) for k in "prf"
    }
    full = np.repeat(table[:, 2:], 3, axis=1)
    better = gain(full, table)
    assert better["gain"] == pytest.approx(1 / 3, abs=1e-4)
    assert 0 < better["low"] < better["gain"] < better["high"]
    assert gain(table, table) == {"gain": 0, "low": 0, "high": 0}


def test_reading_a_part_takes_it_from_the_whole_file(nlp: Any, corpus: Path) -> None:
    assert [d.text for d in read(corpus, nlp, 3)] == [
        util.GOLD[i][0] for i in (0, 2, 5)
    ]
    assert len(read(corpus, nlp, 99)) == len(read(corpus, nlp)) == len(util.GOLD)
    with pytest.raises(SystemExit, match="No DocBin"):
        read(corpus.with_name("none.spacy"), nlp)


def test_sentences_above_the_bound_are_counted_by_embedder(
    run_suite: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "b2nerd_style/en/a"
    folder.mkdir(parents=True)
    texts = {
        "train": [
            "Ann met Bob in Rome.",
            "Quite other words are here.",
            "Beyond the limit.",
        ],
        "test": ["Ann met Bob in Rome!"],
    }
    for split, sentences in texts.items():
        (folder / f"{split}.json").write_text(
            json.dumps([{"sentence": s, "entities": []} for s in sentences]), "utf8"
        )
    out = run_suite(
        "corpora.nearest",
        "--data",
        tmp_path,
        "--sets",
        "en/a",
        "--sentences",
        2,
        "--output",
        tmp_path / "nearest.json",
    )
    assert [found["en/a"] for found in out["embedders"].values()] == [1, 1]
    assert out["sentences"] == 2
    assert json.loads((tmp_path / "nearest.json").read_text("utf8")) == out
    with pytest.raises(SystemExit, match="No data"):
        run_suite("corpora.nearest", "--data", tmp_path, "--sets", "en/b")
