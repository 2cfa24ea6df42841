"""The label sets of `open_ner`: their names, and sets of a component or a text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.language import Language

from spacy_cascade.errors import CascadeError
from spacy_cascade.prompts.labelset import LabelSet
from spacy_cascade.taxonomy import Taxonomy
from tests import util

from .util import B2NER, COMPACT, LABELS, TEXTS, code, pipe_of, pipeline, result


def test_names_tell_types_apart() -> None:
    taxonomy = Taxonomy(
        {"place": ["address", "other"], "product": ["other", "weapon"], "other": []}
    )
    assert LabelSet.build(taxonomy).names == (
        "address",
        "place->other",
        "product->other",
        "weapon",
        "other",
    )
    assert LabelSet.build(taxonomy, level=1).names == ("place", "product", "other")
    assert LabelSet.build(taxonomy, full_paths=True).names[0] == "place->address"


def test_names_of_the_big_taxonomy_differ() -> None:
    taxonomy = Taxonomy.from_object(
        spacy.registry.get("taxonomies", "spacy-cascade.DynamicNER.v1")()
    )  # type: ignore[attr-defined]
    for level in range(4):
        names = LabelSet.build(taxonomy, level=level).names
        assert len(set(names)) == len(names) > 5


def test_labels_that_are_given_twice_are_one(talkative: Path) -> None:
    nlp = pipeline(talkative, taxonomy=["Person", "city", "CI TY", "city", "Person"])
    assert pipe_of(nlp).labels == ("Person", "city", "CI TY")


@pytest.mark.parametrize("other", ["person", " PERSON", "PERSON"])
def test_labels_that_differ_in_case_or_white_space_alone_are_refused(
    talkative: Path, other: str
) -> None:
    pipe = pipe_of(pipeline(talkative))
    with pytest.raises(CascadeError) as err:
        pipe.set_labels(["Person", other, "city"])
    assert (
        code(err) == "C005"
        and "'Person'" in str(err.value)
        and repr(other) in str(err.value)
    )
    assert pipe.labels == ("person", "city", "country"), "the old set stays"


@pytest.mark.parametrize("labels", [[], {}, ["->"], [""], ["a>b"], [3], "person", 3])
def test_label_sets_that_cannot_be_used(talkative: Path, labels: Any) -> None:
    pipe = pipe_of(pipeline(talkative))
    with pytest.raises(CascadeError) as err:
        pipe.set_labels(labels)
    assert code(err) in ("C003", "C004", "C006")
    assert pipe.labels == ("person", "city", "country"), "the old set stays"


SEPARATORS = ["a: b", "a; b", "a, b", "a", "b", "none", "; ", ":", "person->a: b"]


@pytest.mark.slow
@given(
    labels=st.lists(
        st.one_of(st.sampled_from(SEPARATORS), st.text(min_size=1, max_size=6)),
        min_size=1,
        max_size=6,
    ),
    text=st.text(max_size=20),
)
@settings(max_examples=15)
def test_any_label_set_and_any_text(
    nlp_open: Language, labels: list[str], text: str
) -> None:
    doc = nlp_open.make_doc(text)
    doc._.cascade_labels = labels
    try:
        taxonomy = Taxonomy.from_labels(labels)
    except CascadeError as expected:
        with pytest.raises(CascadeError) as err:
            pipe_of(nlp_open)(doc)
        assert code(err) == expected.code
        return
    doc = pipe_of(nlp_open)(doc)
    assert doc.text == text
    for start, end, label, path in util.spans(doc):
        assert tuple(path.split(" > ")) in taxonomy.leaves and path.endswith(label)
        assert (
            doc.char_span(start, end) is not None
            and text[start:end].strip() == text[start:end]
        )


def test_labels_in_another_language_than_the_text(nlp_open: Language) -> None:
    docs = [nlp_open.make_doc(t) for t in TEXTS]
    for doc in docs:
        doc._.cascade_labels = ["人名", "地名", "組織"]
    found = {s.label_ for doc in nlp_open.pipe(docs) for s in doc.spans["cascade"]}
    assert found and found <= {"人名", "地名", "組織"}


@pytest.mark.slow
@pytest.mark.parametrize("template", [COMPACT, B2NER])
def test_a_thousand_labels_fit_or_are_refused(talkative: Path, template: Any) -> None:
    many = [f"type {a}{b}" for a in range(40) for b in "abcdefghijklmnopqrstuvwxy"]
    nlp = pipeline(talkative, template=template, taxonomy=many)
    with pytest.raises(CascadeError) as err:
        nlp("Ann met Bob.")
    assert code(err) == "C050"
    pipe_of(nlp).lm.max_length = 1 << 15
    try:
        doc = nlp("Ann met Bob.")
    finally:
        pipe_of(nlp).lm.max_length = 2048
    assert doc._.cascade_coverage == [(0, 12, "processed")]


def test_a_thousand_labels_without_a_list_in_the_prompt(talkative: Path) -> None:
    many = [f"type {a}{b}" for a in range(40) for b in "abcdefghijklmnopqrstuvwxy"]
    nlp = pipeline(talkative, template={**COMPACT, "list_labels": False}, taxonomy=many)
    assert len(pipe_of(nlp).labels) == 1000
    assert all(s.label_ in many for d in nlp.pipe(TEXTS) for s in d.spans["cascade"])


def test_set_labels_takes_effect_at_once(nlp_open: Language) -> None:
    pipe = pipe_of(nlp_open)
    try:
        pipe.set_labels({"animal": ["dog", "cat"]})
        labels = {s.label_ for d in nlp_open.pipe(TEXTS) for s in d.spans["cascade"]}
        assert labels and labels <= {"dog", "cat"}
        assert pipe.labels == ("dog", "cat")
    finally:
        pipe.set_labels(LABELS)


def test_labels_per_doc_and_per_context(nlp_open: Language) -> None:
    own = ["dog", "cat"]
    docs = [nlp_open.make_doc(t) for t in TEXTS]
    for doc in docs[::2]:
        doc._.cascade_labels = own
    contexts = [
        {"cascade_labels": own, "id": i} if i % 2 == 0 else i for i in range(len(TEXTS))
    ]
    pairs = list(
        nlp_open.pipe(zip(TEXTS, contexts, strict=True), as_tuples=True, batch_size=3)
    )
    assert [c for _, c in pairs] == contexts
    labels: list[set[str]] = [set(), set()]
    for i, (a, (b, _)) in enumerate(zip(nlp_open.pipe(docs), pairs, strict=True)):
        assert result(a) == result(b)
        labels[i % 2] |= {s.label_ for s in b.spans["cascade"]}
    assert labels[0] and labels[0] <= {"dog", "cat"}
    assert labels[1] and labels[1] <= {"person", "city", "country"}


def test_c024_wrong_labels_in_a_context(nlp_open: Language) -> None:
    with pytest.raises(CascadeError) as err:
        list(nlp_open.pipe([("a b", {"cascade_labels": "dog"})], as_tuples=True))
    assert code(err) == "C024"
