"""Copy-verified decoding equals step-by-step constrained decoding, whatever the model,
the text and the draft.
"""

from __future__ import annotations

import itertools
import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.language import Language

from spacy_cascade.decoding.copy import GREEDY, Job, Sampling, decode
from spacy_cascade.decoding.stepwise import decode_stepwise
from spacy_cascade.types import Unit
from tests import util
from tests.decoding.util import MAKERS, SAMPLINGS, both, outcome


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
