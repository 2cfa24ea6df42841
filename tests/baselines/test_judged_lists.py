"""PromptNER's lists with reasons are finite and can be read back."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from spacy.language import Language

from spacy_cascade.baselines.reasons import ReasonAutomaton
from spacy_cascade.decoding.native import Vocabulary
from spacy_cascade.decoding.symbols import Labels, byte_index
from spacy_cascade.types import Unit
from tests import util
from tests.decoding.util import wander

JUDGED = Vocabulary(
    [
        None,
        *(bytes([b]) for b in range(256)),
        b" |",
        b" | ",
        b"True",
        b"False",
        b" True |",
        b" (",
        b"(person",
        b")\n",
        b"\n2",
        b". ",
        b" as",
        b" is (",
        b"a |",
        b"x\n",
        b" (person)",
    ]
)
LISTS = [
    ["person", "location"],
    ["a", "a)", "a) b", "a("],
    ["True", "False |", "| True |"],
    ["人名"],
    ["b"],
]
listed = st.one_of(
    st.lists(
        st.sampled_from(
            [
                "a",
                "b",
                " ",
                " | ",
                "True",
                " | True |",
                "1. ",
                "\n",
                "(",
                "a)",
                "東京",
                "2. a | False |",
            ]
        ),
        min_size=1,
        max_size=5,
    ).map("".join),
    st.text(min_size=1, max_size=6),
)


def judge(
    unit: Unit, names: Sequence[str], *, nested: bool, reasons: int
) -> ReasonAutomaton:
    labels = Labels([n.encode() for n in names])
    return ReasonAutomaton(
        byte_index(unit),
        labels,
        vocabulary=JUDGED,
        end=0,
        nested=nested,
        reasons=reasons,
    )


@given(
    text=listed,
    names=st.sampled_from(LISTS),
    nested=st.booleans(),
    reasons=st.sampled_from([0, 1, 4]),
    seed=st.integers(0, 99),
    go_on=st.booleans(),
)
@settings(max_examples=25)
@example("a | True | b", ["person", "location"], False, 4, 0, True)
@example("a a a", ["a", "a)"], False, 0, 1, True)
@example("a", ["a"], True, 0, 0, True)
@example("1. a | False |\n2. b", ["b"], True, 1, 5, True)
def test_every_judged_list_is_finite_and_can_be_read_back(
    nlp: Language,
    text: str,
    names: list[str],
    nested: bool,
    reasons: int,
    seed: int,
    go_on: bool,
) -> None:
    found = util.units(nlp, [text])
    if not found:
        return
    unit, automaton = found[0], judge(found[0], names, nested=nested, reasons=reasons)
    answer, state = wander(automaton, seed, go_on=go_on)
    mentions = automaton.mentions(state)
    assert [f[1:4] for f in automaton.read(answer)] == [f[1:4] for f in mentions]
    assert len({(f.start, f.end) for f in mentions}) == len(mentions)
    at = 0
    for number, f in enumerate(mentions, 1):
        surface = unit.text[unit.tokens[f.start][0] : unit.tokens[f.end - 1][1]]
        begin = f"{number}. {surface} | {f.label >= 0} |".encode()
        at = answer.index(begin, at)
        assert answer[f.begun : f.ended] == surface.encode()
        if f.label >= 0:
            assert (
                answer[f.ended :]
                .split(b"(", 1)[1]
                .startswith(names[f.label].encode() + b")")
            )
        at += len(begin)
    if not nested:
        true = [i for f in mentions if f.label >= 0 for i in range(f.start, f.end)]
        assert len(true) == len(set(true))
    if not mentions:
        assert answer == b""
    for f in mentions if reasons == 0 else ():
        tail = f" | True | ({names[f.label]})" if f.label >= 0 else " | False |"
        assert (answer + b"\n")[f.ended :].startswith(f"{tail}\n".encode())


def test_reasons_have_at_most_so_many_tokens(nlp: Language) -> None:
    (unit,) = util.units(nlp, ["a b"])
    automaton = judge(unit, ["person"], nested=False, reasons=3)
    state = automaton.start()
    for byte in b"1. a | True |":
        state = automaton.step(state, byte + 1)
    for _ in range(3):
        assert ord("x") + 1 in automaton.allowed(state)
        state = automaton.step(state, ord("x") + 1)
    allowed = {JUDGED.table[t] for t in automaton.allowed(state)}
    assert allowed == {b" ", b" (", b" (person)"} or allowed == {b" ", b" ("}
    state = automaton.step(state, ord(" ") + 1)
    assert {JUDGED.table[t] for t in automaton.allowed(state)} == {b"(", b"(person"}


def test_a_token_of_the_text_is_given_away_once(nlp: Language) -> None:
    (unit,) = util.units(nlp, ["Rome Rome"])
    automaton = judge(unit, ["city"], nested=False, reasons=0)
    answer = b"1. Rome | False |\n2. Rome | True | (city)\n3. Rome Rome | False |"
    with pytest.raises(KeyError):
        automaton.read(answer)
    assert [f[1:4] for f in automaton.read(answer.split(b"\n3")[0])] == [
        (-1, 0, 1),
        (0, 1, 2),
    ]
