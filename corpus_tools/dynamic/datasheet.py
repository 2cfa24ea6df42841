"""A datasheet for every output: what it holds, where it comes from, how to make it again."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ..files import atomic_path

NAME = "datasheet"
PACKAGES = ("spacy-cascade", "spacy", "numpy")
NO_LICENCE = "not stated here: that of the source"


def versions() -> dict[str, str]:
    """Of Python and of the packages that an output depends on."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed as a package"
    return found


def files(folder: Path, paths: Sequence[Path]) -> dict[str, dict[str, Any]]:
    """Size in bytes and SHA-256 of files, by name below `folder`."""
    out = {}
    for path in paths:
        with path.open("rb") as file:
            digest = (
                hashlib.file_digest(file, "sha256")
                if hasattr(hashlib, "file_digest")
                else hashlib.sha256(file.read())
            )
        out[str(path.relative_to(folder))] = {
            "bytes": path.stat().st_size,
            "sha256": digest.hexdigest(),
        }
    return out


def write(
    folder: Path,
    title: str,
    sections: Mapping[str, Mapping[str, Any]],
    *,
    name: str = NAME,
) -> None:
    """Writes `datasheet.json` and the same for people, `datasheet.md`, atomically.

    Holds no dates, so that equal runs give equal files.

    sections (Mapping): JSON-serializable; the versions of the software are added. name
        (str): Of the files.
    """
    data = {"title": title, **sections, "software": versions()}
    with atomic_path(folder / f"{name}.json") as temp:
        temp.write_text(
            json.dumps(data, ensure_ascii=False, indent=1) + "\n", encoding="utf8"
        )
    lines = [f"# {title}"]
    for heading, section in data.items():
        if isinstance(section, Mapping):
            lines += [
                "",
                f"## {heading.replace('_', ' ').capitalize()}",
                "",
                "| | |",
                "|---|---|",
            ]
            lines += [
                f"| {str(k).replace('_', ' ')} | {_cell(v)} |"
                for k, v in section.items()
            ]
    with atomic_path(folder / f"{name}.md") as temp:
        temp.write_text("\n".join(lines) + "\n", encoding="utf8")


def _cell(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{k}: {_cell(v)}" for k, v in value.items()) or "none"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_cell, value)) or "none"
    text = (
        f"{value:.4f}".rstrip("0").rstrip(".")
        if isinstance(value, float)
        else str(value)
    )
    return text.replace("|", "\\|").replace("\n", " ")
