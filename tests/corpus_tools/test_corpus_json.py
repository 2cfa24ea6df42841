"""Streaming JSON: any chunk size, any damage."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus_tools import files
from corpus_tools.errors import CorpusFileNotFoundError
from corpus_tools.files import atomic_path, clean, iter_json
from corpus_tools.issues import REJECTED, REPAIRED, Report

KEYS = frozenset({"sentence"})


def items(path, report):
    return list(iter_json(path, report.file("f"), record_keys=KEYS))


@pytest.mark.parametrize("chunk", [1, 2, 7, 1 << 20])
@pytest.mark.parametrize("indent", [None, 2])
def test_list_and_object_at_any_chunk_size(
    write_json, report, monkeypatch, chunk, indent
):
    monkeypatch.setattr(files, "CHUNK", chunk)
    values = [
        {
            "sentence": 'a "quoted" \\ \u4e2d ' * 5,
            "n": [1.5e3, None, True, 12345678901],
        },
        7,
        "x",
        [],
        {"a": {}},
    ]
    path = write_json(json.dumps(values, indent=indent))
    assert [i.value for i in items(path, report)] == values
    path = write_json(
        json.dumps({f"k{i}": v for i, v in enumerate(values)}, indent=indent)
    )
    found = items(path, report)
    assert [i.value for i in found] == values
    assert [i.key for i in found] == ["k0", "k1", "k2", "k3", "k4"]
    assert [i.index for i in found] == [0, 1, 2, 3, 4]
    path = write_json(
        "\n".join([json.dumps({"sentence": "s", "v": v}) for v in values]) + "\n\n"
    )
    assert [i.value["v"] for i in items(path, report)] == values
    assert not report.issues


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(json_values, max_size=5),
    st.integers(1, 9),
    st.booleans(),
    st.sampled_from([None, 1]),
)
def test_same_as_json_loads(tmp_path_factory, values, chunk, ascii_only, indent):
    path = tmp_path_factory.mktemp("json") / "x.json"
    path.write_text(
        json.dumps(values, ensure_ascii=ascii_only, indent=indent), encoding="utf8"
    )
    report = Report()
    old, files.CHUNK = files.CHUNK, chunk
    try:
        assert [i.value for i in items(path, report)] == values
    finally:
        files.CHUNK = old
    assert not report.issues


def test_damaged_record_is_reported_and_the_next_one_read(write_json, report):
    lines = [
        '{"sentence": "a"}',
        '{"sentence": "b}',
        '{"sentence" "c"}',
        '{"sentence": "d"}',
        '{"sentence": "e"} x',
    ]
    found = items(write_json("[\n" + ",\n".join(lines) + "\n]"), report)
    assert [i.value["sentence"] for i in found] == ["a", "d"]
    assert [(i.kind, i.record) for i in report.issues] == [
        (REJECTED, 2),
        (REJECTED, 3),
        (REJECTED, 5),
    ]


def test_damaged_record_in_an_object(write_json, report):
    text = (
        '{\n    "s1": {\n        "sentence": "a"\n    },\n    "s2": {\n        "sentence":'
        ' oops\n    },\n    "s3": {\n        "sentence": "c"\n    }\n}'
    )
    assert [(i.key, i.index) for i in items(write_json(text), report)] == [
        ("s1", 0),
        ("s3", 2),
    ]
    assert [i.record for i in report.issues] == [2]


def test_damaged_line_of_json_lines(write_json, report):
    found = items(
        write_json('{"sentence": "a"}\n{"sentence": \n{"sentence": "c"}'), report
    )
    assert [i.value["sentence"] for i in found] == ["a", "c"]
    assert [i.record for i in report.issues] == [2]


@pytest.mark.parametrize(
    "text, n",
    [
        ("", 0),
        ("  \n", 0),
        ("hello", 0),
        ('[{"a": 1}, {"a": ', 1),
        ('[{"a": 1}', 1),
        ('[{"a": 1}] x', 1),
        ('[{"a" 1}, {"a": 2}]', 0),
        ("[" * 100_000, 0),
        ("[" + "9" * 5000 + "]", 0),
    ],
)
def test_hopeless_files_are_reported(write_json, report, text, n):
    assert len(items(write_json(text), report)) == n
    assert report.of_kind(REJECTED)


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 400), st.text(max_size=3))
def test_no_damage_raises(tmp_path_factory, at, junk):
    text = json.dumps(
        [
            {"sentence": f"s{i}", "entities": [{"name": "s", "pos": [0, 1]}]}
            for i in range(6)
        ],
        indent=1,
    )
    path = tmp_path_factory.mktemp("json") / "x.json"
    path.write_text(
        text[:at] + junk + text[at + 2 :], encoding="utf8", errors="surrogatepass"
    )
    items(path, Report())


def test_lone_surrogates_and_bad_bytes(tmp_path, report):
    path = tmp_path / "x.json"
    path.write_bytes(
        b'\xef\xbb\xbf[{"sentence": "a\\ud83d b \\ud83d\\ude00"}, {"sentence": "c\xff"}]'
    )
    assert [i.value["sentence"] for i in items(path, report)] == [
        "a\ufffd b \U0001f600",
        "c\ufffd",
    ]
    assert [(i.kind, i.record) for i in report.issues] == [(REPAIRED, 1), (REPAIRED, 2)]


def test_clean_counts_and_keeps_length():
    assert clean({"a\ud800": ["\udfff", 1, None]}) == (
        {"a\ufffd": ["\ufffd", 1, None]},
        2,
    )


def test_duplicate_keys_are_both_read(write_json, report):
    assert len(items(write_json('{"s": {"a": 1}, "s": {"a": 2}}'), report)) == 2
    assert [i.kind for i in report.issues] == ["duplicate_key"]


def test_missing_file(tmp_path, report):
    with pytest.raises(CorpusFileNotFoundError, match="T001"):
        items(tmp_path / "no.json", report)


def test_atomic_path_keeps_the_old_file_on_errors(tmp_path):
    path = tmp_path / "deep" / "x.txt"
    with atomic_path(path) as temp:
        temp.write_text("old")
    with pytest.raises(RuntimeError), atomic_path(path) as temp:
        temp.write_text("new")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [p.name for p in path.parent.iterdir()] == ["x.txt"]
