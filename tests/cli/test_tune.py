"""`spacy cascade tune`, and the sweep behind it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import spacy
from spacy.tokens import Doc, DocBin, Span

from spacy_cascade.errors import CascadeError
from spacy_cascade.pipeline.open_ner import Listed, OpenMention
from spacy_cascade.training.thresholds import sweep, tuned_pipe
from tests import util
from tests.cli.util import call

# Score of each word, and whether it is a mention.
WORDS = [
    ("Ann", 0.95, True),
    ("Oslo", 0.6, True),
    ("on", 0.4, False),
    ("of", 0.1, False),
]


@pytest.fixture
def listing(monkeypatch: Any) -> Any:
    """A pipeline that finds every word of WORDS, with its score."""
    nlp = util.blank()
    nlp.add_pipe("open_ner", config={"taxonomy": ["person"]})
    pipe: Any = nlp.get_pipe("open_ner")
    calls = []

    def predict(docs: Any) -> Any:
        calls.extend(docs)
        mentions = []
        for i, (_, score, _) in enumerate(WORDS):
            mentions.append(OpenMention(i, i + 1, score, 1.0, ("person",)))
        return [Listed(mentions, []) for _ in docs]

    monkeypatch.setattr(pipe, "predict", predict)
    return nlp, pipe, calls


def gold(nlp: Any, mentions: bool = True) -> Doc:
    doc = nlp.make_doc(" ".join(word for word, *_ in WORDS))
    ents = []
    for i, (_, _, right) in enumerate(WORDS):
        if right and mentions:
            ents.append(Span(doc, i, i + 1, label="person"))
    doc.set_ents(ents)
    return doc


def test_the_threshold_with_the_best_f1(listing: Any) -> None:
    nlp, pipe, calls = listing
    pipe.score_threshold = 0.3
    found = sweep(nlp, [gold(nlp), gold(nlp)])
    assert len(calls) == 2  # each text is read once
    assert pipe.score_threshold == 0.3
    assert found.types and len(found.points) == 100
    # the lowest of those that leave out what is wrong
    assert found.best.threshold == 0.41
    assert tuple(found.best.typed) == (1.0, 1.0, 1.0)
    assert found.points[0].span == pytest.approx((0.5, 1.0, 2 / 3))
    assert found.points[-1].span == (0.0, 0.0, 0.0)
    assert found.points[70].span == pytest.approx((1.0, 0.5, 2 / 3))


def test_points_are_what_the_pipeline_scores_with_that_threshold(lively: Path) -> None:
    nlp = util.cascade(lively)
    pipe = tuned_pipe(nlp)
    assert pipe.name == "cascade_classifier"
    references = [example.reference for example in util.examples(nlp)]
    found = sweep(nlp, references)
    for k in (0, 15, 40):
        pipe.score_threshold = found.points[k].threshold
        scores = nlp.evaluate(util.examples(nlp))
        assert found.points[k].span.p == pytest.approx(scores["cascade_extraction_p"])
        assert found.points[k].typed.r == pytest.approx(scores["cascade_typed_r"])


def test_a_target_precision(listing: Any) -> None:
    nlp, *_ = listing
    found = sweep(nlp, [gold(nlp)], target_precision=0.6)
    assert found.best.threshold == 0.41
    with pytest.raises(CascadeError) as err:
        wrong = gold(nlp)
        wrong.set_ents([Span(wrong, 3, 4, label="person")])
        sweep(nlp, [wrong], target_precision=0.9)
    assert err.value.code == "C142" and "0.250" in str(err.value)


def test_c140_without_a_component_that_has_a_threshold(lively: Path) -> None:
    with pytest.raises(CascadeError) as err:
        sweep(util.blank(), [])
    assert err.value.code == "C140"
    nlp = util.cascade(lively, extractor={"annotate_ents": False})
    nlp.remove_pipe("cascade_classifier")
    with pytest.raises(CascadeError) as err:
        tuned_pipe(nlp)
    assert err.value.code == "C140" and "cascade_extractor" in str(err.value)


def test_c141_without_gold(listing: Any) -> None:
    nlp, *_ = listing
    for docs in ([], [gold(nlp, mentions=False)], [nlp.make_doc("Ann")]):
        with pytest.raises(CascadeError) as err:
            sweep(nlp, docs)
        assert err.value.code == "C141"


def test_the_command(lively: Path, tmp_path: Path) -> None:
    nlp = util.cascade(lively)
    nlp.to_disk(tmp_path / "nlp")
    docs = [example.reference for example in util.examples(nlp)]
    DocBin(docs=docs, store_user_data=True).to_disk(tmp_path / "dev.spacy")
    target = tmp_path / "tuned"
    text = call(
        "cascade", "tune", tmp_path / "nlp", tmp_path / "dev.spacy", "-o", target
    )
    for column in ("span P", "span R", "span F1", "typed P", "typed R", "typed F1"):
        assert column in text
    assert text.count("->") == 1
    chosen = re.search(r"score_threshold = ([0-9.]+)", text)
    assert chosen is not None
    pipe: Any = spacy.load(target).get_pipe("cascade_classifier")
    assert pipe.score_threshold == float(chosen[1])

    text = call(
        "cascade",
        "tune",
        tmp_path / "nlp",
        tmp_path / "dev.spacy",
        "-o",
        tmp_path / "nlp",
        code=1,
    )
    assert "C123" in text
