"""The formats: each reads a file into records and writes records to a file."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import CorpusError, Errors
from ..files import check_file, iter_json
from ..records import Record, Report
from . import b2nerd, bio, docbin, geic, swift


@dataclass(frozen=True)
class Format:
    """read: `(path, report, *, source, **options) -> Iterator[Record]`.
    write: `(records, path, report, **options) -> None`, atomic. suffix: of written files."""

    read: Callable[..., Iterator[Record]]
    write: Callable[..., None]
    suffix: str


FORMATS: dict[str, Format] = {
    "geic": Format(geic.read, geic.write, ".json"),
    "swift": Format(swift.read, swift.write, ".json"),
    "b2nerd": Format(b2nerd.read, b2nerd.write, ".json"),
    "bio": Format(bio.read, bio.write, ".conll"),
    "docbin": Format(docbin.read, docbin.write, ".spacy"),
}
SUFFIXES = {
    ".spacy": "docbin",
    ".bio": "bio",
    ".conll": "bio",
    ".conllu": "bio",
    ".iob": "bio",
    ".iob2": "bio",
    ".bmes": "bio",
    ".txt": "bio",
    ".tsv": "bio",
}
JSON_SUFFIXES = (".json", ".jsonl", ".ndjson")
_SAMPLE = 20


def get_format(name: str) -> Format:
    """RAISES CorpusError: T003."""
    if name not in FORMATS:
        raise CorpusError(Errors.T003.format(option="format", value=name, choices=", ".join(FORMATS)))
    return FORMATS[name]


def detect(path: Path) -> str:
    """Tells the format of a file by its ending and, for JSON, by the keys of its first records.

    RAISES CorpusFileNotFoundError: T001. CorpusError: T002 if it can't be told.
    """
    check_file(path)
    suffix = path.suffix.lower()
    if suffix in SUFFIXES:
        return SUFFIXES[suffix]
    why = f"unknown ending '{suffix}'"
    if suffix in JSON_SUFFIXES:
        why = "its first records hold neither 'conversations' (swift), 'entities' (b2nerd) nor 'entity' (geic)"
        keys = frozenset({*geic.KEYS, *b2nerd.KEYS, "conversations", "system"})
        items = iter_json(path, Report().file(str(path)), record_keys=keys)
        for item in itertools.islice(items, _SAMPLE):
            found = item.value if isinstance(item.value, Mapping) else {}
            for key, name in (("conversations", "swift"), ("entities", "b2nerd"), ("entity", "geic")):
                if key in found:
                    return name
    raise CorpusError(Errors.T002.format(path=path, why=why, formats=", ".join(FORMATS)))


def read_records(
    path: Path, report: Report, *, format: str = "auto", source: str = "", about: Mapping[str, Any] | None = None, **options: Any
) -> Iterator[Record]:
    """Reads a file of any format.

    source (str): Name of the file in issues and in the records. Default: the path.
    about (Mapping): Further `meta` of all records: "language", "dataset". What a record says itself comes first.

    RAISES CorpusFileNotFoundError: T001. CorpusError: T002 and T003 for the format, and what its reader raises.
    """
    name = detect(path) if format == "auto" else format
    source = source or str(path)
    for record in get_format(name).read(path, report, source=source, **options):
        # A DocBin's records keep where they first came from.
        yield replace(record, meta={"source": source, **(about or {}), **record.meta})
