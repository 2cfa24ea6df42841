"""Labels come back as users spell them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.language import Language

from spacy_cascade.taxonomy import Taxonomy
from spacy_cascade.taxonomy.names import normalize_name
from tests import util

from .util import LABELS, NAMES, PERFECT, TEXT


@pytest.mark.parametrize("strategy", ["progressive", "beam", "path"])
def test_entities_spans_paths_and_n_best_are_spelled_as_given(strategy: str) -> None:
    nlp, _ = util.scripted(
        NAMES, LABELS, classifier={"strategy": strategy, "n_best": 2}
    )
    doc = nlp(TEXT)
    assert util.entities(doc) == PERFECT
    assert [p for *_, p in util.spans(doc)] == [
        "PERSON",
        "Location > CITY",
        "Location > Country_Name",
    ]
    assert [e._.cascade_path for e in doc.ents] == [
        "PERSON",
        "Location > CITY",
        "Location > Country_Name",
    ]
    assert [e["label"] for e in doc._.cascade_entities] == [
        "PERSON",
        "CITY",
        "Country_Name",
    ]
    assert {
        p for found in doc.spans["cascade"].attrs.get("n_best", ()) for p, _ in found
    } <= set(LABELS)


def test_labels_of_a_text_are_spelled_as_given() -> None:
    nlp, _ = util.scripted(NAMES)
    own = ["Person", "CITY", "country_NAME"]
    flat, _ = util.scripted(
        {"John": ("person",), "Paris": ("city",), "France": ("country_name",)}
    )
    ((doc, _),) = flat.pipe([(TEXT, {"cascade_labels": own})], as_tuples=True)
    assert [e.label_ for e in doc.ents] == own
    doc = nlp.make_doc(TEXT)
    doc._.cascade_labels = LABELS
    assert util.entities(nlp(doc)) == PERFECT


def test_the_same_types_in_any_case_are_found_alike(lively: Path) -> None:
    """The tiny templates write types in lower case, so that trained models know them in
    all spellings.
    """
    found = []
    for labels in (util.LABELS, [label.upper() for label in util.LABELS]):
        nlp = util.cascade(lively, classifier={"taxonomy": util.labels_config(labels)})
        docs = list(nlp.pipe(util.SENTENCES))
        found.append([(s.start, s.end, s.label_) for doc in docs for s in doc.ents])
        assert {label for *_, label in found[-1]} <= {
            label.split(" > ")[-1] for label in labels
        }
    lower, upper = found
    assert len(lower) > 5
    assert [(s, e, label.upper()) for s, e, label in lower] == upper


def test_a_pipeline_that_was_saved_spells_them_alike(
    lively: Path, tmp_path: Path
) -> None:
    nlp = util.cascade(lively, classifier={"taxonomy": util.labels_config(LABELS)})
    nlp.to_disk(tmp_path / "pipeline")
    back = spacy.load(tmp_path / "pipeline")
    pipe: Any = back.get_pipe("cascade_classifier")
    assert pipe.labels == ("PERSON", "Location", "CITY", "Country_Name")
    assert list(pipe.taxonomy) == list(Taxonomy.from_labels(LABELS))
    assert [util.entities(d) for d in back.pipe(util.SENTENCES)] == [
        util.entities(d) for d in nlp.pipe(util.SENTENCES)
    ]


NAME = st.text(
    st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters=">-"),
    min_size=1,
    max_size=8,
)
ODD_NAMES = [
    "US",
    "I-PER",
    "_",
    "ORG_Group",
    "İl",
    "STRASSE",
    "straße",
    "ΟΔΟΣ",
    " white  space ",
    "B-",
    "MENTION",
    "unknown",
    "ﬁ",
]


@given(
    labels=st.lists(
        st.one_of(st.sampled_from(ODD_NAMES), NAME).filter(str.strip),
        min_size=1,
        max_size=5,
        unique_by=normalize_name,
    )
)
@settings(max_examples=25)
def test_labels_of_entities_are_letter_by_letter_those_given(
    nlp_lively: Language, labels: list[str]
) -> None:
    doc = nlp_lively.make_doc(
        "John Smith flew from New York to Paris with ACME Corp. on Monday."
    )
    doc._.cascade_labels = labels
    doc = nlp_lively(doc)
    assert doc.ents
    assert {e.label_ for e in doc.ents} <= set(labels)
    assert {s._.cascade_path for s in doc.ents} <= set(labels)


@pytest.fixture(scope="module")
def nlp_lively(lively: Path) -> Language:
    return util.cascade(lively)


@pytest.mark.slow
@pytest.mark.parametrize("factory", ["open_ner", "gpt_ner", "prompt_ner"])
def test_single_stage_components(factory: str, base: Path, tmp_path: Path) -> None:
    import torch

    lm = util.random_lm(base, factor=4.0, seed=3, double=False)
    with torch.no_grad():
        lm.model.get_input_embeddings().weight[lm.token_id("</s>")] = 0
    lm.save(tmp_path / "base")
    settings = {
        "gpt_ner": {"verify_threshold": 0.0},
        "prompt_ner": {
            "template": {"@prompts": "spacy-cascade.PromptNER.v1", "reasons": 2}
        },
    }.get(factory, {})
    nlp = util.blank()
    labels = ["PERSON", "Place->CITY", "Place->Far  Away"]
    nlp.add_pipe(
        factory,
        config={
            "model": util.model_config(tmp_path / "base"),
            "taxonomy": labels,
            **settings,
        },
    )
    docs = list(nlp.pipe(util.SENTENCES[1:6]))
    found = {(s.label_, s._.cascade_path) for doc in docs for s in doc.spans["cascade"]}
    assert found
    assert found <= {
        ("PERSON", "PERSON"),
        ("CITY", "Place > CITY"),
        ("Far  Away", "Place > Far  Away"),
    }
