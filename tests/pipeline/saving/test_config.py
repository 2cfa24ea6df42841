"""Configs of pipelines: complete, and the same after a round trip."""

from __future__ import annotations

from pathlib import Path

import pytest
import spacy

from tests import util

from .util import results


def test_config_round_trip(lively: Path) -> None:
    nlp = util.cascade(
        lively,
        extractor={"rounds": 2, "overlap": 32},
        classifier={"strategy": "beam", "min_score": 0.2},
    )
    again = type(nlp).from_config(nlp.config)
    assert again.config == nlp.config
    assert again.get_pipe("cascade_extractor").rounds == 2  # type: ignore[attr-defined]
    assert again.get_pipe("cascade_classifier").min_score == 0.2  # type: ignore[attr-defined]
    assert results(again) == results(nlp)


def test_config_survives_text(lively: Path) -> None:
    nlp = util.cascade(lively)
    config = spacy.util.load_config_from_str(nlp.config.to_str())
    assert type(nlp).from_config(config).config == nlp.config


@pytest.mark.parametrize("factory", ["cascade_extractor", "cascade_classifier"])
def test_default_config_is_complete(factory: str) -> None:
    nlp = util.blank()
    nlp.add_pipe(factory)
    assert type(nlp).from_config(nlp.config).pipe_names == [factory]


@pytest.mark.parametrize("factory", ["cascade_extractor", "cascade_classifier"])
def test_unknown_settings_are_refused(factory: str) -> None:
    from thinc.api import ConfigValidationError

    with pytest.raises(ConfigValidationError):
        util.blank().add_pipe(factory, config={"no_such_setting": 1})


def test_an_untrained_pipeline_saves_without_weights(
    lively: Path, tmp_path: Path
) -> None:
    nlp = util.cascade(lively)
    nlp.to_disk(tmp_path / "nlp")
    assert not list((tmp_path / "nlp").rglob("*.safetensors"))
    assert results(spacy.load(tmp_path / "nlp")) == results(nlp)
