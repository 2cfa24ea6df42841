"""What is saved is what runs: label sets of components, texts and configs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import spacy

from tests import util

from .util import pipeline, through_disk

OWN = util.labels_config(["agent", "place->town"])
DYNAMIC = {"@taxonomies": "spacy-cascade.DynamicNER.v1"}


@pytest.mark.parametrize(
    "name", ["cascade_extractor", "cascade_classifier", "open_ner"]
)
@pytest.mark.parametrize(
    ("given", "roots"), [(OWN, ("agent", "place")), (DYNAMIC, None)]
)
def test_a_label_set_given_when_loading_counts(
    lively: Path, tmp_path: Path, name: str, given: Any, roots: Any
) -> None:
    pipeline(lively).to_disk(tmp_path / "nlp")
    nlp = spacy.load(
        tmp_path / "nlp", config={"components": {name: {"taxonomy": given}}}
    )
    found = nlp.get_pipe(name).taxonomy.roots  # type: ignore[attr-defined]
    assert found == roots if roots else len(found) == 8
    again = through_disk(nlp, tmp_path / "again").get_pipe(name)
    assert again.taxonomy.roots == found  # type: ignore[attr-defined]


def _old(path: Path) -> None:
    """Make a saved pipeline look as if an earlier version had written it."""
    for file in path.rglob("cascade.json"):
        meta = json.loads(file.read_text("utf8"))
        old = (
            "kind",
            "name",
            "save_weights",
            "taxonomy",
            "base",
            "adapter",
            "weights",
            "calibration",
        )
        file.write_text(json.dumps({k: v for k, v in meta.items() if k in old}))


@pytest.mark.parametrize("old", [False, True])
def test_a_changed_label_set_is_saved_and_another_can_be_given(
    lively: Path, tmp_path: Path, old: bool
) -> None:
    nlp = util.cascade(lively)
    before = spacy.util.load_config_from_str(nlp.config.to_str())
    pipe: Any = nlp.get_pipe("cascade_classifier")
    pipe.set_taxonomy(
        {
            "tree": {"agent": ["human"], "place": None},
            "descriptions": {"agent": "who acts"},
        }
    )
    nlp.to_disk(tmp_path / "nlp")
    if old:  # whose config showed what was there before
        before.to_disk(tmp_path / "nlp" / "config.cfg")
        _old(tmp_path / "nlp")
    loaded: Any = spacy.load(tmp_path / "nlp").get_pipe("cascade_classifier")
    assert loaded.taxonomy == pipe.taxonomy
    assert loaded.taxonomy.description(("agent",)) == "who acts"
    for given, n in ((util.labels_config(["x"]), 1), (DYNAMIC, 8)):
        config = {"components": {"cascade_classifier": {"taxonomy": given}}}
        other: Any = spacy.load(tmp_path / "nlp", config=config).get_pipe(
            "cascade_classifier"
        )
        assert len(other.taxonomy.roots) == n


def test_the_config_shows_the_label_set_in_use(lively: Path) -> None:
    nlp = util.cascade(lively)
    nlp.get_pipe("cascade_classifier").set_taxonomy(["agent", "place->town"])
    assert nlp.config["components"]["cascade_classifier"]["taxonomy"] == OWN


@pytest.mark.parametrize(
    ("given", "roots"), [(OWN, ("agent", "place")), (DYNAMIC, ("person", "location"))]
)
def test_assembling_takes_weights_and_a_label_set_that_is_not_the_default(
    lively: Path, tmp_path: Path, given: Any, roots: tuple[str, ...]
) -> None:
    trained = util.cascade(lively, classifier={"min_score": 0.4})
    trained("warm up")
    trained.to_disk(tmp_path / "nlp")
    pipe: Any = util.cascade(
        lively, classifier={"taxonomy": given, "min_score": 0.2}
    ).get_pipe("cascade_classifier")
    pipe.initialize(weights=tmp_path / "nlp" / "cascade_classifier")
    assert (pipe.min_score, pipe.taxonomy.roots) == (0.2, roots)


def test_a_component_by_itself_loads_all_that_was_saved(
    lively: Path, tmp_path: Path
) -> None:
    nlp = util.cascade(lively)
    pipe: Any = nlp.get_pipe("cascade_classifier")
    pipe.min_score = 0.9
    nlp.to_disk(tmp_path / "nlp")
    fresh: Any = util.cascade(lively, classifier={"taxonomy": DYNAMIC}).get_pipe(
        "cascade_classifier"
    )
    fresh.from_disk(tmp_path / "nlp" / "cascade_classifier")
    assert (fresh.min_score, fresh.taxonomy.roots) == (0.9, ("person", "location"))
