"""Marks stay with their letters where texts are compared."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest

from corpus_tools.b2nerd.conflicts import edges, strings
from corpus_tools.b2nerd.conflicts.model import _safe
from corpus_tools.duplicates import EXACT, DuplicateIndex, normalise
from corpus_tools.embedding import hash_embedder
from corpus_tools.records import Mention, Record
from corpus_tools.twins import find_twins

NFD = "Rene\u0301e aime E\u0301vry."
NFC = unicodedata.normalize("NFC", NFD)


@pytest.mark.parametrize(
    "one, other",
    [("दिल", "दिल्ली"), ("मिल", "माल"), ("กา", "กำ"), ("கடல்", "கடலை"), ("مُحَمَّد", "محمد")],
)
def test_words_that_differ_in_marks_are_two(one, other):
    assert normalise(one) != normalise(other)
    index = DuplicateIndex(None)
    index.add([one])
    assert index.find([other, one, f"«{one}»!"])[0] is None
    assert [m.reason for m in index.find([one, f"«{one}»!"]) if m] == [EXACT, EXACT]
    assert not find_twins([Record(one)], [Record(other)])


def test_marks_do_not_part_words():
    assert normalise("नरेश, दिल्ली!") == "नरेश दिल्ली"


def test_composed_and_decomposed_texts_are_the_same():
    assert normalise(NFC) == normalise(NFD)
    assert [t.similarity for t in find_twins([Record(NFC)], [Record(NFD)])] == [1.0]
    one, other = hash_embedder()([NFC, NFD])
    assert np.array_equal(one, other)


def test_strings_are_found_as_whole_words():
    tokens = [t.text for t in strings.tokenize("दिल्ली, Rene\u0301e_1")]
    assert tokens == ["दिल्ली", ",", "Rene\u0301e_1"]
    index = strings.StringIndex(["दिल", "दिल्ली"])
    assert list(index.find("दिल्ली में दिल")) == [(1, 0, 6), (0, 11, 14)]


def test_words_beside_mentions():
    record = Record("श्रीमान नरेश कुमार आए", (Mention(8, 12, "person"),))
    found = {(edge, inside) for edge, inside in edges._edges(record, 8, 12)}
    assert (("first", "श्रीमान"), False) in found
    assert (("last", "कुमार"), False) in found
    assert edges.class_of_rest("श्रीमान.") == "श्रीमान"


def test_file_names_of_sets_keep_marks():
    assert _safe("कि") != _safe("कु")
