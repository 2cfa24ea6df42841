"""A small taxonomy and corpus."""

from __future__ import annotations

import numpy as np
import pytest

from corpus_tools.dynamic import lists as ls
from corpus_tools.dynamic import rounds
from corpus_tools.dynamic.metrics import (
    Vectors,
)
from spacy_cascade.taxonomy import Taxonomy

from .util import TREE, unit


@pytest.fixture(scope="module")
def taxonomy() -> Taxonomy:
    return Taxonomy(TREE, name="small")


@pytest.fixture(scope="module")
def types(taxonomy) -> ls.Types:
    return ls.Types(
        taxonomy,
        {
            ("place", "area", "city"): ("town", "municipality"),
            ("person", "real person", "politician"): ("statesman",),
        },
    )


@pytest.fixture(scope="module")
def corpus(types) -> rounds.Corpus:
    """400 mentions, unevenly distributed, with embeddings near their type's own direction."""
    rng = np.random.default_rng(3)
    leaves = np.flatnonzero(types.leaf & types.real)
    gold = rng.choice(
        leaves,
        400,
        p=np.arange(1, len(leaves) + 1) / np.arange(1, len(leaves) + 1).sum(),
    )
    centers = unit(rng, len(types))
    rows = centers[gold] + 0.8 * unit(rng, len(gold))
    vectors = Vectors(
        (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32),
        np.arange(len(gold)),
    )
    return rounds.describe(gold, ls.base(gold, types), vectors)
