"""What the setting `save_weights` saves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import spacy
import torch
from spacy.language import Language

from tests import util

from .util import alone, results


def _found(nlp: Language) -> list[Any]:
    return [util.entities(d) for d in nlp.pipe(util.SENTENCES)]


@pytest.mark.parametrize(
    ("value", "model", "adapter"),
    [("full", True, True), ("adapter", False, True), ("none", False, False)],
)
def test_save_weights(
    lively: Path, tmp_path: Path, value: str, model: bool, adapter: bool
) -> None:
    nlp = alone(lively, value)
    nlp.to_disk(tmp_path / "nlp")
    folder = tmp_path / "nlp" / "cascade_extractor"
    assert (folder / "model").is_dir() == model
    assert (folder / "adapter").is_dir() == adapter
    meta = json.loads((folder / "cascade.json").read_text())
    assert meta["save_weights"] == value
    again = spacy.load(tmp_path / "nlp")
    assert (_found(again) == _found(nlp)) == adapter
    if value == "none":
        bare = util.blank()
        bare.add_pipe("cascade_extractor", config={"model": util.model_config(lively)})
        assert _found(again) == _found(bare)


def test_the_base_is_recorded_by_name_and_hash(lively: Path, tmp_path: Path) -> None:
    nlp = alone(lively, "adapter")
    nlp.to_disk(tmp_path / "nlp")
    meta = json.loads(
        (tmp_path / "nlp" / "cascade_extractor" / "cascade.json").read_text()
    )
    assert meta["base"]["name"] == str(lively)
    assert meta["base"]["hash"] == nlp.get_pipe("cascade_extractor").lm.fingerprint()


@pytest.mark.slow
def test_a_fully_trained_shared_base_is_saved_with_its_owner(
    lively: Path, tmp_path: Path
) -> None:
    nlp = util.cascade(
        lively, extractor={"adapter": None}, classifier={"adapter": None}
    )
    nlp.initialize(lambda: util.examples(nlp))
    trainable = nlp.get_pipe("cascade_extractor").start_training()  # type: ignore[attr-defined]
    with torch.no_grad():
        for p in trainable.parameters.values():
            p.mul_(1.3)
    nlp.to_disk(tmp_path / "nlp")
    assert [
        str(p.relative_to(tmp_path / "nlp"))
        for p in (tmp_path / "nlp").rglob("*model.safetensors")
    ] == ["cascade_extractor/model/model.safetensors"]
    assert (
        results(spacy.load(tmp_path / "nlp"))
        == results(nlp)
        != results(util.cascade(lively))
    )
