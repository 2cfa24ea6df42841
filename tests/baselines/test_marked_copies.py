"""GPT-NER's copies with two markers are the text, whatever the model prefers."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from spacy.language import Language

from spacy_cascade.baselines.prompts import gptner
from spacy_cascade.decoding.automaton import Guess
from spacy_cascade.decoding.copy import Job, decode
from spacy_cascade.decoding.native import NativeAutomaton, Vocabulary
from spacy_cascade.decoding.stepwise import decode_stepwise
from spacy_cascade.types import Unit
from tests import util
from tests.baselines.util import LABEL_SET

MARKED = Vocabulary(
    [
        None,
        *(bytes([b]) for b in range(256)),
        b"@@",
        b"##",
        b" @@",
        b"##.",
        b"##@@",
        b"a##",
        b"ab",
        b" a",
        b"@@a",
    ]
)
PIECES = [
    "a",
    "b",
    " ",
    "ab",
    "@",
    "@@",
    "#",
    "##",
    ".",
    "é",
    "東京",
    "\n",
    "a##",
    "@@a",
]
texts = st.lists(st.sampled_from(PIECES), min_size=1, max_size=9).map("".join)


def copy_automaton(unit: Unit) -> NativeAutomaton:
    return NativeAutomaton(
        unit,
        MARKED,
        lambda t: MARKED.longest(t.encode()),
        marker="@@",
        close="##",
        end=0,
    )


@given(text=texts, seed=st.integers(0, 99))
@example("@@a##", 0)
@example("a#", 1)
def test_a_copy_with_two_markers_is_the_text(
    nlp: Language, text: str, seed: int
) -> None:
    found = util.units(nlp, [text])
    if not found:
        return
    automaton, rng, out = copy_automaton(found[0]), random.Random(seed), b""
    state, spans, begin = automaton.start(), [], 0
    while not automaton.done(state):
        token = rng.choice(list(automaton.allowed(state)))
        for kind, i, marked in automaton.choices(state, token):
            if marked and kind == "open":
                begin = i
            elif marked:
                spans.append((begin, i))
        state = automaton.step(state, token)
        out += MARKED.table[token] or b""
    unit = found[0]
    expected, at = "", 0
    for s, e in spans:
        start, stop = unit.tokens[s][0], unit.tokens[e - 1][1]
        expected += unit.text[at:start] + "@@" + unit.text[start:stop] + "##"
        at = stop
    assert out.decode() == expected + unit.text[at:]


@given(
    text=texts, marks=st.lists(st.integers(0, 8), max_size=4), seed=st.integers(0, 9)
)
def test_drafts_with_two_markers_are_allowed(
    nlp: Language, text: str, marks: list[int], seed: int
) -> None:
    found = util.units(nlp, [text])
    if not found:
        return
    automaton, rng = copy_automaton(found[0]), random.Random(seed)
    state = automaton.start()
    for _ in range(rng.randrange(6)):  # also from the middle of a marker
        if automaton.done(state):
            return
        state = automaton.step(state, rng.choice(list(automaton.allowed(state))))
    for token in automaton.draft(state, Guess(found[0], [(i, i + 1) for i in marks])):
        assert token in automaton.allowed(state)
        state = automaton.step(state, token)
    assert automaton.done(state)


@pytest.mark.slow
def test_copy_verification_is_stepwise_decoding_with_two_markers(
    nlp: Language, rnd: Any
) -> None:
    template = gptner()
    units = util.units(nlp, [util.SENTENCES[0], util.SENTENCES[5], "@@a## @@ #b#"])
    pairs: list[list[Job]] = [
        [template.job(rnd, u, LABEL_SET, 0) for u in units] for _ in range(2)
    ]
    decode(rnd, pairs[0])
    decode_stepwise(rnd, pairs[1])
    for a, b in zip(*pairs, strict=True):
        assert a.tokens == b.tokens
    assert any(job.mentions for job in pairs[0])
