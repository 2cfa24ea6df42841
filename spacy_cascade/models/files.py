"""Files of a model directory: which there are, whether they are safe and whole, and
what identifies them.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from ..errors import CascadeError, Errors

# What a JSON file holds.
Json: TypeAlias = dict[str, Any]

_BLOCK = 1 << 16
_BLOCKS = 64


def files_hash(path: Path) -> str:
    """Identifies a model directory by content: sizes and 64 blocks spread over every
    weight file, and the config.

    Reading gigabytes whole would cost more than loading them; any training changes every block.
    """
    digest = hashlib.sha256()
    for file in sorted(path.iterdir()):
        if file.suffix not in (".safetensors", ".json", ".bin"):
            continue
        size = file.stat().st_size
        digest.update(f"{file.name}:{size}".encode())
        with file.open("rb") as f:
            if size <= _BLOCKS * _BLOCK:
                digest.update(f.read())
                continue
            for i in range(_BLOCKS):
                f.seek(i * (size - _BLOCK) // (_BLOCKS - 1))
                digest.update(f.read(_BLOCK))
    return digest.hexdigest()[:16]


def check_model_dir(
    path: Path,
    *,
    allow_pickle: bool,
) -> None:
    """Looks at what a directory says about itself, before anything in it is loaded.

    RAISES CascadeError: C011 if files are missing, C019 if the weights are pickles,
        C018 if a header is damaged, C122 if it leads to files elsewhere or to pickles
        beside safetensors.
    """
    names = sorted(f.name for f in path.iterdir())
    if "config.json" not in names:
        files = ", ".join(names[:8]) or "none"
        why = f"no config.json (files: {files})"
        raise CascadeError(Errors.C011.format(path=path, why=why))

    weights = [n for n in names if n.endswith(".safetensors")]
    pickles = [n for n in names if n.endswith((".bin", ".pt", ".pth"))]
    if not weights and not pickles:
        raise CascadeError(Errors.C011.format(path=path, why="no *.safetensors file"))
    if not weights and not allow_pickle:
        files = ", ".join(pickles)
        raise CascadeError(Errors.C019.format(path=path, files=files))
    if "adapter_config.json" in names:
        remedy = "Remove the file; an adapter has a directory of its own."
        what = "another base in its adapter_config.json"
        raise CascadeError(Errors.C122.format(path=path, found=what, remedy=remedy))
    for name in names:
        if name.endswith(".index.json"):
            _check_index(path / name, set(names), allow_pickle=allow_pickle)
    for name in weights:
        check_safetensors(path / name)


def _check_index(
    file: Path,
    names: set[str],
    *,
    allow_pickle: bool,
) -> None:
    """RAISES CascadeError: C018 if it is no index, C122 if it lists anything but
    weights beside it.
    """
    try:
        index = json.loads(file.read_text("utf8"))
        parts = set(index["weight_map"].values())
    except (ValueError, KeyError, TypeError, AttributeError) as err:
        why = f"no index of weights ({err})"
        raise CascadeError(Errors.C018.format(path=file, why=why)) from err

    if file.name.endswith(".bin.index.json") and not allow_pickle:
        return  # not read
    endings = (".safetensors", ".bin") if allow_pickle else (".safetensors",)
    remedy = "An index lists *.safetensors files beside it; copy the directory again."
    for part in sorted(map(str, parts)):
        if part not in names or not part.endswith(endings):
            found = f"'{part}'"
            raise CascadeError(
                Errors.C122.format(path=file, found=found, remedy=remedy)
            )


def check_adapter_config(file: Path) -> None:
    """Only LoRA: other kinds of `peft` load more adapters, tokenizers or modules that they name.

    RAISES CascadeError: C013 if it is no JSON object, C122 for another kind.
    """
    try:
        config = json.loads(file.read_text("utf8"))
        kind = config["peft_type"]
        megatron = config.get("megatron_config")
    except (ValueError, KeyError, TypeError, AttributeError) as err:
        why = f"{file.name} is damaged: {err!r}"
        raise CascadeError(Errors.C013.format(path=file.parent, why=why)) from err
    if kind != "LORA" or megatron:
        found = f"the peft_type {kind!r}" if kind != "LORA" else "Megatron's layers"
        remedy = 'Adapters are LoRA ("peft_type": "LORA"), without megatron_config.'
        raise CascadeError(Errors.C122.format(path=file, found=found, remedy=remedy))


def check_safetensors(file: Path) -> None:
    """Compares the header with the file's length, which catches a copy that was cut off.

    RAISES CascadeError: C018.
    """
    size = file.stat().st_size
    try:
        with file.open("rb") as f:
            n = int.from_bytes(f.read(8), "little")
            header = json.loads(f.read(min(n, size)))
        header.pop("__metadata__", None)
        ends = (tensor["data_offsets"][1] for tensor in header.values())
        promised = 8 + n + max(ends, default=0)
    except (ValueError, KeyError, TypeError, AttributeError) as err:
        why = f"unreadable header ({err})"
        raise CascadeError(Errors.C018.format(path=file, why=why)) from err
    if promised != size:
        why = f"{size} bytes, but the header promises {promised}"
        raise CascadeError(Errors.C018.format(path=file, why=why))


@contextmanager
def atomic_dir(path: Path) -> Iterator[Path]:
    """A temporary directory beside `path` that takes its place when the block ends
    without an error.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    tmp = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    tmp.chmod(0o755)
    try:
        yield tmp
        old = None
        if path.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{path.name}.old.", dir=path.parent))
            os.replace(path, old)
        os.replace(tmp, path)
        if old is not None:
            shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(tmp, ignore_errors=True)


def pack_dir(path: Path) -> dict[str, bytes]:
    """All files below a directory, by relative path."""
    files = {}
    for file in sorted(path.rglob("*")):
        if file.is_file():
            files[str(file.relative_to(path))] = file.read_bytes()
    return files


def unpack_dir(files: Mapping[str, bytes], path: Path) -> None:
    """The reverse of `pack_dir`. Refuses names that lead out of the directory."""
    for name, data in files.items():
        target = (path / name).resolve()
        if path.resolve() not in target.parents:
            why = "the name leads out of the directory"
            raise CascadeError(Errors.C018.format(path=name, why=why))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
