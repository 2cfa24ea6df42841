"""Which labels mean the same or include each other."""

from __future__ import annotations

import pytest

from corpus_tools.b2nerd.conflicts.similar import Names, Relation, read_maps
from corpus_tools.embedding import get_embedder
from spacy_cascade.taxonomy import builtin


@pytest.mark.parametrize(
    "a, b, relation",
    [
        ("organisation", "organization", Relation.SAME),
        ("location->others", "location", Relation.SAME),
        ("other location", "location", Relation.SAME),
        ("geographic location", "location", Relation.SIMILAR),
        ("drug", "chemical or drug", Relation.SIMILAR),
        ("date", "date or period", Relation.SIMILAR),
        ("product attribute->flavor", "flavor or texture", Relation.SIMILAR),
        ("location", "location->city", Relation.BROADER),
        ("city", "location", Relation.NARROWER),
        ("organism", "microorganism", Relation.BROADER),
        ("body part", "anatomical structure", Relation.NARROWER),
        ("event", "sports event", Relation.BROADER),
        ("product", "criminal offense", Relation.NONE),
        ("person", "price", Relation.NONE),
    ],
)
def test_relations(a, b, relation):
    names = Names(taxonomy=builtin("universal"), embedder=get_embedder("hash"))
    assert names.relation(names("x", a), names("y", b)) == relation


def test_label_maps_come_first(write_json):
    maps = read_maps(write_json({"a": {"LOC": "location"}, "b": {"GPE": "location"}}))
    names = Names(maps=maps)
    assert (
        names("a", "LOC") == names("b", "GPE") == "location"
        and names("c", "GPE") == "gpe"
    )
    everywhere = Names(maps=read_maps(write_json({"PER": "person"}, "all.json")))
    assert everywhere("any", "PER") == "person"


def test_embedder_finds_other_spellings():
    assert Names().relation("corporation", "corporations") == Relation.NONE
    assert (
        Names(embedder=get_embedder("hash"), threshold=0.7).relation(
            "corporation", "corporations"
        )
        == Relation.SIMILAR
    )
