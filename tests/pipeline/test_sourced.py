"""Components that were sourced belong to the pipeline that they were put into."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import spacy
from spacy.language import Language

from tests import util

OTHER = ["agent", "place > town"]


def through_disk(nlp: Language, path: Path) -> Language:
    nlp.to_disk(path)
    return spacy.load(path)


def through_bytes(nlp: Language, path: Path) -> Language:
    return type(nlp).from_config(nlp.config).from_bytes(nlp.to_bytes())


def found(nlp: Language) -> list[Any]:
    return [(util.entities(d), util.spans(d)) for d in nlp.pipe(util.SENTENCES)]


def refiner(base: Path, source: Language, name: str = "cascade_classifier") -> Language:
    """A classifier alone, behind a ruler."""
    nlp = util.blank()
    ruler: Any = nlp.add_pipe("entity_ruler")
    # not by phrases, which spaCy loses through bytes
    ruler.add_patterns(
        [{"label": "X", "pattern": [{"TEXT": {"IN": ["Paris", "Berlin"]}}]}]
    )
    nlp.add_pipe("cascade_classifier", source=source, name=name)
    return nlp


def test_the_extractor_looks_for_the_types_of_the_classifier_beside_it(
    lively: Path,
) -> None:
    """Both come from pipelines with another classifier."""
    named = {
        "template": {"@prompts": "spacy-cascade.CompactExtract.v1", "labels": True}
    }
    first = util.cascade(lively, extractor=named)
    second = util.cascade(lively, classifier={"taxonomy": util.labels_config(OTHER)})
    nlp = util.blank()
    extractor: Any = nlp.add_pipe("cascade_extractor", source=first)
    doc = nlp.make_doc("Paris")
    assert extractor._labels(doc) == ()
    classifier: Any = nlp.add_pipe("cascade_classifier", source=second, name="typer")
    assert extractor._labels(doc) == ("agent", "place")
    nlp.disable_pipe("typer")
    assert extractor._labels(doc) == ("agent", "place")
    classifier.set_taxonomy(["river"])
    assert extractor._labels(doc) == ("river",)


def test_the_config_of_the_pipeline_shows_changed_settings(lively: Path) -> None:
    source = util.cascade(lively)
    nlp = util.blank()
    pipe: Any = nlp.add_pipe("cascade_extractor", source=source, name="finder")
    pipe.open_threshold = 0.05
    assert nlp.config["components"]["finder"]["open_threshold"] == 0.05
    assert source.config["components"]["cascade_extractor"]["open_threshold"] == 0.5


def test_gold_is_scored_in_the_spelling_of_the_pipeline(lively: Path) -> None:
    source = util.cascade(lively)
    nlp = util.blank()
    nlp.add_pipe("cascade_extractor", source=source)
    labels = util.labels_config(["PERSON", "LOCATION > CITY", "LOCATION > COUNTRY"])
    shared = {**util.SHARED, "component": "cascade_extractor"}
    nlp.add_pipe("cascade_classifier", config={"model": shared, "taxonomy": labels})
    extractor: Any = nlp.get_pipe("cascade_extractor")
    [eg] = util.examples(nlp, util.GOLD[:1])
    eg.predicted = nlp(eg.predicted)
    expected = nlp.get_pipe("cascade_classifier").score([eg])  # type: ignore[attr-defined]
    assert extractor.score([eg]) == expected


@pytest.mark.slow
@pytest.mark.parametrize("way", [through_disk, through_bytes])
@pytest.mark.parametrize("name", ["cascade_classifier", "typer"])
def test_a_classifier_alone_takes_its_base_along(
    lively: Path, tmp_path: Path, way: Any, name: str
) -> None:
    nlp = refiner(lively, util.cascade(lively, classifier={"source": "ents"}), name)
    again = way(nlp, tmp_path / "nlp")
    texts = ["She lives in Paris.", "Berlin, Paris"]
    assert [util.entities(d) for d in again.pipe(texts)] == [
        util.entities(d) for d in nlp.pipe(texts)
    ]


@pytest.mark.parametrize("way", [through_disk, through_bytes])
def test_a_component_of_its_owners_name_does_not_lend_its_base(
    lively: Path, other_base: Path, tmp_path: Path, way: Any
) -> None:
    nlp = util.blank()
    nlp.add_pipe("cascade_extractor", config={"model": util.model_config(other_base)})
    source = util.cascade(lively)
    pipe: Any = nlp.add_pipe("cascade_classifier", source=source)
    assert pipe.lm is source.get_pipe("cascade_extractor").lm  # type: ignore[attr-defined]
    expected = found(nlp)
    again = way(nlp, tmp_path / "nlp")
    assert found(again) == expected


def test_what_is_put_back_belongs_to_the_first_pipeline_again(lively: Path) -> None:
    source = util.cascade(lively)
    nlp = util.blank()
    pipe: Any = nlp.add_pipe("cascade_extractor", source=source, name="finder")
    assert pipe.name == "finder"
    source.add_pipe("sentencizer", first=True)
    assert pipe.name == "cascade_extractor"
    pipe.rounds = 2
    assert source.config["components"]["cascade_extractor"]["rounds"] == 2
    assert nlp.config["components"]["finder"]["rounds"] == 1
