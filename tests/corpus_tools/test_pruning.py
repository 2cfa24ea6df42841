"""How samples are chosen."""

from __future__ import annotations

import numpy as np
import pytest

from corpus_tools.b2nerd.pruning import PruneOptions, fill_pool, select
from corpus_tools.units import Incidence
from corpus_tools.vectors import nearest_in, nearest_of

from .pruning_corpus import units


def one_by_one(
    rows: np.ndarray, vectors: np.ndarray, limits: np.ndarray, k: int
) -> list[int]:
    """The definition, pair by pair."""
    pool: list[int] = []
    for row, limit in zip(rows, limits, strict=True):
        if len(pool) < k and all(
            float(vectors[row] @ vectors[y]) < limit for y in pool
        ):
            pool.append(int(row))
    return pool


@pytest.mark.parametrize("k", [1, 7, 60, 5000])
def test_a_pool_is_filled_as_defined(k):
    vectors = units(1500, 6)
    rng = np.random.default_rng(1)
    rows, limits = rng.permutation(1500), 1 - rng.random(1500)
    assert fill_pool(rows, vectors, limits, k).tolist() == one_by_one(
        rows, vectors, limits, k
    )


@pytest.mark.parametrize(
    "b, cosine, expected",
    [(0.0, 0.75, 0.25), (0.2, 0.75, 0.45), (-0.2, 0.75, 0.05), (0, -0.5, 1)],
)
def test_probability_of_entering(b, cosine, expected):
    # Many types of two records each: the first enters, the second with probability 1 - cos + b.
    pair = np.array([[1, 0], [cosine, (1 - cosine**2) ** 0.5]], dtype=np.float32)
    incidence = Incidence()
    for number in range(4000):
        incidence.add("set", [f"type {number // 2}"])
    keep = select(incidence.freeze(), np.tile(pair, (2000, 1)), PruneOptions(b=b)).keep
    assert keep.sum() / 2000 - 1 == pytest.approx(expected, abs=0.035)


def incidence_of(n: int, seed: int = 0) -> Incidence:
    rng = np.random.default_rng(seed)
    found = Incidence()
    for _ in range(n):
        found.add(
            "set",
            rng.choice(
                ["a", "b", "c"], rng.integers(0, 4), p=[0.8, 0.15, 0.05]
            ).tolist(),
        )
    return found.freeze()


def test_pools_are_bounded_and_their_union_is_kept():
    incidence, vectors = incidence_of(900), units(900, 16)
    selection = select(incidence, vectors, PruneOptions(k=25, seed=3))
    assert {key[1]: len(rows) for key, rows in selection.pools.items()} == {
        "a": 25,
        "b": 25,
        "c": 25,
        "": 5,
    }
    assert set(np.flatnonzero(selection.keep)) == set(
        np.concatenate(list(selection.pools.values()))
    )
    for key, rows in zip(incidence.keys, incidence.by_key(), strict=True):
        assert set(selection.pools[key]) <= set(rows)


def test_copies_enter_once():
    vectors = np.repeat(units(5, 32), 20, axis=0)
    incidence = Incidence()
    for _ in vectors:
        incidence.add("set", ["t"])
    assert select(incidence.freeze(), vectors, PruneOptions()).keep.sum() <= 5


def test_threshold_keeps_all_pool_members_apart():
    vectors = units(600, 5)
    selection = select(
        incidence_of(600),
        vectors,
        PruneOptions(method="threshold", threshold=0.7, k=600),
    )
    for rows in selection.pools.values():
        assert nearest_of(vectors[rows]).max() < 0.7


def test_b_of_one_is_random_sampling_per_type():
    incidence, vectors = incidence_of(500), units(500, 8)
    free = select(incidence, vectors, PruneOptions(k=30, b=1))
    by_type = select(incidence, None, PruneOptions(k=30, method="type-random"))
    assert {k: v.tolist() for k, v in free.pools.items()} == {
        k: v.tolist() for k, v in by_type.pools.items()
    }


@pytest.mark.parametrize("method", ["random", "type-random"])
def test_random_methods_give_the_size_asked_for(method):
    incidence = incidence_of(500)
    assert (
        select(incidence, None, PruneOptions(method=method, size=123)).keep.sum() == 123
    )
    assert (
        select(
            incidence, None, PruneOptions(method=method), sizes={"set": 60}
        ).keep.sum()
        == 60
    )
    assert select(incidence, None, PruneOptions(method=method, size=9999)).keep.all()


def test_sampling_per_type_favours_rare_types():
    incidence = incidence_of(2000)
    rare = incidence.by_key()[[k[1] for k in incidence.keys].index("c")]
    chosen = {
        m: select(incidence, None, PruneOptions(method=m, size=300)).keep
        for m in ("random", "type-random")
    }
    assert chosen["type-random"][rare].mean() > 2 * chosen["random"][rare].mean()


def test_data_sets_and_types_do_not_influence_each_other():
    alone, both = incidence_of(300), incidence_of(300)
    vectors = units(600, 8)
    for _ in range(300):
        both.add("other", ["a", "z"])
    extended = Incidence()
    for number in range(300):
        extended.add(
            "set",
            [
                alone.keys[k][1]
                for k in alone.key[alone.record == number]
                if alone.keys[k][1]
            ],
        )
    for _ in range(300):
        extended.add("other", ["a", "z"])
    options = PruneOptions(k=25)
    one, two = (
        select(alone, vectors[:300], options),
        select(extended.freeze(), vectors, options),
    )
    assert (one.keep == two.keep[:300]).all()


@pytest.mark.slow
def test_nearest_neighbours_against_scikit_learn():
    neighbors = pytest.importorskip("sklearn.neighbors")
    vectors, others = units(1100, 12), units(9000, 12, seed=1)
    fit = neighbors.NearestNeighbors(metric="cosine").fit(vectors)
    assert nearest_of(vectors) == pytest.approx(
        1 - fit.kneighbors(n_neighbors=1)[0][:, 0], abs=1e-5
    )
    fit = neighbors.NearestNeighbors(metric="cosine").fit(others)
    distances, numbers = fit.kneighbors(vectors, n_neighbors=1)
    found, cosines = nearest_in(vectors, others)
    assert cosines == pytest.approx(1 - distances[:, 0], abs=1e-5)
    assert (found == numbers[:, 0]).all()
