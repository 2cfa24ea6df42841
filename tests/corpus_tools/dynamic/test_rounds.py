"""Type lists, and the four rounds that change them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from corpus_tools.dynamic import lists as ls
from corpus_tools.dynamic import rounds
from corpus_tools.errors import CorpusError
from spacy_cascade.taxonomy import Taxonomy


def test_types(types):
    column = types.column
    assert (
        types.target[column["person", "real person", "politician"]]
        == column["person", "real person", "other person"]
    )
    assert (
        types.target[column["work",]] == column["miscellaneous",]
    )  # means "other" by its name
    place = types.target[column["place", "area"]]
    assert not types.real[place] and types.names[place] == (
        "place",
    )  # the parent, meaning "other place"
    assert types.target[column["work", "other work"]] == -1
    assert types.above[column["place",], column["place", "area", "city"]]
    assert not types.above[column["place", "area", "city"], column["place",]]


def test_base(types):
    lists = ls.base(
        np.array(
            [types.column["place", "area", "city"], types.column["place", "area"]]
        ),
        types,
    )
    assert lists.label(0) == "city" and lists.path(0) == "place > area > city"
    assert (
        "area" in lists.names(1)
        and "city" not in lists.names(1)
        and "school" in lists.names(1)
    )
    assert len(lists.names(0)) == int((types.leaf & types.real).sum())


def test_every_round_keeps_the_rules_whatever_its_parameters(types, corpus):
    base = ls.base(corpus.gold, types)
    rng = np.random.default_rng(0)
    for attempt in range(40):
        lists = base
        for one in rounds.ROUNDS:
            corner = rng.random() < 0.3
            params = {
                k: rng.choice([a, b]) if corner else rng.uniform(a, b)
                for k, (a, b) in one.ranges.items()
            }
            lists = one.apply(lists, corpus, np.random.default_rng(attempt), **params)
            ls.check(lists, corpus.gold)


def test_rounds_do_what_they_say(types, corpus):
    base = ls.base(corpus.gold, types)
    n = len(corpus.gold)
    mixed = rounds.mix(
        base,
        corpus,
        np.random.default_rng(0),
        lift=0.5,
        further=0.4,
        rarity=0,
        atypical=0,
        clumped=0,
        split=0.5,
    )
    lifted = mixed.answer != corpus.gold
    assert lifted.sum() == n // 2
    assert types.above[mixed.answer[lifted], corpus.gold[lifted]].all()
    assert len({len(types.paths[a]) for a in mixed.answer}) == 3
    named = rounds.rename(mixed, corpus, np.random.default_rng(0), rate=1.0, above=0)
    city = types.column["place", "area", "city"]
    assert {named.label(i) for i in np.flatnonzero(named.answer == city)} == {
        "town",
        "municipality",
    }
    assert (
        named.metrics(corpus.vectors).cohesion == mixed.metrics(corpus.vectors).cohesion
    )
    assert named.metrics(corpus.vectors, by_name=False) == mixed.metrics(
        corpus.vectors, by_name=False
    )
    short = rounds.narrow(
        named,
        corpus,
        np.random.default_rng(0),
        share=1.0,
        keep=0.0,
        relevance=2,
        balance=0,
    )
    assert (short.codes() == named.codes()).all()
    assert (
        short.lengths() <= named.lengths()
    ).all() and short.lengths().min() == ls.LEAST
    assert short.offers(corpus.vectors).cohesion > named.offers(corpus.vectors).cohesion
    merged = rounds.merge(
        named,
        corpus,
        np.random.default_rng(0),
        share=0.3,
        part=1.0,
        gain=0,
        rarity=0,
        width=0.3,
    )
    changed = merged.answer != named.answer
    assert 0 < changed.sum() <= 0.3 * n
    assert (merged.answer[changed] == types.target[named.answer[changed]]).all()


@pytest.mark.parametrize(
    "why",
    [
        "lacks its answer",
        "has less than 3 types",
        "has a type and its ancestor",
        "does not cover",
    ],
)
def test_a_broken_rule_is_found(types, why):
    city = types.column["place", "area", "city"]
    gold = np.array([city, city])
    lists = ls.base(gold, types)
    if why == "lacks its answer":
        lists.member[1, city] = False
    elif why == "has less than 3 types":
        lists.member[1] = False
        lists.member[1, [city, types.column["work", "song"]]] = True
    elif why == "has a type and its ancestor":
        lists.member[1, types.column["work",]] = True
    else:
        lists = replace(lists, answer=np.array([city, types.column["work", "song"]]))
    with pytest.raises(CorpusError, match=f"T038.*mention 2 .*{why}"):
        ls.check(lists, gold)


def test_an_ancestor_that_means_other_may_stand_beside(types):
    area = types.column["place", "area"]
    lists = ls.base(np.array([types.column["place", "area", "city"]]), types)
    lists.member[0, types.target[area]] = True  # "place", beside "city": other places
    ls.check(lists, np.array([types.column["place", "area", "city"]]))
    assert "place" in lists.names(0)


def test_twins_leave_one_name(taxonomy):
    twice = ls.Types(Taxonomy({"a": ["x", "y"], "b": ["x", "z"]}))
    gold = np.array(
        [twice.column["a", "x"], twice.column["b", "x"], twice.column["b", "z"]]
    )
    lists = ls.base(gold, twice)
    assert [lists.names(i) for i in range(3)] == [
        ["x", "y", "z"],
        ["y", "x", "z"],
        ["x", "y", "z"],
    ]
    ls.check(lists, gold)
