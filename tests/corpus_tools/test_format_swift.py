from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus_tools.errors import CorpusError
from corpus_tools.formats import swift
from corpus_tools.formats.markers import mark, markable, unmark
from corpus_tools.formats.questions import LEVELS, Question, parse_question
from corpus_tools.issues import (
    DUPLICATE,
    NOT_WRITTEN,
    OFF_LIST,
    REJECTED,
    REPAIRED,
    Report,
)
from corpus_tools.records import Mention, Record, Rejected
from spacy_cascade.taxonomy import Taxonomy

TYPES = "person, location"


def turn(user, answer):
    return {
        "conversations": [
            {"from": "user", "value": user},
            {"from": "assistant", "value": answer},
        ]
    }


def read(path, report, **options):
    return list(swift.read(path, report, **options))


def released(name, sentence, types=TYPES, level="first ", verb="belong"):
    return (
        f'The ##{name}## in the sentence: "{sentence}" {verb} to which entity in the'
        f" {level}list: {types}?"
    )


# Stage 1


def test_marked_sentences(write_json, report, tmp_path):
    source = [
        turn("Ann met Ann", "##Ann## met Ann"),
        turn("ab", "##a####b##"),
        turn("none", "none"),
    ]
    records = read(write_json(source), report, label="x")
    assert [r.mentions for r in records] == [
        (Mention(0, 3, "x"),),
        (Mention(0, 1, "x"), Mention(1, 2, "x")),
        (),
    ]
    swift.write(records, tmp_path / "out.json")
    assert json.loads((tmp_path / "out.json").read_text()) == source
    assert not report.issues


@pytest.mark.parametrize(
    "text, marked, spans",
    [
        ("a ## b ## c", "a ## ##b## ## c", [(5, 6)]),
        ("C## is #1", "##C#### is #1", None),
        ("x##y", "x##y", []),
        ("a##b", "##a##b##", None),
        ("#tag", "#tag", []),
        ("ab", "####ab", None),
        ("ab", "##ab", None),
        ("ab", "ab##", None),
        ("ab", "a b", None),
        ("", "", []),
    ],
)
def test_unmark(text, marked, spans):
    found = unmark(text, marked)
    if spans is not None:
        assert found == spans
    elif found is not None:
        assert mark(text, found) == marked


def test_mentions_beside_markers_of_the_text(tmp_path, report):
    record = Record("#b and c", (Mention(1, 2, "x"), Mention(7, 8, "x")))
    swift.write([record], tmp_path / "x.json", report)
    (back,) = read(tmp_path / "x.json", Report(), label="x")
    assert set(back.mentions) <= set(record.mentions)
    assert len(back.mentions) + report.total(NOT_WRITTEN) == 2


hashes = st.text(alphabet="#ab ", max_size=12)


@pytest.mark.slow
@settings(max_examples=300)
@given(hashes, st.lists(st.integers(0, 12), max_size=6))
def test_what_can_be_marked_is_found_again(text, cuts):
    cuts = sorted({min(c, len(text)) for c in cuts})
    spans = list(zip(cuts[::2], cuts[1::2], strict=False))
    kept = markable(text, spans)
    assert unmark(text, mark(text, kept)) == kept
    if "#" not in text:
        assert kept == spans


@settings(max_examples=300)
@given(hashes, st.text(alphabet="#ab ", max_size=20))
def test_unmark_is_exact_or_none(text, marked):
    spans = unmark(text, marked)
    if spans is not None:
        assert mark(text, spans) == marked


def test_answer_that_is_no_copy_is_repaired(write_json, report):
    source = [turn("Ann and Bob", "##Ann## & ##Bob## ##Eve## ##Ann##")]
    (record,) = read(write_json(source), report)
    assert [record.name(m) for m in record.mentions] == ["Ann", "Bob"]
    assert [i.kind for i in report.issues] == [REPAIRED, REJECTED, DUPLICATE]


def test_stage_one_reports_nested(tmp_path, report):
    swift.write(
        [Record("New York", (Mention(0, 8, "a"), Mention(4, 8, "b")))],
        tmp_path / "x.json",
        report,
    )
    assert [(i.kind, i.mention) for i in report.issues] == [(NOT_WRITTEN, "York")]
    assert "##New York##" in (tmp_path / "x.json").read_text()


@pytest.mark.parametrize(
    "value, reason",
    [
        (3, "needs a list 'conversations'"),
        ({"conversations": []}, "needs a list 'conversations'"),
        ({"conversations": ["a"]}, "a turn needs"),
        ({"conversations": [{"from": "user", "value": 3}]}, "a turn needs"),
        ({"conversations": [{"from": "dog", "value": "a"}]}, "a turn needs"),
        ({"conversations": [{"from": "user", "value": "a"}]}, "must alternate"),
        (turn(" ", " "), "sentence is empty"),
        (turn(released("x", ""), "person"), "is empty"),
    ],
)
def test_bad_records(write_json, report, value, reason):
    assert [r.text for r in read(write_json([value, turn("b", "b")]), report)] == ["b"]
    assert [(i.kind, i.record) for i in report.issues] == [(REJECTED, 1)]
    assert reason in report.issues[0].reason


def test_system_message_and_several_turns(write_json, report):
    turns = [
        {"from": "system", "value": "s"},
        *turn("a", "##a##")["conversations"],
        *turn("b", "b")["conversations"],
    ]
    assert [r.text for r in read(write_json([{"conversations": turns}]), report)] == [
        "a",
        "b",
    ]


# Stage 2


@pytest.mark.parametrize(
    "text, question",
    [
        (
            released("Ann", "Ann"),
            Question("Ann", "Ann", ("person", "location"), "first"),
        ),
        (
            released("A", 'say "A" "', level="", verb="belongs"),
            Question("A", 'say "A" "', ("person", "location"), verb="belongs"),
        ),
        (
            (
                '##xobe## in the sentence "##xobe## was in NEA" belong to which entity in the'
                " list: a, b? If none of them applied, return unknown"
            ),
            Question(
                "xobe", "##xobe## was in NEA", ("a", "b"), style="paper", unknown=True
            ),
        ),
        (
            "##Tom## belong to which entity in the list: a?",
            Question("Tom", "", ("a",), style="bare"),
        ),
        (
            released("a##b", "x a##b"),
            Question("a##b", "x a##b", ("person", "location"), "first"),
        ),
    ],
)
def test_phrasings(text, question):
    assert parse_question(text) == question
    assert question.render() == text


plain = st.text(alphabet='ab#" ?:,中', min_size=1, max_size=12).filter(str.strip)
names = st.text(alphabet='ab" ?:,中', min_size=1, max_size=8).filter(str.strip)
type_names = st.text(alphabet="abc中- ", min_size=1, max_size=6).filter(
    lambda t: t == t.strip()
)


@settings(max_examples=200)
@given(
    names,
    plain,
    st.lists(type_names, min_size=1, max_size=4),
    st.sampled_from(LEVELS),
    st.sampled_from(["released", "paper"]),
    st.booleans(),
)
def test_questions_round_trip(name, sentence, types, level, style, unknown):
    question = Question(name, sentence, tuple(types), level, style, unknown=unknown)
    assert parse_question(question.render()) == question


def test_questions_of_one_sentence_make_one_record(write_json, report, tmp_path):
    source = [
        turn(released("Ann", "Ann met Ann in Rome"), "person"),
        turn(released("Ann", "Ann met Ann in Rome", "king, poet", "second "), "poet"),
        turn(released("Ann", "Ann met Ann in Rome"), "person"),
        turn(released("Rome", "Ann met Ann in Rome"), "location"),
        turn(released("Ann", "Ann met Ann in Rome"), "person"),
        turn(released("Bob", "Bob"), "dog"),
        turn(released("Eve", "Bob"), "person"),
    ]
    records = read(write_json(source), report)
    assert [[(m.start, m.label) for m in r.mentions] for r in records] == [
        [(0, "poet"), (8, "person"), (15, "location")],
        [(0, "person")],
        [(0, "dog")],
    ]
    assert records[0].labels is None
    assert records[0].meta["type_lists"] == [
        ["king", "poet"],
        ["person", "location"],
        ["person", "location"],
    ]
    assert records[2].labels == ("person", "location")
    assert records[2].rejected == (Rejected("Eve", "person", "not in its sentence"),)
    assert [(i.kind, i.record) for i in report.issues] == [(OFF_LIST, 6), (REJECTED, 7)]
    swift.write(records, tmp_path / "out.json", stage=2)
    assert json.loads((tmp_path / "out.json").read_text()) == source


def test_paper_phrasing_tells_occurrences_apart(tmp_path, report):
    record = Record("Ann met Ann", (Mention(8, 11, "a"),), labels=("a", "b"))
    swift.write([record], tmp_path / "x.json", stage=2, style="paper", unknown=True)
    (back,) = read(tmp_path / "x.json", report)
    assert (back.text, back.mentions, back.labels) == (
        record.text,
        record.mentions,
        record.labels,
    )
    assert not report.issues


def test_levels_and_type_lists_of_a_taxonomy(tmp_path, report):
    taxonomy = Taxonomy({"person": ["poet", "king"], "place": ["city"]})
    record = Record("Ann in Rome", (Mention(0, 3, "poet"), Mention(7, 11, "place")))

    def asked(**options):
        swift.write(
            [record], tmp_path / "x.json", report, stage=2, types=taxonomy, **options
        )
        found = [
            r["conversations"] for r in json.loads((tmp_path / "x.json").read_text())
        ]
        return [
            (user["value"].rpartition("the ")[2], answer["value"])
            for user, answer in found
        ]

    assert asked(level="first") == [
        ("first list: person, place?", "person"),
        ("first list: person, place?", "place"),
    ]
    assert asked(level="second") == [("second list: poet, king?", "poet")]
    assert "no second level" in report.of_kind(NOT_WRITTEN)[0].reason
    assert asked()[0] == ("list: poet, king, city?", "poet")


def test_wrong_options(tmp_path):
    record = Record("Ann", (Mention(0, 3, "a"),))
    for options in (
        {"stage": 3},
        {"stage": 2, "level": "fourth"},
        {"stage": 2, "style": "x"},
    ):
        with pytest.raises(CorpusError, match="T003"):
            swift.write([record], tmp_path / "x.json", **options)
    with pytest.raises(CorpusError, match="T011"):
        swift.write([record], tmp_path / "x.json", stage=2)
    assert not list(tmp_path.iterdir())
