"""`score_threshold`: which mentions are sure enough for `doc.ents`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc

from spacy_cascade.errors import CascadeError
from spacy_cascade.pipeline.calibration import Calibration
from spacy_cascade.pipeline.open_ner import Listed, OpenMention
from tests import util

Spans = set[tuple[int, int]]


def extractor(base: Path) -> Language:
    nlp = util.cascade(base)
    nlp.remove_pipe("cascade_classifier")
    return nlp


def open_ner(base: Path) -> Language:
    nlp = util.blank()
    settings = {"model": util.model_config(base), "taxonomy": util.labels_config()}
    nlp.add_pipe("open_ner", config=settings)
    return nlp


PIPELINES = {
    "cascade_extractor": extractor,
    "cascade_classifier": util.cascade,
}


@pytest.fixture(scope="module", params=sorted(PIPELINES))
def pipeline(request: Any, lively: Path) -> tuple[Language, Any]:
    """A pipeline, and the component whose entities are looked at."""
    nlp = PIPELINES[request.param](lively)
    return nlp, nlp.get_pipe(request.param)


@pytest.fixture(autouse=True)
def as_before(request: Any) -> Iterator[None]:
    """Leave the pipelines without a threshold."""
    yield
    if "pipeline" in request.fixturenames:
        request.getfixturevalue("pipeline")[1].score_threshold = 0.0


def scored(doc: Doc) -> list[tuple[int, int, float]]:
    return [(s.start, s.end, s._.cascade_score) for s in doc.spans["cascade"]]


def ents(doc: Doc) -> Spans:
    return {(ent.start, ent.end) for ent in doc.ents}


def test_low_scores_stay_out_of_the_entities(pipeline: tuple[Language, Any]) -> None:
    nlp, pipe = pipeline
    assert pipe.score_threshold == 0.0
    before = list(nlp.pipe(util.SENTENCES))
    scores = sorted(score for doc in before for *_, score in scored(doc))
    middle = len(scores) // 2
    # between two scores, which drafts move by float noise
    pipe.score_threshold = limit = (scores[middle - 1] + scores[middle]) / 2

    after = list(nlp.pipe(util.SENTENCES))
    for old, new in zip(before, after, strict=True):
        pairs = zip(scored(old), scored(new), strict=True)
        assert all(a == pytest.approx(b, abs=1e-5) for a, b in pairs)
    for old, new in zip(before, after, strict=True):
        sure = {(start, end) for start, end, score in scored(old) if score >= limit}
        assert ents(new) <= sure
        # what was an entity and is sure enough still is one
        assert ents(old) & sure <= ents(new)
    assert sum(map(len, map(ents, after))) < sum(map(len, map(ents, before)))


def test_a_threshold_of_one_leaves_certain_mentions_alone(
    pipeline: tuple[Language, Any],
) -> None:
    nlp, pipe = pipeline
    pipe.score_threshold = 1.0
    for doc in nlp.pipe(util.SENTENCES):
        assert all(ent._.cascade_score == 1.0 for ent in doc.ents)


def test_scores_are_compared_as_they_are_shown(lively: Path) -> None:
    """Calibrated, where there is a calibration."""
    nlp = extractor(lively)
    pipe: Any = nlp.get_pipe("cascade_extractor")
    pipe.calibration = Calibration("isotonic", (0.2, 0.3), (0.0, 1.0))
    pipe.score_threshold = 0.2
    docs = list(nlp.pipe(util.SENTENCES))
    assert any(doc.ents for doc in docs)
    pipe.score_threshold = 0.31
    assert not any(doc.ents for doc in nlp.pipe(util.SENTENCES))


def test_an_unlikely_mention_hides_no_likely_one_inside_it(lively: Path) -> None:
    nlp = open_ner(lively)
    pipe: Any = nlp.get_pipe("open_ner")
    found = [
        OpenMention(0, 3, 0.5, 0.5, ("person",)),
        OpenMention(0, 1, 0.9, 0.9, ("person",)),
    ]
    for threshold, expected in ((0.0, {(0, 3)}), (0.3, {(0, 1)}), (0.9, set())):
        pipe.score_threshold = threshold
        doc = nlp.make_doc("John likes Mary")
        pipe.set_annotations([doc], [Listed(found, [])])
        assert ents(doc) == expected
        assert len(doc.spans["cascade"]) == 2


def test_entities_of_others_keep_their_label() -> None:
    nlp, _ = util.scripted(
        {"Paris": ("location",)}, classifier={"source": "ents"}, stages=["classifier"]
    )
    ruler: Any = nlp.add_pipe("entity_ruler", first=True)
    ruler.add_patterns([{"label": "GPE", "pattern": "Paris"}])
    pipe: Any = nlp.get_pipe("cascade_classifier")
    refined = nlp("Paris").ents[0].label_
    assert refined != "GPE"
    pipe.score_threshold = 1.0
    doc = nlp("Paris")
    assert [ent.label_ for ent in doc.ents] == ["GPE"]
    assert [span.label_ for span in doc.spans["cascade"]] == [refined]


def test_it_is_saved_and_checked(
    pipeline: tuple[Language, Any], tmp_path: Path
) -> None:
    nlp, pipe = pipeline
    pipe.score_threshold = 0.25
    nlp.to_disk(tmp_path / "nlp")
    again: Any = spacy.load(tmp_path / "nlp").get_pipe(pipe.name)
    assert again.score_threshold == 0.25

    with pytest.raises(CascadeError) as err:
        pipe.score_threshold = 7
    assert err.value.code == "C021" and "score_threshold" in str(err.value)
    assert pipe.score_threshold == 0.25
