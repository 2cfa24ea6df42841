"""What the suites that train share: a pipeline of this project or spaCy's `ner` on gold
Docs, for so many steps and no choice by scores; and strict scores of the labels that a
text has.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import spacy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import fix_random_seed, load_config, load_model_from_config

from benchmarks.common import blank, examples, hits, scores
from spacy_cascade.cli.evaluate import known_labels
from spacy_cascade.doc.gold import unannotated
from spacy_cascade.pipeline.component import LMPipe
from spacy_cascade.training.loop import SFT

LORA = {"rank": 16, "alpha": 32, "dropout": 0.05}
NER_CONFIG = Path(__file__).parents[1] / "configs" / "baseline_ner.cfg"


def stages(nlp: Language) -> list[tuple[str, Any]]:
    """The components that hold a language model."""
    found = []
    for name, pipe in nlp.components:
        if isinstance(pipe, LMPipe):
            found.append((name, pipe))
    return found


def fingerprint(nlp: Language) -> str:
    """Tells the weights of a pipeline apart from those of another."""
    return str(stages(nlp)[0][1].lm.fingerprint())


def to_train(
    model: str,
    adapter: str,
    lora: dict[str, Any] | None = None,
) -> Language:
    """A pipeline whose components are trained as a whole (`full`), or get an adapter
    unless they have one (`lora`).
    """
    nlp = spacy.load(model)
    for name, pipe in stages(nlp):
        if adapter == "lora" and pipe.adapter_settings is None:
            pipe.adapter_settings = {**LORA, **(lora or {})}
        if adapter == "full":
            if pipe.weights.adapter is not None:
                raise SystemExit(
                    f"'{name}' of {model} has an adapter: its weights can't be trained as a"
                    " whole. Use --adapter lora."
                )
            pipe.adapter_settings = None
    return nlp


def finetune(
    nlp: Language, docs: Sequence[Doc], adapter: str, **settings: Any
) -> float:
    """Train every component: all weights together, or adapters one after the other,
    each for all of the steps.

    settings: Of `SFT`. RETURNS (float): Processor minutes.
    """
    start = time.process_time()
    given = examples(docs, nlp)
    names = [name for name, _ in stages(nlp)]
    groups = [names]
    if adapter == "lora":
        groups = [[name] for name in names]
    for group in groups:
        with tempfile.TemporaryDirectory() as tmp:
            loop = SFT(group, save_every=0, **settings)
            loop.run(nlp, given, [], Path(tmp))
    return (time.process_time() - start) / 60


def spacy_ner(
    docs: Sequence[Doc], steps: int, batch: int, seed: int
) -> tuple[Language, float]:
    """spaCy's `ner` and `tok2vec` as in configs/baseline_ner.cfg, from nothing.

    RETURNS: pipeline, processor minutes.
    """
    start = time.process_time()
    fix_random_seed(seed)
    config = load_config(NER_CONFIG)
    parts = {k: config[k] for k in ("nlp", "components")}
    nlp = load_model_from_config(parts, auto_fill=True)
    given = examples(docs, nlp)
    rng = random.Random(seed)
    order: list[Example] = []

    def draw() -> list[Example]:
        """All texts in random order, then all of them again."""
        if not order:
            order.extend(rng.sample(given, len(given)))
        chosen = order[:batch]
        del order[:batch]
        return chosen

    update(nlp, given, steps, draw)
    return nlp, (time.process_time() - start) / 60


def default_ner(
    given: list[Example],
    steps: int,
    seed: int,
    draw: Any,
) -> Language:
    """spaCy's `ner` on its default tok2vec, from nothing.

    draw (Callable[[random.Random], list[Example]]): The examples of a step.
    """
    fix_random_seed(seed)
    nlp = blank()
    nlp.add_pipe("ner")
    rng = random.Random(seed)
    update(nlp, given, steps, lambda: draw(rng))
    return nlp


def update(
    nlp: Language, given: list[Example], steps: int, draw: Callable[[], list[Example]]
) -> None:
    """Train a pipeline from nothing.

    draw (Callable): Gives the examples of a step.
    """
    optimizer = nlp.initialize(lambda: given)
    for _ in range(steps):
        nlp.update(draw(), sgd=optimizer, drop=0.1)


def annotated(nlp: Language, test: Sequence[Example]) -> list[Example]:
    """What a pipeline finds in the texts of examples, beside their gold."""
    texts = [eg.reference.text for eg in test]
    pairs = zip(nlp.pipe(texts), test, strict=True)
    return [Example(doc, eg.reference) for doc, eg in pairs]


def strict(nlp: Language, gold: Sequence[Doc]) -> dict[str, Any]:
    """Strict scores, boundaries only and with types, of what a pipeline finds of the
    labels that each text brings along.
    """
    texts = (unannotated(nlp, doc) for doc in gold)
    found = [known_labels(doc) for doc in nlp.pipe(texts, batch_size=64)]
    return {
        "span": scores(hits(found, gold, typed=False)),
        "typed": scores(hits(found, gold, typed=True)),
    }


def mentions_in(docs: Sequence[Doc]) -> int:
    return sum(len(doc.ents) for doc in docs)


def process_minutes(start: float) -> float:
    """Processor time since `start`, a time of `time.process_time`."""
    return round((time.process_time() - start) / 60, 3)
