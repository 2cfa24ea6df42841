"""Every figure of the scorer against a count by hand."""

from __future__ import annotations

from typing import Any

import pytest
from spacy.language import Language
from spacy.tokens import Span
from spacy.training import Example

from spacy_cascade.doc.annotations import set_candidates
from spacy_cascade.scoring.scorers import (
    cascade_score,
    make_cascade_scorer,
    normalize_string,
    prf,
)
from spacy_cascade.taxonomy import Taxonomy
from tests import util


def case(
    nlp: Language, text: str, gold: list[tuple[str, str]], pred: list[tuple[str, str]]
) -> Example:
    """Predictions as the cascade leaves them: candidates with paths, and flat entities
    with the last name.
    """
    eg = util.example(nlp, text, gold)
    doc = nlp.make_doc(text)
    spans, at = [], 0
    for name, path in pred:
        start = text.index(name, at)
        at = start + 1
        span = doc.char_span(
            start, start + len(name), label=path.split(" > ")[-1] or "MENTION"
        )
        assert span is not None
        spans.append(span)
    set_candidates(
        doc, "cascade", spans, scores=[1.0] * len(spans), paths=[p for _, p in pred]
    )
    doc.set_ents(
        [
            s
            for s in spans
            if not any(
                o.start <= s.start and s.end <= o.end and len(o) > len(s) for o in spans
            )
        ]
    )
    return Example(doc, eg.reference)


@pytest.fixture(scope="module")
def three(nlp: Language) -> list[Example]:
    """Gold: 3 mentions.

    Predicted: 4, of which 2 have the right boundaries and 1 the right type, too.
    """
    return [
        case(
            nlp,
            "Ann saw Bonn with Cleo",
            [("Ann", "person"), ("Bonn", "location > city")],
            [("Ann", "person"), ("Bonn", "location > country"), ("Cleo", "person")],
        ),
        case(nlp, "Nobody came", [], [("Nobody", "person")]),
        case(nlp, "Back in Rome", [("Rome", "location > city")], []),
    ]


@pytest.mark.parametrize(
    ("name", "p", "r", "f"),
    [
        ("extraction", 2 / 4, 2 / 3, 4 / 7),
        ("coarse", 2 / 4, 2 / 3, 4 / 7),
        ("fine", 0.0, 0.0, 0.0),
        ("typed", 1 / 4, 1 / 3, 2 / 7),
        ("hierarchical", 2 / 5, 2 / 5, 2 / 5),
    ],
)
def test_micro_scores(
    three: list[Example], name: str, p: float, r: float, f: float
) -> None:
    scores = cascade_score(three)
    assert [scores[f"cascade_{name}_{k}"] for k in "prf"] == pytest.approx([p, r, f])


def test_accuracy_counts_mentions_with_right_boundaries(three: list[Example]) -> None:
    assert cascade_score(three)["cascade_accuracy"] == pytest.approx(1 / 2)


def test_string_set(three: list[Example]) -> None:
    assert cascade_score(three)["cascade_string_set_f"] == pytest.approx(2 / 7)


def test_per_type(three: list[Example]) -> None:
    found = cascade_score(three)["cascade_per_type"]
    assert set(found) == {"person", "location > city"}
    assert found["person"] == pytest.approx({"p": 1 / 3, "r": 1.0, "f": 1 / 2})
    assert found["location > city"] == {"p": 0.0, "r": 0.0, "f": 0.0}


def test_sentences_without_entities_count(nlp: Language) -> None:
    """CascadeNER's evaluate.py numbered non-empty sentences only."""
    right = case(nlp, "Ann left", [("Ann", "person")], [("Ann", "person")])
    wrong = case(nlp, "Nobody came", [], [("Nobody", "person")])
    assert cascade_score([right])["cascade_typed_p"] == 1.0
    assert cascade_score([right, wrong])["cascade_typed_p"] == 0.5
    assert cascade_score([wrong, right])["cascade_typed_f"] == pytest.approx(2 / 3)


def test_a_sentence_without_entities_and_predictions_changes_nothing(
    nlp: Language,
) -> None:
    right = case(nlp, "Ann left", [("Ann", "person")], [("Ann", "person")])
    assert cascade_score([right, case(nlp, "None", [], [])])["cascade_typed_f"] == 1.0


def test_positions_count_not_strings(nlp: Language) -> None:
    """CascadeNER compared sets of lower-cased strings."""
    eg = case(nlp, "Ann saw Ann", [("Ann", "person")], [])
    second = eg.predicted[2:3]
    eg.predicted.set_ents(
        [Span(eg.predicted, second.start, second.end, label="person")]
    )
    scores = cascade_score([eg])
    assert scores["cascade_extraction_f"] == 0.0
    assert scores["cascade_string_set_f"] == 1.0


def test_repeated_mentions_are_counted_each(nlp: Language) -> None:
    eg = case(
        nlp, "Ann saw Ann", [("Ann", "person"), ("Ann", "person")], [("Ann", "person")]
    )
    scores = cascade_score([eg])
    assert scores["cascade_extraction_r"] == 0.5
    assert scores["cascade_string_set_f"] == 1.0


def test_boundaries_are_strict(nlp: Language) -> None:
    eg = case(nlp, "New York City", [("New York", "city")], [("New York City", "city")])
    assert cascade_score([eg])["cascade_extraction_f"] == 0.0
    assert cascade_score([eg])["cascade_accuracy"] is None


def test_three_levels_have_names(nlp: Language) -> None:
    eg = case(
        nlp,
        "Ann",
        [("Ann", "person > real > artist")],
        [("Ann", "person > real > actor")],
    )
    scores = cascade_score([eg])
    assert [
        scores[f"cascade_{n}_f"] for n in ("coarse", "medium", "fine", "typed")
    ] == [1.0, 1.0, 0.0, 0.0]
    assert scores["cascade_hierarchical_f"] == pytest.approx(2 / 3)


def test_four_levels_have_numbers(nlp: Language) -> None:
    scores = cascade_score(
        [case(nlp, "Ann", [("Ann", "a > b > c > d")], [("Ann", "a > b > c > x")])]
    )
    assert [scores[f"cascade_level{i}_f"] for i in (1, 2, 3, 4)] == [1.0, 1.0, 1.0, 0.0]


def test_one_level_is_fine(nlp: Language) -> None:
    assert (
        cascade_score([case(nlp, "Ann", [("Ann", "a")], [("Ann", "a")])])[
            "cascade_fine_f"
        ]
        == 1.0
    )


def test_a_backed_off_path_is_right_as_far_as_it_goes(nlp: Language) -> None:
    scores = cascade_score(
        [case(nlp, "Bonn", [("Bonn", "location > city")], [("Bonn", "location")])]
    )
    assert scores["cascade_coarse_f"] == 1.0
    assert scores["cascade_fine_r"] == 0.0
    assert scores["cascade_typed_f"] == 0.0
    assert [scores[f"cascade_hierarchical_{k}"] for k in "pr"] == [1.0, 0.5]


def test_the_same_name_on_another_branch_is_wrong(nlp: Language) -> None:
    eg = case(
        nlp,
        "Anthrax",
        [("Anthrax", "product > biological")],
        [("Anthrax", "science > biological")],
    )
    assert cascade_score([eg])["cascade_typed_f"] == 0.0
    assert cascade_score([eg])["cascade_coarse_f"] == 0.0


def test_nested_mentions(nlp: Language) -> None:
    gold = [("University of Bonn", "organization"), ("Bonn", "location")]
    reference = util.blank()
    text = "University of Bonn"
    from spacy_cascade.training.augment import gold_doc

    ref = gold_doc(
        reference,
        text,
        [(text.index(n), text.index(n) + len(n), (p,)) for n, p in gold],
    )
    eg = Example(case(nlp, text, [], gold).predicted, ref)
    assert cascade_score([eg], nested=True)["cascade_typed_f"] == 1.0
    assert cascade_score([eg], nested=True)["cascade_extraction_r"] == 1.0
    only_outer = Example(case(nlp, text, [], gold[:1]).predicted, ref)
    assert cascade_score([only_outer], nested=True)["cascade_typed_r"] == 0.5
    assert cascade_score([only_outer])["cascade_typed_r"] == 1.0


def test_registered_scorer_takes_nested(nlp: Language, three: list[Example]) -> None:
    from spacy.util import registry

    score = registry.scorers.get("spacy-cascade.CascadeScorer.v1")(nested=True)
    assert score(three)["cascade_extraction_r"] == pytest.approx(2 / 3)
    assert make_cascade_scorer()(three) == cascade_score(three)


def test_examples_may_come_from_a_generator(three: list[Example]) -> None:
    assert cascade_score(iter(three)) == cascade_score(three)


def test_nothing_to_score() -> None:
    assert all(v is None or v == {} for v in cascade_score([]).values())


def test_entities_of_other_components_are_scored_by_their_label(nlp: Language) -> None:
    eg = util.example(nlp, "Ann left", [("Ann", "person")])
    eg.predicted.set_ents([Span(eg.predicted, 0, 1, label="person")])
    assert cascade_score([eg])["cascade_typed_f"] == 1.0


def test_gold_without_span_group_is_read_from_the_entities(nlp: Language) -> None:
    eg = case(nlp, "Ann left", [("Ann", "person")], [("Ann", "person")])
    del eg.reference.spans["gold"]
    assert cascade_score([eg])["cascade_typed_f"] == 1.0


def test_another_tokenization_of_the_gold_does_not_matter(nlp: Language) -> None:
    from spacy.tokens import Doc

    ref = Doc(nlp.vocab, words=["An", "n", "left"], spaces=[False, True, False])
    ref.set_ents([Span(ref, 0, 2, label="person")])
    eg = case(nlp, "Ann left", [], [("Ann", "person")])
    assert cascade_score([Example(eg.predicted, ref)])["cascade_typed_f"] == 1.0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The  U.S.A.", "usa"),
        ("an Apple a day", "apple day"),
        ("Theory", "theory"),
        ("東京。", "東京。"),
        ("", ""),
    ],
)
def test_normalized_strings(text: str, expected: str) -> None:
    assert normalize_string(text) == expected


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ((1, 2, 4), (0.5, 0.25, 1 / 3)),
        ((0, 0, 3), (0.0, 0.0, 0.0)),
        ((0, 3, 0), (None, None, None)),
        ((2, 2, 2), (1.0, 1.0, 1.0)),
    ],
)
def test_prf(args: Any, expected: Any) -> None:
    assert prf(*args) == pytest.approx(expected)


def test_gold_that_names_the_deepest_type_alone_has_its_path(nlp: Language) -> None:
    taxonomy = Taxonomy.from_labels(["person", "place->town", "place->land", "river"])
    gold = [
        ("Ann", "PERSON"),
        ("Bonn", "town"),
        ("Rhine", "river"),
        ("Peru", "elsewhere"),
    ]
    found = [("Ann", "person"), ("Bonn", "place > town"), ("Rhine", "place > land")]
    eg = case(nlp, "Ann left Bonn by the Rhine for Peru", gold, found)
    assert cascade_score([eg], taxonomy=taxonomy)["cascade_typed_r"] == pytest.approx(
        2 / 4
    )
    assert cascade_score([eg], taxonomy=taxonomy)["cascade_coarse_p"] == pytest.approx(
        2 / 3
    )
    assert cascade_score([eg])["cascade_typed_r"] == 0.0
