from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus_tools.errors import CorpusError
from corpus_tools.formats import bio
from corpus_tools.formats.tags import SCHEMES, decode, detect_scheme, encode
from corpus_tools.records import NOT_WRITTEN, REJECTED, REPAIRED, Mention, Record, Report


def read(path, report, **options):
    return list(bio.read(path, report, **options))


def named(record):
    return [(record.name(m), m.label) for m in record.mentions]


@pytest.mark.parametrize(
    "scheme, tags",
    [
        ("iob1", ["I-P", "I-P", "B-P", "O", "I-L"]),
        ("iob2", ["B-P", "I-P", "B-P", "O", "B-L"]),
        ("bioes", ["B-P", "E-P", "S-P", "O", "S-L"]),
    ],
)
def test_schemes_are_detected_and_read(write_json, report, scheme, tags):
    assert detect_scheme([tags]) == scheme
    tokens = ["Ann", "Lee", "Bob", "in", "Rome"]
    (record,) = read(write_json("\n".join(f"{w} {t}" for w, t in zip(tokens, tags, strict=True)), "x.conll"), report)
    assert record.text == "Ann Lee Bob in Rome"
    assert named(record) == [("Ann Lee", "P"), ("Bob", "P"), ("Rome", "L")]
    assert encode(5, [(0, 2, "P"), (2, 3, "P"), (4, 5, "L")], scheme) == tags
    assert not report.issues


def test_files_from_windows_with_documents(tmp_path, report):
    path = tmp_path / "x.conll"
    text = "-DOCSTART- -X- O O\n\nAnn NNP B-P\nruns VBZ O\n\n\n\nBob NNP B-P\n-DOCSTART- -X- O O\nEve NNP B-P"
    path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    records = read(path, report)
    assert [(r.text, r.meta["doc"], r.meta["index"]) for r in records] == [("Ann runs", 0, 0), ("Bob", 0, 1), ("Eve", 1, 2)]
    assert not report.issues
    bio.write(records, tmp_path / "y.conll")
    assert [(r.text, r.mentions, r.meta) for r in read(tmp_path / "y.conll", report)] == [
        (r.text, r.mentions, r.meta) for r in records
    ]


def test_chinese_one_character_per_line(write_json, report):
    path = write_json("李 B-PER\n开 I-PER\n复 I-PER\n在 O\n北 B-LOC\n京 I-LOC\n\n好 O\n", "x.bio")
    records = read(path, report)
    assert [r.text for r in records] == ["李开复在北京", "好"]
    assert named(records[0]) == [("李开复", "PER"), ("北京", "LOC")]
    assert read(path, report, joiner=" ")[1].text == "好"
    assert read(path, report, joiner="_")[0].text == "李_开_复_在_北_京"


def test_columns(write_json, report):
    path = write_json("1\tNew York\tB-L\tx\n2\tis\tO\tx\n", "x.tsv")
    (record,) = read(path, report, token_column=1, tag_column=2)
    assert named(record) == [("New York", "L")]


def test_repairs_and_unreadable_tags(write_json, report):
    path = write_json("a B-P\nb I-L\nc FOO\nd\ne B-\n\nf B-P\n", "x.conll")
    records = read(path, report, scheme="iob2")
    assert named(records[0]) == [("a", "P"), ("b", "L")]
    assert [(i.kind, i.record, i.mention) for i in report.issues] == [
        (REPAIRED, 1, "d"),
        (REPAIRED, 1, "b"),
        (REJECTED, 1, "c"),
        (REJECTED, 1, "e"),
    ]


@pytest.mark.parametrize("text", ["", "\n\n", "-DOCSTART- O\n"])
def test_empty_files(write_json, report, text):
    assert read(write_json(text, "x.bio"), report) == []
    assert report.of_kind(REJECTED)


def test_line_without_token(write_json, report):
    (record,) = read(write_json("a\tO\n\tO\nb\tO\n", "x.bio"), report)
    assert record.text == "a b"
    assert "line 2" in report.of_kind(REJECTED)[0].reason


def test_unknown_scheme(write_json, report, tmp_path):
    with pytest.raises(CorpusError, match="T003"):
        read(write_json("a O", "x.bio"), report, scheme="xyz")
    with pytest.raises(CorpusError, match="T003"):
        bio.write([], tmp_path / "y.bio", scheme="xyz")
    with pytest.raises(CorpusError, match="T008"):
        bio.write([Record("a", (Mention(0, 1, "x\ny"),))], tmp_path / "y.bio")
    assert not (tmp_path / "y.bio").exists()


def test_write_cuts_at_mentions_and_reports_overlaps(tmp_path, report):
    record = Record("Berlin's 东京 (x)", (Mention(0, 6, "L"), Mention(0, 3, "X"), Mention(9, 11, "L")))
    bio.write([record], tmp_path / "x.bio", report)
    lines = (tmp_path / "x.bio").read_text("utf8").split("\n")
    assert lines[:4] == ["Berlin\tB-L", "'\tO", "s\tO", "东\tB-L"]
    assert [(i.kind, i.mention) for i in report.issues] == [(NOT_WRITTEN, "Ber")]


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 3), st.sampled_from("AB")), max_size=8), st.sampled_from(SCHEMES))
def test_encode_decode(chunks, scheme):
    at, mentions = 0, []
    for is_mention, length, label in chunks:
        if is_mention:
            mentions.append((at, at + length, label))
        at += length
    assert decode(encode(at, mentions, scheme), scheme) == (mentions, [], [])


@given(st.lists(st.sampled_from(["O", "B-A", "I-A", "E-A", "S-A", "I-B", "M-B", "L-B", "x", "", "B-"])), st.sampled_from(SCHEMES))
def test_decode_accepts_anything(tags, scheme):
    mentions, _, unreadable = decode(tags, scheme)
    assert all(0 <= s < e <= len(tags) for s, e, _ in mentions)
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(mentions))
    assert unreadable == [i for i, t in enumerate(tags) if t in ("x", "", "B-")]


words = st.text(st.characters(exclude_categories=["Cs", "Z", "Cc"], exclude_characters="\ufeff"), min_size=1, max_size=5).filter(str.strip)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.tuples(words, st.sampled_from(["", "A", "type b"])), min_size=1, max_size=6), min_size=1, max_size=4), st.sampled_from(SCHEMES))
def test_round_trip(tmp_path_factory, sentences, scheme):
    records = []
    for i, sentence in enumerate(sentences):
        tokens = [w for w, _ in sentence]
        starts = [sum(len(t) + 1 for t in tokens[:k]) for k in range(len(tokens))]
        mentions = tuple(Mention(s, s + len(w), t) for s, (w, t) in zip(starts, sentence, strict=True) if t)
        records.append(Record(" ".join(tokens), mentions, meta={"index": i, "id": None, "tokens": tokens}))
    path = tmp_path_factory.mktemp("bio") / "x.bio"
    bio.write(records, path, scheme=scheme)
    report = Report()
    assert list(bio.read(path, report, scheme=scheme, joiner=" ")) == records
    assert not report.issues
