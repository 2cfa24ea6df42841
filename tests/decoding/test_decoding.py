"""Copy-verified decoding equals step-by-step constrained decoding, whatever the model,
the text and the draft.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.language import Language

from spacy_cascade.decoding.automaton import Choice, Guess, SegmentAutomaton, spans_of
from spacy_cascade.decoding.copy import GREEDY, Job, Sampling, decode
from spacy_cascade.decoding.native import NativeAutomaton, Vocabulary
from spacy_cascade.decoding.sampling import gumbel
from spacy_cascade.decoding.stepwise import decode_stepwise
from spacy_cascade.decoding.tree import TokenTree, ancestor_mask, node_depths, path_to
from spacy_cascade.types import Query, Unit
from tests import util

SAMPLINGS = {
    "greedy": GREEDY,
    "sampled": Sampling(temperature=1.0, round=1),
    "hot": Sampling(temperature=3.0, round=2),
    "open_bias": Sampling(open_bias=1.5),
    "sampled_and_biased": Sampling(open_bias=-1.0, temperature=1.0, round=3),
}
MAKERS: dict[str, Callable[..., list[Job]]] = {
    "segments": util.segment_jobs,
    "native": util.native_jobs,
}


def outcome(jobs: Sequence[Job]) -> list[tuple[list[int], list[tuple[int, int]]]]:
    return [(job.tokens, [(m.start, m.end) for m in job.mentions]) for job in jobs]


def both(
    lm: Any, make: Callable[..., list[Job]], units: list[Unit], sampling: Sampling
) -> tuple[list[Job], list[Job]]:
    fast, slow = make(lm, units), make(lm, units)
    decode(lm, fast, sampling)
    decode_stepwise(lm, slow, sampling)
    return fast, slow


# -- The equality --------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_equals_stepwise(
    rnd: Any, nlp: Language, texts: list[str], kind: str, sampling: str
) -> None:
    fast, slow = both(rnd, MAKERS[kind], util.units(nlp, texts), SAMPLINGS[sampling])
    assert outcome(fast) == outcome(slow)
    assert any(j.mentions for j in fast), (
        "the model must mark something, or nothing is tested"
    )
    assert not all(j.mentions for j in fast) or len({len(j.mentions) for j in fast}) > 1


@pytest.mark.slow
@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_equals_stepwise_on_other_models(
    base: Path, nlp: Language, kind: str, seed: int
) -> None:
    lm = util.random_lm(base, factor=2.0 + seed, seed=seed)
    fast, slow = both(
        lm, MAKERS[kind], util.units(nlp, util.SENTENCES[:4] + util.ODD[:4]), GREEDY
    )
    assert outcome(fast) == outcome(slow)


@pytest.mark.slow
@pytest.mark.parametrize("kind", MAKERS)
def test_scores_equal_those_of_stepwise_decoding(
    rnd: Any, nlp: Language, texts: list[str], kind: str
) -> None:
    fast, slow = both(rnd, MAKERS[kind], util.units(nlp, texts), GREEDY)
    assert [m.score for j in fast for m in j.mentions] == pytest.approx(
        [m.score for j in slow for m in j.mentions], rel=1e-4
    )
    assert all(0 < m.score <= 1 for j in fast for m in j.mentions)


@pytest.mark.slow
@given(
    text=st.text(st.characters(blacklist_categories=["Cs"]), min_size=1, max_size=25),
    round=st.integers(0, 3),
)
@settings(max_examples=60)
def test_segments_equal_stepwise_on_any_unicode(
    rnd: Any, nlp: Language, text: str, round: int
) -> None:
    _any_text(rnd, nlp, "segments", text, round)


@pytest.mark.slow
@given(
    text=st.text(
        st.one_of(
            st.sampled_from("# ab.東a\u0301👩"),
            st.characters(blacklist_categories=["Cs"]),
        ),
        min_size=1,
        max_size=20,
    ),
    round=st.integers(0, 3),
)
@settings(max_examples=60)
def test_native_equals_stepwise_on_any_unicode(
    rnd: Any, nlp: Language, text: str, round: int
) -> None:
    _any_text(rnd, nlp, "native", text, round)


def _any_text(lm: Any, nlp: Language, kind: str, text: str, round: int) -> None:
    units = util.units(nlp, [text])
    sampling = Sampling(temperature=2.0 if round else 0.0, round=round)
    fast, slow = both(lm, MAKERS[kind], units, sampling)
    assert outcome(fast) == outcome(slow)
    for job in fast:
        _is_marked_copy(lm, job, kind)


def _is_marked_copy(lm: Any, job: Job, kind: str) -> None:
    """The output without markers is the sentence, byte for byte; with them, the
    mentions are where they stand.
    """
    if kind == "native":
        assert util.written_bytes(lm, job.tokens).decode("utf8") == util.marked_text(
            job
        )
        return
    sizes = [len(s) for s in job.automaton.segments]  # type: ignore[attr-defined]
    words = util.written_segments(
        lm, job.tokens, lm.token_id("<mark>"), lm.token_id("</s>"), sizes
    )
    assert "".join(words) == job.unit.text
    assert job.tokens.count(lm.token_id("<mark>")) == 2 * len(job.mentions)


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_output_without_markers_is_the_sentence(
    rnd: Any, nlp: Language, texts: list[str], kind: str, sampling: str
) -> None:
    jobs = MAKERS[kind](rnd, util.units(nlp, texts))
    decode(rnd, jobs, SAMPLINGS[sampling])
    for job in jobs:
        _is_marked_copy(rnd, job, kind)


@pytest.mark.parametrize("kind", MAKERS)
def test_mentions_are_whole_tokens_in_order(
    rnd: Any, nlp: Language, texts: list[str], kind: str
) -> None:
    jobs = MAKERS[kind](rnd, util.units(nlp, texts))
    decode(rnd, jobs)
    for job in jobs:
        at = 0
        for m in job.mentions:
            assert at <= m.start < m.end
            assert m.start in {s for s, _ in job.unit.tokens}
            assert m.end in {e for _, e in job.unit.tokens}
            assert not job.unit.text[m.start].isspace()
            assert not job.unit.text[m.end - 1].isspace()
            at = m.end


@pytest.mark.slow
@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("sampling", ["greedy", "sampled"])
def test_batch_size_does_not_matter(
    rnd: Any, nlp: Language, texts: list[str], kind: str, sampling: str
) -> None:
    units = util.units(nlp, texts)
    jobs = MAKERS[kind](rnd, units)
    decode(rnd, jobs, SAMPLINGS[sampling])
    single = MAKERS[kind](rnd, units)
    for job in single:
        decode(rnd, [job], SAMPLINGS[sampling])
    backwards = MAKERS[kind](rnd, units[::-1])
    decode(rnd, backwards, SAMPLINGS[sampling])
    assert outcome(jobs) == outcome(single) == outcome(backwards)[::-1]


@pytest.mark.slow
@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("seed", range(4))
def test_drafts_never_change_the_result(
    rnd: Any, nlp: Language, texts: list[str], kind: str, seed: int
) -> None:
    units = util.units(nlp, texts)
    plain = MAKERS[kind](rnd, units)
    decode(rnd, plain)
    rng = random.Random(seed)
    known, at = [], 0
    for _ in range(6):
        start = at + rng.randrange(3)
        at = start + 1 + rng.randrange(4)
        known.append((start, at))
    drafted = MAKERS[kind](rnd, units, known)
    decode(rnd, drafted)
    assert outcome(drafted) == outcome(plain)


def test_the_right_draft_needs_a_single_pass(
    rnd: Any, nlp: Language, texts: list[str]
) -> None:
    units = util.units(nlp, texts)
    plain = util.segment_jobs(rnd, units)
    decode(rnd, plain)
    for unit, done in zip(units, plain, strict=True):
        starts, ends = (
            {s: i for i, (s, _) in enumerate(unit.tokens)},
            {e: i + 1 for i, (_, e) in enumerate(unit.tokens)},
        )
        (job,) = util.segment_jobs(
            rnd, [unit], [(starts[m.start], ends[m.end]) for m in done.mentions]
        )
        decode(rnd, [job])
        assert job.passes == 1


def test_fewer_passes_than_steps(rnd: Any, nlp: Language) -> None:
    units = util.units(nlp, util.SENTENCES)
    fast, slow = both(rnd, util.segment_jobs, units, GREEDY)
    assert sum(j.passes for j in fast) < sum(j.passes for j in slow)


def test_rounds_give_different_samples(rnd: Any, nlp: Language) -> None:
    units = util.units(nlp, util.SENTENCES)
    found = []
    for round in (1, 2, 1):
        jobs = util.segment_jobs(rnd, units)
        decode(rnd, jobs, Sampling(temperature=2.0, round=round))
        found.append(outcome(jobs))
    assert found[0] == found[2] != found[1]


def test_open_bias_moves_the_number_of_mentions(rnd: Any, nlp: Language) -> None:
    counts = []
    for bias in (-100.0, 0.0, 100.0):
        jobs = util.segment_jobs(rnd, util.units(nlp, util.SENTENCES))
        decode(rnd, jobs, Sampling(open_bias=bias))
        counts.append(sum(len(j.mentions) for j in jobs))
    assert counts[0] == 0 < counts[1] < counts[2]


@pytest.mark.slow
def test_the_batched_reference_equals_stepwise(
    rnd: Any, nlp: Language, texts: list[str]
) -> None:
    """`util.decode_batched` stands in for `decode_stepwise` on the real corpora."""
    units = util.units(nlp, [*texts, *(t for t, _ in util.GOLD)])[:30]
    assert len(units) == 30
    for sampling in (GREEDY, SAMPLINGS["sampled"]):
        one, many = util.segment_jobs(rnd, units), util.segment_jobs(rnd, units)
        decode_stepwise(rnd, one, sampling)
        util.decode_batched(rnd, many, sampling)
        assert outcome(one) == outcome(many)


@pytest.mark.slow
@pytest.mark.real_data
def test_equals_stepwise_on_real_sentences(
    real_data: Path, tmp_path: Path, nlp: Language
) -> None:
    """2,000 sentences and more, of eight languages."""
    from spacy_cascade.models.tiny import build_base

    units: list[Unit] = []
    for lang in ("en", "zh", "es", "fr", "de", "ja", "ko", "ru"):
        found: list[Unit] = []
        for path in sorted((real_data / "b2nerd_style" / lang).glob("*/test.json"))[:8]:
            read = (
                util.units(nlp, [r["sentence"]])
                for r in json.loads(path.read_text("utf8"))
            )
            short = (u[0] for u in read if u and 2 <= len(u[0].tokens) <= 40)
            found += itertools.islice(short, 150)
        assert len(found) >= 150, lang
        units += random.Random(lang).sample(found, min(len(found), 270))
    assert len(units) >= 2000
    words = [s for u in units for s in u.segments()]
    build_base(
        tmp_path / "b",
        words,
        vocab_size=3000,
        hidden_size=32,
        layers=1,
        heads=2,
        intermediate_size=64,
    )
    lm = util.random_lm(tmp_path / "b")
    fast, slow = util.segment_jobs(lm, units), util.segment_jobs(lm, units)
    decode(lm, fast)
    util.decode_batched(lm, slow)
    differing = [
        j.unit.text
        for j, k in zip(fast, slow, strict=True)
        if outcome([j]) != outcome([k])
    ]
    assert differing == []
    assert sum(bool(j.mentions) for j in fast) > 500
    some = random.Random(0).sample(range(len(units)), 40)
    exact = util.segment_jobs(lm, [units[i] for i in some])
    decode_stepwise(lm, exact)
    assert outcome(exact) == outcome([fast[i] for i in some])
    for job in fast:
        _is_marked_copy(lm, job, "segments")


# -- Automata ------------------------------------------------------------------------


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


# -- Noise and trees -----------------------------------------------------------------


def test_noise_depends_on_text_round_state_and_token_only() -> None:
    a = gumbel("text", 1, (0, 1), [5, 6])
    assert np.array_equal(a, gumbel("text", 1, (0, 1), [5, 6]))
    assert a[1] == gumbel("text", 1, (0, 1), [6])[0]
    assert a[0] != gumbel("texu", 1, (0, 1), [5])[0]
    assert a[0] != gumbel("text", 2, (0, 1), [5])[0]
    assert a[0] != gumbel("text", 1, (0, 2), [5])[0]


def test_noise_is_gumbel_distributed() -> None:
    values = np.concatenate([gumbel("t", r, 0, range(50)) for r in range(100)])
    assert values.mean() == pytest.approx(0.5772, abs=0.05)
    assert values.var() == pytest.approx(np.pi**2 / 6, rel=0.08)


@given(
    st.lists(
        st.lists(st.integers(0, 3), min_size=1, max_size=6), min_size=1, max_size=8
    )
)
def test_token_tree_keeps_every_sequence(sequences: list[list[int]]) -> None:
    tree = TokenTree()
    ends = [tree.insert(s) for s in sequences]
    assert all(p < i for i, p in enumerate(tree.parents))
    for s, end in zip(sequences, ends, strict=True):
        path = path_to(tree.parents, end)
        assert [tree.ids[n] for n in path] == s
        assert node_depths(tree.parents)[end] == tree.depths[end] == len(s) - 1
        assert sorted(np.flatnonzero(ancestor_mask(tree.parents)[end])) == path
        assert tree.shared(s) == len(s)
    assert len(tree) == len(
        {tuple(s[: i + 1]) for s in sequences for i in range(len(s))}
    )
