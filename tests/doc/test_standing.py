"""What stands on a Doc stays: entities, ids, blocked tokens, groups and attributes of
other components.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span

from spacy_cascade.doc.annotations import placeholders
from spacy_cascade.errors import CascadeError
from spacy_cascade.scoring.scorers import cascade_score
from tests import util
from tests.doc.standing import FOUND, NAMES, TEXT, named, with_step

# -- Entities that are called MENTION ------------------------------------------------


@pytest.mark.parametrize("pattern", ["Paris", "saw Paris", "today"])
def test_another_components_mentions_stay(pattern: str) -> None:
    nlp, _ = util.scripted(NAMES)
    ruler: Any = nlp.add_pipe("entity_ruler", first=True)
    ruler.add_patterns([{"label": "MENTION", "pattern": pattern, "id": "m1"}])
    for doc in (nlp(TEXT), next(iter(nlp.pipe([TEXT])))):
        assert (pattern, "MENTION") in named(doc)
        assert [e.ent_id_ for e in doc.ents if e.text == pattern] == ["m1"]
        assert ("John", "person") in named(doc)
    gold = util.example(nlp, TEXT, [(pattern, "MENTION")])
    gold.predicted.set_ents(
        [Span(gold.predicted, e.start, e.end, "MENTION") for e in gold.reference.ents]
    )
    assert cascade_score([gold])["cascade_typed_f"] == 1.0


def test_a_type_may_be_called_mention() -> None:
    nlp, _ = util.scripted(
        {"John": ("mention",), "Paris": ("city",)}, ["MENTION", "city"]
    )
    doc = nlp("John saw Paris")
    assert named(doc) == [("John", "MENTION"), ("Paris", "city")]
    assert not placeholders(doc)
    assert (
        nlp.evaluate(
            [
                util.example(
                    nlp, "John saw Paris", [("John", "MENTION"), ("Paris", "city")]
                )
            ]
        )["cascade_fine_f"]
        == 1.0
    )


@pytest.mark.parametrize("way", ["bytes", "docbin", "json"])
def test_stages_in_two_processes(way: str) -> None:
    first, _ = util.scripted(NAMES, stages=["extractor"])
    second, _ = util.scripted(NAMES, stages=["classifier"])
    doc = first(TEXT)
    assert {e.label_ for e in doc.ents} == {"MENTION"}
    if way == "bytes":
        doc = Doc(second.vocab).from_bytes(doc.to_bytes())
    elif way == "docbin":
        (doc,) = (
            DocBin().from_bytes(DocBin(docs=[doc]).to_bytes()).get_docs(second.vocab)
        )
    else:
        doc = Doc(second.vocab).from_json(json.loads(json.dumps(doc.to_json())))
    assert named(second(doc)) == FOUND


def test_a_second_run_of_the_extractor_replaces_its_own_mentions_alone() -> None:
    nlp, _ = util.scripted(NAMES, stages=["extractor"])
    doc = nlp(TEXT)
    doc.set_ents([*doc.ents, Span(doc, 5, 6, label="MENTION")])
    again, _ = util.scripted({"France": ("location", "country")}, stages=["extractor"])
    assert [e.text for e in again(doc).ents] == ["France", "today"]


# -- Ids, blocked and missing tokens, groups, attributes -----------------------------


def link(doc: Doc) -> Doc:
    """As entity_linker does."""
    for ent in doc.ents:
        for token in ent:
            token.ent_kb_id_ = f"Q-{ent.text}"
    return doc


def test_links_that_are_set_between_the_stages_stay() -> None:
    doc = with_step(link, after="cascade_extractor")(TEXT)
    assert [(e.text, e.label_, e.kb_id_) for e in doc.ents] == [
        (n, label, f"Q-{n}") for n, label in FOUND
    ]


@pytest.mark.parametrize("source", ["spans", "ents"])
def test_ids_of_a_ruler_stay(source: str) -> None:
    stages = ["classifier"] if source == "ents" else ["extractor", "classifier"]
    nlp, _ = util.scripted(NAMES, stages=stages, classifier={"source": source})
    ruler: Any = nlp.add_pipe("entity_ruler", first=True)
    ruler.add_patterns([{"label": "PLACE", "pattern": "Paris", "id": "paris-fr"}])
    Language.component("tests_linker", func=link)
    nlp.add_pipe("tests_linker", after="entity_ruler")
    doc = nlp(TEXT)
    (paris,) = [e for e in doc.ents if e.text == "Paris"]
    assert (paris.ent_id_, paris.id_, paris.kb_id_) == (
        "paris-fr",
        "paris-fr",
        "Q-Paris",
    )
    assert paris.label_ == ("city" if source == "ents" else "PLACE")


def test_a_ruler_behind_adds_to_what_was_found() -> None:
    nlp, _ = util.scripted(NAMES)
    ruler: Any = nlp.add_pipe("entity_ruler")
    ruler.add_patterns(
        [
            {"label": "DATE", "pattern": "today", "id": "d"},
            {"label": "X", "pattern": "Paris"},
        ]
    )
    doc = nlp(TEXT)
    assert named(doc) == [*FOUND, ("today", "DATE")]
    assert doc.ents[-1].ent_id_ == "d"
    assert doc.ents[1]._.cascade_path == "location > city"


@pytest.mark.parametrize("overwrite", [False, True])
def test_blocked_tokens_stay_blocked_and_missing_ones_are_outside(
    overwrite: bool,
) -> None:
    """As with spaCy's ner."""
    nlp, _ = util.scripted(
        NAMES,
        extractor={"overwrite_ents": overwrite},
        classifier={"overwrite_ents": overwrite},
    )
    doc = nlp.make_doc(TEXT)
    doc.set_ents([], blocked=[doc[2:3], doc[6:8]], default="missing")
    doc = nlp(doc)
    assert named(doc) == [("John", "person"), ("France", "country")]
    assert [t.ent_iob_ for t in doc[:6]] == ["B", "O", "B", "O", "B", "O"]
    assert [t.ent_type_ for t in (doc[2], doc[6], doc[7])] == ["", "", ""]
    assert [t.ent_iob for t in doc[6:8]] == [3, 3]
    assert {t.ent_iob for t in doc[8:]} == {2}


def test_refining_leaves_other_tokens_as_they_are() -> None:
    nlp, _ = util.scripted(NAMES, stages=["classifier"], classifier={"source": "ents"})
    doc = nlp.make_doc(TEXT)
    doc.set_ents(
        [Span(doc, 0, 1, "PER", kb_id="Q1", span_id="p")],
        blocked=[doc[2:3]],
        default="missing",
    )
    doc = nlp(doc)
    assert [(e.text, e.label_, e.kb_id_, e.id_) for e in doc.ents] == [
        ("John", "person", "Q1", "p")
    ]
    assert [t.ent_iob for t in doc[:4]] == [3, 0, 3, 0]


def test_open_ner_keeps_what_was_there(lively: Any) -> None:
    nlp = util.blank()
    nlp.add_pipe(
        "open_ner",
        config={"model": util.model_config(lively), "taxonomy": ["PERSON", "city"]},
    )
    text = "John Smith flew from New York to Paris."
    doc = nlp.make_doc(text)
    ent = Span(doc, 0, 2, "MENTION", kb_id="Q1", span_id="p")
    doc.set_ents([ent], blocked=[doc[4:6]])
    doc = nlp(doc)
    assert (
        doc.ents[0].text,
        doc.ents[0].label_,
        doc.ents[0].kb_id_,
        doc.ents[0].id_,
    ) == ("John Smith", "MENTION", "Q1", "p")
    assert all(t.ent_iob == 3 and not t.ent_type for t in doc[4:6])


def test_groups_data_and_attributes_of_others_stay() -> None:
    Span.set_extension("tests_note", default=None, force=True)
    nlp, _ = util.scripted(NAMES)
    doc = nlp.make_doc(TEXT)
    doc.spans["mine"] = [Span(doc, 2, 5, "X", kb_id="Q9", span_id="s")]
    doc.spans["mine"].attrs["scores"] = [0.25]
    doc.user_data["mine"] = {"a": 1}
    doc[2:3]._.tests_note = "of my own"
    doc = nlp(doc)
    (span,) = doc.spans["mine"]
    assert (span.text, span.label_, span.kb_id_, span.id_, doc.spans["mine"].attrs) == (
        "Paris in France",
        "X",
        "Q9",
        "s",
        {"scores": [0.25]},
    )
    assert doc.user_data["mine"] == {"a": 1}
    assert doc.ents[1]._.tests_note == "of my own"
    Span.remove_extension("tests_note")


def test_spans_that_are_fused_keep_their_ids_and_leave_others_alone() -> None:
    nlp = util.blank()
    nlp.add_pipe("span_fuser")
    doc = nlp.make_doc(TEXT)
    doc.set_ents([Span(doc, 4, 5, "OLD")])
    doc.spans["sc"] = [
        Span(doc, 2, 3, "city", kb_id="Q90", span_id="p"),
        Span(doc, 3, 5, "x"),
    ]
    assert [(e.text, e.label_, e.kb_id_, e.id_) for e in nlp(doc).ents] == [
        ("Paris", "city", "Q90", "p"),
        ("France", "OLD", "", ""),
    ]
    over = util.blank()
    over.add_pipe("span_fuser", config={"overwrite_ents": True})
    assert named(over(doc)) == [("Paris", "city"), ("in France", "x")]


# -- JSON ----------------------------------------------------------------------------


def test_entities_and_coverage_come_back_from_json() -> None:
    nlp, _ = util.scripted(NAMES)
    ruler: Any = nlp.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": "DATE", "pattern": "today"}])
    doc = nlp(TEXT)
    data = json.loads(
        json.dumps(doc.to_json(underscore=["cascade_entities", "cascade_coverage"]))
    )
    back = Doc(spacy.blank("en").vocab).from_json(data)
    assert back._.cascade_entities == doc._.cascade_entities
    assert [e["path"] for e in back._.cascade_entities] == [
        "person",
        "location > city",
        "location > country",
        "",
    ]
    assert back._.cascade_coverage == doc._.cascade_coverage != []
    assert (
        json.loads(
            json.dumps(
                back.to_json(underscore=["cascade_entities", "cascade_coverage"])
            )
        )["_"]
        == data["_"]
    )
    joined = Doc.from_docs([back, back])
    assert [e["path"] for e in joined._.cascade_entities] == [
        e["path"] for e in doc._.cascade_entities
    ] * 2
    part = back[2:5].as_doc(copy_user_data=True)
    assert [(e["path"], e["score"]) for e in part._.cascade_entities] == [
        (e["path"], e["score"]) for e in doc._.cascade_entities[1:3]
    ]


@pytest.mark.parametrize(
    "value",
    [
        "x",
        3,
        [3],
        [{"start": 0}],
        [{"start": 0, "end": 1, "path": 3}],
        [{"start": 0, "end": 1, "score": "x"}],
    ],
)
def test_entities_that_are_none_are_refused(nlp: Language, value: Any) -> None:
    doc = nlp.make_doc("x")
    with pytest.raises(CascadeError) as err:
        doc._.cascade_entities = value
    assert err.value.code == "C075" and repr(value)[:20] in str(err.value)
