"""Files: written as a whole or not at all, and outputs that are inputs, too."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

# What a JSON file holds: its values are known to nobody but who wrote it.
JsonObject = dict[str, Any]


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place when the block ends without
    an error. A link is replaced, not followed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temp = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temp
        os.replace(temp, path)
    finally:
        temp.unlink(missing_ok=True)


class Overlap(NamedTuple):
    """An input that writing the output would change."""

    source: Path
    target: Path


def find_overlap(
    sources: Iterable[Path | str],
    targets: Iterable[Path | str],
    *,
    replaced: bool = False,
) -> Overlap | None:
    """The first output that is an input, or lies in one, or holds an input directory.

    Paths are compared as they resolve (links, "..", the working directory), files by
    their inode, too. An input file in an output directory is no overlap: a command adds
    its own files there.

    sources (Iterable): What does not exist (names of packages or on the hub) is passed over.
    replaced (bool): Output directories are replaced as a whole, with all files in them.
    """
    found = {path.resolve(): path for path in map(Path, sources) if path.exists()}
    inodes = {_inode(path): path for path in found.values() if path.is_file()}
    holders: dict[Path, Path] = {}
    for place, path in found.items():
        if replaced or path.is_dir():
            holders.update(dict.fromkeys(place.parents, path))
    for target in map(Path, targets):
        place = target.resolve()
        same = inodes.get(_inode(target)) if target.is_file() else None
        above = (found[parent] for parent in (place, *place.parents) if parent in found)
        source = same or next(above, None) or holders.get(place)
        if source is not None:
            return Overlap(source, target)
    return None


def _inode(path: Path) -> tuple[int, int]:
    about = path.stat()
    return about.st_dev, about.st_ino
