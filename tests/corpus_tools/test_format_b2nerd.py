from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus_tools.errors import CorpusError
from corpus_tools.formats import b2nerd
from corpus_tools.issues import DUPLICATE, NESTED, REJECTED, REPAIRED, Report
from corpus_tools.records import Mention, Record


def read(path, report):
    return list(b2nerd.read(path, report))


def entity(name, label, *pos):
    return {"name": name, "type": label, **({"pos": list(pos)} if pos else {})}


def test_labels_of_data_set_and_of_record(write_json, report):
    write_json({"PER": "person", "LOC": "place", "L2": "place"}, "labels.json")
    path = write_json(
        [
            {"sentence": "Ann", "entities": []},
            {"sentence": "Ann", "entities": [], "labels": ["x"]},
        ]
    )
    assert [r.labels for r in read(path, report)] == [("person", "place"), ("x",)]
    write_json(["a", "b"], "labels.json")
    assert next(b2nerd.read(path, report)).labels == ("a", "b")
    write_json({"a": 3}, "labels.json")
    with pytest.raises(CorpusError, match="T005"):
        read(path, report)


@pytest.mark.parametrize(
    "bad", [(), (1, 2), (40, 43), (-3, 0), (5, 2), ("0", "3"), (8,), (True, 3)]
)
def test_positions_are_repaired_by_search(write_json, report, bad):
    (record,) = read(
        write_json([{"sentence": "Bob, Ann", "entities": [entity("Ann", "p", *bad)]}]),
        report,
    )
    assert record.mentions == (Mention(5, 8, "p"),)
    assert [(i.kind, i.mention) for i in report.issues] == [(REPAIRED, "Ann")]


def test_repair_takes_the_nearest_unused_occurrence(write_json, report):
    entities = [
        entity("Ann", "a", 9, 12),
        entity("Ann", "b", 8, 11),
        entity("Ann", "c"),
        entity("Ann", "d"),
    ]
    (record,) = read(
        write_json([{"sentence": "Ann Ann Ann", "entities": entities}]), report
    )
    assert record.mentions == (
        Mention(0, 3, "c"),
        Mention(4, 7, "a"),
        Mention(8, 11, "b"),
    )
    assert [r.type for r in record.rejected] == ["d"]
    assert "no unused occurrence" in report.of_kind(REJECTED)[0].reason


def test_nested_duplicate_and_two_types(write_json, report):
    entities = [
        entity("New York", "a", 0, 8),
        entity("York", "b", 4, 8),
        entity("York", "b", 4, 8),
        entity("York", "c", 4, 8),
    ]
    (record,) = read(
        write_json([{"sentence": "New York", "entities": entities}]), report
    )
    assert [m.label for m in record.mentions] == ["a", "b", "c"]
    assert sorted(i.kind for i in report.issues) == [DUPLICATE, NESTED, NESTED]
    assert record.flat() == [Mention(0, 8, "a")]


@pytest.mark.parametrize(
    "value, reason",
    [
        ([], "must be a JSON object"),
        ({"entities": []}, "'sentence' is missing"),
        ({"sentence": ""}, "'sentence' is empty"),
        ({"sentence": "Ann"}, "'entities' is missing"),
        ({"sentence": "Ann", "entities": {}}, "'entities' must be a list"),
        ({"sentence": "Ann", "entities": ["Ann"]}, "must be a JSON object"),
        (
            {"sentence": "Ann", "entities": [{"type": "p"}]},
            "'name' must be a non-empty string",
        ),
        (
            {"sentence": "Ann", "entities": [{"name": "Ann"}]},
            "'type' must be a non-empty string",
        ),
        ({"sentence": "Ann", "entities": [entity("Bob", "p", 0, 3)]}, "does not occur"),
        ({"sentence": "Ann", "entities": [], "labels": "x"}, "'labels' must be a list"),
    ],
)
def test_bad_records(write_json, report, value, reason):
    read(write_json([value, {"sentence": "fine", "entities": []}]), report)
    assert [i.record for i in report.issues] == [1]
    assert reason in report.of_kind(REJECTED)[0].reason


def test_surrogates_keep_offsets(write_json, report):
    path = write_json(
        [{"sentence": "x\ud83dy Ann", "entities": [entity("Ann", "p", 4, 7)]}]
    )
    (record,) = read(path, report)
    assert (record.text, record.mentions) == ("x\ufffdy Ann", (Mention(4, 7, "p"),))
    assert [i.kind for i in report.issues] == [REPAIRED]


def test_write_labels(tmp_path, report):
    records = [Record("Ann", labels=("a", "b")), Record("Bob", labels=("c",))]
    b2nerd.write(records, tmp_path / "x.json", labels=["a", "b"])
    assert [r.labels for r in b2nerd.read(tmp_path / "x.json", report)] == [
        ("a", "b"),
        ("c",),
    ]
    assert "labels" not in json.loads((tmp_path / "x.json").read_text())[0]


texts = st.text(
    st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30
).filter(str.strip)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            texts,
            st.sets(
                st.tuples(st.integers(0, 29), st.integers(1, 6), texts), max_size=5
            ),
        )
    )
)
def test_round_trip(tmp_path_factory, rows):
    source = []
    for text, spans in rows:
        entities = [
            entity(text[s : s + n], t, s, min(s + n, len(text)))
            for s, n, t in spans
            if text[s : s + n].strip()
        ]
        unique = [e for i, e in enumerate(entities) if e not in entities[:i]]
        source.append({"sentence": text, "entities": unique})
    folder = tmp_path_factory.mktemp("b2")
    (folder / "a.json").write_text(json.dumps(source), encoding="utf8")
    report = Report()
    b2nerd.write(b2nerd.read(folder / "a.json", report), folder / "b.json")
    assert json.loads((folder / "b.json").read_text("utf8")) == source
    assert not report.of_kind(REJECTED, REPAIRED, DUPLICATE)


@pytest.mark.parametrize("keys", b2nerd.POSITION_KEYS)
def test_positions_in_keys_of_their_own(write_json, report, keys):
    one = {"name": "Paris", "type": "l", keys[0]: 21, keys[1]: 26}
    path = write_json([{"sentence": "Paris Hilton flew to Paris.", "entities": [one]}])
    (record,) = read(path, report)
    assert record.mentions == (Mention(21, 26, "l"),)
    assert not report.issues


def test_positions_in_keys_of_their_own_that_are_wrong(write_json, report):
    entities = [{"name": "Ann", "type": "p", "start": "0", "end": 3}]
    (record,) = read(
        write_json([{"sentence": "Anna, Ann", "entities": entities}]), report
    )
    assert record.mentions == (Mention(6, 9, "p"),)
    assert (
        "'start', 'end' must be two whole numbers" in report.of_kind(REPAIRED)[0].reason
    )


def test_repair_finds_words_and_no_pieces_of_words(write_json, report):
    names = [entity("Ron", "p"), entity("iron", "m")]
    entities = [*names, entity("on", "x"), entity("on", "y", 20, 22)]
    text = "We used the iron environment of Ron."
    (record,) = read(write_json([{"sentence": text, "entities": entities}]), report)
    assert record.mentions == (Mention(12, 16, "m"), Mention(32, 35, "p"))
    assert [r.type for r in record.rejected] == ["x", "y"]
    assert all(
        "only inside of other words" in i.reason for i in report.of_kind(REJECTED)
    )
    given = [entity("Ann", "p", 0, 3)]  # an annotator may mark a piece of a word
    assert read(write_json([{"sentence": "Annas", "entities": given}]), report)[
        0
    ].mentions


def test_the_longest_names_are_repaired_first(write_json, report):
    entities = [entity("Tom", "p", 9, 9), entity("Tom Ford", "p", 9, 9)]
    (record,) = read(
        write_json([{"sentence": "Tom met Tom Ford", "entities": entities}]), report
    )
    assert record.mentions == (Mention(0, 3, "p"), Mention(8, 16, "p"))


def test_positions_that_count_an_emoji_twice(write_json, report):
    text = "👩\u200d🚀 Ann, Ann and Ann"
    entities = [entity("Ann", "p", 11, 14)]
    (record,) = read(write_json([{"sentence": text, "entities": entities}]), report)
    assert record.mentions == (Mention(9, 12, "p"),)
    assert "UTF-16" in report.of_kind(REPAIRED)[0].reason
