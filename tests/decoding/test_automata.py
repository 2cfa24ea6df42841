"""Automata of copies: what they allow, and what their drafts are."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from spacy.language import Language

from spacy_cascade.decoding.automaton import Choice, Guess, SegmentAutomaton, spans_of
from spacy_cascade.decoding.copy import Job, decode
from spacy_cascade.decoding.native import NativeAutomaton, Vocabulary
from spacy_cascade.decoding.stepwise import decode_stepwise
from spacy_cascade.types import Query, Unit
from tests import util
from tests.decoding.util import MAKERS, outcome


def _unit(nlp: Language, text: str) -> Unit:
    return util.units(nlp, [text])[0]


def _walk(automaton: Any, rng: random.Random) -> tuple[list[int], list[Choice]]:
    state, tokens, choices = automaton.start(), [], []
    while not automaton.done(state):
        token = rng.choice(list(automaton.allowed(state)))
        choices += automaton.choices(state, token)
        state = automaton.step(state, token)
        tokens.append(token)
        assert len(tokens) < 4000
    return tokens, choices


@pytest.mark.parametrize("text", [*util.SENTENCES, *util.ODD])
def test_every_walk_through_the_native_automaton_is_a_marked_copy(
    rnd: Any, nlp: Language, text: str
) -> None:
    unit = _unit(nlp, text)
    (job,) = util.native_jobs(rnd, [unit])
    for seed in range(5):
        tokens, choices = _walk(job.automaton, random.Random(seed))
        spans = spans_of(unit, choices)
        at, out = 0, ""
        for s, e in spans:
            out += text[at:s] + "##" + text[s:e] + "##"
            at = e
        assert util.written_bytes(rnd, tokens).decode("utf8") == out + unit.text[at:]


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("text", [*util.SENTENCES, *util.ODD])
def test_drafts_are_allowed_and_complete_from_every_state(
    rnd: Any, nlp: Language, text: str, kind: str
) -> None:
    unit = _unit(nlp, text)
    (job,) = MAKERS[kind](rnd, [unit])
    rng = random.Random(0)
    tokens, _ = _walk(job.automaton, rng)
    state = job.automaton.start()
    for token in tokens:
        guess = Guess(unit, [(1, 2)])
        here = state
        for drafted in job.automaton.draft(state, guess):
            behind = job.automaton.step(here, drafted)
            assert drafted in job.automaton.allowed(here) or _same_bytes(
                rnd, drafted, job.automaton.allowed(here)
            )
            here = behind
        assert job.automaton.done(here)
        state = job.automaton.step(state, token)


def _same_bytes(lm: Any, token: int, allowed: Sequence[int]) -> bool:
    table = lm.token_bytes()
    return table[token] is not None and any(table[a] == table[token] for a in allowed)


def test_where_the_text_holds_the_marker_copying_wins(rnd: Any, nlp: Language) -> None:
    unit = _unit(nlp, "## a ##")
    (job,) = util.native_jobs(rnd, [unit])
    marks = {b for b, (s, _) in enumerate(unit.tokens) if unit.text[s] == "#"}
    for seed in range(30):
        _, choices = _walk(job.automaton, random.Random(seed))
        assert not any(
            c.marked and c.kind == "open" and c.token in marks for c in choices
        )


def test_a_mention_is_never_empty(rnd: Any, nlp: Language) -> None:
    for kind in MAKERS.values():
        (job,) = kind(rnd, [_unit(nlp, "東京 a b")])
        for seed in range(50):
            _, choices = _walk(job.automaton, random.Random(seed))
            assert all(s < e for s, e in spans_of(job.unit, choices))


def test_neighbouring_mentions_are_told_apart(nlp: Language) -> None:
    unit = _unit(nlp, "東京大阪")
    automaton = SegmentAutomaton([[1], [2], [3], [4]], unit.spaces, marker=8, end=9)
    tokens = automaton.draft(automaton.start(), Guess(unit, [(0, 2), (2, 4)]))
    assert tokens == [8, 1, 2, 8, 8, 3, 4, 8, 9]
    state, choices = automaton.start(), []
    for t in tokens:
        assert t in automaton.allowed(state)
        choices += automaton.choices(state, t)
        state = automaton.step(state, t)
    assert automaton.done(state)
    assert spans_of(unit, choices) == [(0, 2), (2, 4)]


def test_marks_do_not_stand_at_white_space(nlp: Language) -> None:
    unit = _unit(nlp, "a \n b")
    assert any(unit.spaces)
    automaton = SegmentAutomaton(
        [[i] for i in range(1, len(unit.tokens) + 1)], unit.spaces, marker=8, end=9
    )
    for seed in range(50):
        _, choices = _walk(automaton, random.Random(seed))
        for s, e in spans_of(unit, choices):
            assert unit.text[s:e] == unit.text[s:e].strip()


def test_tokens_across_a_character_border_are_allowed() -> None:
    """Byte-level vocabularies have tokens that end inside a character of CJK text."""
    data = "東京".encode()
    table: list[bytes | None] = [bytes([i]) for i in range(256)]
    table += [data[:4], data[4:], b"##", b"##" + data[:2], None]
    unit = Unit("東京", ((0, 1), (1, 2)), (False, False))
    automaton = NativeAutomaton(
        unit, Vocabulary(table), lambda t: list(t.encode()), marker="##", end=260
    )
    first = automaton.allowed(automaton.start())
    assert {256, 258, 259, data[0]} <= set(first)
    state = automaton.start()
    for token in (259, data[2], 258, data[3], data[4], data[5], 260):
        assert token in automaton.allowed(state)
        state = automaton.step(state, token)
    assert automaton.done(state)


def test_the_first_of_two_tokens_with_equal_bytes_is_used() -> None:
    table: list[bytes | None] = [b"a", b"a", b"#", b"##", None]
    unit = Unit("a", ((0, 1),), (False,))
    automaton = NativeAutomaton(
        unit, Vocabulary(table), lambda t: [1 for _ in t], marker="##", end=4
    )
    assert set(automaton.allowed(automaton.start())) == {0, 2, 3}


class _Fixed:
    """Prefers the token that a function of the prefix names."""

    name, max_length = "fixed", 10_000

    def __init__(self, rule: Any):
        self.rule = rule

    prefixes = None

    def cache_pool(self, tokens: int) -> None:
        return None

    def candidate_logits(self, queries: Sequence[Query]) -> list[np.ndarray]:
        out = []
        for q in queries:
            table = np.full(
                (len(q.positions), max(map(len, q.candidates), default=0)),
                -np.inf,
                dtype=np.float32,
            )
            for row, (p, c) in enumerate(zip(q.positions, q.candidates, strict=True)):
                table[row, : len(c)] = [self.rule(q.ids[: p + 1], token) for token in c]
            out.append(table)
        return out


def test_a_native_draft_with_an_unusual_token_of_equal_bytes_settles() -> None:
    """The tokenizer may give another id for the same bytes than the automaton allows;
    no endless loop.
    """
    table: list[bytes | None] = [b"a", b"a", b"#", b"##", None]
    unit = Unit("aaa", ((0, 1), (1, 2), (2, 3)), (False,) * 3)
    automaton = NativeAutomaton(
        unit,
        Vocabulary(table),
        lambda t: [1 if c == "a" else 2 for c in t],
        marker="##",
        end=4,
    )
    lm = _Fixed(lambda ids, c: 1.0 if c in (0, 4) else 0.0)
    fast, slow = (
        Job(unit, [0], automaton, Guess(unit)),
        Job(unit, [0], automaton, Guess(unit)),
    )
    decode(lm, [fast])  # type: ignore[arg-type, list-item]
    decode_stepwise(lm, [slow])  # type: ignore[arg-type, list-item]
    assert fast.tokens == slow.tokens == [0, 0, 0, 4]


@pytest.mark.parametrize("kind", MAKERS)
def test_ties_go_to_the_first_candidate_in_both_ways(
    rnd: Any, nlp: Language, kind: str
) -> None:
    lm = _Fixed(lambda ids, c: 0.0)
    units = util.units(nlp, util.SENTENCES[:3])
    fast, slow = MAKERS[kind](rnd, units), MAKERS[kind](rnd, units)
    decode(lm, fast)  # type: ignore[arg-type]
    decode_stepwise(lm, slow)  # type: ignore[arg-type]
    assert outcome(fast) == outcome(slow)


def test_a_model_that_marks_everything_settles(rnd: Any, nlp: Language) -> None:
    mark = rnd.token_id("<mark>")
    lm = _Fixed(lambda ids, c: 1.0 if c == mark else 0.0)
    (job,) = util.segment_jobs(rnd, [_unit(nlp, "a b c d e f g h i j")])
    decode(lm, [job])  # type: ignore[arg-type]
    assert [(m.start, m.end) for m in job.mentions] == [
        (i, i + 1) for i in range(0, 20, 2)
    ]
