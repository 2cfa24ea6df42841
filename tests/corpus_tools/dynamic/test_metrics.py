"""The metrics of type lists, in closed form and against other implementations."""

from __future__ import annotations

import math

import numpy as np
import pytest

from corpus_tools.dynamic import metrics, versions
from corpus_tools.dynamic.metrics import (
    METRICS,
    ClassSums,
    Vectors,
    gini,
    measure,
    normalized_entropy,
    variation,
)
from corpus_tools.errors import CorpusError

from .util import unit

EXTREME = [80, 10, 5, 5]


@pytest.mark.parametrize(
    "counts, entropy, coefficient, deviation",
    [
        ([7, 7, 7, 7], 1.0, 0.0, 0.0),
        ([9], 0.0, 0.0, 0.0),
        (
            EXTREME,
            -(0.8 * math.log2(0.8) + 0.1 * math.log2(0.1) + 0.1 * math.log2(0.05)) / 2,
            0.575,
            math.sqrt((0.55**2 + 0.15**2 + 2 * 0.2**2) / 4) / 0.25,
        ),
        ([0, 3, 3, 0], 1.0, 0.0, 0.0),  # a type without a mention is none
    ],
)
def test_distribution_in_closed_form(counts, entropy, coefficient, deviation):
    assert normalized_entropy(counts) == pytest.approx(entropy)
    assert gini(counts) == pytest.approx(coefficient)
    assert variation(counts) == pytest.approx(deviation)


@pytest.mark.parametrize("counts", [[], [0, 0], [1, -1], [1, float("nan")]])
@pytest.mark.parametrize("function", [normalized_entropy, gini, variation])
def test_no_distribution(function, counts):
    with pytest.raises(CorpusError, match="T030"):
        function(counts)


def test_cohesion_in_closed_form():
    east, north = np.eye(2, dtype=np.float32)
    cases = {
        "identical": ([east] * 5, 1.0),
        "opposite": ([east, -east], -1.0),
        "two of each": ([east, east, -east, -east], -1 / 3),
        "right angle": ([east, north], 0.0),
    }
    for vectors, expected in cases.values():
        sums = ClassSums(1, 2)
        sums.add(np.zeros(len(vectors), dtype=int), np.array(vectors))
        assert sums.cohesion()[0] == pytest.approx(expected)
    alone = ClassSums(2, 2)
    alone.add(np.array([0]), east[None])
    assert np.isnan(alone.cohesion()).all()
    assert math.isnan(alone.metrics().cohesion)


def test_metrics_agree_with_independent_implementations():
    from scipy.stats import entropy
    from scipy.stats import variation as scipy_variation
    from sklearn.metrics.pairwise import cosine_similarity

    rng = np.random.default_rng(0)
    codes = rng.choice(12, 3000, p=rng.dirichlet(np.full(12, 2)))
    rows = unit(rng, 500)
    vectors = Vectors(rows, rng.integers(0, 500, len(codes)))
    found = measure(codes, vectors)
    counts = np.unique(codes, return_counts=True)[1]
    assert found.entropy == pytest.approx(
        entropy(counts, base=2) / math.log2(len(counts))
    )
    assert found.variation == pytest.approx(scipy_variation(counts))
    # half the relative mean absolute difference
    assert found.gini == pytest.approx(
        np.abs(counts[:, None] - counts).mean() / (2 * counts.mean())
    )
    similar = [
        cosine_similarity(rows[vectors.of[codes == code]]) for code in np.unique(codes)
    ]
    assert found.cohesion == pytest.approx(
        np.mean([s[np.triu_indices(len(s), 1)].mean() for s in similar]), abs=1e-6
    )


def test_offers_are_the_same_metrics_over_pairs():
    rng = np.random.default_rng(1)
    member = rng.random((300, 6)) < 0.4
    vectors = Vectors(unit(rng, 300), np.arange(300))
    row, code = np.nonzero(member)
    expected = measure(code, Vectors(vectors.rows, row))
    found = metrics.measure_members(member, vectors)
    for name in METRICS:
        assert getattr(found, name) == pytest.approx(getattr(expected, name), abs=1e-6)
    assert found.mentions == member.sum()


@pytest.mark.slow
def test_a_hundred_thousand_mentions_in_bounded_memory():
    import tracemalloc

    rng = np.random.default_rng(2)
    n = 100_000
    rows = unit(rng, 1000, 64)
    texts = {f"t{i}": row for i, row in enumerate(rows)}
    stream = ((f"t{i % 1000}", f"type{i % 150}", f"type{i % 150}") for i in range(n))
    tracemalloc.start()
    found = metrics.measure_stream(
        stream, lambda names: np.stack([texts[t] for t in names])
    )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.mentions == n
    assert found.types == 150
    assert peak < 20e6  # the vectors of all mentions would be 25.6 MB


@pytest.mark.parametrize("wrong", [0.0, float("nan"), float("inf")])
def test_unusable_embedding(wrong):
    vectors = np.full((3, 4), wrong, dtype=np.float32)
    with pytest.raises(CorpusError, match="T030"):
        measure(np.zeros(3, dtype=int), Vectors(vectors, np.arange(3)))
    with pytest.raises(CorpusError, match="T042"):
        versions.embed(["a", "b", "c"], lambda texts: vectors)
    with pytest.raises(CorpusError, match="T042"):
        metrics.measure_stream(
            [("a", "x", "x"), ("b", "x", "x"), ("c", "x", "x")], lambda texts: vectors
        )
