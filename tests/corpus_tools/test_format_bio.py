from __future__ import annotations

import itertools

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc, DocBin, Span
from spacy.training.converters import conll_ner_to_docs

from corpus_tools.errors import CorpusError
from corpus_tools.formats import bio, docbin
from corpus_tools.formats.tags import SCHEMES, decode, detect_scheme, encode
from corpus_tools.issues import (
    MISALIGNED,
    NOT_WRITTEN,
    REJECTED,
    RENAMED,
    REPAIRED,
    Report,
)
from corpus_tools.records import Mention, Record


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
    (record,) = read(
        write_json(
            "\n".join(f"{w} {t}" for w, t in zip(tokens, tags, strict=True)), "x.conll"
        ),
        report,
    )
    assert record.text == "Ann Lee Bob in Rome"
    assert named(record) == [("Ann Lee", "P"), ("Bob", "P"), ("Rome", "L")]
    assert encode(5, [(0, 2, "P"), (2, 3, "P"), (4, 5, "L")], scheme) == tags
    assert not report.issues


def test_files_from_windows_with_documents(tmp_path, report):
    path = tmp_path / "x.conll"
    text = (
        "-DOCSTART- -X- O O\n\nAnn NNP B-P\nruns VBZ O\n\n\n\nBob NNP B-P\n-DOCSTART- -X- O"
        " O\nEve NNP B-P"
    )
    path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    records = read(path, report)
    assert [(r.text, r.meta["doc"], r.meta["index"]) for r in records] == [
        ("Ann runs", 0, 0),
        ("Bob", 0, 1),
        ("Eve", 1, 2),
    ]
    assert not report.issues
    bio.write(records, tmp_path / "y.conll")
    assert [
        (r.text, r.mentions, r.meta) for r in read(tmp_path / "y.conll", report)
    ] == [(r.text, r.mentions, r.meta) for r in records]


def test_chinese_one_character_per_line(write_json, report):
    path = write_json(
        "李 B-PER\n开 I-PER\n复 I-PER\n在 O\n北 B-LOC\n京 I-LOC\n\n好 O\n", "x.bio"
    )
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
    record = Record(
        "Berlin's 东京 (x)",
        (Mention(0, 6, "L"), Mention(0, 3, "X"), Mention(9, 11, "L")),
    )
    bio.write([record], tmp_path / "x.bio", report)
    lines = (tmp_path / "x.bio").read_text("utf8").split("\n")
    assert lines[:4] == ["Berlin\tB-L", "'\tO", "s\tO", "东\tB-L"]
    assert [(i.kind, i.mention) for i in report.issues] == [(NOT_WRITTEN, "Ber")]


@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(1, 3), st.sampled_from("AB")), max_size=8
    ),
    st.sampled_from(SCHEMES),
)
def test_encode_decode(chunks, scheme):
    at, mentions = 0, []
    for is_mention, length, label in chunks:
        if is_mention:
            mentions.append((at, at + length, label))
        at += length
    assert decode(encode(at, mentions, scheme), scheme) == (mentions, [], [])


@given(
    st.lists(
        st.sampled_from(
            ["O", "B-A", "I-A", "E-A", "S-A", "I-B", "M-B", "L-B", "x", "", "B-"]
        )
    ),
    st.sampled_from(SCHEMES),
)
def test_decode_accepts_anything(tags, scheme):
    mentions, _, unreadable = decode(tags, scheme)
    assert all(0 <= s < e <= len(tags) for s, e, _ in mentions)
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(mentions))
    assert unreadable == [i for i, t in enumerate(tags) if t in ("x", "", "B-")]


words = st.text(
    st.characters(exclude_categories=["Cs", "Z", "Cc"], exclude_characters="\ufeff"),
    min_size=1,
    max_size=5,
).filter(str.strip)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.lists(
            st.tuples(words, st.sampled_from(["", "A", "type b"])),
            min_size=1,
            max_size=6,
        ),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from(SCHEMES),
)
def test_round_trip(tmp_path_factory, sentences, scheme):
    records = []
    for i, sentence in enumerate(sentences):
        tokens = [w for w, _ in sentence]
        starts = [sum(len(t) + 1 for t in tokens[:k]) for k in range(len(tokens))]
        mentions = tuple(
            Mention(s, s + len(w), t)
            for s, (w, t) in zip(starts, sentence, strict=True)
            if t
        )
        records.append(
            Record(
                " ".join(tokens),
                mentions,
                meta={"index": i, "id": None, "tokens": tokens},
            )
        )
    path = tmp_path_factory.mktemp("bio") / "x.bio"
    bio.write(records, path, scheme=scheme)
    report = Report()
    assert list(bio.read(path, report, scheme=scheme, joiner=" ")) == records
    assert not report.issues


def written(records, path, report=None):
    bio.write(records, path, report)
    return [line.split("\t") for line in path.read_text("utf8").splitlines() if line]


@pytest.mark.parametrize(
    "text, mention, tokens",
    [
        ("नरेश दिल्ली में", (5, 11), ["नरेश", "दिल्ली", "में"]),
        ("அவர் சென்னையில்.", (5, 11), ["அவர்", "சென்னை", "யில்", "."]),
        ("เขาอยู่ที่กรุงเทพ", (10, 17), ["เขาอยู่ที่", "กรุงเทพ"]),
        ("هو مُحَمَّد هنا", (3, 11), ["هو", "مُحَمَّد", "هنا"]),
        ("می\u200cروم تهران", (7, 12), ["می\u200cروم", "تهران"]),
        (
            "Rene\u0301e, d'E\u0301vry",
            (0, 6),
            ["Rene\u0301e", ",", "d", "'", "E\u0301vry"],
        ),
        ("👩\u200d👩\u200d👧👍🏽", (0, 5), ["👩\u200d👩\u200d👧", "👍🏽"]),
        ("🇫🇷🇩🇪 1\ufe0f\u20e3", (2, 4), ["🇫🇷", "🇩🇪", "1\ufe0f\u20e3"]),
        ("서울은 큰 도시", (0, 2), ["서울", "은", "큰", "도시"]),
        ("葛\U000e0100飾区", (0, 3), ["葛\U000e0100", "飾", "区"]),
        ("snake_case", (0, 10), ["snake_case"]),
    ],
)
def test_marks_stay_with_their_letters(tmp_path, text, mention, tokens):
    rows = written([Record(text, (Mention(*mention, "X"),))], tmp_path / "x.conll")
    assert [token for token, _ in rows] == tokens
    marked = "".join(token for token, tag in rows if tag != "O")
    assert marked == text[slice(*mention)]


@pytest.mark.parametrize(
    "tokens, text",
    [
        (["서울은", "한국의", "수도이다", "."], "서울은 한국의 수도이다 ."),
        (["서", "울", "은", "커"], "서울은커"),
        (["กรุงเทพ", "สวย", "2563", "ปี", "Chiang", "Mai"], "กรุงเทพสวย2563ปีChiang Mai"),
        (["ວຽງຈັນ", "ງາມ"], "ວຽງຈັນງາມ"),
        (["ភ្នំពេញ", "ស្អាត"], "ភ្នំពេញស្អាត"),
        (["ရန်ကုန်", "လှ"], "ရန်ကုန်လှ"),
        (["我", "在", "北", "京", "用", "iPhone", "1", "2"], "我在北京用iPhone12"),
        (["東京", "タワー"], "東京タワー"),
        (["We", "saw", "北", "京", "and", "서울"], "We saw 北京 and 서울"),
        (["नरेश", "दिल्ली", "में"], "नरेश दिल्ली में"),
    ],
)
def test_spaces_between_tokens_are_those_of_the_script(
    write_json, report, tokens, text
):
    path = write_json("".join(f"{t}\tB-X\n" for t in tokens), "x.conll")
    (record,) = read(path, report)
    assert record.text == text
    assert [record.name(m) for m in record.mentions] == tokens
    assert read(path, report, joiner="")[0].text == "".join(tokens)
    assert read(path, report, joiner=" ")[0].text == " ".join(tokens)


def test_white_space_in_type_names(tmp_path, report):
    names = ["work of art", "work_of_art", "law", "a\u00a0b"]
    text = "Faust Iliad Act X"
    at = [(0, 5), (6, 11), (12, 15), (16, 17)]
    record = Record(text, tuple(Mention(*p, n) for p, n in zip(at, names, strict=True)))
    path = tmp_path / "x.conll"
    tags = [tag for _, tag in written([record], path, report)]
    assert tags == ["B-work_of_art", "B-work_of_art_", "B-law", "B-a_b"]
    renamed = [i.mention for i in report.of_kind(RENAMED)]
    assert renamed == ["work of art", "work_of_art", "a\u00a0b"]
    assert [m.label for m in read(path, report)[0].mentions] == names
    (path.parent / "labels-x.conll.json").write_text("[1]")
    with pytest.raises(CorpusError, match="T005"):
        read(path, report)
    written([Record(text, (Mention(0, 5, "law"),))], path)
    assert [p.name for p in tmp_path.iterdir()] == ["x.conll"]


def test_spacy_reads_what_is_written(tmp_path):
    tokens = ["New York", "is", "big"]
    city = Mention(0, 8, "big city")
    records = [
        Record("New York is big", (city,), meta={"doc": 0, "tokens": tokens}),
        Record("10\u00a0000 in Rome", (Mention(10, 14, "LOC"),), meta={"doc": 0}),
        Record("Ann", (Mention(0, 3, "PER"),), meta={"doc": 1}),
    ]
    bio.write(records, tmp_path / "x.conll")
    text = (tmp_path / "x.conll").read_text("utf8")
    docs = list(conll_ner_to_docs(text, no_print=True))
    assert [[t.text for t in doc] for doc in docs] == [
        ["New", "York", "is", "big", "10", "000", "in", "Rome"],
        ["Ann"],
    ]
    assert [[(e.text, e.label_) for e in doc.ents] for doc in docs] == [
        [("New York", "big_city"), ("Rome", "LOC")],
        [("Ann", "PER")],
    ]
    again = read(tmp_path / "x.conll", Report())
    assert [r.text for r in again] == ["New York is big", "10 000 in Rome", "Ann"]
    found = [named(r) for r in again]
    assert found == [[("New York", "big city")], [("Rome", "LOC")], [("Ann", "PER")]]


def test_the_tokens_of_a_doc_are_written(tmp_path, report):
    nlp = spacy.blank("en")
    docs = [nlp("She left the U.S. for $3.50 (karl@x.de), e.g. Smith's.")]
    docs.append(Doc(nlp.vocab, words=["a", "\n\n", "Berlin", " "]))
    docs[0].ents = [docs[0].char_span(13, 17, label="GPE")]
    docs[1].ents = [Span(docs[1], 2, 3, label="GPE")]
    DocBin(docs=docs).to_disk(tmp_path / "x.spacy")
    rows = written(
        docbin.read(tmp_path / "x.spacy", report), tmp_path / "y.conll", report
    )
    assert [token for token, _ in rows] == [
        t.text for doc in docs for t in doc if not t.is_space
    ]
    assert [row for row in rows if row[1] != "O"] == [
        ["U.S.", "B-GPE"],
        ["Berlin", "B-GPE"],
    ]
    assert not report.issues


def test_a_mention_inside_a_token_of_a_doc_cuts_it_and_is_counted(tmp_path, report):
    mentions = (Mention(0, 6, "L"), Mention(14, 18, "L"))
    record = Record("Berliner sind U.S. da", mentions, meta={"source": "f"})
    docbin.write([record], tmp_path / "x.spacy")
    rows = written(
        docbin.read(tmp_path / "x.spacy", report), tmp_path / "y.conll", report
    )
    assert rows[:3] == [["Berlin", "B-L"], ["er", "O"], ["sind", "O"]]
    assert [i.mention for i in report.of_kind(MISALIGNED)] == ["Berlin"]
    (again,) = read(tmp_path / "y.conll", report)
    assert named(again) == [("Berlin", "L"), (rows[3][0], "L")]


def test_columns_keep_their_tokens_through_a_doc(tmp_path, report):
    path = tmp_path / "x.conll"
    path.write_text("O'Neil's\tB-P\n(e.g.)\tO\nx-y\tO\n", encoding="utf8")
    docbin.write(bio.read(path, report), tmp_path / "x.spacy")
    rows = written(
        docbin.read(tmp_path / "x.spacy", report), tmp_path / "y.conll", report
    )
    assert rows == [["O'Neil's", "B-P"], ["(e.g.)", "O"], ["x-y", "O"]]
