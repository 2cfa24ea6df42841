"""Pipelines to train, and their weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from spacy.language import Language

from tests import util

STAGES = ["cascade_extractor", "cascade_classifier"]
LORA = {"adapter": {"rank": 4, "alpha": 8, "dropout": 0.1}}
FULL: dict[str, Any] = {"adapter": None}


def one(base: Path, **more: Any) -> Language:
    nlp = util.blank()
    nlp.add_pipe("cascade_extractor", config={"model": util.model_config(base), **more})
    return nlp


def two(base: Path, settings: dict[str, Any]) -> Language:
    return util.cascade(base, extractor=settings, classifier=settings)


def state(nlp: Language, stage: str = "cascade_extractor") -> dict[str, torch.Tensor]:
    """All tensors, base and adapters, under names that do not depend on the adapter's."""
    pipe: Any = nlp.get_pipe(stage)
    adapter = f".{pipe.weights.adapter}"
    return {
        k.replace(adapter, ""): v.detach().clone()
        for k, v in pipe.lm.model.state_dict().items()
    }


def changed(
    before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]
) -> set[str]:
    return {k for k in before if not torch.equal(before[k], after[k])}
