"""The order of conflicts, and those planted in the mini corpora."""

from __future__ import annotations

from collections import Counter

import pytest

from corpus_tools.b2nerd.conflicts import detect, rank, rules
from corpus_tools.b2nerd.conflicts.evidence import (
    NOT_EXTRACTED,
    Evidence,
    strength,
    wilson,
)
from corpus_tools.b2nerd.conflicts.score import Score
from corpus_tools.b2nerd.conflicts.similar import Names
from spacy_cascade.taxonomy import builtin

from .util import ASSETS, dataset

MINI = ASSETS / "corpora" / "b2nerd_mini"


ALIASES = ASSETS / "mentions_zh_en.json"


def test_wilson_is_the_textbook_bound():
    # Wilson 1927: lower end for 8 of 10 is 0.4902, for 50 of 100 is 0.4038
    assert wilson(8, 10) == pytest.approx(0.4902, abs=1e-4)
    assert wilson(50, 100) == pytest.approx(0.4038, abs=1e-4)
    assert wilson(0, 0) == 0 and strength(5, 10, 0.9) == 0
    assert strength(90, 100) > strength(9, 10) > strength(2, 10)


def test_the_broader_label_is_split_and_both_directions_join():
    a = dataset("a", "[Egypt|location]", "[Malta|location]", "[Bonn|location]")
    b = dataset("b", "[Egypt|country]", "[Malta|country]", "[Rhine|location]")
    names = Names(taxonomy=builtin("universal"))
    (one,) = rank.rank(rules.find([a, b], names), names, [a, b])
    assert (one.label, one.other, one.n, one.wide, one.narrow) == (
        "location",
        "country",
        4,
        ["a"],
        ["b"],
    )
    assert one.split == ["location -> country", "location -> others"]
    assert one.home is None and one.loss == 0


def test_nominal_mentions_of_a_type_for_names():
    a = dataset("a", *["the [king|person] of [Ann|person]"] * 3)
    b = dataset("b", *["the king left [Bob|person]"] * 3)
    names = Names()
    (one,) = rank.rank(rules.find([a, b], names), names, [a, b])
    assert (one.label, one.other, one.n, one.checked) == ("person", rank.NOMINALS, 3, 3)
    assert one.split == ["person -> named", "person -> nominal mention"]


def test_unmarked_mentions_get_the_name_that_a_third_set_gives_them():
    a = dataset("a", "[Ajax|organization]", "[Shell|organization]")
    b = dataset("b", "Ajax paid", "[BBC|organization]")
    c = dataset("c", "[Ajax|sports team] won", "[UN|organization]")
    names = Names(taxonomy=builtin("universal"))
    found = {
        (x.label, x.other): x
        for x in rank.rank(rules.find([a, b, c], names), names, [a, b, c])
    }
    assert found["organization", rank.UNMARKED].split == [
        "organization -> sports team",
        "organization -> others",
    ]


def test_loss_of_f1_raises_the_rank():
    a, b = dataset("a", "[Egypt|location]"), dataset("b", "[Egypt|location]")
    home = Score(
        "a",
        "a",
        Counter({("location", "location"): 9}),
        Counter(location=10),
        Counter(location=10),
    )
    away = {"predicted": Counter(location=40), "gold": Counter(location=10)}

    def found(right: int) -> rank.Conflict:
        evidence = [
            Evidence(
                "tagger", "a", "b", "location", NOT_EXTRACTED, n=40 - right, checked=40
            )
        ]
        cross = Score(
            "a",
            "b",
            Counter({("location", "location"): right}),
            evidence=evidence,
            **away,
        )
        (one,) = rank.rank([], Names(), [a, b], [home, cross])
        return one

    low, high = found(2), found(9)
    assert (low.home, low.cross) == (pytest.approx(0.9), pytest.approx(4 / 50))
    assert low.loss == pytest.approx(1 - (4 / 50) / 0.9) and low.score > high.score > 0
    assert (low.predicted, low.predictions, low.sources) == (38, 40, ["tagger"])


@pytest.fixture(scope="module")
def mini(tmp_path_factory) -> dict:
    settings = detect.Settings(
        taxonomy=builtin("universal"), aliases=ALIASES, rules_only=True
    )
    return detect.detect([MINI], tmp_path_factory.mktemp("mini"), settings)


PLANTED = [
    # (number in the corpora's README, label, what other sets do, a string)
    (1, "location", "country", "Egypt"),
    (1, "location", "city", "Vienna"),
    (2, "organization", rank.UNMARKED, "Ajax"),
    (2, "organization", "sports team", ""),
    (3, "organization", "court", "Labour Court"),
    (3, "organization", "government agency", "Securities and Exchange Commission"),
    (4, "location", "(without generic geographic word)", "Rhine river"),
    (5, "disease", rank.UNMARKED, "fever"),
    (6, "product", rank.UNMARKED, "帐篷"),
    (7, "person", "(without title)", "Park"),
    (8, "price", "(without currency unit)", "129"),
    (8, "amount of money", "monetary penalty", "$5,000"),
    (8, "amount of money", "price", "$11"),
    (10, "person or group", "job title", "programmer"),
    (11, "organization", "brand", "华为"),
    (11, "time expression", "season or festival", "清明"),
    (11, "nationality or political group", "cuisine", "Japanese"),
]


@pytest.mark.parametrize("number, label, other, string", PLANTED)
def test_planted_conflicts_are_found(mini, number, label, other, string):
    found = {
        (c["label"], c["other"]): c
        for c in (*mini["conflicts"], *mini["no_counterpart"])
    }
    assert (label, other) in found, sorted(found)
    assert (
        not string
        or string in found[label, other]["strings"]
        or string in str(found[label, other]["examples"])
    )


@pytest.mark.parametrize(
    "number, a, b",
    [
        (9, "date", "date or period"),
        (10, "person", "person or group"),
        (12, "chemical or drug", "drug"),
        (12, "anatomical structure", "body part"),
        (12, "organism", "microorganism"),
        (12, "flavor", "flavor or texture"),
    ],
)
def test_planted_near_synonyms_are_found(mini, number, a, b):
    assert {a, b} in [{pair["a"], pair["b"]} for pair in mini["similar"]]


def test_ambiguity_within_a_set_is_no_conflict(mini):
    strings = {
        s for c in (*mini["conflicts"], *mini["no_counterpart"]) for s in c["strings"]
    }
    assert strings.isdisjoint({"Liverpool", "bitter", "tagine", "苹果"})
