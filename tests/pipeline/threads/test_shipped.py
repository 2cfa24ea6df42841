"""Threads, async servers and generators in turns get what one caller gets, one text
after the other."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import spacy
from spacy.language import Language

from .util import PIPELINE, found, in_threads, one_by_one, some_texts


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
    few.get_pipe("cascade_classifier").set_taxonomy(["person", "location"])
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
