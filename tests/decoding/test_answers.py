"""Listing mentions under constraint: whatever is written can be read back and its
offsets are exact.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from spacy.language import Language

from spacy_cascade.decoding.answers import AnswerAutomaton
from spacy_cascade.decoding.native import Vocabulary
from spacy_cascade.decoding.symbols import Labels, Substrings, byte_index
from spacy_cascade.types import Unit
from tests.decoding.util import END, GRAMMAR, unit_of, wander

# Every byte, and tokens that reach over the borders of labels, mentions and separators.
PIECES = (
    b"; ",
    b": ",
    b" None",
    b" a",
    b": a",
    b"a; ",
    b"; a",
    b"ab",
    b"person",
    b": P",
    b" person",
    b"\xe6\x9d",
    b";b",
    b"a:",
    b"::",
)
VOCABULARY = Vocabulary([None, *(bytes([b]) for b in range(256)), *PIECES])
LABEL_SETS = (
    ["person", "location"],
    ["a", "a: b", "a; b", "a, b"],
    ["None", "none", "; ", ": "],
    ["人名", "地名", "组织"],
    ["person", "person or group", "personal"],
    ["b"],
)
PIECES_OF_TEXT = [
    "a",
    "b",
    "a; ",
    "a: b",
    "; ",
    "person: a; ",
    "None",
    " ",
    "Paris ",
    "東京",
    "é",
    "\n",
    "👩‍👩‍👧",
    "a: a; a: a; ",
    ";",
    ":",
    "x",
]
texts = st.one_of(
    st.lists(st.sampled_from(PIECES_OF_TEXT), min_size=1, max_size=10).map("".join),
    st.text(min_size=1, max_size=20),
)


def automaton_for(
    unit: Unit, names: Sequence[str], *, nested: bool = False
) -> AnswerAutomaton:
    labels = Labels([n.encode() for n in names])
    return AnswerAutomaton(
        byte_index(unit), labels, GRAMMAR, vocabulary=VOCABULARY, end=END, nested=nested
    )


def written(
    unit: Unit, names: Sequence[str], mentions: Sequence[tuple[int, int, int]]
) -> str:
    pairs = [
        (names[k], unit.text[unit.tokens[s][0] : unit.tokens[e - 1][1]])
        for s, e, k in mentions
    ]
    return (
        " " + "; ".join(f"{label}: {text}" for label, text in pairs)
        if pairs
        else " None"
    )


# -- Substrings ----------------------------------------------------------------------


@given(text=st.text(alphabet="abé;", min_size=1, max_size=12), seed=st.integers(0, 9))
def test_substrings_are_those_of_the_text(text: str, seed: int) -> None:
    data = text.encode()
    starts = random.Random(seed).sample(range(len(data)), max(1, len(data) // 2))
    automaton = Substrings(data, starts)
    found: dict[bytes, list[int]] = {}
    stack = [(automaton.root, b"")]
    while stack:
        node, spelled = stack.pop()
        if spelled:
            found[spelled] = automaton.starts(node)
        stack += [
            (behind, spelled + bytes([symbol]))
            for symbol, behind in automaton.steps(node)
        ]
    expected: dict[bytes, list[int]] = {}
    for s in sorted(starts):
        for e in range(s + 1, len(data) + 1):
            expected.setdefault(data[s:e], []).append(s)
    assert found == expected


def test_substrings_need_linear_space() -> None:
    text = "ab" * 5000
    assert len(Substrings(text.encode(), range(0, 10000, 2)).order) == 5000


# -- Whatever is written -------------------------------------------------------------


@given(
    text=texts,
    names=st.sampled_from(LABEL_SETS),
    nested=st.booleans(),
    seed=st.integers(0, 99),
    go_on=st.booleans(),
)
@example("a; person: b", ["person", "b"], False, 0, True)
@example("person: a; person: a; person: a; person: a", ["person"], True, 3, True)
@example("a: a: a: a", ["a", "a: a"], True, 1, True)
@example("None", ["None"], False, 0, True)
@example("x", ["x"], True, 0, True)
def test_every_answer_is_finite_and_exact(
    nlp: Language, text: str, names: list[str], nested: bool, seed: int, go_on: bool
) -> None:
    unit = unit_of(nlp, text)
    if unit is None:
        return
    automaton = automaton_for(unit, names, nested=nested)
    answer, state = wander(automaton, seed, go_on=go_on)
    found = automaton.mentions(state)
    mentions = [(f.start, f.end, f.label) for f in found]
    assert written(unit, names, mentions) == answer.decode("utf8")
    assert [(f.start, f.end, f.label) for f in automaton.read(answer)] == mentions
    for f in found:
        assert 0 <= f.start < f.end <= len(unit.tokens)
        assert not unit.spaces[f.start] and not unit.spaces[f.end - 1]
        begin, stop = unit.tokens[f.start][0], unit.tokens[f.end - 1][1]
        assert answer[f.begun : f.ended].decode("utf8") == unit.text[begin:stop]
    assert len({m[:2] for m in mentions}) == len(mentions)
    if not nested:
        covered = [t for s, e, _ in mentions for t in range(s, e)]
        assert len(covered) == len(set(covered))


@given(text=texts, seed=st.integers(0, 99), nested=st.booleans())
def test_token_boundaries_of_the_vocabulary_do_not_matter(
    nlp: Language, text: str, seed: int, nested: bool
) -> None:
    """What bytes spell is allowed in whatever tokens they come."""
    unit = unit_of(nlp, text)
    if unit is None:
        return
    automaton = automaton_for(unit, ["person", "a"], nested=nested)
    answer, state = wander(automaton, seed, go_on=True)
    plain = automaton.start()
    for byte in answer:
        assert 1 + byte in automaton.allowed(plain)
        plain = automaton.step(plain, 1 + byte)
    assert END in automaton.allowed(plain)
    assert automaton.mentions(automaton.step(plain, END)) == automaton.mentions(state)


@given(text=texts, seed=st.integers(0, 999), nested=st.booleans())
def test_mentions_in_text_order_can_always_be_listed(
    nlp: Language, text: str, seed: int, nested: bool
) -> None:
    """What training teaches is allowed, and is read as the same strings with the same labels."""
    unit = unit_of(nlp, text)
    if unit is None:
        return
    rng, names = random.Random(seed), ["person", "b"]
    words = [i for i, space in enumerate(unit.spaces) if not space]
    spans = {tuple(sorted(rng.choices(words, k=2))) for _ in range(4)}
    chosen: list[tuple[int, int, int]] = []
    for s, e in sorted(spans, key=lambda p: (p[0], -p[1])):
        if nested or not chosen or s >= chosen[-1][1]:
            chosen.append((s, e + 1, rng.randrange(2)))
    automaton = automaton_for(unit, names, nested=nested)
    found = automaton.read(written(unit, names, chosen).encode())
    assert written(unit, names, [(f.start, f.end, f.label) for f in found]) == written(
        unit, names, chosen
    )


# -- Which occurrence is meant -------------------------------------------------------


def read(
    nlp: Language,
    text: str,
    answer: str,
    names: Sequence[str] = ("person", "city"),
    **options: Any,
) -> list[tuple[int, int, str]]:
    unit = unit_of(nlp, text)
    assert unit is not None
    found = automaton_for(unit, names, **options).read(answer.encode())
    return [
        (unit.tokens[f.start][0], unit.tokens[f.end - 1][1], names[f.label])
        for f in found
    ]


def test_repeated_mentions_are_told_apart(nlp: Language) -> None:
    assert read(nlp, "Ann saw Ann", " person: Ann; person: Ann") == [
        (0, 3, "person"),
        (8, 11, "person"),
    ]


def test_the_next_occurrence_behind_the_mention_before_is_meant(nlp: Language) -> None:
    assert read(nlp, "Rome , Bob , Rome", " person: Bob; city: Rome") == [
        (7, 10, "person"),
        (13, 17, "city"),
    ]


def test_any_order_is_understood(nlp: Language) -> None:
    assert read(nlp, "Ann saw Bob", " person: Bob; person: Ann") == [
        (8, 11, "person"),
        (0, 3, "person"),
    ]


@pytest.mark.parametrize(
    "answer",
    [
        " person: Ann; person: Ann",  # there is one Ann
        " person: nn",  # begins inside a token
        " person: An",  # ends inside a token
        " person: ",
        " dog: Ann",
        " Person: Ann",
        "person: Ann",
        " person: Ann; ",
        " person: Ann; None",
        " None; person: Ann",
        "",
    ],
)
def test_what_is_no_answer(nlp: Language, answer: str) -> None:
    with pytest.raises(KeyError):
        read(nlp, "Ann met Bob", answer)


def test_overlapping_mentions_only_if_nested(nlp: Language) -> None:
    text, answer = "New York Times", " city: New York; person: New York Times"
    assert read(nlp, text, answer, nested=True) == [(0, 8, "city"), (0, 14, "person")]
    with pytest.raises(KeyError):
        read(nlp, text, answer)


def test_a_mention_may_hold_the_separator(nlp: Language) -> None:
    assert read(nlp, "they sang Stay; Go home", " person: Stay; Go") == [
        (10, 18, "person")
    ]


def test_the_separator_wins_where_both_readings_are_possible(nlp: Language) -> None:
    assert read(nlp, "Ann; city: Rome", " person: Ann; city: Rome") == [
        (0, 3, "person"),
        (11, 15, "city"),
    ]


def test_the_longer_label_wins(nlp: Language) -> None:
    assert read(nlp, "b: c", " a: b: c", ["a", "a: b"]) == [(3, 4, "a: b")]


def test_equal_labels_are_one(nlp: Language) -> None:
    assert Labels([b"x", b"y", b"x"]).label.count(0) == 1


def test_none_may_be_a_label_and_an_answer(nlp: Language) -> None:
    assert read(nlp, "None came", " None", ["None"]) == []
    assert read(nlp, "None came", " None: None", ["None"]) == [(0, 4, "None")]
