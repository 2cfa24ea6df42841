"""Data sets in short."""

from __future__ import annotations

import json
from pathlib import Path

from corpus_tools.b2nerd.conflicts.sets import DataSet
from corpus_tools.records import Mention, Record

ASSETS = Path(__file__).parents[3] / "assets"


def record(marked: str) -> Record:
    """'[Rhine|location] floods' as a record."""
    text, mentions = "", []
    for piece in marked.split("["):
        if "|" in piece and "]" in piece:
            inner, _, rest = piece.partition("]")
            name, _, label = inner.rpartition("|")
            mentions.append(Mention(len(text), len(text) + len(name), label))
            text += name + rest
        else:
            text += piece
    return Record(text, tuple(mentions))


def dataset(name: str, *marked: str) -> DataSet:
    return DataSet(name, {"train": [record(m) for m in marked]})


def write_set(folder: Path, *marked: str) -> Path:
    folder.mkdir(parents=True)
    rows = [
        {
            "sentence": r.text,
            "entities": [
                {
                    "name": r.text[m.start : m.end],
                    "type": m.label,
                    "pos": [m.start, m.end],
                }
                for m in r.mentions
            ],
        }
        for r in map(record, marked)
    ]
    (folder / "train.json").write_text(json.dumps(rows), "utf8")
    return folder
