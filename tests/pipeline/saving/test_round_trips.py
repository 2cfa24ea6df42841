"""Pipelines that are saved and loaded find the same."""

from __future__ import annotations

import gc
import shutil
from pathlib import Path
from typing import Any

import pytest
import spacy
from spacy.language import Language

from spacy_cascade.models.files import check_safetensors
from tests import util

from .util import results


def test_adapters_matter(trained: Language, lively: Path) -> None:
    assert results(trained) != results(util.cascade(lively))
    assert sum(len(e) for e, _ in results(trained)) > 3


def test_to_disk_and_load(trained: Language, tmp_path: Path) -> None:
    trained.to_disk(tmp_path / "nlp")
    nlp = spacy.load(tmp_path / "nlp")
    assert results(nlp) == results(trained)
    assert nlp.get_pipe("cascade_extractor").lm is nlp.get_pipe("cascade_classifier").lm


def test_the_base_is_saved_once(trained: Language, tmp_path: Path) -> None:
    trained.to_disk(tmp_path / "nlp")
    found = sorted(
        str(p.relative_to(tmp_path / "nlp"))
        for p in (tmp_path / "nlp").rglob("*.safetensors")
    )
    assert found == [
        "cascade_classifier/adapter/adapter_model.safetensors",
        "cascade_extractor/adapter/adapter_model.safetensors",
        "cascade_extractor/drafter.safetensors",
        "cascade_extractor/model/model.safetensors",
    ]


def test_no_pickle_is_written(trained: Language, tmp_path: Path) -> None:
    trained.to_disk(tmp_path / "nlp")
    for stage in ("cascade_extractor", "cascade_classifier"):
        for p in (tmp_path / "nlp" / stage).rglob("*"):
            assert p.is_dir() or p.suffix in (
                ".json",
                ".safetensors",
                ".md",
                ".txt",
                ".jinja",
            ), p
            if p.suffix == ".safetensors":
                check_safetensors(p)


def test_load_needs_neither_the_base_nor_the_network(
    trained: Language, tmp_path: Path
) -> None:
    trained.to_disk(tmp_path / "nlp")
    config = spacy.util.load_config(tmp_path / "nlp" / "config.cfg")
    config["components"]["cascade_extractor"]["model"]["name"] = "nobody/nothing"
    config.to_disk(tmp_path / "nlp" / "config.cfg")
    assert results(spacy.load(tmp_path / "nlp")) == results(trained)


def test_a_saved_pipeline_may_move(trained: Language, tmp_path: Path) -> None:
    trained.to_disk(tmp_path / "a")
    shutil.move(tmp_path / "a", tmp_path / "b")
    assert results(spacy.load(tmp_path / "b")) == results(trained)


@pytest.mark.slow
def test_saving_twice_and_loading_twice(trained: Language, tmp_path: Path) -> None:
    trained.to_disk(tmp_path / "a")
    spacy.load(tmp_path / "a").to_disk(tmp_path / "b")
    assert results(spacy.load(tmp_path / "b")) == results(trained)


@pytest.mark.slow
def test_adapters_go_with_their_pipelines(trained: Language, tmp_path: Path) -> None:
    """A base that is shared in this process does not fill up with the adapters of
    pipelines that are gone.
    """
    trained.to_disk(tmp_path / "nlp")

    def adapters(nlp: Language) -> set[str]:
        return {nlp.get_pipe(name).weights.adapter for name in nlp.pipe_names}

    first, second = (spacy.load(tmp_path / "nlp") for _ in range(2))
    expected, gone = results(second), adapters(first)
    lm = second.get_pipe("cascade_extractor").lm  # type: ignore[attr-defined]
    assert gone | adapters(second) <= set(lm.adapters)
    del first
    gc.collect()
    third = spacy.load(tmp_path / "nlp")
    assert third.get_pipe("cascade_extractor").lm is lm  # type: ignore[attr-defined]
    assert not gone & set(lm.adapters)
    assert adapters(second) | adapters(third) <= set(lm.adapters)
    assert results(second) == results(third) == expected


@pytest.mark.slow
def test_saving_over_the_directory_it_was_loaded_from(
    trained: Language, tmp_path: Path
) -> None:
    trained.to_disk(tmp_path / "a")
    nlp = spacy.load(tmp_path / "a")
    nlp.to_disk(tmp_path / "a")
    assert results(spacy.load(tmp_path / "a")) == results(trained) == results(nlp)


def test_to_bytes(trained: Language) -> None:
    nlp = (
        Language.from_config(trained.config)
        if trained.lang is None
        else type(trained).from_config(trained.config)
    )
    nlp.from_bytes(trained.to_bytes())
    assert results(nlp) == results(trained)


@pytest.mark.slow
def test_component_round_trips(trained: Language, lively: Path, tmp_path: Path) -> None:
    fresh = util.cascade(lively)
    for name in ("cascade_extractor", "cascade_classifier"):
        pipe: Any = trained.get_pipe(name)
        pipe.to_disk(tmp_path / name)
        fresh.get_pipe(name).from_disk(tmp_path / name)  # type: ignore[attr-defined]
    assert results(fresh) == results(trained)
    again = util.cascade(lively)
    for name in ("cascade_extractor", "cascade_classifier"):
        again.get_pipe(name).from_bytes(trained.get_pipe(name).to_bytes())
    assert results(again) == results(trained)


def test_taxonomy_is_saved(trained: Language, tmp_path: Path) -> None:
    nlp = util.blank().from_bytes(
        trained.to_bytes(), exclude=["cascade_extractor", "cascade_classifier"]
    )
    assert nlp.pipe_names == []
    pipe: Any = trained.get_pipe("cascade_classifier")
    before = pipe.taxonomy
    try:
        pipe.set_taxonomy({"agent": ["human"], "place": None})
        trained.to_disk(tmp_path / "nlp")
    finally:
        pipe.set_taxonomy(before)
    loaded: Any = spacy.load(tmp_path / "nlp").get_pipe("cascade_classifier")
    assert list(loaded.taxonomy) == [("agent",), ("agent", "human"), ("place",)]


def test_exclude_weights(trained: Language, lively: Path, tmp_path: Path) -> None:
    pipe: Any = trained.get_pipe("cascade_extractor")
    pipe.to_disk(tmp_path / "p", exclude=["weights"])
    assert not list((tmp_path / "p").rglob("*.safetensors"))
