"""Texts cut into windows, and the ledger of what was done with each part."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from spacy.language import Language
from spacy.tokens import Doc

from spacy_cascade.models.tiny import build_base
from spacy_cascade.pipeline.windows import PROCESSED, SKIPPED, SPLIT, cut, make_unit
from tests import util


@pytest.mark.slow
@given(
    words=st.lists(
        st.tuples(st.integers(1, 12), st.booleans()), min_size=1, max_size=30
    ),
    limit=st.integers(1, 12),
    overlap=st.integers(0, 6),
)
def test_strides_own_each_token_once(
    words: list[tuple[int, bool]], limit: int, overlap: int
) -> None:
    """Every token is owned by one window that holds it, or accounted for as skipped."""
    nlp = util.blank()
    doc = Doc(
        nlp.vocab, words=["x" * n for n, _ in words], spaces=[s for _, s in words]
    )
    cost = lambda text: len(text.strip())  # noqa: E731
    windows, ledger = cut(
        doc, mode="stride", limit=limit, overlap=min(overlap, limit // 2), cost=cost
    )
    owned = Counter(i for w in windows for i in range(w.own_start, w.own_end))
    skipped = Counter(
        i
        for a, b, s in ledger
        if s == SKIPPED
        for i, t in enumerate(doc)
        if a <= t.idx < b
    )
    assert owned + skipped == Counter(range(len(doc)))
    for w in windows:
        assert w.start <= w.own_start <= w.own_end <= w.end
        assert sum(len(t.text) for t in doc[w.start : w.end]) <= limit
        assert w.unit == make_unit(doc, w.start, w.end)


@pytest.mark.slow
@given(
    words=st.lists(st.integers(1, 12), min_size=1, max_size=30),
    limit=st.integers(1, 12),
    overlap=st.integers(0, 6),
)
@example(words=[2, 2, 2, 2, 10], limit=10, overlap=5)
def test_the_ledger_covers_every_token_once_in_order(
    words: list[int], limit: int, overlap: int
) -> None:
    nlp = util.blank()
    doc = Doc(nlp.vocab, words=["x" * n for n in words])
    _, ledger = cut(
        doc,
        mode="stride",
        limit=limit,
        overlap=min(overlap, limit // 2),
        cost=lambda t: len(t.strip()),
    )
    assert all(a < b for a, b, _ in ledger)
    assert ledger == sorted(ledger)
    counts = Counter(t.i for a, b, _ in ledger for t in doc if a <= t.idx < b)
    assert counts == Counter(range(len(doc)))


def test_strides_overlap_and_the_middle_is_the_border(nlp: Language) -> None:
    doc = nlp.make_doc(" ".join("abcdefghij"))
    windows, ledger = cut(doc, mode="stride", limit=6, overlap=2, cost=lambda t: 1)
    assert [(w.start, w.end, w.own_start, w.own_end) for w in windows] == [
        (0, 6, 0, 5),
        (4, 10, 5, 10),
    ]
    assert ledger == [(0, 9, SPLIT), (10, 19, SPLIT)]


def test_sentences_are_windows(nlp: Language) -> None:
    doc = Doc(nlp.vocab, words=list("abcd"), sent_starts=[True, False, True, False])
    for mode in ("auto", "sents"):
        windows, _ledger = cut(doc, mode=mode, limit=10, overlap=2, cost=lambda t: 1)
        assert [(w.start, w.end, w.status) for w in windows] == [
            (0, 2, PROCESSED),
            (2, 4, PROCESSED),
        ]
    windows, _ = cut(doc, mode="stride", limit=10, overlap=2, cost=lambda t: 1)
    assert [(w.start, w.end) for w in windows] == [(0, 4)]


def test_a_long_sentence_is_split_the_others_are_not(nlp: Language) -> None:
    doc = Doc(
        nlp.vocab,
        words=list("abcdefgh"),
        sent_starts=[True] + [False] * 5 + [True, False],
    )
    windows, _ = cut(doc, mode="sents", limit=4, overlap=0, cost=lambda t: 1)
    assert [(w.start, w.end, w.status) for w in windows] == [
        (0, 4, SPLIT),
        (4, 6, SPLIT),
        (6, 8, PROCESSED),
    ]


def test_a_token_over_the_limit_is_skipped_and_its_neighbours_are_not(
    nlp: Language,
) -> None:
    doc = nlp.make_doc("ab cccccccccc d")
    windows, ledger = cut(
        doc, mode="stride", limit=5, overlap=0, cost=lambda t: len(t.strip())
    )
    assert [w.unit.text for w in windows] == ["ab", "d"]
    assert ledger == [(0, 2, PROCESSED), (3, 13, SKIPPED), (14, 15, PROCESSED)]


def test_windows_do_not_begin_or_end_with_white_space(nlp: Language) -> None:
    doc = nlp.make_doc("\n a b \n\n\n c d \n")
    windows, _ = cut(doc, mode="stride", limit=2, overlap=0, cost=lambda t: 1)
    assert all(w.unit.text == w.unit.text.strip() != "" for w in windows)


def test_sentence_windows_in_a_pipeline() -> None:
    nlp, lm = util.scripted(util.NAMES)
    nlp.add_pipe("sentencizer", first=True)
    doc = nlp("John left. Paris slept! France won?")
    assert sorted(lm.seen) == [
        "France won?",
        "John left.",
        "Paris slept!",
    ]  # batches go by length
    assert [e.text for e in doc.ents] == ["John", "Paris", "France"]
    assert [s for *_, s in doc._.cascade_coverage] == [PROCESSED] * 3


def test_strides_find_what_one_window_finds() -> None:
    text = " ".join(f"w{i} John x Paris" for i in range(40))
    whole, _ = util.scripted(
        util.NAMES, extractor={"max_tokens": 100_000, "overlap": 0}
    )
    parts, lm = util.scripted(
        util.NAMES, extractor={"max_tokens": 60, "overlap": 20, "window": "stride"}
    )
    assert util.entities(parts(text)) == util.entities(whole(text))
    assert len(lm.seen) > 5


@pytest.mark.slow
def test_a_mention_at_a_border_is_found_once() -> None:
    for length in range(8, 40):
        nlp, lm = util.scripted(
            {"aa bb": ("person",)},
            extractor={
                "max_tokens": length,
                "overlap": length // 2,
                "window": "stride",
            },
        )
        text = "aa bb cc " * 6
        doc = nlp(text)
        assert len(set(util.entities(doc))) == len(doc.ents)
        if length >= 16:  # the overlap holds the whole mention
            assert [(s, e) for s, e, _ in util.entities(doc)] == lm.mentions(text)


def test_one_very_long_token_is_skipped_and_said_so(lively: Path) -> None:
    nlp = util.cascade(lively)
    long = "x" * 100_000
    doc = nlp(f"John {long} Paris")
    assert doc._.cascade_coverage == [
        (0, 4, PROCESSED),
        (5, 100_005, SKIPPED),
        (100_006, 100_011, PROCESSED),
    ]


@pytest.mark.slow
def test_a_megabyte_of_text(tmp_path: Path) -> None:
    words = [
        "international",
        "organization",
        "representatives",
        "communication",
        "John",
        "Smith",
        "yesterday",
        ".",
    ]
    text = " ".join(words[i * 7 % 8] for i in range(1_000_000))[:999_990].strip()
    build_base(
        tmp_path / "b",
        [f" {w}" for w in words] * 50,
        vocab_size=400,
        hidden_size=32,
        layers=1,
        heads=2,
        intermediate_size=32,
    )
    nlp = util.blank()
    model = util.model_config(tmp_path / "b", batch_tokens=8192)
    nlp.add_pipe("cascade_extractor", config={"model": model, "open_threshold": 0.9999})
    doc = nlp(text)
    unchanged = doc.text == text  # a diff of two megabytes would take minutes
    assert unchanged
    ledger = doc._.cascade_coverage
    assert ledger[0][0] == 0
    assert ledger[-1][1] == len(text)
    assert {s for *_, s in ledger} == {SPLIT}
    assert all(0 <= b[0] - a[1] <= 1 for a, b in itertools.pairwise(ledger))
