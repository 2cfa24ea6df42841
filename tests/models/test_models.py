from __future__ import annotations

import gc
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from spacy_cascade.decoding.tree import TokenTree
from spacy_cascade.models.loading import load_model
from spacy_cascade.models.spec import HFSpec
from spacy_cascade.types import CausalLM, Query
from tests import util
from tests.util import load_private

# -- Logits --------------------------------------------------------------------------


def _reference(lm: Any, ids: list[int]) -> np.ndarray:
    with torch.no_grad():
        return lm.model(input_ids=torch.tensor([ids])).logits[0].float().numpy()


def test_candidate_logits_are_the_models_own(rnd: Any) -> None:
    rng = random.Random(0)
    queries = []
    for n in (3, 9, 5, 17):
        ids = [rng.randrange(20, 500) for _ in range(n)]
        positions = sorted(rng.sample(range(n), 3))
        queries.append(
            Query(
                ids,
                positions,
                [[rng.randrange(500) for _ in range(k + 1)] for k in range(3)],
            )
        )
    with rnd.adapter(None):
        for q, found in zip(queries, rnd.candidate_logits(queries), strict=True):
            full = _reference(rnd, q.ids)
            for row, (p, c) in enumerate(zip(q.positions, q.candidates, strict=True)):
                assert found[row, : len(c)] == pytest.approx(full[p, list(c)], abs=1e-4)
                assert np.isneginf(found[row, len(c) :]).all()


def test_trees_give_the_logits_of_separate_sequences(rnd: Any) -> None:
    rng = random.Random(1)
    stem = [rng.randrange(20, 500) for _ in range(6)]
    branches = [[rng.randrange(20, 500) for _ in range(n)] for n in (1, 4, 2)]
    tree = TokenTree()
    ends = [tree.insert([*stem, *b]) for b in branches]
    (found,) = rnd.candidate_logits([Query(tree.ids, ends, [[7, 8]] * 3, tree.parents)])
    apart = rnd.candidate_logits(
        [Query([*stem, *b], [len(stem) + len(b) - 1], [[7, 8]]) for b in branches]
    )
    assert found == pytest.approx(np.concatenate(apart), abs=1e-4)


def test_a_query_without_positions_gives_an_empty_answer(rnd: Any) -> None:
    found = rnd.candidate_logits([Query([5, 6]), Query([5, 6], [1], [[3, 4]])])
    assert len(found[0]) == 0
    assert found[1].shape == (1, 2)


def test_results_come_in_the_order_of_the_queries(rnd: Any) -> None:
    queries = [Query([9] * n, [n - 1], [[3, 4]]) for n in (12, 2, 7, 1)]
    together = rnd.candidate_logits(queries)
    for q, found in zip(queries, together, strict=True):
        assert found == pytest.approx(rnd.candidate_logits([q])[0], abs=1e-4)


def test_batches_respect_the_token_budget(base: Path) -> None:
    lm = load_private(base, batch_tokens=50)
    queries = [Query([1] * n) for n in (10, 20, 49, 80, 3, 3)]
    batches = list(lm.batches(queries))
    assert sorted(i for b in batches for i in b) == list(range(6))
    assert all(
        len(b) == 1 or len(b) * max(len(queries[i].ids) for i in b) <= 50
        for b in batches
    )


def test_max_length_comes_from_the_config_and_may_be_lowered(base: Path) -> None:
    assert load_private(base).max_length == 2048
    assert load_private(base, max_length=100).max_length == 100
    assert load_private(base, max_length=10**6).max_length == 2048


def test_bfloat16(base: Path) -> None:
    lm = load_private(base, dtype="bfloat16")
    assert lm.model.dtype == torch.bfloat16
    (found,) = lm.candidate_logits([Query([5, 6, 7], [2], [[3, 4]])])
    assert found.dtype == np.float32


def test_eager_attention_gives_the_same(base: Path) -> None:
    tree = TokenTree()
    ends = [tree.insert([5, 6, 7]), tree.insert([5, 6, 8, 9])]
    query = Query(tree.ids, ends, [[3, 4]] * 2, tree.parents)
    a, b = (
        load_private(base, attention=x).candidate_logits([query])[0]
        for x in ("sdpa", "eager")
    )
    assert a == pytest.approx(b, abs=1e-4)


def test_the_protocol_is_followed(rnd: Any) -> None:
    assert isinstance(rnd, CausalLM)
    assert isinstance(util.ScriptedLM({}), CausalLM)


# -- Other architectures -------------------------------------------------------------


def _other(tmp_path: Path, base: Path, kind: str) -> Path:
    tokenizer = PreTrainedTokenizerFast.from_pretrained(str(base))
    n = len(tokenizer)
    model: Any
    if kind == "gpt2":
        model = GPT2LMHeadModel(
            GPT2Config(vocab_size=n, n_embd=32, n_layer=2, n_head=2, n_positions=256)
        )
    else:
        model = LlamaForCausalLM(
            LlamaConfig(
                vocab_size=n,
                hidden_size=32,
                num_hidden_layers=2,
                num_attention_heads=2,
                num_key_value_heads=1,
                intermediate_size=64,
                tie_word_embeddings=False,
            )
        )
    model.save_pretrained(str(tmp_path / kind))
    tokenizer.save_pretrained(str(tmp_path / kind))
    return tmp_path / kind


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_other_architectures_load_and_answer(
    tmp_path: Path, base: Path, kind: str
) -> None:
    lm = load_private(_other(tmp_path, base, kind))
    ids = [30, 40, 50, 60]
    (found,) = lm.candidate_logits([Query(ids, [3], [[7, 8, 9]])])
    assert found[0] == pytest.approx(_reference(lm, ids)[3, [7, 8, 9]], abs=1e-4)
    tree = TokenTree()
    ends = [tree.insert([30, 40, 50]), tree.insert([30, 40, 60, 61])]
    (found,) = lm.candidate_logits([Query(tree.ids, ends, [[7, 8]] * 2, tree.parents)])
    assert found[1] == pytest.approx(
        _reference(lm, [30, 40, 60, 61])[3, [7, 8]], abs=1e-4
    )


# -- Loading -------------------------------------------------------------------------


def test_equal_weights_are_loaded_once(base: Path) -> None:
    a, b = (load_model(HFSpec(str(base), device="cpu")) for _ in range(2))
    assert a is b
    assert load_model(HFSpec(str(base), device="cpu", batch_tokens=17)) is not a
    assert load_model(HFSpec(str(base), device="cpu"), private=True) is not a


def test_a_model_is_freed_with_its_last_user(base: Path) -> None:
    from weakref import ref

    lm = load_model(HFSpec(str(base), device="cpu", batch_tokens=33))
    gone = ref(lm)
    del lm
    gc.collect()
    assert gone() is None


def test_changed_weights_under_the_same_name_are_not_taken_from_the_cache(
    base: Path, other_base: Path, tmp_path: Path
) -> None:
    """spacy-llm's cache gave the old answers for a changed model."""
    import shutil

    shutil.copytree(base, tmp_path / "m")
    first = load_model(HFSpec(str(tmp_path / "m"), device="cpu"))
    (
        tmp_path / "m" / "model.safetensors"
    ).unlink()  # the first model's tensors are a view of the file
    shutil.copy(other_base / "model.safetensors", tmp_path / "m" / "model.safetensors")
    second = load_model(HFSpec(str(tmp_path / "m"), device="cpu"))
    assert first.fingerprint() != second.fingerprint()
