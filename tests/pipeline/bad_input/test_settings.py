"""Errors in the settings of components, models, loops and adapters."""

from __future__ import annotations

from typing import Any

import pytest
from spacy.util import registry as spacy_registry

from spacy_cascade.models.spec import hf_spec
from spacy_cascade.models.trainable import lora_config
from spacy_cascade.training.loop import SFT
from tests import util

from .util import fails


@pytest.mark.parametrize(
    ("factory", "option", "choices"),
    [
        ("cascade_extractor", "window", "auto, sents, stride"),
        ("cascade_extractor", "save_weights", "full, adapter, none"),
        ("cascade_classifier", "source", "spans, ents"),
        ("cascade_classifier", "strategy", "progressive, beam, path"),
        ("cascade_classifier", "save_weights", "full, adapter, none"),
    ],
)
def test_c020_unknown_choice_in_the_config(
    factory: str, option: str, choices: str
) -> None:
    fails(
        "C020",
        lambda: util.blank().add_pipe(factory, config={option: "nonsense"}),
        "'nonsense'",
        f"'{option}'",
        choices,
    )


@pytest.mark.parametrize(
    ("settings", "choices"),
    [({"dtype": "int3"}, "float32"), ({"quantization": "2bit"}, "8bit, 4bit")],
)
def test_c020_unknown_model_setting(settings: dict[str, Any], choices: str) -> None:
    fails(
        "C020", lambda: hf_spec("x", **settings), next(iter(settings.values())), choices
    )


@pytest.mark.parametrize("option", ["objective", "optimizer", "precision"])
def test_c020_unknown_loop_setting(option: str) -> None:
    values: dict[str, Any] = {option: "nonsense"}
    fails(
        "C020", lambda: SFT(["a"], max_steps=1, **values), "'nonsense'", f"'{option}'"
    )


def test_c020_unknown_adapter_setting() -> None:
    fails("C020", lambda: lora_config({"rnk": 3}), "'rnk'", "rank, alpha")


@pytest.mark.parametrize(
    ("factory", "option", "value"),
    [
        ("cascade_extractor", "rounds", 0),
        ("cascade_extractor", "temperature", 0.0),
        ("cascade_extractor", "open_threshold", -0.1),
        ("cascade_extractor", "open_threshold", 1.1),
        ("cascade_extractor", "max_tokens", 7),
        ("cascade_extractor", "overlap", -1),
        ("cascade_extractor", "overlap", 129),
        ("cascade_classifier", "beam_width", 0),
        ("cascade_classifier", "min_score", 1.5),
        ("cascade_classifier", "min_score", -0.1),
        ("cascade_classifier", "score_threshold", 1.5),
        ("cascade_extractor", "score_threshold", -0.1),
        ("cascade_classifier", "max_tokens", 0),
    ],
)
def test_c021_impossible_number_in_the_config(
    factory: str, option: str, value: Any
) -> None:
    fails(
        "C021",
        lambda: util.blank().add_pipe(factory, config={option: value}),
        f"'{option}' must be",
        repr(value),
    )


@pytest.mark.parametrize(
    "settings",
    [
        {"max_steps": 0},
        {"max_steps": 1, "batch_size": 0},
        {"max_steps": 1, "accumulate": 0},
    ],
)
def test_c021_impossible_loop_setting(settings: dict[str, Any]) -> None:
    fails("C021", lambda: SFT(["a"], **settings), "must be")


@pytest.mark.parametrize("rank", [0, -1, 1.5, "8"])
def test_c021_impossible_rank(rank: Any) -> None:
    fails(
        "C021",
        lambda: lora_config({"rank": rank}),
        "adapter.rank",
        repr(rank) if not isinstance(rank, str) else rank,
    )


def test_c021_impossible_batch_tokens() -> None:
    fails("C021", lambda: hf_spec("x", batch_tokens=0), "batch_tokens")
    fails("C021", lambda: hf_spec("x", cache_tokens=-1), "cache_tokens")


@pytest.mark.parametrize("value", ["many", None, [1]])
def test_a_setting_of_the_wrong_type_is_a_config_error(value: Any) -> None:
    from thinc.api import ConfigValidationError

    with pytest.raises(ConfigValidationError, match="rounds"):
        util.blank().add_pipe("cascade_extractor", config={"rounds": value})


@pytest.mark.parametrize(
    "name", ["causal_lms", "prompts", "taxonomies", "training_loops"]
)
def test_an_unknown_registered_name_lists_the_known_ones(name: str) -> None:
    with pytest.raises(Exception, match=r"spacy-cascade\."):
        getattr(spacy_registry, name).get("spacy-cascade.Nonsense.v1")
