"""Models, templates, drafters and taxonomies that a config gives in short."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import spacy

from spacy_cascade.errors import CascadeError
from tests import util

from .saving.util import found


def test_a_model_given_as_a_string(lively: Path) -> None:
    nlp = util.blank()
    nlp.add_pipe(
        "cascade_extractor",
        config={
            "model": str(lively),
            "template": "CompactExtract.v1",
            "drafter": "CuesDrafter.v1",
        },
    )
    plain = util.blank()
    plain.add_pipe("cascade_extractor", config={"model": util.model_config(lively)})
    assert [util.entities(d) for d in nlp.pipe(util.SENTENCES)] == [
        util.entities(d) for d in plain.pipe(util.SENTENCES)
    ]


@pytest.mark.parametrize(
    ("given", "n"),
    [("dynamicner", 8), ("spacy-cascade.DynamicNER.v1", 8), (["a", "b"], 2)],
)
def test_a_taxonomy_given_in_short(given: Any, n: int) -> None:
    pipe: Any = util.blank().add_pipe("cascade_classifier", config={"taxonomy": given})
    assert len(pipe.taxonomy.roots) == n


@pytest.mark.parametrize(
    ("option", "value", "parts"),
    [
        ("model", 3, ["'model'", "can't be 3", "SharedLM.v1"]),
        (
            "template",
            "Compact",
            ["'template'", "'Compact'", "spacy-cascade.CompactExtract.v1"],
        ),
        ("drafter", "x", ["'drafter'", "'x'", "spacy-cascade.TaggerDrafter.v1"]),
    ],
)
def test_what_can_not_be_understood_is_named(
    option: str, value: Any, parts: list[str]
) -> None:
    with pytest.raises(CascadeError) as err:
        util.blank().add_pipe("cascade_extractor", config={option: value})
    assert err.value.code == "C080"
    assert all(part in str(err.value) for part in parts)


def test_the_first_seconds(lively: Path, tmp_path: Path) -> None:
    """Without a model the message has the lines that help, and they work."""
    nlp = util.blank()
    nlp.add_pipe("cascade_extractor")
    with pytest.raises(CascadeError) as err:
        nlp("Berlin")
    assert err.value.code == "C010"
    lines = (
        'nlp = spacy.load("xx_cascade_open_sm")',
        'nlp.add_pipe("cascade_extractor", source=spacy.load("xx_cascade_open_sm"))',
        'nlp.add_pipe("cascade_extractor", config={"model": "Qwen/Qwen2.5-0.5B"})',
    )
    assert all(line in str(err.value) for line in lines)
    util.cascade(lively).to_disk(tmp_path / "nlp")
    helped = util.blank()
    for line in (lines[1], lines[1].replace("extractor", "classifier")):
        exec(
            line.replace("xx_cascade_open_sm", str(tmp_path / "nlp")),
            {"nlp": helped, "spacy": spacy},
        )
    assert found(helped) == found(util.cascade(lively))
