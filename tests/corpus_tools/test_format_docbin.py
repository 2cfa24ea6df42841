from __future__ import annotations

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import DocBin

from corpus_tools.errors import CorpusError, CorpusFileNotFoundError
from corpus_tools.formats import docbin
from corpus_tools.formats.docs import DocMaker, blank_pipeline, to_record
from corpus_tools.issues import MISALIGNED, REJECTED, UNKNOWN_TYPE, Report
from corpus_tools.records import Mention, Record, Rejected
from spacy_cascade.taxonomy import Taxonomy

META = {
    "source": "f.json",
    "index": 0,
    "id": "sentence1",
    "language": "en",
    "dataset": "d",
}


def load(path):
    return list(DocBin().from_disk(path).get_docs(spacy.blank("xx").vocab))


def test_what_a_doc_holds(tmp_path, report):
    record = Record.from_entries(
        "New York and Rome",
        [
            Mention(13, 17, "city"),
            Rejected("Ann", "person"),
            Mention(0, 8, "city"),
            Mention(4, 8, "thing"),
        ],
        labels=["city", "thing"],
        meta={**META, "extra": {"n": 2**70}},
        type_lists=[["city"], [], ["city", "x"], ["thing"]],
    )
    taxonomy = Taxonomy({"place": {"city": None}})
    docbin.write([record], tmp_path / "x.spacy", report, taxonomy=taxonomy)
    (doc,) = load(tmp_path / "x.spacy")
    assert doc.text == record.text
    assert [(e.text, e.label_) for e in doc.ents] == [
        ("New York", "city"),
        ("Rome", "city"),
    ]
    gold = doc.spans["gold"]
    assert [(s.text, s.label_) for s in gold] == [
        ("New York", "city"),
        ("York", "thing"),
        ("Rome", "city"),
    ]
    assert list(gold.attrs["paths"]) == ["place > city", "thing", "place > city"]
    assert [list(t) for t in gold.attrs["type_lists"]] == [
        ["city", "x"],
        ["thing"],
        ["city"],
    ]
    assert list(doc.user_data["cascade_labels"]) == ["city", "thing"]
    assert doc.user_data["cascade_record"] == META
    assert doc.user_data["cascade_rejected"][0]["name"] == "Ann"
    assert [(i.kind, i.mention) for i in report.issues] == [(UNKNOWN_TYPE, "York")]
    assert list(docbin.read(tmp_path / "x.spacy", report)) == [record]


def test_unknown_types_are_counted_but_listed_once(report):
    make = DocMaker(blank_pipeline(), taxonomy=Taxonomy(["a"]))
    for i in range(3):
        make(
            Record(
                "x y",
                (Mention(0, 1, "b"), Mention(2, 3, "a")),
                meta={"source": "f", "index": i},
            ),
            report,
        )
    assert [(i.kind, i.record) for i in report.issues] == [(UNKNOWN_TYPE, 1)]
    assert report.unknown_types == {("f", "b"): 3}
    assert report.total(UNKNOWN_TYPE) == 3


@pytest.mark.parametrize(
    "alignment, ents, kinds",
    [
        ("expand", ["Berliner"], [MISALIGNED, MISALIGNED]),
        ("contract", [], [REJECTED, REJECTED]),
        ("strict", [], [REJECTED, REJECTED]),
    ],
)
def test_mentions_off_token_boundaries(report, alignment, ents, kinds):
    record = Record(
        "Berliner sind", (Mention(0, 6, "L"), Mention(0, 3, "L")), meta=META
    )
    doc = DocMaker(blank_pipeline(), alignment=alignment)(record, report)
    assert [e.text for e in doc.ents] == ents
    assert [i.kind for i in report.issues] == kinds
    assert to_record(doc) == record


def test_plain_docs_give_their_entities():
    nlp = spacy.blank("en")
    doc = nlp("Ann in Rome")
    doc.ents = [doc.char_span(7, 11, label="GPE")]
    assert to_record(doc) == Record("Ann in Rome", (Mention(7, 11, "GPE"),))


def test_relabelled_and_removed_spans_are_respected(report):
    doc = DocMaker(blank_pipeline())(
        Record("a b c", (Mention(0, 1, "x"), Mention(2, 3, "x")), meta=META), report
    )
    doc.spans["gold"] = [doc.char_span(2, 3, label="y")]
    assert to_record(doc).mentions == (Mention(2, 3, "y"),)


@pytest.mark.parametrize("n, parts", [(0, 1), (1, 1), (2, 1), (3, 2), (5, 3)])
def test_parts(tmp_path, report, n, parts):
    path = tmp_path / "x.spacy"
    docbin.write([Record(str(i)) for i in range(9)], path, max_docs=2)
    docbin.write([Record(str(i)) for i in range(n)], path, max_docs=2)
    files = sorted(tmp_path.iterdir())
    assert [f.name for f in files] == [f"x-{i + 1:05}.spacy" for i in range(parts)]
    assert [r.text for f in files for r in docbin.read(f, report)] == [
        str(i) for i in range(n)
    ]
    with pytest.raises(CorpusError, match="T008"):
        docbin.write([], path, max_docs=0)


def test_failure_while_writing_leaves_nothing(tmp_path):
    def records():
        yield from [Record("a")] * 5
        raise RuntimeError

    for options in ({}, {"max_docs": 2}):
        with pytest.raises(RuntimeError):
            docbin.write(records(), tmp_path / "x.spacy", **options)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "content", [b"", b"not a docbin", b"x\x9cabc", "{}".encode("utf16")]
)
def test_not_a_docbin(tmp_path, report, content):
    path = tmp_path / "x.spacy"
    path.write_bytes(content)
    with pytest.raises(CorpusError, match="T004"):
        list(docbin.read(path, report))


def test_truncated_docbin_and_missing_file(tmp_path, report):
    path = tmp_path / "x.spacy"
    docbin.write([Record("a b c")], path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(CorpusError, match="T004"):
        list(docbin.read(path, report))
    with pytest.raises(CorpusFileNotFoundError, match="T001"):
        list(docbin.read(tmp_path / "no.spacy", report))


def test_merge(tmp_path, report):
    paths = [tmp_path / f"{i}.spacy" for i in range(3)]
    records = [
        Record("Ann", (Mention(0, 3, "p"),), meta={**META, "index": i})
        for i in range(4)
    ]
    docbin.write(records[:3], paths[0])
    docbin.write(records[3:], paths[1])
    plain = DocBin(attrs=["ENT_TYPE", "ENT_IOB"])  # other attributes, no user data
    nlp = spacy.blank("xx")
    doc = nlp("Rome")
    doc.ents = [doc.char_span(0, 4, label="L")]
    plain.add(doc)
    plain.to_disk(paths[2])
    assert docbin.merge(paths, tmp_path / "all.spacy") == 5
    assert list(docbin.read(tmp_path / "all.spacy", report)) == [
        *records,
        Record("Rome", (Mention(0, 4, "L"),)),
    ]


@pytest.mark.parametrize(
    "power, counts", [(1, [20, 4, 0, 16]), (0.5, [17, 8, 0, 15]), (0, [13, 13, 0, 13])]
)
def test_merge_balanced(tmp_path, report, power, counts):
    """The third group is empty, the last one is in two parts."""
    groups = [
        [tmp_path / "0.spacy"],
        [tmp_path / "1.spacy"],
        [tmp_path / "2.spacy"],
        [tmp_path / "3a.spacy", tmp_path / "3b.spacy"],
    ]
    sizes = {"0": 20, "1": 4, "2": 0, "3a": 6, "3b": 10}
    for name, n in sizes.items():
        docbin.write(
            [Record(f"{name} {i}", (), meta={**META, "index": i}) for i in range(n)],
            tmp_path / f"{name}.spacy",
        )
    n = docbin.merge_balanced(groups, tmp_path / "all.spacy", power, seed=1)
    texts = [r.text for r in docbin.read(tmp_path / "all.spacy", report)]
    found = [sum(t[0] == str(k) for t in texts) for k in range(4)]
    assert found == counts
    assert n == len(texts) == sum(counts)
    for k, size in ((0, 20), (1, 4), (3, 16)):  # as evenly as can be
        times = [texts.count(t) for t in {t for t in texts if t[0] == str(k)}]
        assert max(times) - min([*times, *([0] if len(times) < size else [])]) <= 1
    docbin.merge_balanced(groups, tmp_path / "again.spacy", power, seed=1)
    assert (tmp_path / "again.spacy").read_bytes() == (
        tmp_path / "all.spacy"
    ).read_bytes()


def test_unknown_alignment_and_language(tmp_path):
    for options in ({"alignment": "x"}, {"lang": "zzz"}):
        with pytest.raises(CorpusError, match="T003"):
            docbin.write([], tmp_path / "x.spacy", **options)


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
spans = st.lists(
    st.tuples(
        st.integers(0, 39), st.integers(1, 9), st.sampled_from(["a", "b c", "中"])
    ),
    max_size=5,
)


@settings(max_examples=150, deadline=None)
@given(texts, spans, st.sampled_from(["strict", "contract", "expand"]))
def test_docs_are_lossless(text, spans, alignment):
    entries = [
        Mention(s, min(s + n, len(text)), t) for s, n, t in spans if s < len(text)
    ]
    lists = [[t] for _, _, t in spans][: len(entries)]
    record = Record.from_entries(
        text,
        entries,
        meta=META,
        type_lists=lists if alignment == "expand" and entries else None,
    )
    report = Report()
    doc = DocMaker(blank_pipeline(), alignment=alignment)(record, report)
    assert doc.text == text
    back = to_record(doc)
    assert sorted(back.mentions, key=repr) == sorted(record.mentions, key=repr)
    assert report.total("aligned") + report.total(MISALIGNED) + report.total(
        REJECTED
    ) == len(entries)
