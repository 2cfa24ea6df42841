"""Bases that components share, when their owner is gone or renamed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import spacy
from spacy.language import Language

from tests import util

from .util import found, through_disk


def models(path: Path) -> list[str]:
    return sorted(
        str(p.parent.parent.relative_to(path))
        for p in path.rglob("model/model.safetensors")
    )


def trained(base: Path, tmp_path: Path, **classifier: Any) -> Language:
    """A saved pipeline whose weights are nowhere else."""
    util.cascade(base, classifier=classifier)
    nlp = util.cascade(base, classifier=classifier)
    nlp("warm up")
    nlp.to_disk(tmp_path / "source")
    config = spacy.util.load_config(tmp_path / "source" / "config.cfg")
    config["components"]["cascade_extractor"]["model"]["name"] = ""
    config.to_disk(tmp_path / "source" / "config.cfg")
    return spacy.load(tmp_path / "source")


@pytest.mark.slow
@pytest.mark.parametrize("run", [False, True])
def test_renamed_owner(lively: Path, tmp_path: Path, run: bool) -> None:
    nlp = trained(lively, tmp_path)
    expected = found(spacy.load(tmp_path / "source"))
    if run:
        nlp("warm up")
    nlp.rename_pipe("cascade_extractor", "finder")
    again = through_disk(nlp, tmp_path / "nlp")
    shutil.rmtree(tmp_path / "source")
    assert found(again) == found(nlp) == expected
    assert models(tmp_path / "nlp") == ["finder"]
    assert found(through_disk(again, tmp_path / "twice")) == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    "names", [("finder", "typer"), ("cascade_extractor", "cascade_classifier")]
)
@pytest.mark.parametrize("run", [False, True])
def test_both_sourced(
    lively: Path, tmp_path: Path, names: tuple[str, str], run: bool
) -> None:
    source = trained(lively, tmp_path)
    expected = found(spacy.load(tmp_path / "source"))
    if run:
        source("warm up")
    nlp = util.blank()
    nlp.add_pipe("cascade_extractor", source=source, name=names[0])
    nlp.add_pipe("cascade_classifier", source=source, name=names[1])
    assert found(nlp) == expected
    again = through_disk(nlp, tmp_path / "nlp")
    assert found(again) == expected
    assert models(tmp_path / "nlp") == [names[0]]
    assert again.get_pipe(names[0]).lm is again.get_pipe(names[1]).lm  # type: ignore[attr-defined]
    assert found(through_disk(again, tmp_path / "twice")) == expected


def refined(nlp: Language) -> list[Any]:
    return [
        util.entities(d) for d in nlp.pipe(["She lives in Paris.", "Paris and Rome"])
    ]


@pytest.mark.slow
@pytest.mark.parametrize("how", ["full", "adapter"])
@pytest.mark.parametrize("way", ["removed", "sourced", "sourced under its name"])
@pytest.mark.parametrize("run", [False, True])
def test_an_owner_that_is_gone(
    lively: Path, tmp_path: Path, how: str, way: str, run: bool
) -> None:
    source = trained(lively, tmp_path, source="ents", save_weights=how)
    if run:
        source("warm up")
    if way == "removed":
        nlp = source
        nlp.remove_pipe("cascade_extractor")
    else:
        nlp = util.blank()
        name = "typer" if way == "sourced" else "cascade_classifier"
        nlp.add_pipe("cascade_classifier", source=source, name=name)
    nlp.add_pipe("entity_ruler", first=True).add_patterns(
        [{"label": "X", "pattern": "Paris"}]
    )  # type: ignore[attr-defined]
    again = through_disk(nlp, tmp_path / "nlp")
    expected = refined(nlp)
    shutil.rmtree(tmp_path / "source")
    assert refined(again) == expected
    assert [label for doc in expected for *_, label in doc] != ["X", "X"]
    assert len(models(tmp_path / "nlp")) == 1
    twice = through_disk(again, tmp_path / "twice")
    shutil.rmtree(tmp_path / "nlp")
    assert refined(twice) == expected
