"""Synonym tables."""

from __future__ import annotations

import pytest

from corpus_tools.dynamic import synonyms
from corpus_tools.errors import CorpusError
from spacy_cascade.taxonomy import Taxonomy, builtin


def test_synonym_tables_that_ship():
    taxonomy = builtin("dynamicner")
    assert "en" in synonyms.languages()
    for lang in synonyms.languages():
        table = synonyms.load(lang, taxonomy=taxonomy)
        assert all(path in taxonomy for path in table)
        assert sum(map(len, table.values())) > 155


@pytest.mark.parametrize(
    "table, why",
    [
        ({"work > film": ["film", "song"]}, "also names 'work -> song'"),
        (
            {"work > film": ["film", "Picture"], "work > song": ["song", "picture"]},
            "also names 'work -> film'",
        ),
        ({"work > film": ["film", "a, b"]}, "must be a non-empty string"),
        ({"work > film": ["film", " "]}, "must be a non-empty string"),
        ({"work > film": ["film", 3]}, "must be a non-empty string"),
    ],
)
def test_wrong_synonyms(taxonomy, write_json, table, why):
    with pytest.raises(CorpusError, match=f"T032.*{why}"):
        synonyms.load(str(write_json(table)), taxonomy=taxonomy)


def test_types_of_one_name_may_share_a_translation_but_no_synonym(write_json):
    taxonomy = Taxonomy({"a": {"a": ["x", "y"]}})
    table = {"a": ["A1"], "a > a": ["A1", "A2"], "a > a > unknown": ["Q"]}
    assert synonyms.load(str(write_json(table)), taxonomy=taxonomy) == {
        ("a",): ("A1",),
        ("a", "a"): ("A1", "A2"),
    }
    with pytest.raises(CorpusError, match="T032"):
        synonyms.load(
            str(write_json({"a": ["A1", "A2"], "a > a": ["A1", "A2"]})),
            taxonomy=taxonomy,
        )


@pytest.mark.parametrize(
    "content, why", [("[1]", "no object"), ("{", ""), ('{"a": "b"}', "no object")]
)
def test_unreadable_synonyms(taxonomy, write_json, content, why):
    with pytest.raises(CorpusError, match=f"T031.*{why}"):
        synonyms.load(str(write_json(content)), taxonomy=taxonomy)


def test_no_synonyms_for_a_language(taxonomy):
    with pytest.raises(CorpusError, match=r"T031.*no such file"):
        synonyms.load("tlh", taxonomy=taxonomy)
