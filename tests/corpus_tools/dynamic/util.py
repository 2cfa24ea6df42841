"""A small taxonomy and its synonyms."""

from __future__ import annotations

import numpy as np

TREE = {
    "person": {
        "real person": ["politician", "athlete", "other person"],
        "fictional figure": ["god", "hero"],
    },
    "place": {"area": ["city", "country", "river"], "building": ["school", "station"]},
    "work": ["song", "film", "other work"],
    "miscellaneous": ["award", "event"],
}


def unit(rng: np.random.Generator, n: int, dim: int = 16) -> np.ndarray:
    rows = rng.normal(size=(n, dim)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
