"""The naming principles."""

from __future__ import annotations

import pytest

from corpus_tools.b2nerd.labelmap import load_maps
from corpus_tools.b2nerd.lint import lint_name, lint_names, lint_taxonomy, skeleton
from spacy_cascade.taxonomy import Taxonomy, builtin


@pytest.mark.parametrize(
    "name, rules",
    [
        ("person or group", set()),
        ("location or geo-political entity -> others", set()),
        ("rhythm", set()),
        ("nationality or miscellaneous name", set()),
        ("ORG", {"readable", "no acronym"}),
        ("gpe", {"no acronym"}),
        ("tv show", {"no acronym"}),
        ("nlp focus", {"no acronym"}),
        ("PublicCorp", {"readable"}),
        ("pers.ind", {"readable", "no acronym"}),
        ("loc_other", {"readable", "no acronym"}),
        ("person (name)", {"readable"}),
        ("nationality, religion", {"readable"}),
        ("人物", {"readable", "length"}),
        ("medication/vaccine", {"flexible"}),
        ("food and drink", {"flexible"}),
        ("miscellaneous", {"unambiguous"}),
        ("thing", {"unambiguous"}),
        ("other location", {"unambiguous"}),
        ("others", {"hierarchical"}),
        ("others -> person", {"hierarchical"}),
        ("person -> person", {"hierarchical"}),
        ("alpha -> beta -> gamma -> delta -> epsilon", {"hierarchical"}),
        ("it", {"length"}),
        (
            "a name that goes on and on until nobody remembers how it began",
            {"length", "flexible"},
        ),
        (" ", {"readable"}),
    ],
)
def test_rules(name, rules):
    assert {p.rule for p in lint_name(name)} == rules


@pytest.mark.parametrize(
    "a, b",
    [
        ("organisation", "organization"),
        ("Person", "persons"),
        ("cities", "city"),
        ("theatre", "theater"),
        ("colour", "color"),
        ("TV programme", "tv programs"),
        ("geo-political entity", "geopolitical entities"),
        ("group or person", "person or group"),
        ("diseases", "disease"),
        ("location->city", "location -> cities"),
    ],
)
def test_names_that_differ_only_in_form(a, b):
    assert skeleton(a) == skeleton(b)
    assert "duplicate" in {p.rule for p in lint_names([a, b])}


@pytest.mark.parametrize(
    "a, b",
    [
        ("person", "personnel"),
        ("hour", "ore"),
        ("city", "country"),
        ("status", "state"),
        ("gas", "gene"),
    ],
)
def test_names_that_differ(a, b):
    assert skeleton(a) != skeleton(b)


def test_taxonomy_needs_definitions_and_one_place_per_name():
    tree = {
        "art": {"film": {}},
        "product": {"films": {}, "others": {}},
        "event": {"others": {}},
    }
    described = {
        "art": "what artists make",
        "product": "what is sold",
        "product > others": "the rest",
        "event > others": "more",
    }
    names = {"zh": {"art > film": "电影", "product > films": "电影", "song": "歌"}}
    taxonomy = Taxonomy(
        tree,
        descriptions={**described, "art > film": "films", "event": "what happens"},
        names=names,
    )
    found = {(p.rule, p.name) for p in lint_taxonomy(taxonomy)}
    assert found == {
        ("unambiguous", "product -> films"),
        ("defined", "art -> film"),
        ("defined", "product -> films"),
        ("names", "product > films"),
        ("names", "song"),
    }


def test_universal_taxonomy_passes():
    taxonomy = builtin("universal")
    assert len(taxonomy) >= 250
    assert lint_taxonomy(taxonomy) == []


def test_all_data_sets_pass_after_mapping():
    maps = load_maps()
    assert len(maps) == 86 + 7
    assert not {
        name: p
        for name, m in maps.items()
        if (p := lint_names(t for t in m.targets.values() if t is not None))
    }


def test_raw_names_of_the_data_sets_do_not_all_pass():
    raws = [raw for label_map in load_maps().values() for raw in label_map.targets]
    rules = {p.rule for p in lint_names(raws)}
    assert {"readable", "no acronym", "flexible", "unambiguous", "duplicate"} <= rules
