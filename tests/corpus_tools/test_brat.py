"""BRAT's standoff files."""

from __future__ import annotations

import pytest

from corpus_tools.convert import convert
from corpus_tools.errors import CorpusError
from corpus_tools.formats import docbin
from corpus_tools.issues import IGNORED, REJECTED, SKIPPED, Report

from .dialect_files import mentions, write

BRAT_TEXT = "😀 Marta Gómez\r\nvive en Sevilla y Roma.\r\n"


def brat(at: int = 0, ends: int = 2) -> bytes:
    """Annotation whose offsets are shifted by the emoji and by line ends."""
    second = 13 + at + ends
    lines = [
        f"T1\tPER {2 + at} {13 + at}\tMarta Gómez",
        f"T2\tLOC {second + 8} {second + 15}\tSevilla",
        f"T3\tLOC {second + 8} {second + 15};{second + 18} {second + 22}\tSevilla Roma",
        f"T4\tDAY {8 + at} {13 + at};{second} {second + 4}\tGómez vive",
        "R1\tLives Arg1:T1 Arg2:T2",
        "#1\tAnnotatorNotes T1\tsure",
    ]
    return "\n".join(lines).encode()


@pytest.mark.parametrize("at, ends", [(0, 2), (0, 1), (1, 2)])
def test_brat(tmp_path, at, ends):
    write(tmp_path / "in", "note.txt", BRAT_TEXT.encode())
    write(tmp_path / "in", "note.ann", brat(at, ends))
    write(tmp_path / "in", "nothing.txt", b"It rains.")
    write(tmp_path / "in", "nothing.ann", b"")
    write(tmp_path / "in", "alone.txt", b"It rains in Roma.")
    report = convert(tmp_path / "in", tmp_path / "out")
    assert [(i.kind, i.file) for i in report.of_kind(SKIPPED)] == [
        (SKIPPED, "alone.txt")
    ]
    assert report.total(IGNORED) == 2
    assert [i.mention for i in report.of_kind(REJECTED)] == ["Sevilla Roma"]
    (record,) = docbin.read(tmp_path / "out" / "note.spacy", Report())
    assert sorted(
        (" ".join(record.name(m).split()), m.label) for m in record.mentions
    ) == [
        ("Gómez vive", "DAY"),
        ("Marta Gómez", "PER"),
        ("Sevilla", "LOC"),
    ]
    (empty,) = docbin.read(tmp_path / "out" / "nothing.spacy", Report())
    assert not empty.mentions


def test_brat_by_either_file_and_alone(tmp_path):
    write(tmp_path, "note.txt", b"Marta sings.")
    ann = write(tmp_path, "note.ann", b"T1\tPER 0 5\tMarta\n")
    for path in (ann, tmp_path / "note.txt"):
        assert mentions(path) == [("Marta", "PER")]
    (tmp_path / "note.txt").unlink()
    with pytest.raises(CorpusError, match="T088"):
        mentions(ann)
