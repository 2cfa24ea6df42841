"""The noise of sampling, and trees of tokens."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_cascade.decoding.sampling import gumbel
from spacy_cascade.decoding.tree import TokenTree, ancestor_mask, node_depths, path_to


def test_noise_depends_on_text_round_state_and_token_only() -> None:
    a = gumbel("text", 1, (0, 1), [5, 6])
    assert np.array_equal(a, gumbel("text", 1, (0, 1), [5, 6]))
    assert a[1] == gumbel("text", 1, (0, 1), [6])[0]
    assert a[0] != gumbel("texu", 1, (0, 1), [5])[0]
    assert a[0] != gumbel("text", 2, (0, 1), [5])[0]
    assert a[0] != gumbel("text", 1, (0, 2), [5])[0]


def test_noise_is_gumbel_distributed() -> None:
    values = np.concatenate([gumbel("t", r, 0, range(50)) for r in range(100)])
    assert values.mean() == pytest.approx(0.5772, abs=0.05)
    assert values.var() == pytest.approx(np.pi**2 / 6, rel=0.08)


@given(
    st.lists(
        st.lists(st.integers(0, 3), min_size=1, max_size=6), min_size=1, max_size=8
    )
)
def test_token_tree_keeps_every_sequence(sequences: list[list[int]]) -> None:
    tree = TokenTree()
    ends = [tree.insert(s) for s in sequences]
    assert all(p < i for i, p in enumerate(tree.parents))
    for s, end in zip(sequences, ends, strict=True):
        path = path_to(tree.parents, end)
        assert [tree.ids[n] for n in path] == s
        assert node_depths(tree.parents)[end] == tree.depths[end] == len(s) - 1
        assert sorted(np.flatnonzero(ancestor_mask(tree.parents)[end])) == path
        assert tree.shared(s) == len(s)
    assert len(tree) == len(
        {tuple(s[: i + 1]) for s in sequences for i in range(len(s))}
    )
