"""Threads, async servers and generators in turns get what one caller gets, one text
after the other.
"""

from __future__ import annotations

import asyncio
import copy
import itertools
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spacy
import torch
from spacy.language import Language

from spacy_cascade.models.loading import load_model
from spacy_cascade.models.locks import StateLock
from spacy_cascade.models.plain_decoder import PlainDecoder
from spacy_cascade.models.spec import HFSpec
from tests import util

PIPELINE = Path(__file__).parents[2] / "assets" / "open_sm" / "pipeline"
WORDS = """
    Berlin Paris Lena Muster Siemens AG lives works in for at the and new polonium Rome
    Tokyo Google visited
""".split()  # noqa: SIM905


def some_texts(n: int, longest: int = 12, seed: int = 1) -> list[str]:
    rng = random.Random(seed)
    return [
        " ".join(rng.choices(WORDS, k=rng.randint(2, longest))) + "." for _ in range(n)
    ]


def found(doc: Any) -> list[tuple[int, int, str]]:
    return util.entities(doc)


def one_by_one(nlp: Language, texts: list[str]) -> list[Any]:
    return [found(nlp(text)) for text in texts]


@pytest.fixture(autouse=True)
def switch_often() -> Iterator[None]:
    """Python changes threads 25 times as often, so that what can go wrong does."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(2e-4)
    yield
    sys.setswitchinterval(before)


@pytest.fixture(scope="module")
def shipped() -> Language:
    return spacy.load(PIPELINE)


def in_threads(*calls: Callable[[], Any]) -> list[Any]:
    """What the calls return, each made by a thread of its own, all at the same time."""
    start = threading.Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        start.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


# -- The pipeline that ships ---------------------------------------------------------


@pytest.mark.slow
def test_a_thousand_calls_from_eight_threads(shipped: Language) -> None:
    texts = some_texts(250, longest=4)
    right = one_by_one(shipped, texts)
    assert sum(map(len, right)) > len(texts) / 2
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda text: found(shipped(text)), texts * 4))
    assert got == right * 4


@pytest.mark.slow
def test_a_pipeline_for_each_thread(shipped: Language) -> None:
    texts = some_texts(60)
    right = one_by_one(shipped, texts)
    own = [spacy.load(PIPELINE) for _ in range(2)]
    assert (
        own[0].get_pipe("cascade_extractor").lm
        is own[1].get_pipe("cascade_extractor").lm
    )  # type: ignore[attr-defined]
    got = in_threads(*(lambda nlp=nlp: one_by_one(nlp, texts) for nlp in own))
    assert got == [right, right]


@pytest.mark.slow
def test_streams_in_threads(shipped: Language) -> None:
    """Batches, whose rows stay between the stages."""
    texts = some_texts(60)
    right = one_by_one(shipped, texts)
    sizes = (3, 16, 128)
    got = in_threads(
        *(
            lambda n=n: [found(d) for d in shipped.pipe(texts, batch_size=n)]
            for n in sizes
        )
    )
    assert got == [right] * len(sizes)


@pytest.mark.slow
def test_an_async_server(shipped: Language) -> None:
    texts = some_texts(60)
    right = one_by_one(shipped, texts)

    async def serve() -> list[Any]:
        return await asyncio.gather(
            *(asyncio.to_thread(shipped, text) for text in texts)
        )

    assert [found(doc) for doc in asyncio.run(serve())] == right


def test_a_stream_that_threads_hand_on(shipped: Language) -> None:
    """A web framework asks for the next part of an answer from whatever thread is free."""
    texts = some_texts(12)
    right = one_by_one(shipped, texts)
    stream = shipped.pipe(texts, batch_size=4)
    got = []
    for _ in texts:
        with ThreadPoolExecutor(1) as pool:
            got.append(found(pool.submit(next, stream).result()))
    assert got == right


@pytest.mark.slow
def test_streams_in_turns_with_other_types(shipped: Language) -> None:
    """One generator advances while another one waits in the middle of a batch, and the
    types change meanwhile.
    """
    texts = some_texts(24)
    few = spacy.load(PIPELINE)
    few.get_pipe("cascade_classifier").set_taxonomy(["person", "location"])  # type: ignore[attr-defined]
    right, other = one_by_one(shipped, texts), one_by_one(few, texts)
    assert right != other
    turns = zip(
        shipped.pipe(texts, batch_size=5), few.pipe(texts, batch_size=3), strict=True
    )
    got = [(found(a), found(b)) for a, b in turns]
    assert got == list(zip(right, other, strict=True))


def test_types_that_are_set_while_a_batch_is_under_way(
    shipped: Language, monkeypatch: Any
) -> None:
    """All Docs of a batch are typed by one taxonomy."""
    nlp, types = spacy.load(PIPELINE), ["person", "location"]
    texts = some_texts(6)
    right = one_by_one(nlp, texts)
    classifier: Any = nlp.get_pipe("cascade_classifier")
    windows = classifier._windows

    def change(*args: Any) -> Any:
        classifier.set_taxonomy(types)
        return windows(*args)

    monkeypatch.setattr(classifier, "_windows", change)
    assert [found(doc) for doc in nlp.pipe(texts)] == right


# -- Adapters, and training ----------------------------------------------------------


def shake(parameters: dict[str, Any], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in parameters.values():
            p.normal_(0, 0.4, generator=generator)


def with_adapters(base: Path, seed: int, **settings: Any) -> Language:
    """Both stages on one shared base, each with an adapter of random weights."""
    nlp = util.cascade(
        base, extractor={"open_threshold": 0.3, **settings}, classifier=settings
    )
    nlp.initialize(lambda: util.examples(nlp))
    for k, name in enumerate(nlp.pipe_names):
        pipe: Any = nlp.get_pipe(name)
        shake(pipe.start_training().parameters, seed + k)
    return nlp


@pytest.mark.slow
def test_two_adapters_on_one_base_in_two_threads(lively: Path) -> None:
    a, b = with_adapters(lively, 1), with_adapters(lively, 11)
    assert a.get_pipe("cascade_extractor").lm is b.get_pipe("cascade_extractor").lm  # type: ignore[attr-defined]
    texts = list(util.SENTENCES)
    right = [[util.spans(nlp(t)) for t in texts] for nlp in (a, b)]
    assert right[0] != right[1]
    got = in_threads(
        *(lambda nlp=nlp: [util.spans(nlp(t)) for t in texts] for nlp in (a, b))
    )
    assert got == right


@pytest.mark.slow
def test_adapters_in_streams_in_turns(lively: Path) -> None:
    a, b = with_adapters(lively, 1), with_adapters(lively, 11)
    texts = list(util.SENTENCES)
    right = [[util.spans(nlp(t)) for t in texts] for nlp in (a, b)]
    turns = zip(a.pipe(texts, batch_size=2), b.pipe(texts, batch_size=3), strict=True)
    pairs = [(util.spans(x), util.spans(y)) for x, y in turns]
    assert pairs == list(zip(*right, strict=True))


@pytest.mark.slow
def test_training_beside_inference_on_the_same_base(lively: Path) -> None:
    settings = {"adapter": {"rank": 4, "alpha": 8, "dropout": 0.5}}
    runs, learns = with_adapters(lively, 1), with_adapters(lively, 11, **settings)
    examples = util.examples(learns)
    sgd = learns.create_optimizer()
    texts = list(util.SENTENCES)
    right = [util.spans(runs(t)) for t in texts]
    done = threading.Event()

    def learn() -> None:
        try:
            for _ in range(12):
                learns.update(examples, sgd=sgd, losses={}, drop=0.5)
        finally:
            done.set()

    def infer() -> list[Any]:
        out = []
        while not done.is_set() or not out:
            out.append([util.spans(runs(t)) for t in texts])
        return out

    _, got = in_threads(learn, infer)
    assert all(part == right for part in got)


def test_subword_noise_stays_in_its_thread(rnd: Any) -> None:
    words = [
        "the",
        "unmistakable",
        "Mary",
        "Jones",
        "works",
        "for",
        "nobody",
        "in",
        "Berlin",
    ]
    plain = [rnd.encode(word) for word in words]
    with rnd.subword_noise(random.Random(0), 1.0):
        assert [rnd.encode(word) for word in words] != plain
        assert in_threads(lambda: [rnd.encode(word) for word in words]) == [plain]


def test_special_tokens_in_texts_and_in_prompts(rnd: Any) -> None:
    """Whether text may spell special tokens is a setting of the tokenizer, which
    threads want in two ways.
    """
    mark = rnd.token_id("<mark>")
    texts = [f"<mark>{i}" for i in range(400)]
    as_text, as_control = in_threads(
        lambda: [rnd.encode(t) for t in texts],
        lambda: [rnd.encode(t, control=True) for t in texts],
    )
    assert not any(mark in ids for ids in as_text)
    assert all(ids[0] == mark for ids in as_control)


def test_a_base_is_loaded_once(lively: Path) -> None:
    spec = HFSpec(str(lively), device="cpu", batch_tokens=4095)
    models = in_threads(*[lambda: load_model(spec)] * 4)
    assert all(lm is models[0] for lm in models)


@pytest.mark.slow
def test_whoever_asks_for_transformers_model_waits_until_nobody_runs_the_plain_one() -> (
    None
):
    nlp = spacy.load(PIPELINE)
    extractor: Any = nlp.get_pipe("cascade_extractor")
    lm = type(extractor.lm)(
        extractor.weights._base_path, name="own", spec=extractor.lm.spec
    )
    for name in ("cascade_extractor", "cascade_classifier"):
        nlp.get_pipe(name).weights.lm = lm  # type: ignore[attr-defined]
    texts = some_texts(40)
    right = one_by_one(nlp, texts)
    got, model = in_threads(
        lambda: one_by_one(nlp, texts), lambda: (time.sleep(0.05), lm.model)[1]
    )
    assert got == right
    assert lm.decoder is model.model


@pytest.mark.slow
def test_tables_of_positions_for_short_and_long_texts() -> None:
    """A table that another thread has replaced by a shorter one."""
    extractor: Any = spacy.load(PIPELINE).get_pipe("cascade_extractor")
    decoder: PlainDecoder = copy.copy(extractor.lm.decoder)
    places = [torch.full((1, 1), n) for n in (300, 5000)]
    ids = torch.tensor([[5]])

    def run(place: torch.Tensor) -> None:
        for _ in range(150):
            decoder.rotations = decoder._rotations_up_to(8)
            decoder(ids, position_ids=place)

    in_threads(*(lambda p=p: run(p) for p in places))


# -- The lock ------------------------------------------------------------------------


def test_the_same_state_is_shared_and_another_waits() -> None:
    seen: list[Any] = []
    lock = StateLock(seen.append)
    together = threading.Barrier(2, timeout=20)
    inside = threading.Event()

    def same() -> None:
        with lock.hold("a"):
            together.wait()
            inside.set()
            together.wait()
            assert seen == ["a"]

    def other() -> None:
        inside.wait()
        with lock.hold("b"):
            assert lock.state == "b"

    in_threads(same, same, other)
    assert seen == ["a", "b"]


def test_who_changes_the_model_is_alone() -> None:
    lock, count, most = StateLock(lambda state: None), itertools.count(), []
    inside = 0

    def run(alone: bool) -> None:
        nonlocal inside
        for _ in range(200):
            with lock.hold("a", alone=alone):
                inside += alone
                next(count)
                most.append(inside if alone else 0)
                inside -= alone

    in_threads(*(lambda a=a: run(a) for a in (True, True, False, False)))
    assert max(most) == 1


def test_two_threads_that_ask_for_each_others_state_while_inside() -> None:
    """Nobody waits for somebody who waits, and who comes back finds the state that was left."""
    lock = StateLock(lambda state: None)
    both = threading.Barrier(2, timeout=20)

    def run(first: str, then: str) -> None:
        with lock.hold("start"):
            both.wait()
            for state in (first, then):
                with lock.hold(state):
                    assert lock.state == state
                assert lock.state == "start"

    in_threads(lambda: run("a", "b"), lambda: run("b", "a"))


def test_a_state_that_fails_lets_the_next_one_in() -> None:
    def fail(state: Any) -> None:
        if state == "bad":
            raise RuntimeError("can't")

    lock = StateLock(fail)
    with pytest.raises(RuntimeError, match="can't"), lock.hold("bad"):
        pass
    with lock.hold("good"):
        assert lock.state == "good"


def test_rows_that_die_in_another_thread(rnd: Any) -> None:
    pool = rnd.cache_pool(64)
    rows: list[Any] = [pool.row() for _ in range(32)]
    for row in rows:
        row.extend(pool.take(2))

    def drop() -> None:
        while rows:
            rows.pop()

    def take() -> None:
        for _ in range(200):
            pool.give_back(pool.take(1))

    del row
    in_threads(drop, take)
    assert pool.room == pool.capacity
    assert len(np.unique(pool.take(pool.room))) == pool.capacity
