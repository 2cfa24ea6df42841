"""spacy-cascade: named entity recognition with small local LLMs, as ordinary spaCy components."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .cli.evaluate import evaluate
    from .cli.finetune import finetune
    from .contracts import ClassifyPrompt, Drafter, ExtractPrompt, ListPrompt
    from .errors import CascadeError
    from .pipeline.classifier import CascadeClassifier
    from .pipeline.extractor import CascadeExtractor
    from .pipeline.open_ner import OpenNER
    from .scoring.scorers import cascade_score
    from .taxonomy import Taxonomy
    from .types import CausalLM

__version__ = "0.1.0"

__all__ = [
    "CascadeClassifier",
    "CascadeError",
    "CascadeExtractor",
    "CausalLM",
    "ClassifyPrompt",
    "Drafter",
    "ExtractPrompt",
    "ListPrompt",
    "OpenNER",
    "Taxonomy",
    "cascade_score",
    "evaluate",
    "finetune",
]

# Where the public names are. A name is imported on first use: importing the package costs
# next to nothing.
_PLACES = {
    "CascadeClassifier": "pipeline.classifier",
    "CascadeError": "errors",
    "CascadeExtractor": "pipeline.extractor",
    "CausalLM": "types",
    "ClassifyPrompt": "contracts",
    "Drafter": "contracts",
    "ExtractPrompt": "contracts",
    "ListPrompt": "contracts",
    "OpenNER": "pipeline.open_ner",
    "Taxonomy": "taxonomy",
    "cascade_score": "scoring.scorers",
    "evaluate": "cli.evaluate",
    "finetune": "cli.finetune",
}


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f".{_PLACES[name]}", __name__)
    value: object = getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
