"""Candidates, the entities that become of them, and their types."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spacy.language import Language
from spacy.tokens import Doc, Span

from spacy_cascade.doc.annotations import fuse, set_candidates, set_ents
from spacy_cascade.taxonomy import Taxonomy
from tests import util

# -- Candidates and fusion ------------------------------------------------------------


def test_fuse_prefers_longer_then_likelier_then_earlier() -> None:
    assert fuse([(0, 2, 0.9), (1, 4, 0.1), (5, 6, 0.2), (5, 6, 0.3), (4, 5, 0.0)]) == [
        1,
        4,
        3,
    ]
    assert fuse([]) == []


@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.integers(1, 4), st.floats(0, 1)), max_size=12
    )
)
def test_fused_spans_never_overlap_and_nothing_free_is_lost(
    items: list[tuple[int, int, float]],
) -> None:
    spans = [(s, s + n, p) for s, n, p in items]
    kept = [spans[i] for i in fuse(spans)]
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(kept))
    assert all(any(s < e2 and s2 < e for s2, e2, _ in kept) for s, e, _ in spans)


def test_nested_candidates_stay_in_the_spans(lively: Path) -> None:
    nlp = util.cascade(lively, extractor={"rounds": 6, "temperature": 3.0})
    docs = list(nlp.pipe(util.SENTENCES))
    overlapping = 0
    for doc in docs:
        group = list(doc.spans["cascade"])
        assert group == sorted(group, key=lambda s: (s.start, s.end))
        assert len({(s.start, s.end) for s in group}) == len(group)
        overlapping += sum(a.end > b.start for a, b in itertools.pairwise(group))
        assert {(e.start, e.end) for e in doc.ents} <= {(s.start, s.end) for s in group}
        attrs = doc.spans["cascade"].attrs
        assert {
            len(attrs[k]) for k in ("scores", "paths", "path_scores", "step_scores")
        } == {len(group)}
    assert overlapping


def test_three_rounds_give_a_superset_of_one(lively: Path) -> None:
    one, three = (
        util.cascade(lively, extractor={"rounds": n, "temperature": 2.0})
        for n in (1, 3)
    )
    more = 0
    for t in util.SENTENCES:
        docs = one(t), three(t)
        a, b = ({(s.start, s.end) for s in doc.spans["cascade"]} for doc in docs)
        assert a <= b
        more += len(b - a)
    assert more


def test_a_lower_threshold_opens_more(lively: Path) -> None:
    counts = []
    for threshold in (0.999999, 0.9, 0.5, 0.1, 0.000001):
        nlp = util.cascade(lively, extractor={"open_threshold": threshold})
        counts.append(sum(len(d.spans["cascade"]) for d in nlp.pipe(util.SENTENCES)))
    assert counts[0] < counts[2] < counts[4]


def test_extractor_alone_labels_mentions() -> None:
    nlp, _ = util.scripted(util.NAMES, stages=["extractor"])
    doc = nlp("John saw Paris.")
    assert util.entities(doc) == [(0, 4, "MENTION"), (9, 14, "MENTION")]
    assert [s.label_ for s in doc.spans["cascade"]] == ["MENTION"] * 2


def test_annotate_ents_off() -> None:
    nlp, _ = util.scripted(
        util.NAMES, stages=["extractor"], extractor={"annotate_ents": False}
    )
    doc = nlp("John saw Paris.")
    assert not doc.ents
    assert len(doc.spans["cascade"]) == 2


def _with_ruler(overwrite: bool) -> Language:
    nlp, _ = util.scripted(
        util.NAMES,
        extractor={"overwrite_ents": overwrite},
        classifier={"overwrite_ents": overwrite},
    )
    ruler = nlp.add_pipe("entity_ruler", first=True)
    ruler.add_patterns(
        [
            {"label": "RULE", "pattern": "saw Paris"},
            {"label": "RULE", "pattern": "today"},
        ]
    )  # type: ignore[attr-defined]
    return nlp


def test_entities_of_earlier_components_stay() -> None:
    """gliner-spacy erased them."""
    doc = _with_ruler(False)("John saw Paris in France today")
    assert [(e.text, e.label_) for e in doc.ents] == [
        ("John", "person"),
        ("saw Paris", "RULE"),
        ("France", "country"),
        ("today", "RULE"),
    ]


def test_overwrite_ents_reaches_the_component() -> None:
    """SpanMarker's `overwrite_entities` never did."""
    doc = _with_ruler(True)("John saw Paris in France today")
    assert [(e.text, e.label_) for e in doc.ents] == [
        ("John", "person"),
        ("Paris", "city"),
        ("France", "country"),
    ]


@pytest.mark.parametrize("overwrite", [False, True])
def test_set_ents(nlp: Language, overwrite: bool) -> None:
    doc = nlp.make_doc("a b c d")
    mention = Span(doc, 3, 4, label="MENTION")
    doc.set_ents([Span(doc, 0, 2, label="OLD"), mention])
    set_candidates(doc, "cascade", [mention], untyped=[mention])
    set_ents(
        doc,
        [Span(doc, 1, 2, label="NEW"), Span(doc, 2, 3, label="NEW")],
        overwrite=overwrite,
    )
    expected = (
        [(1, 2, "NEW"), (2, 3, "NEW")] if overwrite else [(0, 2, "OLD"), (2, 3, "NEW")]
    )
    assert [(e.start, e.end, e.label_) for e in doc.ents] == expected


def test_drafts_from_entities_change_nothing_but_the_passes() -> None:
    counts, found = [], []
    for kind in ("Cues", "Ents"):
        drafter = {"@drafters": f"spacy-cascade.{kind}Drafter.v1"}
        nlp, lm = util.scripted(
            util.NAMES,
            stages=["extractor"],
            extractor={"drafter": drafter, "overwrite_ents": True},
        )
        ruler = nlp.add_pipe("entity_ruler", first=True)
        ruler.add_patterns([{"label": "X", "pattern": n} for n in util.NAMES])
        found.append(
            util.entities(nlp("john met John and Paris Hilton in Paris, France"))
        )
        counts.append(lm.calls)
    assert found[0] == found[1] != []
    assert counts[1] == 1 < counts[0]


def test_wrong_drafts_change_nothing(lively: Path) -> None:
    found = []
    for kind in ("Cues", "Ents", "Tagger"):
        drafter = {"@drafters": f"spacy-cascade.{kind}Drafter.v1"}
        nlp = util.cascade(
            lively,
            extractor={"drafter": drafter, "overwrite_ents": True},
            classifier={"overwrite_ents": True},
        )
        ruler = nlp.add_pipe("entity_ruler", first=True)
        ruler.add_patterns(
            [
                {"label": "X", "pattern": w}
                for t in util.SENTENCES
                for w in t.split()[:2]
            ]
        )  # type: ignore[attr-defined]
        found.append([util.spans(d) for d in nlp.pipe(util.SENTENCES)])
    assert found[0] == found[1] == found[2]


# -- Types ---------------------------------------------------------------------------


def test_label_sets_of_tuples_reach_other_processes() -> None:
    nlp, _ = util.scripted({"Ann": ("person",)})
    pairs = [
        ("Ann left", {"cascade_labels": ["person", "place"], "id": 1}),
        ("Ann came", {"id": 2}),
    ]
    one = [(util.entities(d), c) for d, c in nlp.pipe(pairs, as_tuples=True)]
    two = [
        (util.entities(d), c)
        for d, c in nlp.pipe(pairs, as_tuples=True, n_process=2, batch_size=1)
    ]
    assert one == two
    assert [c["id"] for _, c in two] == [1, 2]


def test_set_taxonomy_at_run_time() -> None:
    nlp, _ = util.scripted({"John": ("agent", "human"), "Paris": ("place",)})
    nlp.get_pipe("cascade_classifier").set_taxonomy(
        {"agent": ["human", "robot"], "place": None}
    )  # type: ignore[attr-defined]
    doc = nlp("John saw Paris.")
    assert [e._.cascade_path for e in doc.ents] == ["agent > human", "place"]
    assert nlp.get_pipe("cascade_classifier").labels == (
        "agent",
        "human",
        "robot",
        "place",
    )  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "value",
    [["agent > human", "place"], Taxonomy.from_labels(["agent > human", "place"])],
)
def test_label_set_of_one_doc(value: Any) -> None:
    nlp, _ = util.scripted({"John": ("agent", "human"), "Paris": ("place",)})
    doc, other = nlp.make_doc("John saw Paris."), nlp.make_doc("John saw Paris.")
    doc._.cascade_labels = value
    out, plain = nlp.pipe([doc, other])
    assert [e._.cascade_path for e in out.ents] == ["agent > human", "place"]
    assert all(e._.cascade_path in util.LABELS for e in plain.ents)


def test_label_sets_through_pipe_with_tuples() -> None:
    nlp, _ = util.scripted({"John": ("agent", "human")})
    stream = []
    for i, labels in enumerate(
        (["agent > human", "x"], None, ["thing", "agent > human"])
    ):
        doc = nlp.make_doc("John")
        if labels:
            doc._.cascade_labels = labels
        stream.append((doc, i))
    done = list(nlp.pipe(stream, as_tuples=True, batch_size=2))
    assert [i for _, i in done] == [0, 1, 2]
    assert [
        bool(d.ents and d.ents[0]._.cascade_path == "agent > human") for d, _ in done
    ] == [
        True,
        False,
        True,
    ]


def test_label_set_of_one_doc_with_two_processes() -> None:
    nlp, _ = util.scripted({"John": ("agent", "human")})
    docs = [nlp.make_doc("John") for _ in range(3)]
    for doc in docs:
        doc._.cascade_labels = ["agent > human", "x"]
    assert [
        d.ents[0]._.cascade_path for d in nlp.pipe(docs, n_process=2, batch_size=1)
    ] == ["agent > human"] * 3


def test_a_taxonomy_as_label_set_survives_to_bytes(nlp: Language) -> None:
    """Docs travel as bytes between processes and into DocBins."""
    doc = nlp.make_doc("John")
    doc._.cascade_labels = Taxonomy(["a", "b"])
    back = Doc(nlp.vocab).from_bytes(doc.to_bytes())
    assert Taxonomy.from_object(back._.cascade_labels) == Taxonomy(["a", "b"])


def test_a_changed_label_set_gives_changed_answers() -> None:
    """spacy-llm's cache gave the old ones."""
    nlp, _ = util.scripted({"John": ("person",)})
    before = nlp("John").ents[0].label_
    nlp.get_pipe("cascade_classifier").set_taxonomy(["robot"])  # type: ignore[attr-defined]
    assert (before, nlp("John").ents[0].label_) == ("person", "robot")


def test_texts_with_the_same_words_in_another_order_are_different() -> None:
    """spacy-llm's cache keyed texts by the sum of their token ids."""
    nlp, _ = util.scripted(util.NAMES)
    a, b = nlp.pipe(["John saw Paris", "Paris saw John"])
    assert [e.label_ for e in a.ents] == ["person", "city"]
    assert [e.label_ for e in b.ents] == ["city", "person"]


def test_unknown_mentions_are_no_entities() -> None:
    nlp, _ = util.scripted(
        {"John": ("person",), "Foo": ("unknown",)}, classifier={"unknown": True}
    )
    doc = nlp("John likes Foo.")
    assert util.entities(doc) == [(0, 4, "person")]
    assert util.spans(doc)[1] == (11, 14, "unknown", "")


@pytest.mark.parametrize("strategy", ["progressive", "beam", "path"])
def test_min_score_backs_off_to_the_coarse_type(strategy: str) -> None:
    """The model knows `location`, but not which."""
    nlp, _ = util.scripted(
        {"Paris": ("location",)}, classifier={"min_score": 0.7, "strategy": strategy}
    )
    doc = nlp("Paris")
    assert [(e.label_, e._.cascade_path) for e in doc.ents] == [
        ("location", "location")
    ]


def test_a_mention_below_min_score_at_the_coarse_level_has_no_type() -> None:
    nlp, _ = util.scripted(
        {"Paris": ("location", "city")}, margin=0.1, classifier={"min_score": 0.99}
    )
    nlp.get_pipe("cascade_extractor").open_threshold = 0.01  # type: ignore[attr-defined]
    doc = nlp("Paris")
    assert len(doc.spans["cascade"]) >= 1
    assert not doc.ents


@pytest.mark.parametrize("strategy", ["progressive", "beam", "path"])
def test_all_strategies_type_what_the_model_is_sure_of(strategy: str) -> None:
    nlp, _ = util.scripted(util.NAMES, classifier={"strategy": strategy})
    assert [e._.cascade_path for e in nlp("John saw Paris in France").ents] == [
        "person",
        "location > city",
        "location > country",
    ]


# -- Refining the entities of another component --------------------------------------


def _refine(**classifier: Any) -> Language:
    nlp, _ = util.scripted(
        util.NAMES, stages=["classifier"], classifier={"source": "ents", **classifier}
    )
    ruler = nlp.add_pipe("entity_ruler", first=True)
    ruler.add_patterns(  # type: ignore[attr-defined]
        [
            {"label": "LOC", "pattern": "Paris", "id": "paris"},
            {"label": "PER", "pattern": "John"},
            {"label": "MISC", "pattern": "Foo"},
        ]
    )
    return nlp


def test_refine_entities_of_an_entity_ruler() -> None:
    doc = _refine()("John saw Paris in France")
    assert [(e.text, e.label_, e._.cascade_path) for e in doc.ents] == [
        ("John", "person", "person"),
        ("Paris", "city", "location > city"),
    ]


def test_refining_keeps_the_ids_that_the_other_component_set() -> None:
    doc = _refine()("Paris")
    assert [(e.label_, e.ent_id_) for e in doc.ents] == [("city", "paris")]


def test_refining_keeps_the_old_label_of_what_stays_unknown() -> None:
    nlp = _refine(min_score=0.6)
    doc = nlp("Foo saw Paris")
    assert [(e.text, e.label_) for e in doc.ents] == [
        ("Foo", "MISC"),
        ("Paris", "city"),
    ]


def test_refining_nothing(nlp: Language) -> None:
    doc = _refine()("nothing here")
    assert not doc.ents
    assert len(doc.spans["cascade"]) == 0
