"""What is saved is what runs: settings that were changed on components."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import spacy
from spacy.language import Language

from spacy_cascade.errors import CascadeError
from spacy_cascade.pipeline.settings import settings_of
from tests import util

from .util import pipeline, through_disk

EXTRACTOR: dict[str, Any] = {
    "rounds": 2,
    "temperature": 0.5,
    "open_threshold": 0.123456789012345,
    "window": "stride",
    "max_tokens": 200,
    "overlap": 50,
    "annotate_ents": False,
    "score_threshold": 0.13,
    "overwrite_ents": True,
    "save_weights": "adapter",
    "adapter": {"rank": 2, "alpha": 4, "dropout": 0.0},
}
CLASSIFIER: dict[str, Any] = {
    "source": "ents",
    "strategy": "beam",
    "beam_width": 5,
    "n_best": 2,
    "min_score": 0.97,
    "score_threshold": 0.11,
    "unknown": True,
    "max_tokens": 100,
    "overwrite_ents": True,
    "save_weights": "none",
    "adapter": None,
}
OPEN_NER: dict[str, Any] = {
    "level": 1,
    "adapter_path": None,
    "nested": True,
    "min_score": 0.25,
    "score_threshold": 0.12,
    "window": "sents",
    "max_tokens": 100,
    "overlap": 20,
    "annotate_ents": False,
    "overwrite_ents": True,
    "save_weights": "none",
    "adapter": {"rank": 3, "alpha": 4, "dropout": 0.0},
}
ALL = {
    "cascade_extractor": EXTRACTOR,
    "cascade_classifier": CLASSIFIER,
    "open_ner": OPEN_NER,
}


def change(nlp: Language) -> None:
    for name, values in ALL.items():
        pipe: Any = nlp.get_pipe(name)
        for option, setting in settings_of(type(pipe)).items():
            setattr(pipe, setting.name, values[option])


def values(nlp: Language) -> dict[str, dict[str, Any]]:
    out = {}
    for name in nlp.pipe_names:
        pipe: Any = nlp.get_pipe(name)
        out[name] = {
            option: getattr(pipe, s.name)
            for option, s in settings_of(type(pipe)).items()
        }
    return out


def through_bytes(nlp: Language, path: Path) -> Language:
    return type(nlp).from_config(nlp.config).from_bytes(nlp.to_bytes())


def through_bytes_of_the_first_config(nlp: Language, path: Path) -> Language:
    base = nlp.config["components"]["cascade_extractor"]["model"]["name"]
    return pipeline(base).from_bytes(nlp.to_bytes())


WAYS = [through_disk, through_bytes, through_bytes_of_the_first_config]
Way = Callable[[Language, Path], Language]


@pytest.mark.parametrize("way", WAYS)
def test_every_setting_that_was_changed_is_saved(
    lively: Path, tmp_path: Path, way: Way
) -> None:
    nlp = pipeline(lively)
    change(nlp)
    assert values(nlp) == ALL
    again = values(way(nlp, tmp_path / "nlp"))
    for name, options in ALL.items():
        assert {
            k: (again[name][k], v) for k, v in options.items() if again[name][k] != v
        } == {}
    shown = nlp.config["components"]
    assert {
        name: {k: shown[name][k] for k in options} for name, options in ALL.items()
    } == ALL


def test_every_option_of_the_config_that_can_be_changed_is_a_setting(
    lively: Path,
) -> None:
    nlp = pipeline(lively)
    objects = {"factory", "model", "template", "taxonomy", "drafter", "scorer"}
    for name in nlp.pipe_names:
        assert set(nlp.config["components"][name]) - objects == set(
            settings_of(type(nlp.get_pipe(name)))
        )


def test_a_config_given_when_loading_counts_most(lively: Path, tmp_path: Path) -> None:
    nlp = util.cascade(lively, extractor={"rounds": 3})
    pipe: Any = nlp.get_pipe("cascade_extractor")
    pipe.open_threshold, pipe.rounds = 0.05, 2
    nlp.to_disk(tmp_path / "nlp")
    for given in (0.5, 0.7, 0.05):  # the first is what was there before the change
        config = {"components": {"cascade_extractor": {"open_threshold": given}}}
        loaded: Any = spacy.load(tmp_path / "nlp", config=config).get_pipe(
            "cascade_extractor"
        )
        assert (loaded.open_threshold, loaded.rounds) == (given, 2)


def test_a_config_edited_by_hand_counts(lively: Path, tmp_path: Path) -> None:
    nlp = util.cascade(lively)
    pipe: Any = nlp.get_pipe("cascade_classifier")
    pipe.min_score = 0.9
    nlp.to_disk(tmp_path / "nlp")
    config = spacy.util.load_config(tmp_path / "nlp" / "config.cfg")
    config["components"]["cascade_classifier"]["min_score"] = 0.1
    config.to_disk(tmp_path / "nlp" / "config.cfg")
    assert spacy.load(tmp_path / "nlp").get_pipe("cascade_classifier").min_score == 0.1


def test_settings_of_a_sourced_component_are_saved(
    lively: Path, tmp_path: Path
) -> None:
    """It does not know the pipeline that it was put into, whose config so shows the old value."""
    nlp = util.blank()
    pipe: Any = nlp.add_pipe(
        "cascade_extractor", source=util.cascade(lively), name="finder"
    )
    pipe.open_threshold = 0.05
    loaded: Any = through_disk(nlp, tmp_path / "nlp").get_pipe("finder")
    assert loaded.open_threshold == 0.05


@pytest.mark.parametrize(
    ("name", "option", "value", "code"),
    [
        ("cascade_extractor", "open_threshold", 7, "C021"),
        ("cascade_extractor", "open_threshold", "0.5", "C021"),
        ("cascade_extractor", "open_threshold", float("nan"), "C021"),
        ("cascade_extractor", "rounds", 1.5, "C021"),
        ("cascade_extractor", "rounds", True, "C021"),
        ("cascade_extractor", "temperature", 0, "C021"),
        ("cascade_extractor", "window", "page", "C020"),
        ("cascade_extractor", "annotate_ents", 1, "C021"),
        ("cascade_extractor", "adapter_settings", "lora", "C021"),
        ("cascade_classifier", "source", "doc", "C020"),
        ("cascade_classifier", "strategy", None, "C020"),
        ("cascade_classifier", "min_score", None, "C021"),
        ("cascade_classifier", "save_weights", "all", "C020"),
        ("cascade_classifier", "template", "nothing", "C080"),
        ("cascade_classifier", "template", 3, "C080"),
    ],
)
def test_a_wrong_value_is_refused_when_it_is_set(
    lively: Path, name: str, option: str, value: Any, code: str
) -> None:
    pipe: Any = util.cascade(lively).get_pipe(name)
    before = getattr(pipe, option)
    with pytest.raises(CascadeError) as err:
        setattr(pipe, option, value)
    assert err.value.code == code
    assert getattr(pipe, option) == before


def test_settings_that_do_not_go_together_are_not_saved(
    lively: Path, tmp_path: Path
) -> None:
    nlp = util.cascade(lively)
    pipe: Any = nlp.get_pipe("cascade_extractor")
    pipe.max_tokens = 64  # and overlap 64
    with pytest.raises(CascadeError, match="'overlap' must be") as err:
        nlp.to_disk(tmp_path / "nlp")
    assert err.value.code == "C021"
    pipe.overlap = 16
    nlp.to_disk(tmp_path / "nlp")
    assert spacy.load(tmp_path / "nlp").get_pipe("cascade_extractor").overlap == 16


def test_a_template_that_the_config_does_not_tell_is_not_saved(
    lively: Path, tmp_path: Path
) -> None:
    nlp = util.cascade(lively)
    pipe: Any = nlp.get_pipe("cascade_extractor")
    pipe.template = type(pipe.template)(labels=True)
    with pytest.raises(CascadeError) as err:
        nlp.to_disk(tmp_path / "nlp")
    assert err.value.code == "C081"


def test_the_level_of_open_ner_changes_its_labels(lively: Path) -> None:
    pipe: Any = pipeline(lively).get_pipe("open_ner")
    assert pipe.labels == ("person", "city", "country")
    pipe.level = 1
    assert pipe.labels == ("person", "location")
