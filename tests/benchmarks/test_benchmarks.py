"""What the benchmarks are built from: the model does as it is told, and label trees
hold every label.
"""

from __future__ import annotations

from typing import Any

import pytest
from spacy.language import Language

from benchmarks.suites.scaling._pipeline import pipeline
from benchmarks.suites.scaling.growth import text_of, tree
from spacy_cascade.taxonomy import Taxonomy
from tests import util


@pytest.mark.parametrize("n", [8, 31, 155, 1000])
def test_label_trees_have_three_levels_and_all_names(n: int) -> None:
    names = [f"name {i}" for i in range(n)]
    taxonomy = Taxonomy(tree(names, 3))
    assert {path[-1] for path in taxonomy.leaves} == set(names)
    assert {len(path) for path in taxonomy.leaves} == {3}
    widths = [
        len(taxonomy.children(path))
        for path in [(), *taxonomy]
        if taxonomy.children(path)
    ]
    assert max(widths) <= 2 * round(n ** (1 / 3))


@pytest.mark.parametrize("prompt", ["compact", "chat"])
def test_runs_of_capitalized_words_become_the_mentions(rnd: Any, prompt: str) -> None:
    """Weights are random, and it is the gold marks that come out, through all of the
    real decoding.
    """
    nlp = pipeline(rnd, prompt)
    found = [
        [s.text for s in doc.spans["cascade"]]
        for doc in nlp.pipe((*util.SENTENCES[:2], "nothing at all ."))
    ]
    assert found == [
        ["John Smith", "New York", "Paris", "ACME Corp", "Monday"],
        ["She"],
        [],
    ]


def test_texts_have_as_many_tokens_as_asked_for(nlp: Language) -> None:
    assert 50 <= len(nlp.make_doc(text_of(["a b c .", "d e"], 50, nlp))) < 54
