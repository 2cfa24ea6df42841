"""What annotation tools and libraries export, and names that are composed otherwise than texts."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest

from corpus_tools.convert import convert
from corpus_tools.errors import CorpusError
from corpus_tools.formats import docbin, read_records
from corpus_tools.issues import DUPLICATE, IGNORED, REPAIRED, Report
from corpus_tools.locate import as_in_text, occurrences

TEXT = "Amina Okoye lebt in Köln."
FOUND = [("Amina Okoye", "PER"), ("Köln", "LOC")]
TOKENS = ["Amina", "Okoye", "lebt", "in", "Köln", "."]
TAGS = ["B-PER", "I-PER", "O", "O", "B-LOC", "O"]
NAMES = ["O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC"]
NUMBERS = [NAMES.index(tag) for tag in TAGS]
ENTS = [
    {"start": 0, "end": 11, "label": "PER"},
    {"start": 20, "end": 24, "label": "LOC"},
]
PAIR = [TEXT, {"entities": [[0, 11, "PER"], [20, 24, "LOC"]]}]
NFD = unicodedata.normalize("NFD", "Nguyễn Huệ thăm Hà Nội")


def write(path: Path, *records: object) -> Path:
    path.write_text(
        "\n".join(json.dumps(one, ensure_ascii=False) for one in records), "utf8"
    )
    return path


def converted(path: Path) -> list[tuple[str, str]]:
    convert(path, path.with_suffix(".spacy"))
    records = docbin.read(path.with_suffix(".spacy"), Report())
    return [(record.name(m), m.label) for record in records for m in record.mentions]


@pytest.mark.parametrize(
    "record",
    [
        {"id": "0", "tokens": TOKENS, "ner_tags": TAGS},
        {
            "tokens": TOKENS,
            "pos_tags": [1] * 6,
            "chunk_tags": ["B-NP"] * 6,
            "ner_tags": TAGS,
        },
        {"words": TOKENS, "ner": ["PER", "PER", "O", "O", "LOC", "O"]},
        {"tokens": TOKENS, "labels": ["B-PER", "L-PER", "O", "O", "U-LOC", "O"]},
        {
            "tokens": TOKENS,
            "ner_tags": TAGS,
            "spans": ["PER: Amina Okoye", "LOC: Köln"],
        },
        PAIR,
        {"text": TEXT, "ents": ENTS, "tokens": [{"id": 0, "start": 0, "end": 5}]},
    ],
)
@pytest.mark.parametrize("many", [False, True])
def test_records_of_data_sets_and_of_spacy(tmp_path, record, many):
    path = write(tmp_path / "x.json", [record] * 2 if many else record)
    assert converted(path) == FOUND * (1 + many)
    assert converted(write(tmp_path / "x.jsonl", record, record)) == FOUND * 2


def test_numbers_need_names(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    path = write(folder / "x.jsonl", {"tokens": TOKENS, "ner_tags": NUMBERS})
    with pytest.raises(CorpusError, match=r"T089.*'ner_tags'.*dataset_info\.json"):
        converted(path)
    feature = {"feature": {"names": NAMES, "_type": "ClassLabel"}, "_type": "Sequence"}
    info = write(folder / "dataset_info.json", {"features": {"ner_tags": feature}})
    assert converted(path) == FOUND
    (folder / "x.spacy").unlink()
    report = convert(folder, tmp_path / "out")
    assert report.read_as == {"x.jsonl": "huggingface"}
    info.write_text("{", "utf8")
    with pytest.raises(CorpusError, match="T005"):
        converted(path)


@pytest.mark.parametrize(
    "record, code, part",
    [
        ({"tokens": TOKENS, "ner_tags": TAGS[:-1]}, "T086", "as many tags"),
        (
            {"tokens": TOKENS, "ner_tags": ["NNP", "NNP", "VBZ", "IN", "NNP", "."]},
            "T090",
            "NNP",
        ),
        ({"text": TEXT, "ents": [], "spans": {"sc": ENTS}}, "T086", "span groups: sc"),
        (
            {"text": TEXT, "label": "NEWS", "answer": "accept", "_input_hash": 1},
            "T002",
            "prodigy",
        ),
        (
            {
                "text": TEXT,
                "options": [{"id": "a"}],
                "answer": "accept",
                "_input_hash": 1,
            },
            "T002",
            "prodigy",
        ),
        (
            {
                "conversations": [
                    {"from": "human", "value": "What describes person in the text?"},
                    {"from": "gpt", "value": '["Amina Okoye"]'},
                ]
            },
            "T086",
            "neither the sentence with marks",
        ),
    ],
)
def test_records_of_another_kind_are_refused(tmp_path, record, code, part):
    with pytest.raises(CorpusError, match=code) as found:
        converted(write(tmp_path / "x.jsonl", record))
    assert part in str(found.value)
    assert not (tmp_path / "x.spacy").exists()


def test_span_groups_beside_entities_are_said(tmp_path, report):
    doc = {"text": TEXT, "ents": ENTS, "spans": {"sc": ENTS}}
    list(read_records(write(tmp_path / "x.jsonl", doc), report))
    assert [i.kind for i in report.issues] == [IGNORED]


def test_offsets_in_utf16_units(tmp_path, report):
    shifted = {"text": f"😀 {TEXT}", "label": [[3, 14, "PER"], [23, 27, "LOC"]]}
    right = {"text": f"😀 {TEXT}", "label": [[2, 13, "PER"], [22, 26, "LOC"]]}
    last = {"text": "😀 Oslo", "label": [[3, 7, "LOC"]]}
    path = write(tmp_path / "x.jsonl", shifted, right, last)
    records = list(read_records(path, report))
    found = [(r.name(m), m.label) for r in records for m in r.mentions]
    assert found == [*FOUND * 2, ("Oslo", "LOC")]
    assert [(i.record, i.kind) for i in report.issues] == [(1, REPAIRED), (3, REPAIRED)]


def test_brat_without_names_and_with_a_mention_twice(tmp_path, report):
    (tmp_path / "x.txt").write_text("😀 Amina lebt", "utf8")
    (tmp_path / "x.ann").write_text("T1\tPER 3 8\nT2\tPER 3 8\n", "utf8")
    (record,) = read_records(tmp_path / "x.txt", report)
    assert [(record.name(m), m.label) for m in record.mentions] == [("Amina", "PER")]
    assert [i.kind for i in report.issues] == [DUPLICATE]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_composed_otherwise_than_their_text(tmp_path, form):
    names = ["Nguyễn Huệ", "Hà Nội"]
    right = [(unicodedata.normalize("NFD", name), "X") for name in names]
    names = [unicodedata.normalize(form, name) for name in names]
    geic = {"sentence1": {"sentence": NFD, "entity": names, "category": ["X", "X"]}}
    entities = [{"name": name, "type": "X"} for name in names]
    assert converted(write(tmp_path / "x.json", geic)) == right
    assert (
        converted(write(tmp_path / "x.json", [{"sentence": NFD, "entities": entities}]))
        == right
    )


@pytest.mark.parametrize(
    "text, name, right",
    [
        ("한국은", unicodedata.normalize("NFD", "한국"), "한국"),
        ("Re\u0301ne\u0301", "Réné", "Re\u0301ne\u0301"),
        ("a\u0302\u0323", "ậ", "a\u0302\u0323"),
        ("5 \u212b", "Å", "\u212b"),
        ("한국은", unicodedata.normalize("NFD", "한구"), None),
        ("Rene\u0301e", "Rén", None),
        ("ｆｏｏ", "foo", None),
    ],
)
def test_equivalent_names_part_no_character(text, name, right):
    found = list(occurrences(text, as_in_text(text, name)))
    assert [text[slice(*place)] for place in found] == ([right] if right else [])


@pytest.mark.parametrize("text, name", [("ရန်ကုန်မြို့", "ရန်ကုန်"), ("සිංහල්බස", "සිංහල්")])
def test_a_visible_killer_ends_a_syllable(text, name):
    assert list(occurrences(text, name)) == [(0, len(name))]
