from __future__ import annotations

import json
from pathlib import Path

import pytest

from spacy_cascade.errors import CascadeError
from spacy_cascade.models.files import (
    atomic_dir,
    check_safetensors,
    pack_dir,
    unpack_dir,
)


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
