"""Pipelines to save, and what they find."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import spacy
import torch
from spacy.language import Language

from tests import util


def pipeline(base: Path) -> Language:
    nlp = util.cascade(base)
    nlp.add_pipe(
        "open_ner",
        config={"model": util.model_config(base), "taxonomy": util.labels_config()},
    )
    return nlp


def through_disk(nlp: Language, path: Path) -> Language:
    nlp.to_disk(path)
    return spacy.load(path)


def found(nlp: Language) -> list[Any]:
    return [(util.entities(d), util.spans(d)) for d in nlp.pipe(util.SENTENCES)]


def results(nlp: Language) -> list[Any]:
    return [
        (util.entities(d), util.spans(d))
        for d in nlp.pipe([*util.SENTENCES, *util.ODD])
    ]


def code(err: Any) -> str:
    return err.value.code


def shake_stage(nlp: Language, name: str, seed: int) -> None:
    """Give a stage an adapter with random weights."""
    pipe: Any = nlp.get_pipe(name)
    trainable = pipe.start_training()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in trainable.parameters.values():
            p.copy_(torch.randn(p.shape, generator=generator) * 0.2)


def shake(nlp: Language) -> Language:
    """Give both stages an adapter with random weights."""
    for k, name in enumerate(("cascade_extractor", "cascade_classifier")):
        shake_stage(nlp, name, k)
    return nlp


def alone(base: Path, save_weights: str) -> Language:
    """An extractor by itself, with an adapter of random weights."""
    nlp = util.blank()
    nlp.add_pipe(
        "cascade_extractor",
        config={
            "model": util.model_config(base),
            "save_weights": save_weights,
            "adapter": {"rank": 4},
        },
    )
    shake_stage(nlp, "cascade_extractor", 5)
    return nlp
