"""Stage 2 goes on from what stage 1 has run, and prompts share what they begin with:
fewer tokens, the same results.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from spacy.language import Language

from spacy_cascade.decoding.automaton import Guess
from spacy_cascade.decoding.copy import decode
from spacy_cascade.decoding.prefix import SHORTEST, Beginning, common
from spacy_cascade.models.kv import KVPrefixStore
from spacy_cascade.prompts.chat import ChatExtract
from spacy_cascade.types import CachedPrefix
from tests import util

CHAT = {"template": {"@prompts": "spacy-cascade.ChatExtract.v1"}}
CONTINUED = {"template": {"@prompts": "spacy-cascade.ChatClassifyContinued.v1"}}
TEXTS = [*util.SENTENCES, *util.ODD, "", util.SENTENCES[0]]


@contextmanager
def counted(lm: Any) -> Iterator[list[int]]:
    """Tokens of every forward pass."""
    tokens: list[int] = []
    hook = lm.decoder.register_forward_pre_hook(
        lambda _, __, kw: tokens.append(kw["input_ids"].numel()), with_kwargs=True
    )
    yield tokens
    hook.remove()


@pytest.fixture(params=["compact", "chat"])
def stages(base: Path, request: Any) -> Language:
    """Both stages on one base without adapters, with random weights."""
    more = {"open_threshold": 0.2, "adapter": None}
    prompts: Any = (CHAT, CONTINUED) if request.param == "chat" else ({}, {})
    nlp = util.cascade(
        base,
        extractor={**prompts[0], **more},
        classifier={**prompts[1], "adapter": None},
    )
    nlp.get_pipe("cascade_extractor").weights.lm = util.random_lm(base)
    return nlp


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 3, 100])
def test_recalling_changes_no_result_and_saves_tokens(
    stages: Language, size: int, monkeypatch: Any
) -> None:
    classifier: Any = stages.get_pipe("cascade_classifier")
    lm, predict, run = classifier.lm, classifier.predict, []

    def counting(docs: Any) -> Any:
        with counted(lm) as tokens:
            found = predict(docs)
        run.append(sum(tokens))
        return found

    monkeypatch.setattr(classifier, "predict", counting)
    results, used = [], []
    for room in (0, lm._mine.prefixes.tokens):
        lm._mine.prefixes.tokens = room
        run.clear()
        docs = list(stages.pipe(TEXTS, batch_size=size))
        results.append([(util.spans(d), util.scores(d)) for d in docs])
        used.append(sum(run))
    assert any(spans for spans, _ in results[0])
    for (a, x), (b, y) in zip(*results, strict=True):
        assert a == b
        assert x == pytest.approx(y, abs=1e-6)
    assert used[1] < 0.7 * used[0]


def test_what_is_recalled_was_run_with_the_same_weights(stages: Language) -> None:
    nlp = stages
    extractor, classifier = (nlp.get_pipe(n) for n in nlp.pipe_names)
    lm = extractor.lm  # type: ignore[attr-defined]
    docs = [extractor(nlp.make_doc(t)) for t in util.SENTENCES[:2]]  # type: ignore[operator]
    assert len(lm.prefixes)
    with torch.no_grad():
        next(lm.model.parameters()).mul_(1.5)
    assert not len(lm.prefixes)
    fresh = [doc.copy() for doc in docs]
    lm.prefixes.clear()
    for a, b in zip(docs, fresh, strict=True):
        classifier(a), classifier(b)  # type: ignore[operator]
        assert a.spans["cascade"].attrs["path_scores"] == pytest.approx(
            b.spans["cascade"].attrs["path_scores"]
        )
    with torch.no_grad():
        next(lm.model.parameters()).div_(1.5)


def test_stages_with_adapters_of_their_own_keep_nothing(base: Path) -> None:
    nlp = util.cascade(base)
    nlp.initialize(lambda: util.examples(nlp))
    nlp(util.SENTENCES[0])
    assert not len(nlp.get_pipe("cascade_extractor").lm.prefixes)  # type: ignore[attr-defined]


def test_nothing_is_kept_for_a_classifier_that_is_not_there(stages: Language) -> None:
    nlp, lm = stages, stages.get_pipe("cascade_extractor").lm  # type: ignore[attr-defined]
    with nlp.select_pipes(disable=["cascade_classifier"]):
        nlp(util.SENTENCES[0])
    assert not len(lm.prefixes)


def test_there_is_an_end_to_what_is_kept() -> None:
    recall = KVPrefixStore(10)
    row: Any = None
    for name, n in (("a", 6), ("b", 5), ("c", 4), ("a", 1)):
        recall.keep(name, CachedPrefix(range(n), None, row))
    assert [recall.take(name) is not None for name in "abc"] == [True, False, True]
    assert recall.take("a") is None
    recall.keep("b", CachedPrefix(range(10), None, row))
    assert len(recall.of(None)) == 1
    assert not len(recall.of("other weights"))


@pytest.mark.slow
def test_what_prompts_begin_with_is_run_once(rnd: Any) -> None:
    nlp, template = (
        util.blank(),
        ChatExtract(system="You are very thorough, and you never leave anything out."),
    )
    found = util.units(nlp, util.SENTENCES)
    jobs = [template.job(rnd, unit, Guess(unit)) for unit in found]
    alone = [template.job(rnd, unit, Guess(unit)) for unit in found]
    shared = min(
        common(Beginning(jobs[0].prompt, None, 999), Beginning(j.prompt, None, 999))
        for j in jobs
    )
    assert shared >= SHORTEST
    with counted(rnd) as together:
        decode(rnd, jobs)
    with counted(rnd) as apart:
        for job in alone:
            decode(rnd, [job])
    assert [j.tokens for j in jobs] == [j.tokens for j in alone]
    assert [[m.score for m in j.mentions] for j in jobs] == [
        pytest.approx([m.score for m in j.mentions], abs=1e-5) for j in alone
    ]
    assert together[0] == shared
    assert sum(apart) > shared * (len(jobs) - 1) + len(jobs[0].prompt)


def test_positions_count_in_what_sequences_have_in_common() -> None:
    a = Beginning([1, 2, 3, 4], [0, 1, 2, 3], 4)
    assert common(a, Beginning([1, 2, 3, 4], None, 4)) == 4
    assert common(a, Beginning([1, 2, 3, 4], [0, 1, 1, 1], 4)) == 2
    assert common(a, Beginning([1, 2, 5], None, 3)) == 2
    assert common(a, Beginning([1, 2, 3, 4, 5], None, 3)) == 3
