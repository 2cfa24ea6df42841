"""Type names with white space, in tags.

Many readers cut a line at any white space, so that a tag must have none: it is written as `_`, and
a file beside says which names these were: `train.conll` has them in `labels-train.conll.json`, as
`{"work_of_art": "work of art"}`. Without that file the tags are read as they stand.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from ..errors import CorpusError, Errors
from ..files import atomic_path, read_json
from .common import show


def names_path(path: Path) -> Path:
    """The file of names of a file of tags."""
    return path.with_name(f"labels-{path.name}.json")


def read_names(path: Path) -> dict[str, str]:
    """Name in the tags -> name; empty without a file of names.

    path (Path): The file of tags.
    RAISES CorpusError: T005 if the names are no JSON object of strings.
    """
    beside = names_path(path)
    if not beside.is_file():
        return {}
    what = "names of tags"
    data = read_json(beside, what)
    values = data.values() if isinstance(data, Mapping) else [None]
    if not all(isinstance(name, str) for name in values):
        why = f"no JSON object of names, found {show(data)}"
        raise CorpusError(Errors.T005.format(path=beside, format=what, why=why))
    return dict(data)


class TagNames:
    """Names as they stand in tags: without white space, and no two alike."""

    def __init__(self) -> None:
        self._written: dict[str, str] = {}
        self._names: dict[str, str] = {}

    def __call__(self, name: str) -> str:
        """The name in the tags."""
        if name not in self._written:
            written = re.sub(r"\s", "_", name)
            while written in self._names:
                written += "_"
            self._written[name] = written
            self._names[written] = name
        return self._written[name]

    def knows(self, name: str) -> bool:
        return name in self._written

    def save(self, path: Path) -> None:
        """Writes the names that tags have otherwise beside the file of tags; removes what an
        earlier run left there."""
        changed = {
            written: name for written, name in self._names.items() if written != name
        }
        if not changed:
            names_path(path).unlink(missing_ok=True)
            return
        with atomic_path(names_path(path)) as temp:
            temp.write_text(
                json.dumps(changed, ensure_ascii=False, indent=1), encoding="utf8"
            )
