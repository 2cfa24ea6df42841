"""A whole trained pipeline, from texts to Docs, against `generate` on its own prompts;
and where its time goes.

    python benchmarks/end_to_end.py assets/open_sm/pipeline --data corpus/test.spacy
    --sentences 200 --slow 60

`nlp.pipe` runs both stages. The other side is the published algorithm (CascadeNER,
arXiv 2409.11022) with the same weights: one `generate` per sentence, then one per
mention and level, one by one and in the best of `--batch`. It writes what the pipeline
has found, for exactly as many tokens, and is given its prompts ready-made, while the
pipeline's time includes spaCy's tokenizer, Docs and annotation. `vs_no_recall` compares
with a classifier that does not go on from the extractor's rows. `profile` gives the
share of the model, of decoding (drafts, automata, tries, scores) and of spaCy. The last
line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import spacy
import torch
from decoding import generate, questions
from measure import read

from spacy_cascade.pipeline import extractor as stage1
from spacy_cascade.pipeline.typer import Typer

WARM = 32


@contextmanager
def wrapped(owner: Any, name: str, around: Any) -> Iterator[None]:
    """Calls of `owner.name` go through `around(function, *args)`."""
    plain = getattr(owner, name)
    setattr(owner, name, lambda *args, **kwargs: around(plain, *args, **kwargs))
    try:
        yield
    finally:
        setattr(owner, name, plain)


def collect(nlp: Any, texts: list[str]) -> tuple[list[Any], list[Any], int]:
    """What the pipeline asks its model: (prompt, answer) of every sentence and of every
    mention and level.

    RETURNS: both lists, and the number of mentions.
    """
    copies: list[Any] = []
    asked: list[Any] = []
    classifier = nlp.get_pipe("cascade_classifier")

    def decode(plain: Any, lm: Any, jobs: Any, *args: Any, **kwargs: Any) -> None:
        plain(lm, jobs, *args, **kwargs)
        copies.extend((j.prompt, list(j.tokens)) for j in jobs)

    def typer(plain: Any, self: Any, lm: Any, items: Any) -> Any:
        found = plain(self, lm, items)
        for (a, taxonomy), result in zip(items, found, strict=True):
            asked.append(questions(lm, classifier.template, [a], [result], taxonomy))
        return found

    call = Typer.__call__
    Typer.__call__ = lambda self, lm, items: typer(call, self, lm, items)  # type: ignore[method-assign]
    try:
        with wrapped(stage1, "decode", decode):
            list(nlp.pipe(texts))
    finally:
        Typer.__call__ = call  # type: ignore[method-assign]
    return copies, [q for qs in asked for q in qs], len(asked)


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

    pipes = [nlp.get_pipe(n) for n in ("cascade_extractor", "cascade_classifier")]
    with ExitStack() as stack:
        stack.enter_context(wrapped(pipes[0].lm, "_answer", timed("model")))
        for pipe in pipes:
            stack.enter_context(wrapped(pipe, "predict", timed("predict")))
        start = time.perf_counter()
        list(nlp.pipe(texts))
        total = time.perf_counter() - start
    model, predict = spent["model"] / total, spent["predict"] / total
    return {"model": model, "decoding": predict - model, "spacy": 1 - predict}


def _parted(texts: list[str]) -> tuple[list[str], list[str]]:
    """Texts to warm up with, spread over all, and the others."""
    step = max(1, len(texts) // WARM)
    return texts[::step], [t for i, t in enumerate(texts) if i % step]


def main() -> None:
    ap = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ap.add_argument("pipeline", help="package name or directory")
    ap.add_argument("--data", type=Path, required=True, help="DocBin")
    ap.add_argument("--sentences", type=int, default=200)
    ap.add_argument(
        "--slow", type=int, default=60, help="how many of them for `generate`"
    )
    ap.add_argument("--batch", type=int, nargs="+", default=[8, 32])
    args = ap.parse_args()
    nlp = spacy.load(args.pipeline)
    lm = nlp.get_pipe("cascade_extractor").lm
    others, texts = _parted(
        [doc.text for doc in read(args.data, nlp, args.sentences + WARM)]
    )
    some = texts[:: max(1, len(texts) // args.slow)][: args.slow]
    copies, asks, mentions = collect(nlp, some)

    def ours(of: list[str], **options: Any) -> float:
        """Median of three runs, each with a pipeline that has not seen these texts:
        drafters learn.
        """
        runs = []
        for _ in range(3):
            fresh = spacy.load(args.pipeline)
            list(fresh.pipe(others))
            start = time.perf_counter()
            list(fresh.pipe(of, **options))
            runs.append(time.perf_counter() - start)
        return median(runs)

    whole, few = ours(texts), ours(some)
    stage = ours(some, disable=["cascade_classifier"])
    kept, lm.prefixes.tokens = lm.prefixes.tokens, 0
    alone = ours(texts)
    lm.prefixes.tokens = kept
    single, single_types = generate(lm, copies, 1), generate(lm, asks, 1)
    batched = [
        (
            generate(lm, sorted(copies, key=lambda p: len(p[1])), b),
            generate(lm, sorted(asks, key=lambda p: len(p[0])), b),
        )
        for b in args.batch
    ]
    best, best_types = (
        min((single, single_types)[k], *(t[k] for t in batched)) for k in (0, 1)
    )
    out = {
        "sentences_per_second": len(texts) / whole,
        "vs_no_recall": alone / whole,
        "extraction": {
            "vs_generate_b1": single / stage,
            "vs_best_generate": best / stage,
        },
        "cascade": {
            "vs_published": (single + single_types) / few,
            "vs_best_generate": (best + best_types) / few,
        },
        "profile": profile(spacy.load(args.pipeline), texts),
        "sentences": len(texts),
        "slow_sentences": len(some),
        "mentions": mentions,
        "questions": len(asks),
        "batch_size": nlp.batch_size,
        "threads": torch.get_num_threads(),
        "pipeline": args.pipeline,
        "data": args.data.name,
    }
    print(json.dumps({k: _rounded(v) for k, v in out.items()}))


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _rounded(v) for k, v in value.items()}
    return round(value, 3) if isinstance(value, float) else value


if __name__ == "__main__":
    main()
