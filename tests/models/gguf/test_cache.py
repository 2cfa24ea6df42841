"""A GGUF file is converted once."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from spacy_cascade.errors import CascadeError
from spacy_cascade.models.gguf.convert import VARIABLE, cache_dir, model_dir
from spacy_cascade.models.gguf.source import Source
from spacy_cascade.models.loading import load_model
from spacy_cascade.models.spec import gguf_spec
from tests import gguf_files
from tests.models.gguf.util import code, written


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
