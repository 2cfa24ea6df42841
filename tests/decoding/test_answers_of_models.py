"""Listing mentions under constraint, with a model: whatever it prefers, the answer is
complete and batches change nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from spacy.language import Language

from spacy_cascade.decoding.answers import AnswerAutomaton
from spacy_cascade.decoding.listing import ListJob, list_mentions
from spacy_cascade.decoding.native import Vocabulary
from spacy_cascade.decoding.symbols import Labels, TextIndex, byte_index
from spacy_cascade.prompts.labelset import LabelSet
from spacy_cascade.prompts.open import B2NEROpen, CompactOpen
from spacy_cascade.taxonomy import Taxonomy
from spacy_cascade.types import Query
from tests import util
from tests.decoding.util import END, GRAMMAR, unit_of

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
