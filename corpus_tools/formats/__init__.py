"""The formats: each reads a file into records, and most write records to a file. `registry.py`
lists them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..encodings import find_encoding
from ..errors import CorpusError
from ..issues import Report
from ..records import Record
from .detection import detect as detect
from .plausibility import refuse_empty as refuse_empty
from .plausibility import refuse_misread as refuse_misread
from .registry import FORMATS as FORMATS
from .registry import JSON_SUFFIXES as JSON_SUFFIXES
from .registry import TEXT_SUFFIXES as TEXT_SUFFIXES
from .registry import Format as Format
from .registry import get_format as get_format
from .registry import get_writer as get_writer
from .registry import is_beside as is_beside
from .registry import known_endings as known_endings
from .registry import register_format as register_format
from .registry import written_formats as written_formats


def read_records(
    path: Path,
    report: Report,
    *,
    format: str = "auto",
    source: str = "",
    about: Mapping[str, Any] | None = None,
    encoding: str | None = None,
    force: bool = False,
    **options: Any,
) -> Iterator[Record]:
    """Reads a file of any format.

    source (str): Name of the file in issues and in the records. Default: the path.
    about (Mapping): Further `meta` of all records: "language", "dataset". What a record says itself
        comes first.
    encoding (str): Of text. None: see `find_encoding`.
    force (bool): Read also a BIO file most of whose lines are not understood.

    RAISES CorpusFileNotFoundError: T001. CorpusError: T002 and T003 for the format, T008 and T084
        for the encoding, T085 if most lines are not understood, and what its reader raises.
    """
    name = detect(path, encoding) if format == "auto" else format
    form = get_format(name)
    source = source or str(path)
    report.read_as[source] = name
    if form.text:
        options["encoding"] = encoding
    if name == "bio":
        options["force"] = force
    records = form.read(path, report, source=source, **options)
    try:
        for record in records:
            # A DocBin's records keep where they first came from.
            yield replace(
                record, meta={"source": source, **(about or {}), **record.meta}
            )
    finally:
        if form.text:
            _note_encoding(path, source, report, encoding)


def _note_encoding(path: Path, source: str, report: Report, asked: str | None) -> None:
    try:
        found = find_encoding(path, asked)
    except CorpusError:  # the reader has raised it
        return
    if found.guessed:
        report.read_as[source] += f", encoding {found.name} (guessed)"
