"""Files that are not understood are refused with the reason."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from corpus_tools.cli import app
from corpus_tools.convert import convert
from corpus_tools.errors import CorpusError
from corpus_tools.issues import SKIPPED
from tests.corpus_tools.dialect_files import LATIN, PRODIGY, ROWS, write

HTML = b"<!DOCTYPE html><html><body><p>Marta lives in Sevilla.</p></body></html>"
PROSE = "Marta Gómez vive en Sevilla.\nEs médica.\n\nTrabaja mucho.\n".encode()

# name of the file: its bytes, the code, and what the message names
REFUSED: dict[str, tuple[bytes, str, tuple[str, ...]]] = {
    "prose.txt": (
        PROSE,
        "T002",
        ("Expected: a token and its tag", "line 1", "Marta Gómez vive"),
    ),
    "prose.conll": (
        PROSE,
        "T085",
        ("Expected: a token and its tag", "line 1", "Marta Gómez vive"),
    ),
    "pos_only.conll": (
        b"Marta NNP\nlives VBZ\nin IN\nSevilla NNP\n",
        "T085",
        ("line 1", "Marta NNP"),
    ),
    "half_tagged.tsv": (
        b"Marta\tB-PER\nlives\nin\nSevilla\n",
        "T085",
        ("3 of the first 4", "line 2"),
    ),
    "people.csv": (
        b"name,age,city\nMarta,34,Sevilla\nEva,51,Roma\n",
        "T002",
        ("Expected", "name,age,city"),
    ),
    "comments.conll": (
        b"# sent_id = 1\n# text = Marta\n",
        "T085",
        ("line 1", "# sent_id"),
    ),
    "empty.conll": (
        b"",
        "T086",
        ("Expected: a token and its tag", "holds no sentence"),
    ),
    "blank.conll": (b"\n \n\n", "T086", ("holds no sentence",)),
    "empty.txt": (b"", "T002", ("empty",)),
    "page.html": (HTML, "T002", ("HTML",)),
    "page.txt": (HTML, "T002", ("HTML",)),
    "paper.pdf": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj", "T002", ("PDF",)),
    "paper.txt": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj", "T002", ("PDF",)),
    "book.docx": (b"PK\x03\x04\x14\x00\x06\x00", "T002", ("ZIP",)),
    "packed.conll": (gzip.compress(ROWS.encode(), mtime=0), "T002", ("gzip",)),
    "bytes.bin": (bytes(range(256)) * 8, "T002", ("binary",)),
    "other.json": (
        b'[{"title": "x", "body": "y"}]',
        "T002",
        ("'title', 'body'", "doccano", "conversations"),
    ),
    "classes.jsonl": (
        b'{"text": "Marta", "label": "news"}\n',
        "T002",
        ("'text', 'label'", "Expected"),
    ),
    "cyrillic.conll": (
        "Иван\tB-PER\nв\tO\nРиме\tB-LOC\n".encode("cp1251"),
        "T084",
        ("--encoding", "cp1251"),
    ),
    "polish.conll": (
        "Wałęsa\tB-PER\nŁódź\tB-LOC\n".encode("iso8859-2"),
        "T084",
        ("--encoding",),
    ),
    "cut_utf16.conll": (LATIN.encode("utf-16")[:-1], "T084", ("utf-16",)),
    "offsets.jsonl": (
        b'{"text": "Marta", "label": [[10, 14, "PER"]]}',
        "T087",
        ("1 of 1 mentions", "out of range"),
    ),
    "rejected.jsonl": (
        json.dumps(PRODIGY[1]).encode(),
        "T086",
        ("answer is 'reject'",),
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_is_not_understood_is_refused(tmp_path, name):
    content, code, parts = REFUSED[name]
    path = write(tmp_path, name, content)
    with pytest.raises(CorpusError, match=code) as found:
        convert(path, tmp_path / "out")
    assert not [part for part in (name, *parts) if part not in str(found.value)]
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_a_folder_of_files_that_are_not_understood_names_each(tmp_path):
    for name, (content, _, _) in REFUSED.items():
        write(tmp_path / "in", f"{name.replace('.', '_')}/{name}", content)
    write(tmp_path / "in", "good/good.conll", ROWS.encode())
    report = convert(tmp_path / "in", tmp_path / "out", keep_issues=None)
    skipped = {i.file for i in report.of_kind(SKIPPED)}
    told = {Path(name).name for name in skipped | report.failed.keys()}
    assert told == set(REFUSED)
    assert [p.name for p in (tmp_path / "out").rglob("*.spacy")] == ["good.spacy"]
    result = CliRunner().invoke(
        app, ["convert", str(tmp_path / "in"), str(tmp_path / "out"), "--quiet"]
    )
    assert result.exit_code == 1
    assert "T085" in result.output
    assert "paper.pdf" in result.output or "bytes.bin" in result.output
