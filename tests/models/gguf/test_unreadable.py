"""GGUF files and settings that cannot be used."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from spacy_cascade.errors import CascadeError
from spacy_cascade.models.gguf.convert import model_dir
from spacy_cascade.models.gguf.source import Source, sha256_of
from spacy_cascade.models.loading import load_model
from spacy_cascade.models.spec import gguf_spec
from tests import gguf_files
from tests.models.gguf.util import code, written


def test_a_file_that_was_cut_off(file: Path, tmp_path: Path) -> None:
    whole = file.read_bytes()
    path = tmp_path / "cut.gguf"
    for size in (4, 20, 100, 2000, len(whole) // 2, len(whole) - 100):
        path.write_bytes(whole[:size])
        with pytest.raises(CascadeError, match="not a whole GGUF file") as err:
            model_dir(Source(path))
        assert code(err) == "C094"


@pytest.mark.parametrize(
    "content", [b"", b"GG", b"PK\x03\x04" + b"0" * 100, b"GGUF" + b"\xff" * 200]
)
def test_another_kind_of_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(content)
    with pytest.raises(CascadeError) as err:
        load_model(gguf_spec(str(path)))
    assert code(err) == "C094"


def test_an_architecture_that_is_not_known(tmp_path: Path, cache: Path) -> None:
    path = gguf_files.write(tmp_path / "x.gguf", architecture="rwkv9", kind="Q8_0")
    with pytest.raises(
        CascadeError, match="architecture 'rwkv9', tensors F32, Q8_0"
    ) as err:
        load_model(gguf_spec(str(path)))
    assert code(err) == "C095"
    assert not written(cache)


def test_a_quantization_that_is_not_known(tmp_path: Path) -> None:
    path = gguf_files.write(tmp_path / "x.gguf", kind="I32")
    with pytest.raises(
        CascadeError, match="architecture 'llama', tensors F32, I32"
    ) as err:
        load_model(gguf_spec(str(path)))
    assert code(err) == "C095"


def test_a_model_that_lacks_weights(tmp_path: Path, monkeypatch: Any) -> None:
    tensors = gguf_files.stored_tensors(gguf_files.tiny_llama())
    tensors.pop("blk.1.ffn_up.weight")
    monkeypatch.setattr(gguf_files, "stored_tensors", lambda model: tensors)
    path = gguf_files.write(tmp_path / "x.gguf")
    with pytest.raises(
        CascadeError, match=r"missing, such as 'model\.layers\.1\.mlp\.up"
    ) as err:
        load_model(gguf_spec(str(path)))
    assert code(err) == "C095"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("tokenizer.ggml.model", "bert"),
        ("tokenizer.ggml.pre", "never-heard-of"),
        ("tokenizer.ggml.pre", None),
    ],
)
def test_a_tokenizer_of_another_kind(
    tmp_path: Path, key: str, value: str | None
) -> None:
    path = gguf_files.write(tmp_path / "x.gguf", more={key: value})
    with pytest.raises(CascadeError, match="smollm, starcoder") as err:
        load_model(gguf_spec(str(path)))
    assert code(err) == "C096"
    assert repr(value) in str(err.value)


def test_a_tokenizer_with_merges_of_missing_tokens(tmp_path: Path) -> None:
    tokens, merges = gguf_files.vocabulary(["abc abc"], 300)
    path = gguf_files.write(tmp_path / "x.gguf", tokens=(tokens, [*merges, "no such"]))
    with pytest.raises(CascadeError, match="damaged") as err:
        load_model(gguf_spec(str(path)))
    assert code(err) == "C096"


def test_the_hash_is_checked(file: Path, cache: Path) -> None:
    right = sha256_of(file)
    assert load_model(gguf_spec(str(file), sha256=right.upper(), device="cpu"))
    with pytest.raises(CascadeError, match=right) as err:
        load_model(gguf_spec(str(file), sha256="0" * 64, device="cpu"))
    assert code(err) == "C097"
    with pytest.raises(CascadeError) as err:
        gguf_spec(str(file), sha256="abc")
    assert code(err) == "C021"


def test_without_the_package_gguf(file: Path, monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(CascadeError, match=r"spacy-cascade\[gguf\]") as err:
        load_model(gguf_spec(str(file)))
    assert code(err) == "C098"


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [("dtype", "int3", "C020"), ("batch_tokens", 0, "C021")],
)
def test_settings_are_checked(option: str, value: Any, expected: str) -> None:
    with pytest.raises(CascadeError) as err:
        gguf_spec("x.gguf", **{option: value})
    assert code(err) == expected


def test_an_empty_name_is_refused_when_loaded() -> None:
    with pytest.raises(CascadeError) as err:
        load_model(gguf_spec(""))
    assert code(err) == "C010"
