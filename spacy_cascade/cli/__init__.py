"""`python -m spacy cascade ...`: found by spaCy through the entry point `spacy_cli`."""

from . import (
    analyze,
    average,
    base,
    deepen,
    evaluate,
    export,
    finetune,
    labels,
    tune,
    visualize,
)
from ._app import cascade_app

__all__ = [
    "analyze",
    "average",
    "base",
    "cascade_app",
    "deepen",
    "evaluate",
    "export",
    "finetune",
    "labels",
    "tune",
    "visualize",
]
