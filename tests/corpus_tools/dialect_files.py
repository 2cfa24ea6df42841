"""Files to read, and rows that several dialects share."""

from __future__ import annotations

from pathlib import Path

from corpus_tools.formats import read_records
from corpus_tools.issues import Report

LATIN = "Jörg\tB-PER\nWeiß\tI-PER\nwohnt\tO\nin\tO\nZürich\tB-LOC\n.\tO\n"
ROWS = "Marta\tB-PER\nGómez\tI-PER\nvive\tO\nen\tO\nSevilla\tB-LOC\n.\tO\n"
PRODIGY = [
    {
        "text": "Marta Gómez vive en Sevilla.",
        "spans": [
            {"start": 0, "end": 11, "label": "PER"},
            {"start": 20, "end": 27, "label": "LOC"},
        ],
        "answer": "accept",
    },
    {
        "text": "Marta",
        "spans": [{"start": 0, "end": 5, "label": "ORG"}],
        "answer": "reject",
    },
]


def write(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def mentions(path: Path, **options) -> list[tuple[str, str]]:
    records = list(read_records(path, Report(), **options))
    return [(record.name(m), m.label) for record in records for m in record.mentions]
