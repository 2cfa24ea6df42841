"""The project's own registries, beside spaCy's.

Each is open to other packages through entry points `spacy_<name>`.

`causal_lms`      -> language model specs        `prompts`         -> prompt templates
`taxonomies`      -> type trees                  `training_loops`  -> fine-tuning loops
`drafters`        -> first drafts of marked copies
`embedders`       -> text embeddings
`augmenters` (spaCy's own) -> data augmentation
"""

from __future__ import annotations

import catalogue
from spacy.util import registry

_OWN = (
    "causal_lms",
    "drafters",
    "embedders",
    "prompts",
    "taxonomies",
    "training_loops",
)

for _name in _OWN:
    if not hasattr(registry, _name):
        setattr(registry, _name, catalogue.create("spacy", _name, entry_points=True))

causal_lms = registry.causal_lms  # type: ignore[attr-defined]
drafters = registry.drafters  # type: ignore[attr-defined]
embedders = registry.embedders  # type: ignore[attr-defined]
prompts = registry.prompts  # type: ignore[attr-defined]
taxonomies = registry.taxonomies  # type: ignore[attr-defined]
training_loops = registry.training_loops  # type: ignore[attr-defined]

__all__ = [
    "causal_lms",
    "drafters",
    "embedders",
    "prompts",
    "registry",
    "taxonomies",
    "training_loops",
]
