from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus_tools.formats import geic
from corpus_tools.issues import DUPLICATE, NESTED, REJECTED, REPAIRED, Report
from corpus_tools.records import Mention


def read(path, report):
    return list(geic.read(path, report))


def doc(sentence, *pairs):
    return {
        "sentence": sentence,
        "entity": [p[0] for p in pairs],
        "category": [p[1] for p in pairs],
    }


def test_occurrences_order_and_rejected(write_json, report, tmp_path):
    source = {
        "sentence1": doc(
            "Ann met Ann in New York",
            ("New York", "city"),
            ("Bob", "man"),
            ("Ann", "a"),
            ("Ann", "b"),
            ("York", "c"),
        ),
        "x7": {**doc("Nothing here"), "note": [1]},
    }
    path = write_json(source)
    first, second = read(path, report)
    assert first.mentions == (
        Mention(0, 3, "a"),
        Mention(8, 11, "b"),
        Mention(15, 23, "city"),
        Mention(19, 23, "c"),
    )
    assert [(r.name, r.type) for r in first.rejected] == [("Bob", "man")]
    assert (second.mentions, second.meta["id"], second.meta["index"]) == ((), "x7", 1)
    assert [(i.kind, i.record, i.mention) for i in report.issues] == [
        (REJECTED, 1, "Bob"),
        (NESTED, 1, "York"),
    ]
    assert report.total("mentions") == 5
    geic.write([first, second], tmp_path / "back.json")
    assert json.loads((tmp_path / "back.json").read_text()) == source


def test_same_name_more_often_than_it_occurs(write_json, report):
    (record,) = read(write_json({"s": doc("Ann", ("Ann", "a"), ("Ann", "b"))}), report)
    assert record.mentions == (Mention(0, 3, "a"),)
    assert [i.kind for i in report.issues] == [DUPLICATE]
    assert [e.type if hasattr(e, "type") else e.label for e in record.entries()] == [
        "a",
        "b",
    ]


@pytest.mark.parametrize(
    "value, records, reason",
    [
        (3, 0, "must be a JSON object"),
        (None, 0, "must be a JSON object"),
        ({}, 0, "'sentence' is missing"),
        ({"entity": [], "category": []}, 0, "'sentence' is missing"),
        ({"sentence": 5, "entity": [], "category": []}, 0, "must be a string"),
        ({"sentence": " ", "entity": [], "category": []}, 0, "is empty"),
        (
            {"sentence": "Ann", "entity": "Ann", "category": ["a"]},
            1,
            "'entity' must be a list",
        ),
        ({"sentence": "Ann", "entity": ["Ann"]}, 1, "'category' is missing"),
        (
            {"sentence": "Ann", "entity": ["Ann"], "category": []},
            1,
            "no type for this mention",
        ),
        (
            {"sentence": "Ann", "entity": [], "category": ["a"]},
            1,
            "no mention for this type",
        ),
        (
            {"sentence": "Ann", "entity": [3], "category": ["a"]},
            1,
            "mention must be a non-empty string",
        ),
        (
            {"sentence": "Ann", "entity": ["Ann"], "category": [{}]},
            1,
            "type must be a non-empty string",
        ),
        (
            {"sentence": "Ann", "entity": [""], "category": ["a"]},
            1,
            "mention must be a non-empty string",
        ),
    ],
)
def test_bad_records(write_json, report, value, records, reason):
    found = read(write_json({"good": doc("x"), "bad": value}), report)
    assert len(found) == 1 + records
    assert reason in report.of_kind(REJECTED)[0].reason
    assert {i.record for i in report.issues} == {2}


def test_list_and_json_lines(write_json, report):
    docs = [doc("Ann", ("Ann", "a")), doc("Bob", ("Bob", "b"))]
    as_list = read(write_json(docs), report)
    as_lines = read(write_json("\n".join(map(json.dumps, docs)), "x.jsonl"), report)
    assert (
        [r.mentions for r in as_list]
        == [r.mentions for r in as_lines]
        == [(Mention(0, 3, "a"),), (Mention(0, 3, "b"),)]
    )


texts = st.text(
    st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30
).filter(str.strip)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            texts,
            st.lists(st.tuples(texts, texts), max_size=4),
            st.lists(st.integers(0, 29), max_size=4),
        )
    )
)
def test_round_trip_keeps_everything(tmp_path_factory, rows):
    source = {}
    for i, (text, pairs, cuts) in enumerate(rows):
        inner = [(text[c : c + 3], "in") for c in cuts if text[c : c + 3].strip()]
        source[f"sentence{i + 1}"] = doc(text, *inner, *pairs)
    folder = tmp_path_factory.mktemp("geic")
    (folder / "a.json").write_text(json.dumps(source), encoding="utf8")
    report = Report()
    geic.write(geic.read(folder / "a.json", report), folder / "b.json")
    assert json.loads((folder / "b.json").read_text("utf8")) == source
    assert report.total("mentions") == sum(len(d["entity"]) for d in source.values())


def test_pieces_of_words_are_the_last_resort_and_reported(write_json, report):
    value = {
        "a": {"sentence": "Anna met Ann.", "entity": ["Ann"], "category": ["p"]},
        "b": {"sentence": "Die Berliner", "entity": ["Berlin"], "category": ["l"]},
        "c": {"sentence": "दिल्ली दूर है", "entity": ["दिल"], "category": ["o"]},
    }
    records = list(geic.read(write_json(value), report))
    assert [[r.name(m) for m in r.mentions] for r in records] == [
        ["Ann"],
        ["Berlin"],
        [],
    ]
    assert records[0].mentions[0].start == 9
    assert [(i.record, i.kind) for i in report.issues] == [(2, REPAIRED), (3, REJECTED)]
