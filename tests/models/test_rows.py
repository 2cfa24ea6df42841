"""Going on from remembered tokens gives what running everything again gives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from spacy.language import Language

from spacy_cascade.decoding.copy import Sampling, decode
from spacy_cascade.decoding.stepwise import decode_stepwise
from spacy_cascade.decoding.tree import ancestor_mask
from spacy_cascade.models.kv import KVPool
from spacy_cascade.types import Query
from tests import util

ASKED = [20, 21, 22, 23]


@pytest.fixture
def lm(rnd: Any) -> Iterator[Any]:
    before = rnd.cache_tokens, rnd.batch_tokens
    yield rnd
    rnd.cache_tokens, rnd.batch_tokens = before


@pytest.fixture
def seen(lm: Any) -> Iterator[list[tuple[int, int]]]:
    """(rows, tokens per row) of every forward pass."""
    shapes: list[tuple[int, int]] = []
    hook = lm.decoder.register_forward_pre_hook(
        lambda _, __, kwargs: shapes.append(tuple(kwargs["input_ids"].shape)),
        with_kwargs=True,
    )
    yield shapes
    hook.remove()


def ask(lm: Any, ids: list[int], row: Any = None, **more: Any) -> np.ndarray:
    (found,) = lm.candidate_logits(
        [Query(ids, [len(ids) - 1], [ASKED], row=row, **more)]
    )
    return found[0]


def test_the_tiny_models_rows_are_used(rnd: Any) -> None:
    assert rnd.rows
    assert rnd.cache_pool(10).capacity == 10


def test_a_model_that_looks_back_a_limited_way_keeps_no_rows(lm: Any) -> None:
    from transformers import MistralConfig, MistralForCausalLM

    from spacy_cascade.models.hf import HFCausalLM
    from spacy_cascade.models.spec import HFSpec

    found = []
    for window in (8, None):
        config = MistralConfig(
            vocab_size=300,
            hidden_size=32,
            intermediate_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            num_key_value_heads=1,
            sliding_window=window,
            max_position_embeddings=64,
        )
        made = HFCausalLM(
            MistralForCausalLM(config),
            lm.tokenizer,
            name="mistral",
            spec=HFSpec("", device="cpu"),
        )
        found.append((made.rows, made.cache_pool(10) is not None))
    assert found == [(False, False), (True, True)]


@pytest.mark.slow
@given(
    st.lists(
        st.tuples(
            st.integers(0, 12), st.lists(st.integers(5, 30), min_size=1, max_size=6)
        ),
        min_size=1,
        max_size=6,
    )
)
def test_a_row_cut_back_and_run_on_equals_the_whole_sequence(
    rnd: Any, edits: list[tuple[int, list[int]]]
) -> None:
    row, ids = rnd.cache_pool(4).row(), []
    for keep, more in edits:
        ids = ids[:keep] + more
        row.truncate(min(keep, len(ids) - len(more)))
        assert ask(rnd, ids, row) == pytest.approx(ask(rnd, ids), abs=1e-5)
        assert len(row) == len(ids)


def test_rows_of_different_lengths_and_positions_in_one_batch(
    lm: Any, seen: Any
) -> None:
    memory = lm.cache_pool(200)
    starts = [[5, 6, 7], [8] * 11, [], [9, 9]]
    ends = [[10], [11, 12], [13, 14, 15], [16] * 4]
    rows = [memory.row() for _ in starts]
    depths = [[(3 * i) % 7 for i in range(20)] for _ in starts]
    lm.candidate_logits(
        [
            Query(s, row=r, depths=d[: len(s)])
            for s, r, d in zip(starts, rows, depths, strict=True)
            if s
        ]
    )
    del seen[:]
    queries = [
        Query(
            s + e,
            [len(s), len(s + e) - 1],
            [ASKED, ASKED[:2]],
            row=r,
            depths=d[: len(s + e)],
        )
        for s, e, r, d in zip(starts, ends, rows, depths, strict=True)
    ]
    found = lm.candidate_logits(queries)
    assert seen == [(4, 4)]
    for q, f in zip(queries, found, strict=True):
        (alone,) = lm.candidate_logits(
            [Query(q.ids, q.positions, q.candidates, depths=q.depths)]
        )
        assert f == pytest.approx(alone, abs=1e-5)


def test_a_tree_grows_in_a_row(lm: Any, seen: Any) -> None:
    ids, parents = [5, 6, 7, 8, 9, 10, 11], [-1, 0, 1, 1, 3, 2, 4]
    row = lm.cache_pool(20).row()
    for n in (3, 5, 7):
        asked = list(range(len(row), n))
        (grown,) = lm.candidate_logits(
            [Query(ids[:n], asked, [ASKED] * len(asked), parents[:n], row=row)]
        )
        (whole,) = lm.candidate_logits(
            [Query(ids[:n], asked, [ASKED] * len(asked), parents[:n])]
        )
        assert grown == pytest.approx(whole, abs=1e-5)
    assert [tokens for _, tokens in seen] == [3, 3, 2, 5, 2, 7]
    assert (ancestor_mask(parents, 3) == ancestor_mask(parents)[3:]).all()


def test_forks_share_what_they_have_in_common() -> None:
    pool = KVPool(10)
    row = pool.row()
    row.extend(pool.take(6))
    fork = row.fork(4)
    row.truncate(2)
    assert pool.room == 10 - 4
    assert fork.slots[:2].tolist() == row.slots.tolist()
    fork.extend(pool.take(7))
    assert pool.capacity > 10
    assert len({*fork.slots.tolist()}) == 11
    del fork
    row.truncate(0)
    assert pool.room == pool.capacity


def test_a_fork_goes_its_own_way(lm: Any) -> None:
    row = lm.cache_pool(20).row()
    ask(lm, [5, 6, 7, 8], row)
    fork = row.fork(2)
    assert ask(lm, [5, 6, 9], fork) == pytest.approx(ask(lm, [5, 6, 9]), abs=1e-5)
    assert ask(lm, [5, 6, 7, 8, 10], row) == pytest.approx(
        ask(lm, [5, 6, 7, 8, 10]), abs=1e-5
    )


# -- Decoding ------------------------------------------------------------------------


def _outcome(jobs: Any) -> Any:
    return [(j.tokens, [(m.start, m.end) for m in j.mentions], j.passes) for j in jobs]


@pytest.mark.parametrize("kept", [0, 50, 16384])
def test_what_is_remembered_does_not_change_the_result(
    lm: Any, nlp: Language, kept: int
) -> None:
    units = util.units(nlp, util.SENTENCES)
    plain, jobs = util.segment_jobs(lm, units), util.segment_jobs(lm, units)
    decode(lm, plain)
    lm.cache_tokens = kept
    decode(lm, jobs)
    assert _outcome(jobs) == _outcome(plain)
    assert [m.score for j in jobs for m in j.mentions] == pytest.approx(
        [m.score for j in plain for m in j.mentions]
    )


def test_later_passes_run_only_what_changed(lm: Any, nlp: Language, seen: Any) -> None:
    (job,) = util.segment_jobs(lm, util.units(nlp, util.SENTENCES[:1]))
    decode(lm, [job])
    assert job.passes == len(seen) > 2
    first, *later = [tokens for _, tokens in seen]
    assert first >= len(job.prompt)
    assert max(later) < len(job.tokens)
    assert later == sorted(later, reverse=True)


def test_the_same_text_is_run_once(lm: Any, nlp: Language, seen: Any) -> None:
    unit = util.units(nlp, util.SENTENCES[:1])[0]
    jobs = util.segment_jobs(lm, [unit] * 5)
    decode(lm, jobs)
    assert len({str(o) for o in _outcome(jobs)}) == 1
    assert all(rows == 1 for rows, _ in seen)


@pytest.mark.slow
def test_rounds_in_one_batch_equal_rounds_one_by_one(
    lm: Any, nlp: Language, seen: Any
) -> None:
    units = util.units(nlp, util.SENTENCES[:4])
    samplings = [Sampling(temperature=2.0 if r else 0.0, round=r) for r in range(3)]
    jobs = [util.segment_jobs(lm, units) for _ in samplings]
    decode(
        lm, [j for part in jobs for j in part], [s for s in samplings for _ in units]
    )
    together = sum(rows * tokens for rows, tokens in seen)
    del seen[:]
    for sampling in samplings:
        decode(lm, util.segment_jobs(lm, units), sampling)
    assert together < 0.85 * sum(rows * tokens for rows, tokens in seen), (
        "the first pass is the same for all rounds"
    )
    for part, sampling in zip(jobs, samplings, strict=True):
        alone = util.segment_jobs(lm, units)
        decode_stepwise(lm, alone, sampling)
        assert [o[:2] for o in _outcome(part)] == [o[:2] for o in _outcome(alone)]


@pytest.mark.parametrize("kept", [0, 16384])
def test_batches_are_halved_until_they_fit(
    lm: Any, nlp: Language, kept: int, seen: Any
) -> None:
    """As if the device held no more than three rows at a time."""
    units = util.units(nlp, util.SENTENCES)
    plain, jobs = util.segment_jobs(lm, units), util.segment_jobs(lm, units)
    decode(lm, plain)

    def full(module: Any, args: Any, kwargs: Any) -> None:
        if len(kwargs["input_ids"]) > 3:
            raise torch.OutOfMemoryError("no more memory")

    hook = lm.decoder.register_forward_pre_hook(full, with_kwargs=True)
    lm.cache_tokens = kept
    del seen[:]
    try:
        decode(lm, jobs)
    finally:
        hook.remove()
    assert _outcome(jobs) == _outcome(plain)
    assert max(rows for rows, _ in seen) > 3
    assert lm.batch_tokens < 8192


def test_what_does_not_fit_alone_is_an_error(lm: Any) -> None:
    def full(module: Any, args: Any) -> None:
        raise torch.OutOfMemoryError("no more memory")

    hook = lm.decoder.register_forward_pre_hook(full)
    memory = lm.cache_pool(10)
    row = memory.row()
    try:
        with pytest.raises(torch.OutOfMemoryError):
            ask(lm, [5, 6], row)
    finally:
        hook.remove()
    assert len(row) == 0
    assert memory.room == memory.capacity
