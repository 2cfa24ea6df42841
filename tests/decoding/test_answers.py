"""Listing mentions under constraint: whatever the model prefers, the answer can be read
back and its offsets are exact.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from spacy.language import Language

from spacy_cascade.decoding.answers import AnswerAutomaton
from spacy_cascade.decoding.listing import ListJob, list_mentions
from spacy_cascade.decoding.native import Vocabulary
from spacy_cascade.decoding.readings import Grammar, State
from spacy_cascade.decoding.symbols import Labels, Substrings, TextIndex, byte_index
from spacy_cascade.prompts.labelset import LabelSet
from spacy_cascade.prompts.open import B2NEROpen, CompactOpen
from spacy_cascade.taxonomy import Taxonomy
from spacy_cascade.types import Query, Unit
from tests import util

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
END = 0
GRAMMAR = Grammar(lead=b" ", colon=b": ", separator=b"; ", empty=b"None")
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


def unit_of(nlp: Language, text: str) -> Unit | None:
    found = util.units(nlp, [text])
    return found[0] if found else None


def automaton_for(
    unit: Unit, names: Sequence[str], *, nested: bool = False
) -> AnswerAutomaton:
    labels = Labels([n.encode() for n in names])
    return AnswerAutomaton(
        byte_index(unit), labels, GRAMMAR, vocabulary=VOCABULARY, end=END, nested=nested
    )


def wander(
    automaton: AnswerAutomaton, seed: int, *, go_on: bool
) -> tuple[bytes, State]:
    """An answer of random tokens. go_on: end only if nothing else is allowed."""
    rng, state, out = random.Random(seed), automaton.start(), b""
    while not automaton.done(state):
        allowed = list(automaton.allowed(state))
        assert allowed, (
            "the vocabulary can write everything, so there is always a way on"
        )
        if go_on and len(allowed) > 1 and END in allowed:
            allowed.remove(END)
        token = rng.choice(allowed)
        state = automaton.step(state, token)
        out += VOCABULARY.table[token] or b""
    return out, state


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


# -- With a model --------------------------------------------------------------------

SET = LabelSet.build(
    Taxonomy.from_labels(["person", "location->city", "location->country", "a: b"])
)
MIXED = [
    util.SENTENCES[1],
    util.SENTENCES[5],
    *util.ODD[:3],
    "a",
    "Ann; person: Bob; city: Rome",
]


def jobs(
    lm: Any, template: Any, nlp: Language, texts: Sequence[str], *, nested: bool = False
) -> list[ListJob]:
    return [template.job(lm, u, SET, nested=nested) for u in util.units(nlp, texts)]


@pytest.fixture(scope="module", params=["compact", "b2ner"])
def template(request: Any) -> Any:
    return CompactOpen() if request.param == "compact" else B2NEROpen()


@pytest.mark.parametrize("nested", [False, True])
def test_a_random_model_writes_complete_answers(
    rnd: Any, template: Any, nlp: Language, nested: bool
) -> None:
    asked = jobs(rnd, template, nlp, MIXED, nested=nested)
    list_mentions(rnd, asked)
    assert all(j.complete for j in asked)
    assert sum(len(j.mentions) for j in asked) > 2, (
        "nothing was listed, so nothing is tested"
    )
    for job in asked:
        symbols = [s for t in job.tokens[:-1] for s in job.automaton.symbols_of(t)]
        assert [(f.start, f.end, f.label) for f in job.automaton.read(symbols)] == [
            (m.start, m.end, m.label) for m in job.mentions
        ]
        assert all(0 < m.score <= 1 and 0 < m.label_score <= 1 for m in job.mentions)


def test_batched_equals_one_at_a_time_and_is_the_models_choice(
    rnd: Any, template: Any, nlp: Language
) -> None:
    """Each token is the best of those allowed, by a forward pass over the whole
    sequence with the model's own head.
    """
    asked = jobs(rnd, template, nlp, MIXED[1:])
    list_mentions(rnd, asked)
    for job in asked:
        alone = jobs(rnd, template, nlp, [job.unit.text])[0]
        list_mentions(rnd, [alone])
        assert alone.tokens == job.tokens
        ids, depths = (
            job.prompt + job.tokens,
            job.all_depths() or list(range(len(job.prompt) + len(job.tokens))),
        )
        with torch.no_grad():
            logits = rnd.model(
                input_ids=torch.tensor([ids]), position_ids=torch.tensor([depths])
            ).logits[0]
        state, product = job.automaton.start(), 1.0
        for k, token in enumerate(job.tokens):
            allowed = job.automaton.allowed(state)
            values = logits[len(job.prompt) + k - 1, list(allowed)].double()
            assert allowed[int(values.argmax())] == token
            product *= float(values.softmax(0).max())
            state = job.automaton.step(state, token)
        if job.mentions:
            scores = np.prod([m.score * m.label_score for m in job.mentions])
            assert scores == pytest.approx(product, rel=1e-4), (
                "every decision belongs to one mention"
            )


class Talkative:
    """A model that never wants to end, and else takes the last of the candidates."""

    def __init__(self, end: int, max_length: int):
        self.name, self.end, self.max_length = "talkative", end, max_length

    prefixes = None

    def cache_pool(self, tokens: int) -> None:
        return None

    def candidate_logits(self, queries: Sequence[Query]) -> list[np.ndarray]:
        return [
            np.array(
                [[-1 if c == self.end else c for c in q.candidates[0]]],
                dtype=np.float32,
            )
            for q in queries
        ]


@pytest.mark.slow
@pytest.mark.parametrize("nested", [False, True])
def test_a_full_window_keeps_the_mentions_up_to_there(
    rnd: Any, template: Any, nlp: Language, nested: bool
) -> None:
    (job,) = jobs(
        rnd, template, nlp, ["Ann saw Bob, Carl and Emil in Rome, Bonn"], nested=nested
    )
    list_mentions(Talkative(job.automaton.end, 1 << 20), [job])
    whole = [(m.start, m.end, m.label) for m in job.mentions]
    assert job.complete and len(whole) > 1
    counts = set()
    for room in range(len(job.tokens)):
        (short,) = jobs(rnd, template, nlp, [job.unit.text], nested=nested)
        list_mentions(Talkative(job.automaton.end, len(job.prompt) + room), [short])
        assert not short.complete and len(short.tokens) <= room
        assert [(m.start, m.end, m.label) for m in short.mentions] == whole[
            : len(short.mentions)
        ]
        counts.add(len(short.mentions))
    assert counts >= set(range(len(whole)))


@pytest.mark.parametrize("nested", [False, True])
def test_gold_answers_are_among_the_allowed(
    rnd: Any, template: Any, nlp: Language, nested: bool
) -> None:
    (unit,) = util.units(nlp, ["Ann saw Ann in New York; Rome"])
    spans = [
        (0, 1, 0),
        (2, 3, 0),
        (4, 6, 1),
        *([(5, 6, 2)] if nested else []),
        (7, 8, 2),
    ]
    job = template.job(rnd, unit, SET, nested=nested)
    for token in template.answer(rnd, job, SET, spans):
        assert token in job.automaton.allowed(job.state)
        job.write(token)
    job.finish()
    assert job.complete
    assert [(m.start, m.end, m.label) for m in job.mentions] == spans


def test_copied_tokens_take_the_position_of_their_original(
    rnd: Any, nlp: Language
) -> None:
    (unit,) = util.units(nlp, ["Ann saw Bob in New York"])
    template = CompactOpen()
    job = template.job(rnd, unit, SET, nested=False)
    for token in template.answer(rnd, job, SET, [(0, 1, 0), (2, 3, 0), (4, 6, 1)]):
        job.write(token)
    depths = job.all_depths()
    assert depths is not None
    for f in job.automaton.mentions(job.state):
        for k in range(f.begun, f.ended):
            original = depths[len(job.prompt) + k]
            assert job.prompt[job.text.start + original - job.origin] == job.tokens[k]


def test_a_vocabulary_that_cannot_write_the_text(nlp: Language) -> None:
    """Tokens for bytes of the text are missing: what can be listed is, and the decoder
    does not hang.
    """
    unit = unit_of(nlp, "a é b")
    assert unit is not None
    table = Vocabulary([None, *(bytes([b]) for b in range(128))])
    automaton = AnswerAutomaton(
        byte_index(unit),
        Labels([b"x"]),
        GRAMMAR,
        vocabulary=table,
        end=END,
        nested=False,
    )
    state = automaton.start()
    for byte in b" x: ":
        state = automaton.step(state, 1 + byte)
    assert [table.table[t] for t in automaton.allowed(state)] == [b"a", b"b"]


def test_text_index_of_tokens() -> None:
    index = TextIndex([[5, 6], [7], [8]], [0, 0, 0], [False, True, False])
    assert index.token_at == {0: 0, 3: 2}
    assert index.end_at == {2: 1, 4: 3}
    assert index.next_end == [1, 1, 1, 3, 3]
