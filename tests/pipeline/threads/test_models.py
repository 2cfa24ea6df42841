"""Adapters, training and tokenizers in several threads on one model."""

from __future__ import annotations

import copy
import random
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import spacy
import torch
from spacy.language import Language

from spacy_cascade.models.loading import load_model
from spacy_cascade.models.plain_decoder import PlainDecoder
from spacy_cascade.models.spec import HFSpec
from tests import util

from .util import PIPELINE, in_threads, one_by_one, some_texts


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
    assert a.get_pipe("cascade_extractor").lm is b.get_pipe("cascade_extractor").lm
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
