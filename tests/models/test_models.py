from __future__ import annotations

import gc
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from spacy_cascade.decoding.tree import TokenTree
from spacy_cascade.errors import CascadeError
from spacy_cascade.models.encoding import join_case, split_case
from spacy_cascade.models.files import (
    atomic_dir,
    check_safetensors,
    files_hash,
    pack_dir,
    unpack_dir,
)
from spacy_cascade.models.hf import HFCausalLM
from spacy_cascade.models.loading import load_model
from spacy_cascade.models.spec import HFSpec
from spacy_cascade.models.tiny import build_base, build_model, train_tokenizer
from spacy_cascade.models.trainable import lora_config
from spacy_cascade.types import CausalLM, Query
from tests import util

TEXT = st.text(st.characters(blacklist_categories=["Cs"]), max_size=40)


def load(path: Path, **more: Any) -> HFCausalLM:
    return load_model(HFSpec(str(path), device="cpu", **more), private=True)


# -- Case marks and the tiny tokenizer -----------------------------------------------


@given(TEXT)
def test_case_split_is_lossless(text: str) -> None:
    assert join_case(*split_case(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        " Paris",
        "PARIS",
        "paris",
        " pArIs",
        "Straße",
        "STRASSE",
        "ẞ",
        "İ",
        "ǅ",
        "ﬁ",
        "O'Neil",
        " 42",
        "ΑΣ",
        "Σας",
    ],
)
def test_case_split_is_lossless_on_hard_words(text: str) -> None:
    assert join_case(*split_case(text)) == text


def test_words_share_their_letters_tokens_whatever_their_case(rnd: Any) -> None:
    low, title, upper = (rnd.encode(w) for w in (" paris", " Paris", " PARIS"))
    assert title[1:] == upper[1:] == low
    assert title[0] != upper[0]


@given(text=TEXT)
def test_token_bytes_spell_the_text(rnd: Any, text: str) -> None:
    assert util.written_segments(
        rnd, rnd.encode(text), -1, -1, [len(rnd.encode(text))]
    ) == [text]


@pytest.mark.parametrize(
    "text", ["<mark>", "a<s>b", "</s>", "<sep> <type>", "<cap>x", "<pad>"]
)
def test_text_that_spells_a_special_token_stays_text(rnd: Any, text: str) -> None:
    specials = {
        rnd.token_id(t)
        for t in (
            "<mark>",
            "<s>",
            "</s>",
            "<sep>",
            "<type>",
            "<cap>",
            "<upper>",
            "<pad>",
        )
    }
    assert not specials & set(rnd.encode(text))


def test_control_text_may_hold_special_tokens(rnd: Any) -> None:
    assert rnd.encode("<mark>", control=True) == [rnd.token_id("<mark>")]


def test_encode_hands_out_a_copy(rnd: Any) -> None:
    rnd.encode("hello").clear()
    assert rnd.encode("hello")


def test_special_tokens_have_no_bytes(rnd: Any) -> None:
    assert all(
        rnd.token_bytes()[rnd.token_id(t)] is None for t in ("<mark>", "<s>", "</s>")
    )


def test_every_byte_can_be_written(rnd: Any) -> None:
    assert {bytes([b]) for b in range(256)} <= set(rnd.token_bytes())


def test_base_without_case_marks(tmp_path: Path) -> None:
    build_base(
        tmp_path / "b",
        ["Hello", " World"] * 5,
        vocab_size=300,
        case_marks=False,
        hidden_size=32,
        layers=1,
        heads=2,
    )
    lm = load(tmp_path / "b")
    assert not lm.case_marks
    assert util.written_bytes(lm, lm.encode("Hello WORLD")) == b"Hello WORLD"


def test_build_is_reproducible(tmp_path: Path) -> None:
    for name in "ab":
        build_base(
            tmp_path / name,
            ["one", " two"] * 5,
            vocab_size=300,
            hidden_size=32,
            layers=1,
            heads=2,
            seed=3,
        )
    assert files_hash(tmp_path / "a") == files_hash(tmp_path / "b")


def test_tokenizer_training_takes_any_iterable() -> None:
    assert len(train_tokenizer(iter(["a b", "東京"]), vocab_size=300)) >= 256


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
    lm = load(base, batch_tokens=50)
    queries = [Query([1] * n) for n in (10, 20, 49, 80, 3, 3)]
    batches = list(lm.batches(queries))
    assert sorted(i for b in batches for i in b) == list(range(6))
    assert all(
        len(b) == 1 or len(b) * max(len(queries[i].ids) for i in b) <= 50
        for b in batches
    )


def test_max_length_comes_from_the_config_and_may_be_lowered(base: Path) -> None:
    assert load(base).max_length == 2048
    assert load(base, max_length=100).max_length == 100
    assert load(base, max_length=10**6).max_length == 2048


def test_bfloat16(base: Path) -> None:
    lm = load(base, dtype="bfloat16")
    assert lm.model.dtype == torch.bfloat16
    (found,) = lm.candidate_logits([Query([5, 6, 7], [2], [[3, 4]])])
    assert found.dtype == np.float32


def test_eager_attention_gives_the_same(base: Path) -> None:
    tree = TokenTree()
    ends = [tree.insert([5, 6, 7]), tree.insert([5, 6, 8, 9])]
    query = Query(tree.ids, ends, [[3, 4]] * 2, tree.parents)
    a, b = (
        load(base, attention=x).candidate_logits([query])[0] for x in ("sdpa", "eager")
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
    lm = load(_other(tmp_path, base, kind))
    ids = [30, 40, 50, 60]
    (found,) = lm.candidate_logits([Query(ids, [3], [[7, 8, 9]])])
    assert found[0] == pytest.approx(_reference(lm, ids)[3, [7, 8, 9]], abs=1e-4)
    tree = TokenTree()
    ends = [tree.insert([30, 40, 50]), tree.insert([30, 40, 60, 61])]
    (found,) = lm.candidate_logits([Query(tree.ids, ends, [[7, 8]] * 2, tree.parents)])
    assert found[1] == pytest.approx(
        _reference(lm, [30, 40, 60, 61])[3, [7, 8]], abs=1e-4
    )


# -- Adapters ------------------------------------------------------------------------


def _shake(lm: HFCausalLM, name: str) -> None:
    with torch.no_grad():
        for p in lm.adapter_parameters(name).values():
            p.normal_(0, 0.5, generator=torch.Generator().manual_seed(len(name)))


def _ask(lm: HFCausalLM, adapter: str | None) -> np.ndarray:
    with lm.adapter(adapter):
        return lm.candidate_logits([Query([5, 6, 7, 8], [1, 3], [[3, 4, 9]] * 2)])[0]


def test_adapters_change_the_model_only_inside_their_context(base: Path) -> None:
    lm = load(base)
    plain = _ask(lm, None)
    for name in ("one", "second"):
        lm.add_adapter(name, lora_config({"rank": 2}))
    assert _ask(lm, "one") == pytest.approx(plain), "a new adapter changes nothing"
    _shake(lm, "one")
    _shake(lm, "second")
    one, second = _ask(lm, "one"), _ask(lm, "second")
    assert not np.allclose(one, plain)
    assert not np.allclose(one, second)
    assert _ask(lm, None) == pytest.approx(plain)
    assert _ask(lm, "one") == pytest.approx(one)


def test_adapter_parameters_are_of_this_adapter_alone(base: Path) -> None:
    lm = load(base)
    lm.add_adapter("a", lora_config({"rank": 2}))
    lm.add_adapter("ab", lora_config({"rank": 2}))
    for name in ("a", "ab"):
        found = lm.adapter_parameters(name)
        assert found
        assert all(".lora_" in n and f".{name}." in n for n in found)


def test_adapter_round_trip(base: Path, tmp_path: Path) -> None:
    lm, other = load(base), load(base)
    lm.add_adapter("x", lora_config({"rank": 2, "alpha": 7}))
    _shake(lm, "x")
    lm.save_adapter("x", tmp_path / "x")
    other.load_adapter("y", tmp_path / "x")
    assert _ask(other, "y") == pytest.approx(_ask(lm, "x"))
    assert sorted(
        p.name for p in (tmp_path / "x").iterdir() if p.suffix not in (".md",)
    ) == [
        "adapter_config.json",
        "adapter_model.safetensors",
    ]


@pytest.mark.parametrize("first", [True, False], ids=["first", "second"])
def test_an_adapter_that_does_not_fit_is_refused_by_its_tensors(
    base: Path, tmp_path: Path, first: bool
) -> None:
    lm, other = load(base), load(base)
    lm.add_adapter("x", lora_config({"rank": 2}))
    _shake(lm, "x")
    lm.save_adapter("x", tmp_path / "x")
    file = tmp_path / "x" / "adapter_model.safetensors"
    whole = load_file(file)
    plain = _ask(other, None)
    if not first:
        other.add_adapter("z", lora_config({"rank": 2}))

    name = min(whole)
    less = {k: v for k, v in whole.items() if k != name}
    more = {**whole, name.replace("layers.0", "layers.7"): whole[name].clone()}
    for state, what, found in (
        (less, "missing", name.rsplit(".", 1)[0]),
        (more, "of no layer here", "layers.7"),
    ):
        save_file(state, file)
        with pytest.raises(CascadeError) as err:
            other.load_adapter("y", tmp_path / "x")
        assert "C125" in str(err.value)
        assert what in str(err.value)
        assert found in str(err.value)
        assert "y" not in other.adapters
        assert _ask(other, None) == pytest.approx(plain)

    save_file(whole, file)
    other.load_adapter("y", tmp_path / "x")
    assert _ask(other, "y") == pytest.approx(_ask(lm, "x"))


def test_fingerprint_ignores_adapters_and_tells_bases_apart(
    base: Path, other_base: Path
) -> None:
    lm = load(base)
    before = lm.fingerprint()
    lm.add_adapter("x", lora_config({"rank": 2}))
    assert lm.fingerprint() == before == load(base).fingerprint()
    assert load(other_base).fingerprint() != before


def test_save_leaves_adapters_out(base: Path, tmp_path: Path) -> None:
    lm = load(base)
    lm.add_adapter("x", lora_config({"rank": 2}))
    _shake(lm, "x")
    lm.save(tmp_path / "m")
    again = load(tmp_path / "m")
    assert again.fingerprint() == lm.fingerprint()
    assert _ask(again, None) == pytest.approx(_ask(lm, None))


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


def test_subword_noise_writes_the_same_bytes_in_other_tokens(rnd: Any) -> None:
    words = [f" {w.lower()}" for t in util.SENTENCES for w in t.split()]
    plain = [rnd.encode(w) for w in words]
    with rnd.subword_noise(random.Random(0), 1.0):
        noisy = [rnd.encode(w) for w in words]
        assert [rnd.encode(w) for w in words] == noisy, "the same wherever it stands"
    assert noisy != plain
    assert [util.written_bytes(rnd, n).decode() for n in noisy] == words
    assert [rnd.encode(w) for w in words] == plain


def test_subword_noise_is_seeded(rnd: Any) -> None:
    words = [" Madrid", " Tokyo", " location", " international"]
    found = []
    for _ in range(2):
        with rnd.subword_noise(random.Random(4), 0.5):
            found.append([rnd.encode(w) for w in words])
    assert found[0] == found[1]


# -- Files ---------------------------------------------------------------------------


def test_a_failed_write_leaves_the_old_directory(tmp_path: Path) -> None:
    target = tmp_path / "d"
    with atomic_dir(target) as d:
        (d / "a").write_text("old")
    with pytest.raises(RuntimeError), atomic_dir(target) as d:
        (d / "a").write_text("new")
        raise RuntimeError
    assert (target / "a").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["d"]


def test_a_write_replaces_the_whole_directory(tmp_path: Path) -> None:
    for name in "ab":
        with atomic_dir(tmp_path / "d") as d:
            (d / name).write_text(name)
    assert [p.name for p in (tmp_path / "d").iterdir()] == ["b"]
    assert [p.name for p in tmp_path.iterdir()] == ["d"]


def test_pack_and_unpack(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c").write_bytes(b"\x00\xff")
    unpack_dir(pack_dir(tmp_path / "a"), tmp_path / "z")
    assert (tmp_path / "z" / "b" / "c").read_bytes() == b"\x00\xff"


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/../../x"])
def test_unpack_refuses_names_that_lead_out(tmp_path: Path, name: str) -> None:
    with pytest.raises(CascadeError) as err:
        unpack_dir({name: b""}, tmp_path / "in")
    assert err.value.code == "C018"


@pytest.mark.parametrize("damage", ["cut", "grown", "header", "empty", "huge", "list"])
def test_damaged_safetensors_are_found_out(
    base: Path, tmp_path: Path, damage: str
) -> None:
    data = (base / "model.safetensors").read_bytes()
    changed = {
        "cut": data[:-100],
        "grown": data + b"x",
        "header": data[:20] + b"\xff\xfe" + data[22:],
        "empty": b"",
        "huge": b"\xff" * 8 + data[8:],
        "list": (2).to_bytes(8, "little") + b"[]",
    }[damage]
    (tmp_path / "m.safetensors").write_bytes(changed)
    with pytest.raises(CascadeError) as err:
        check_safetensors(tmp_path / "m.safetensors")
    assert err.value.code == "C018"


def test_whole_safetensors_pass(base: Path) -> None:
    check_safetensors(base / "model.safetensors")
    assert json.loads((base / "config.json").read_text())["model_type"] == "qwen2"


def test_type_names_are_single_tokens_only_where_types_are_named() -> None:
    tokenizer = train_tokenizer(
        [" an", " artist", " or", " other", " person"] * 20,
        vocab_size=400,
        types=["artist", "other person"],
    )
    lm = HFCausalLM(
        build_model(len(tokenizer), hidden_size=32, heads=1, layers=1),
        tokenizer,
        name="x",
        spec=HFSpec("x"),
    )
    (artist,), (person,) = (
        lm.encode(" artist", control=True),
        lm.encode(" other person", control=True),
    )
    assert artist != person
    assert lm.token_bytes()[artist] is None
    # in a text they are words like all others, and can be copied
    assert not {artist, person} & set(lm.encode(" artist") + lm.encode(" other person"))
    # a type that was not known yet is still written, in pieces
    assert len(lm.encode(" zoo", control=True)) > 1
