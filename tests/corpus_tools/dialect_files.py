"""Files to read."""

from __future__ import annotations

from pathlib import Path

from corpus_tools.formats import read_records
from corpus_tools.issues import Report


def write(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def mentions(path: Path, **options) -> list[tuple[str, str]]:
    records = list(read_records(path, Report(), **options))
    return [(record.name(m), m.label) for record in records for m in record.mentions]
