"""What the rules find: strings of both sets, and words at the edges of mentions."""

from __future__ import annotations

import random
import time
from collections import Counter

import pytest

from corpus_tools.b2nerd.conflicts import edges, rules
from corpus_tools.b2nerd.conflicts.evidence import (
    EDGES,
    NOT_EXTRACTED,
    PARTIALLY_EXTRACTED,
    WRONG_CATEGORY,
    Evidence,
)
from corpus_tools.b2nerd.conflicts.similar import Names
from corpus_tools.b2nerd.conflicts.strings import StringIndex, tokenize
from spacy_cascade.taxonomy import builtin

from .util import dataset


def shown(found: list[Evidence]) -> set[tuple[str, str, str, str, int]]:
    return {(e.a, e.label, e.kind, e.other, e.n) for e in found}


def test_three_classes_and_agreement():
    a = dataset(
        "a",
        "[Egypt|location] is hot",
        "the [Rhine river|location]",
        "[Ajax|location] won",
        "[Oslo|location] is cold",
    )
    b = dataset(
        "b",
        "[Egypt|country] won",
        "the [Rhine|location] river",
        "Ajax lost",
        "in [Oslo|location]",
        "[Rome|location]",
    )
    found = [e for e in rules.find([a, b], Names()) if e.a == "a"]
    assert shown(found) == {
        ("a", "location", WRONG_CATEGORY, "country", 1),
        ("a", "location", PARTIALLY_EXTRACTED, "location", 1),
        ("a", "location", NOT_EXTRACTED, "", 1),
    }
    partial = next(e for e in found if e.kind == PARTIALLY_EXTRACTED)
    assert (
        partial.form == "generic geographic word"
        and partial.checked == 4
        and partial.strings == {"Rhine river": 1}
    )
    assert partial.examples == ["the [Rhine river]"]
    assert next(e for e in found if e.kind == NOT_EXTRACTED).form == "name"


def test_never_inside_another_entity():
    a = dataset("a", "[New York|location] is big")
    b = dataset("b", "the [New York Times|organization] wrote", "[Oslo|location]")
    assert rules.find([a, b], Names()) == []


def test_never_inside_a_longer_known_string():
    a = dataset("a", "[York|location] is old", "[New York|location] is big")
    b = dataset("b", "New York again", "[Oslo|location]")
    assert [dict(e.strings) for e in rules.find([a, b], Names()) if e.a == "a"] == [
        {"New York": 1}
    ]


def test_ambiguous_strings_prove_nothing():
    a = dataset(
        "a",
        "[Liverpool|organization] won",
        "rain in [Liverpool|location]",
        "[Oslo|location]",
    )
    b = dataset("b", "Liverpool paid", "[Bonn|location]", "[Shell|organization]")
    assert rules.find([a, b], Names()) == []


def test_own_noise_is_measured():
    a = dataset(
        "a",
        "[May|person] left",
        "[May|person] came",
        "in May it rained",
        "[Ann|person]",
    )
    b = dataset("b", "last May was dry", "[Bob|person]")
    (one,) = [e for e in rules.find([a, b], Names()) if e.a == "a"]
    assert one.own_rate == pytest.approx(1 / 4)


def test_labels_without_counterpart_are_marked():
    a = dataset("a", "a [tent|product]", "a [lamp|product]")
    b = dataset("b", "the tent fell", "[Bonn|location]")
    (one,) = rules.find([a, b], Names())
    assert (
        not one.comparable and one.form == ""
    )  # no capital letter in the whole set: case says nothing
    assert rules.totals([one]) == {}


def test_aliases_join_languages():
    a, b = (
        dataset("a", "患者[发热|disease]三天"),
        dataset("b", "malaria with fever", "[asthma|disease]"),
    )
    assert rules.find([a, b], Names()) == []
    (one,) = rules.find([a, b], Names(), aliases={"发热": "fever"})
    assert (one.a, one.b, one.kind, one.examples) == (
        "a",
        "b",
        NOT_EXTRACTED,
        ["malaria with [fever]"],
    )


def test_index_agrees_with_a_search_for_each_string():
    draw = random.Random(0)
    words = ["New", "York", "Times", "the", "Rhine", "U.S.", "京", "都", "a-b"]
    strings = {" ".join(draw.choices(words, k=draw.randint(1, 3))) for _ in range(60)}
    text = " ".join(draw.choices(words, k=300))
    index = StringIndex(strings)
    tokens = [t.text for t in tokenize(text)]
    expected: Counter[str] = Counter()
    for string in strings:
        wanted = [t.text for t in tokenize(string)]
        if wanted not in (
            ["京"],
            ["都"],
        ):  # single characters of such scripts may be part of any word
            expected[string] = sum(
                tokens[i : i + len(wanted)] == wanted for i in range(len(tokens))
            )
    found = Counter(index.strings[n] for n, _, _ in index.find(text))
    assert +found == +expected and len(+found) > 10


def test_many_strings_do_not_slow_down_the_scan():
    """The same text against 100 and against 10,000 strings that do not occur in it."""

    def seconds(n: int) -> float:
        index = StringIndex(f"Name{i} Surname{i}" for i in range(n))
        text = "Some words without any name in them " * 500
        start = time.process_time()
        assert list(index.find(text)) == []
        return time.process_time() - start

    assert (
        min(seconds(10_000) for _ in range(2))
        < 5 * min(seconds(100) for _ in range(2)) + 0.02
    )


def test_titles_inside_and_outside():
    a = dataset(
        "a",
        *(
            f"[Judge {name}|person] ruled"
            for name in ("Sato", "Pell", "Vane", "Osei", "Lund")
        ),
    )
    b = dataset(
        "b",
        "Governor [Park|person] said",
        "by Dr. [Farouk|person]",
        "[Ann Lee|person] came",
    )
    (one,) = edges.find([a, b], Names())
    assert (one.source, one.a, one.kind, one.form, one.n, one.checked) == (
        EDGES,
        "a",
        PARTIALLY_EXTRACTED,
        "title",
        2,
        2,
    )


def test_same_head_word_with_another_label():
    a = dataset("a", "the [Supreme Court|organization]", "[Ajax|organization]")
    b = dataset(
        "b", "the [Labour Court|court]", "[Federal Court|court]", "[Shell|organization]"
    )
    (one,) = edges.find([a, b], Names(taxonomy=builtin("universal")))
    assert (one.kind, one.label, one.other, one.form, one.n) == (
        WRONG_CATEGORY,
        "organization",
        "court",
        "court",
        2,
    )
