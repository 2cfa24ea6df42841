"""Saved pipelines that lack parts or are damaged."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import spacy

from spacy_cascade.errors import CascadeError
from tests import util

from .util import alone, code, results


def test_adapter_of_another_base(
    other_base: Path, lively: Path, tmp_path: Path
) -> None:
    alone(lively, "adapter").to_disk(tmp_path / "nlp")
    config = spacy.util.load_config(tmp_path / "nlp" / "config.cfg")
    config["components"]["cascade_extractor"]["model"]["name"] = str(other_base)
    config.to_disk(tmp_path / "nlp" / "config.cfg")
    with pytest.raises(CascadeError) as err:
        spacy.load(tmp_path / "nlp")
    assert code(err) == "C016"
    assert "Load the base it was trained on" in str(err.value)


@pytest.mark.parametrize(
    "missing",
    ["adapter", "adapter/adapter_config.json", "adapter/adapter_model.safetensors"],
)
def test_missing_adapter(saved: Path, missing: str) -> None:
    target = saved / "cascade_classifier" / missing
    shutil.rmtree(target) if target.is_dir() else target.unlink()
    with pytest.raises(CascadeError) as err:
        spacy.load(saved)
    assert code(err) == "C013"
    assert isinstance(err.value, FileNotFoundError)


@pytest.mark.parametrize(
    "file",
    [
        "cascade_extractor/model/model.safetensors",
        "cascade_classifier/adapter/adapter_model.safetensors",
    ],
)
@pytest.mark.parametrize("damage", ["cut", "header"])
def test_damaged_weights(saved: Path, file: str, damage: str) -> None:
    data = (saved / file).read_bytes()
    (saved / file).write_bytes(
        data[: len(data) // 2] if damage == "cut" else b"garbage!" * 10
    )
    with pytest.raises(CascadeError) as err:
        spacy.load(saved)
    assert code(err) == "C018"


def test_adapter_of_another_shape(saved: Path, lively: Path) -> None:
    nlp = util.blank()
    nlp.add_pipe(
        "cascade_extractor",
        config={"model": util.model_config(lively), "adapter": {"rank": 2}},
    )
    pipe: Any = nlp.get_pipe("cascade_extractor")
    pipe.start_training()
    pipe.lm.save_adapter(pipe.weights.adapter, saved / "other")
    shutil.copy(
        saved / "other" / "adapter_model.safetensors",
        saved / "cascade_extractor" / "adapter" / "adapter_model.safetensors",
    )
    with pytest.raises(CascadeError) as err:
        spacy.load(saved)
    assert code(err) == "C013"


@pytest.mark.parametrize("stage", ["cascade_extractor", "cascade_classifier"])
def test_missing_cascade_json(saved: Path, stage: str) -> None:
    (saved / stage / "cascade.json").unlink()
    with pytest.raises(CascadeError) as err:
        spacy.load(saved)
    assert code(err) == "C040"
    assert "cascade.json" in str(err.value)


@pytest.mark.parametrize("content", ["{", "", "[]", "{}", "null", '{"name": "x"}'])
def test_damaged_cascade_json(saved: Path, content: str) -> None:
    (saved / "cascade_classifier" / "cascade.json").write_text(content)
    with pytest.raises(CascadeError) as err:
        spacy.load(saved)
    assert code(err) in ("C018", "C040")


def test_missing_base_of_a_full_save(saved: Path) -> None:
    shutil.rmtree(saved / "cascade_extractor" / "model")
    with pytest.raises(CascadeError) as err:
        spacy.load(saved)
    assert code(err) == "C040"


@pytest.mark.parametrize("name", ["cascade_extractor", "cascade_classifier"])
def test_directory_of_the_other_stage(saved: Path, lively: Path, name: str) -> None:
    """The two stages' directories are easily mixed up in a config."""
    other = {
        "cascade_extractor": "cascade_classifier",
        "cascade_classifier": "cascade_extractor",
    }[name]
    with pytest.raises(CascadeError) as err:
        util.cascade(lively).get_pipe(name).from_disk(saved / other)  # type: ignore[attr-defined]
    assert code(err) == "C040"


def test_saved_without_weights_and_no_base_given(lively: Path, tmp_path: Path) -> None:
    alone(lively, "adapter").to_disk(tmp_path / "nlp")
    config = spacy.util.load_config(tmp_path / "nlp" / "config.cfg")
    config["components"]["cascade_extractor"]["model"]["name"] = ""
    config.to_disk(tmp_path / "nlp" / "config.cfg")
    with pytest.raises(CascadeError) as err:
        spacy.load(tmp_path / "nlp")
    assert code(err) == "C041"
    assert str(lively) in str(err.value)
    assert "adapter" in str(err.value)


def test_bytes_that_lead_out_of_the_directory(lively: Path) -> None:
    import srsly

    pipe: Any = util.cascade(lively).get_pipe("cascade_extractor")
    with pytest.raises(CascadeError) as err:
        pipe.from_bytes(srsly.msgpack_dumps({"../evil": b"x"}))
    assert code(err) == "C018"


@pytest.mark.slow
def test_a_failed_save_leaves_the_old_one(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nlp = spacy.load(saved)
    before = results(nlp)
    pipe: Any = nlp.get_pipe("cascade_extractor")

    def full(*args: Any) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(pipe.lm, "save", full)
    with pytest.raises(OSError, match="no space"):
        pipe.to_disk(saved / "cascade_extractor")
    assert results(spacy.load(saved)) == before
