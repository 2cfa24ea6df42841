"""What spans and Docs tell of the cascade, also when they were saved, cut into parts or
put together.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest
from spacy.language import Language
from spacy.tokens import Doc, DocBin

from spacy_cascade.doc.annotations import COVERAGE_KEY, set_candidates
from spacy_cascade.pipeline.windows import PROCESSED
from tests import util

TEXTS = (
    "John saw Paris.",
    "In France John slept.",
    "Nothing here.",
    "Paris is in France",
)


@pytest.fixture(scope="module")
def both(lively: Path) -> Language:
    nlp = util.cascade(lively, extractor={"rounds": 2, "window": "sents"})
    nlp.add_pipe("sentencizer", first=True)
    return nlp


# -- Of spans and Docs ---------------------------------------------------------------


def test_paths_scores_and_labels_are_read_from_spans() -> None:
    nlp, _ = util.scripted(util.NAMES)
    doc = nlp("John saw Paris.")
    john, paris = doc.ents
    assert (john.label_, john._.cascade_path) == ("person", "person")
    assert (paris.label_, paris._.cascade_path) == ("city", "location > city")
    group = doc.spans["cascade"]
    for span, p, q in zip(
        group, group.attrs["scores"], group.attrs["path_scores"], strict=True
    ):
        assert span._.cascade_score == pytest.approx(p * q)
        assert 0 < span._.cascade_score < 1
    assert doc[1:2]._.cascade_path == ""
    assert doc[1:2]._.cascade_score is None


def test_attributes_of_a_doc_that_the_cascade_never_saw(nlp: Language) -> None:
    doc = nlp.make_doc("John")
    assert doc[0:1]._.cascade_path == ""
    assert doc[0:1]._.cascade_score is None
    assert doc._.cascade_coverage == []
    assert doc._.cascade_labels is None


def test_paths_and_scores_are_found_after_retokenization() -> None:
    """merge_entities changes token indices, and those of span groups stay as they were."""
    nlp, _ = util.scripted({"New York": ("location", "city"), "Ann Lee": ("person",)})
    nlp.add_pipe("merge_entities")
    doc = nlp("Ann Lee left New York")
    assert [(t.text, t.ent_type_) for t in doc] == [
        ("Ann Lee", "person"),
        ("left", ""),
        ("New York", "city"),
    ]
    assert [e._.cascade_path for e in doc.ents] == ["person", "location > city"]
    assert all(e._.cascade_score > 0.9 for e in doc.ents)


def test_paths_and_scores_as_json() -> None:
    nlp, _ = util.scripted({"York": ("location", "city")})
    doc = nlp("To York")
    found = json.loads(json.dumps(doc.to_json(underscore=["cascade_entities"])))["_"][
        "cascade_entities"
    ]
    assert found == [
        {
            "start": 3,
            "end": 7,
            "label": "city",
            "path": "location > city",
            "score": doc.ents[0]._.cascade_score,
        }
    ]
    assert nlp.make_doc("To York")._.cascade_entities == []


# -- Joined, cut, saved --------------------------------------------------------------


def test_docs_put_together_keep_paths_scores_and_coverage(both: Language) -> None:
    docs = list(both.pipe(util.SENTENCES))
    with warnings.catch_warnings():
        warnings.simplefilter(
            "error"
        )  # spaCy warns of attributes that it leaves behind
        joined = Doc.from_docs(docs)
    at, entities, coverage = 0, [], []
    for doc in docs:
        assert joined.text[at : at + len(doc.text)] == doc.text
        entities += [
            {**e, "start": e["start"] + at, "end": e["end"] + at}
            for e in doc._.cascade_entities
        ]
        coverage += [
            (start + at, end + at, status)
            for start, end, status in doc._.cascade_coverage
        ]
        at += len(doc.text) + (not doc[-1].whitespace_)
    assert len({e["path"] for e in entities}) > 1 and all(
        e["path"] and e["score"] for e in entities
    )
    assert joined._.cascade_entities == entities
    assert joined._.cascade_coverage == coverage


def test_sentences_as_docs_keep_paths_scores_and_coverage(both: Language) -> None:
    doc = both(" ".join(util.SENTENCES))
    sents = list(doc.sents)
    parts = [sent.as_doc(copy_user_data=True) for sent in sents]
    assert sum(len(part.ents) for part in parts) == len(doc.ents) > 3
    found = [
        (e.text, e._.cascade_path, e._.cascade_score)
        for part in parts
        for e in part.ents
    ]
    assert found == [(e.text, e._.cascade_path, e._.cascade_score) for e in doc.ents]
    for sent, part in zip(sents, parts, strict=True):
        assert part._.cascade_coverage == [
            (start - sent.start_char, end - sent.start_char, status)
            for start, end, status in doc._.cascade_coverage
            if start >= sent.start_char and end <= sent.end_char
        ]
    assert sum(len(part._.cascade_coverage) for part in parts) == len(
        doc._.cascade_coverage
    )
    again = Doc.from_docs(parts)
    assert [(e.text, e._.cascade_path, e._.cascade_score) for e in again.ents] == found
    assert again._.cascade_coverage == doc._.cascade_coverage


def test_a_part_of_a_window_covers_its_own_text() -> None:
    nlp, _ = util.scripted(util.NAMES)
    part = nlp("John saw Paris. In France John slept.")[4:6].as_doc(copy_user_data=True)
    assert part.text == "In France "
    assert part._.cascade_coverage == [(0, len(part.text), PROCESSED)]


def test_mentions_without_types_keep_their_scores() -> None:
    nlp, _ = util.scripted(util.NAMES, stages=["extractor"])
    docs = list(nlp.pipe(TEXTS))
    scores = [e._.cascade_score for doc in docs for e in doc.ents]
    assert len(scores) == 5 and all(scores)
    assert [e._.cascade_score for e in Doc.from_docs(docs).ents] == scores


def test_a_second_run_leaves_nothing_of_the_first_behind() -> None:
    nlp, _ = util.scripted(util.NAMES)
    doc = nlp(TEXTS[0])
    paris = doc.ents[1:]
    set_candidates(doc, "cascade", paris, paths=["location"])
    joined = Doc.from_docs([doc])
    assert [e._.cascade_path for e in joined.ents] == ["", "location"]
    assert [e._.cascade_score for e in joined.ents] == [None, None]


def test_joined_docs_survive_bytes_json_and_a_docbin(both: Language) -> None:
    joined = Doc.from_docs(list(both.pipe(util.SENTENCES)))
    expected = joined._.cascade_entities, joined._.cascade_coverage
    back = Doc(both.vocab).from_bytes(joined.to_bytes())
    assert (back._.cascade_entities, back._.cascade_coverage) == expected
    (back,) = (
        DocBin()
        .from_bytes(DocBin(docs=[joined], store_user_data=True).to_bytes())
        .get_docs(both.vocab)
    )
    assert (back._.cascade_entities, back._.cascade_coverage) == expected
    data = json.loads(
        json.dumps(joined.to_json(underscore=["cascade_path", "cascade_score"]))
    )
    assert Doc(both.vocab).from_json(data)._.cascade_entities == expected[0]


def test_docs_saved_by_earlier_versions_are_read(both: Language) -> None:
    """Those have paths and scores in the span group alone, and the ranges of the
    coverage in one list.
    """
    doc = both(util.SENTENCES[0])
    entities, coverage = doc._.cascade_entities, doc._.cascade_coverage
    assert entities and coverage
    doc.user_data = {COVERAGE_KEY: coverage}
    back = Doc(both.vocab).from_bytes(doc.to_bytes())
    assert (back._.cascade_entities, back._.cascade_coverage) == (entities, coverage)
    set_again = both(Doc(both.vocab).from_bytes(doc.to_bytes()))
    assert (
        COVERAGE_KEY not in set_again.user_data
        and set_again._.cascade_coverage == coverage
    )
