"""What other components do to the tokens changes no entity."""

from __future__ import annotations

from typing import Any

import pytest
from spacy.tokens import Doc

from spacy_cascade.doc.annotations import placeholders
from tests import util
from tests.doc.standing import FOUND, NAMES, TEXT, named, with_step


@pytest.mark.parametrize(
    "text",
    [
        "Ann Lee left New York",
        "Ann Lee left New York. John saw Paris and France, and much more.",
        "",
    ],
)
@pytest.mark.parametrize(
    "where",
    [{"after": "cascade_extractor"}, {"last": True}, {"before": "cascade_extractor"}],
)
def test_merge_entities_changes_no_entity(text: str, where: dict[str, Any]) -> None:
    plain, _ = util.scripted(NAMES)
    expected = [
        (*e, p)
        for e, p in zip(
            util.entities(plain(text)),
            (x._.cascade_path for x in plain(text).ents),
            strict=True,
        )
    ]
    nlp, _ = util.scripted(NAMES)
    nlp.add_pipe("merge_entities", **where)
    docs = [nlp(text), *nlp.pipe([text, text])]
    for doc in docs:
        assert [
            (*e, p)
            for e, p in zip(
                util.entities(doc), (x._.cascade_path for x in doc.ents), strict=True
            )
        ] == expected
        assert all(e._.cascade_score > 0.9 for e in doc.ents)
    if where != {"before": "cascade_extractor"}:
        assert all(len(e) == 1 for doc in docs for e in doc.ents)


def test_a_model_reads_the_text_in_the_tokens_it_was_marked_in(lively: Any) -> None:
    """With random weights every other token leads to other types."""
    plain = util.cascade(lively)
    nlp = util.cascade(lively)
    nlp.add_pipe("merge_entities", after="cascade_extractor")
    for a, b in zip(plain.pipe(util.SENTENCES), nlp.pipe(util.SENTENCES), strict=True):
        assert [(e.start_char, e.end_char, e._.cascade_path) for e in a.ents] == [
            (e.start_char, e.end_char, e._.cascade_path) for e in b.ents
        ]
        assert [e._.cascade_score for e in b.ents] == pytest.approx(
            [e._.cascade_score for e in a.ents], abs=1e-5
        )


def test_entities_are_refined_in_the_tokens_that_the_extractor_read(
    lively: Any,
) -> None:
    found = []
    for merge in (False, True):
        nlp = util.cascade(lively, classifier={"source": "ents"})
        if merge:
            nlp.add_pipe("merge_entities", after="cascade_extractor")
        found.append([util.entities(doc) for doc in nlp.pipe(util.SENTENCES)])
    assert found[0] == found[1]


def test_a_mention_of_which_a_merge_left_a_part_has_a_type() -> None:
    """spaCy leaves the entity "Hilton" of "Paris Hilton" when its first word is merged away."""

    def merge(doc: Doc) -> Doc:
        with doc.retokenize() as retokenizer:
            retokenizer.merge(doc[1:3], attrs={"ENT_TYPE": 0, "ENT_IOB": 2})
        return doc

    doc = with_step(merge, after="cascade_extractor")("John saw Paris Hilton in France")
    expected = [
        ("John", "person"),
        ("saw Paris Hilton", "person"),
        ("France", "country"),
    ]
    assert named(doc) == expected


def test_sentences_are_those_of_the_doc(lively: Any) -> None:
    found = []
    for merge in (False, True):
        nlp = util.cascade(lively)
        nlp.add_pipe("sentencizer", first=True)
        if merge:
            nlp.add_pipe("merge_entities", after="cascade_extractor")
        doc = nlp(" ".join(util.SENTENCES[:5]))
        found.append([(e.start_char, e.end_char, e.label_) for e in doc.ents])
    assert found[0] == found[1] and found[0]


def test_tokens_that_are_split_between_the_stages() -> None:
    def split(doc: Doc) -> Doc:
        with doc.retokenize() as retokenizer:
            retokenizer.split(doc[2], ["Pa", "ris"], heads=[doc[1], (doc[2], 0)])
        return doc

    doc = with_step(split, after="cascade_extractor")(TEXT)
    assert named(doc) == FOUND
    assert [len(e) for e in doc.ents] == [1, 2, 1]


@pytest.mark.parametrize(("first", "last"), [(2, 4), (1, 3), (0, 3)])
def test_a_token_that_holds_a_mention_and_more_takes_its_type(
    first: int, last: int
) -> None:
    def merge(doc: Doc) -> Doc:
        with doc.retokenize() as retokenizer:
            retokenizer.merge(doc[first:last])
        return doc

    doc = with_step(merge, after="cascade_extractor")(TEXT)
    whole = TEXT[: len("John saw Paris in")].split()[first:last]
    assert any(e.text == " ".join(whole) for e in doc.ents)
    assert ("France", "country") in named(doc)
    assert not placeholders(doc) and "MENTION" not in {e.label_ for e in doc.ents}


def test_tokens_of_ones_own_are_read_as_they_are() -> None:
    def merge(doc: Doc) -> Doc:
        with doc.retokenize() as retokenizer:
            retokenizer.merge(doc[0:2])
        return doc

    nlp = with_step(merge, after="cascade_extractor")
    doc = nlp(Doc(nlp.vocab, words=["so", "we-saw", "Paris", "today"]))
    assert named(doc) == [("Paris", "city")]


def test_a_pipeline_with_a_retokenizer_is_scored() -> None:
    nlp, _ = util.scripted(NAMES)
    nlp.add_pipe("merge_entities")
    eg = util.example(
        nlp,
        "Ann Lee left New York",
        [("Ann Lee", "person"), ("New York", "location > city")],
    )
    assert nlp.evaluate([eg])["cascade_typed_f"] == 1.0
