from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_cascade.models.encoding import join_case, split_case
from spacy_cascade.models.files import (
    files_hash,
)
from spacy_cascade.models.hf import HFCausalLM
from spacy_cascade.models.spec import HFSpec
from spacy_cascade.models.tiny import build_base, build_model, train_tokenizer
from tests import util
from tests.util import load_private

TEXT = st.text(st.characters(blacklist_categories=["Cs"]), max_size=40)


@pytest.mark.slow
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
    lm = load_private(tmp_path / "b")
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
