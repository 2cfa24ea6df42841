"""Column files of further dialects: lines that are no tokens, marks between columns, nested tags,
encodings."""

from __future__ import annotations

from pathlib import Path

import pytest

from corpus_tools.convert import convert
from corpus_tools.encodings import find_encoding
from corpus_tools.errors import CorpusError
from corpus_tools.formats import read_records
from corpus_tools.issues import Report
from corpus_tools.records import Record

TOKENS = ("Zsófia", "Kiss", "Pécs", "felé", "megy", ".")
TAGS = ("B-PER", "I-PER", "B-LOC", "O", "O", "O")
FOUND = [("Zsófia Kiss", "PER"), ("Pécs", "LOC")]
ROWS = "".join(f"{token}\t{tag}\n" for token, tag in zip(TOKENS, TAGS, strict=True))


def read(path: Path, content: str | bytes) -> list[Record]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(read_records(path, Report()))


def mentions(records: list[Record]) -> list[tuple[str, str]]:
    return [(record.name(m), m.label) for record in records for m in record.mentions]


@pytest.mark.parametrize(
    "line",
    [
        "% made by hand",
        "// made by hand",
        ";; made by hand",
        "  # by hand",
        "## by hand",
    ],
)
@pytest.mark.parametrize("separator", ["\t", " "])
def test_comments_are_no_words(tmp_path, line, separator):
    content = f"{line}\n{ROWS}\n{line}\n{ROWS}".replace("\t", separator)
    records = read(tmp_path / "x.conll", content)
    assert [record.text for record in records] == [" ".join(TOKENS)] * 2
    assert mentions(records) == FOUND * 2


def test_marks_of_comments_are_tokens_where_they_have_a_tag(tmp_path):
    content = f"%\tO\n//\tO\n;;\tO\n<s>\tO\n#\tO\n{ROWS}"
    (record,) = read(tmp_path / "x.conll", content)
    assert record.text == "% // ;; <s> # " + " ".join(TOKENS)
    assert mentions([record]) == FOUND


def test_markup_ends_sentences(tmp_path):
    content = f'<doc id="1">\n<s>\n{ROWS}</s>\n<s>\n{ROWS}</s>\n</doc>\n'
    records = read(tmp_path / "x.tsv", content)
    assert [record.text for record in records] == [" ".join(TOKENS)] * 2
    assert mentions(records) == FOUND * 2


@pytest.mark.parametrize("separator", [", ", "; ", " | "])
def test_marks_with_blanks_between_columns(tmp_path, separator):
    records = read(tmp_path / "x.csv", ROWS.replace("\t", separator))
    assert mentions(records) == FOUND
    assert records[0].text == " ".join(TOKENS)


def test_a_table_of_markdown(tmp_path):
    rows = ROWS.replace("\t", " | ").replace("\n", " |\n| ").removesuffix("| ")
    records = read(tmp_path / "x.md", f"| token | tag |\n|:---|---:|\n| {rows}")
    assert mentions(records) == FOUND
    assert records[0].text == " ".join(TOKENS)


def test_tokens_that_are_all_one_mark(tmp_path):
    (record,) = read(tmp_path / "x.conll", "-\tO\n-\tO\n")
    assert record.text == "- -"


@pytest.mark.parametrize("end", ["\x85", "\u2028", "\u2029"])
def test_line_ends_of_unicode(tmp_path, end):
    assert mentions(read(tmp_path / "x.tsv", ROWS.replace("\n", end))) == FOUND
    (record,) = read(tmp_path / "x.tsv", f"{ROWS}a{end}b\tO\n")
    assert record.text.endswith(f" a{end}b")


def test_layers_in_one_cell(tmp_path):
    content = (
        "Bank\tB-ORG\nof\tI-ORG\nNew\tI-ORG|B-LOC\nYork\tI-ORG|I-LOC\npays\tO\n"
        "Leo\tB-PER|B-SAINT\n"
    )
    assert mentions(read(tmp_path / "x.tsv", content)) == [
        ("Bank of New York", "ORG"),
        ("New York", "LOC"),
        ("Leo", "PER"),
        ("Leo", "SAINT"),
    ]


@pytest.mark.parametrize(
    "spelled",
    [("B.", "I."), ("B ", "I "), ("BEGIN-", "INSIDE-"), ("B/", "I/"), ("Beg_", "In_")],
)
def test_prefixes_that_are_not_known_are_no_types(tmp_path, spelled):
    content = ROWS.replace("B-", spelled[0]).replace("I-", spelled[1])
    (tmp_path / "x.tsv").write_text(content, "utf8")
    with pytest.raises(
        CorpusError, match=r"T087.*Expected: a token and its tag.*is no tag of the BIO"
    ):
        convert(tmp_path / "x.tsv", tmp_path / "x.spacy")
    assert not (tmp_path / "x.spacy").exists()


@pytest.mark.parametrize(
    "text, encoding",
    [
        ("Łukasz później", "cp1250"),
        ("Ödön Győr él", "iso8859-2"),
        ("Antonín Dvořák", "cp1250"),
        ("Jiří", "iso8859-2"),
    ],
)
def test_central_europe_is_not_taken_for_the_west(tmp_path, text, encoding):
    path = tmp_path / "x.conll"
    content = "".join(f"{word}\tB-PER\n" for word in [*text.split(), *["dom"] * 50])
    path.write_bytes(content.encode(encoding))
    with pytest.raises(CorpusError, match=r"T084.*--encoding"):
        find_encoding(path)
    assert read_records(path, Report(), encoding=encoding)


@pytest.mark.parametrize(
    "text",
    [
        "São Paulo põe ações",
        "sõna käib öösel",
        "Søren på Ærø",
        "L'École d'Évry",
        "£5 à Zürich",
    ],
)
def test_the_west_is_read(tmp_path, text):
    path = tmp_path / "x.conll"
    path.write_bytes("".join(f"{word}\tO\n" for word in text.split()).encode("cp1252"))
    assert [record.text for record in read_records(path, Report())] == [text]


@pytest.mark.parametrize(
    "text, encoding",
    [("東京 に いる", "iso2022-jp"), ("서울은 크다", "iso2022-kr")],
)
def test_escapes_of_iso_2022(tmp_path, text, encoding):
    content = "".join(f"{word}\tB-LOC\n" for word in text.split())
    (record,) = read(tmp_path / "x.conll", content.encode(encoding))
    assert record.name(record.mentions[0]) == text.split()[0]


def test_two_encodings_in_one_file_are_refused(tmp_path):
    path = tmp_path / "x.conll"
    path.write_bytes(ROWS.encode() + ROWS.encode("latin1"))
    with pytest.raises(CorpusError, match="T084"):
        find_encoding(path)
