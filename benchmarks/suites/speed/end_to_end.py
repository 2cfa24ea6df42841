"""A whole trained pipeline, from texts to Docs, against `generate` on its own prompts;
and where its time goes.

    python benchmarks/run.py speed.end_to_end --model assets/open_sm/pipeline
        --data corpus/test.spacy --sentences 200 --slow 60

`nlp.pipe` runs both stages. The other side is the published algorithm (CascadeNER,
arXiv 2409.11022) with the same weights: one `generate` per sentence, then one per
mention and level, one by one and in the best of `--batch`. It writes what the pipeline
has found, for exactly as many tokens, and is given its prompts ready-made, while the
pipeline's time includes spaCy's tokenizer, Docs and annotation. `vs_no_recall` compares
with a classifier that does not go on from the extractor's rows. `profile` gives the
share of the model, of decoding (drafts, automata, tries, scores) and of spaCy.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from statistics import median
from typing import Annotated, Any

import spacy
import torch

from benchmarks import options
from benchmarks.common import read, rounded, wrapped
from benchmarks.random_models import generate
from benchmarks.suites.decoding._stages import (
    Pair,
    best_of,
    by_length,
    questions,
    ratios,
)
from benchmarks.suites.speed._watch import decoded_jobs
from spacy_cascade.pipeline.typer import Typer

WARM = 32


def run(
    model: options.Model,
    data: options.Gold,
    sentences: int = 200,
    slow: Annotated[int, "how many of them for `generate`"] = 60,
    batch: options.Batch = (8, 32),
) -> dict[str, Any]:
    """Time the pipeline and `generate` on the same sentences.

    RETURNS (dict): `extraction` and `cascade` have the ratios of times, published algorithm
        to pipeline. `profile` has shares of the pipeline's time.
    """
    nlp = spacy.load(model)
    extractor: Any = nlp.get_pipe("cascade_extractor")
    lm = extractor.lm
    gold = read(data, nlp, sentences + WARM)
    others, texts = _parted([doc.text for doc in gold])
    step = max(1, len(texts) // slow)
    some = texts[::step][:slow]
    copies, asks, mentions = collect(nlp, some)

    whole = seconds(model, others, texts)
    few = seconds(model, others, some)
    stage = seconds(model, others, some, disable=["cascade_classifier"])
    kept, lm.prefixes.tokens = lm.prefixes.tokens, 0
    alone = seconds(model, others, texts)
    lm.prefixes.tokens = kept
    published = (
        generate(lm, copies, 1),
        generate(lm, asks, 1),
    )
    batched = [by_length(lm, copies, asks, size) for size in batch]
    fastest = best_of(published, batched)
    out = {
        "sentences_per_second": len(texts) / whole,
        "vs_no_recall": alone / whole,
        "extraction": {
            "vs_generate_b1": published[0] / stage,
            "vs_best_generate": fastest[0] / stage,
        },
        "cascade": ratios(published, fastest, few),
        "profile": profile(spacy.load(model), texts),
        "sentences": len(texts),
        "slow_sentences": len(some),
        "mentions": mentions,
        "questions": len(asks),
        "batch_size": nlp.batch_size,
        "threads": torch.get_num_threads(),
        "pipeline": model,
        "data": data.name,
    }
    return dict(rounded(out))


def _parted(texts: list[str]) -> tuple[list[str], list[str]]:
    """Texts to warm up with, spread over all, and the others."""
    step = max(1, len(texts) // WARM)
    others = [text for i, text in enumerate(texts) if i % step]
    return texts[::step], others


def seconds(
    model: str,
    others: list[str],
    texts: list[str],
    **options: Any,
) -> float:
    """Median of three runs, each with a pipeline that has not seen these texts:
    drafters learn.
    """
    runs = []
    for _ in range(3):
        fresh = spacy.load(model)
        list(fresh.pipe(others))
        start = time.perf_counter()
        list(fresh.pipe(texts, **options))
        runs.append(time.perf_counter() - start)
    return median(runs)


def collect(nlp: Any, texts: list[str]) -> tuple[list[Pair], list[Pair], int]:
    """What the pipeline asks its model: (prompt, answer) of every sentence and of every
    mention and level.

    RETURNS: both lists, and the number of mentions.
    """
    asks: list[Pair] = []
    mentions = 0
    template = nlp.get_pipe("cascade_classifier").template
    call = Typer.__call__

    def typer(self: Any, lm: Any, items: Any) -> Any:
        nonlocal mentions
        found = call(self, lm, items)
        for (mention, taxonomy), result in zip(items, found, strict=True):
            asks.extend(questions(lm, template, [mention], [result], taxonomy))
            mentions += 1
        return found

    Typer.__call__ = typer  # type: ignore[method-assign]
    try:
        with decoded_jobs() as jobs:
            list(nlp.pipe(texts))
    finally:
        Typer.__call__ = call  # type: ignore[method-assign]
    copies = [(job.prompt, list(job.tokens)) for job in jobs]
    return copies, asks, mentions


def profile(nlp: Any, texts: list[str]) -> dict[str, float]:
    """Share of the time of `nlp.pipe` that the model takes, the rest of both
    components' `predict`, and all else.
    """
    spent = {"model": 0.0, "predict": 0.0}

    def timed(key: str) -> Any:
        def around(plain: Any, *args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter()
            try:
                return plain(*args, **kwargs)
            finally:
                spent[key] += time.perf_counter() - start

        return around

    pipes = [nlp.get_pipe(name) for name in ("cascade_extractor", "cascade_classifier")]
    with ExitStack() as stack:
        stack.enter_context(wrapped(pipes[0].lm, "_answer", timed("model")))
        for pipe in pipes:
            stack.enter_context(wrapped(pipe, "predict", timed("predict")))
        start = time.perf_counter()
        list(nlp.pipe(texts))
        total = time.perf_counter() - start
    model = spent["model"] / total
    predict = spent["predict"] / total
    return {
        "model": model,
        "decoding": predict - model,
        "spacy": 1 - predict,
    }
