"""How like a reference sentences are, by embedder: a bound on the cosine means
something else for each.

    python benchmarks/run.py corpora.nearest --data ../shared/data
        --sets en/conll2003 zh/msra --models path/to/all-MiniLM-L6-v2

Counts the first --sentences of a data set's training file whose nearest cosine to the
first --references of its test file is above --bound.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from benchmarks import options
from benchmarks.common import REAL_DATA, real_data_set
from corpus_tools.contamination import get_filter_embedder
from corpus_tools.embedding import Embedder, get_embedder

DEFAULT = "character 1- to 4-grams, 512 dimensions (the default of other commands)"
FILTER = "character 3- to 5-grams, 1024 dimensions (what `hash` means here)"


def run(
    data: options.RealData = REAL_DATA,
    sets: Sequence[str] = ("en/conll2003", "zh/msra"),
    sentences: int = 600,
    references: int = 1500,
    bound: float = 0.8,
    models: Annotated[
        Sequence[str], "sentence-transformers models, by hub name or directory"
    ] = (),
) -> dict[str, Any]:
    """Count for every embedder and data set.

    RETURNS (dict): `embedders` has counts by data set.
    """
    embedders = {DEFAULT: get_embedder("hash"), FILTER: get_filter_embedder("hash")}
    embedders |= {Path(name).name: get_embedder(name) for name in models}
    found: dict[str, Any] = {name: {} for name in embedders}
    for data_set in sets:
        folder = real_data_set(data, data_set)
        train = texts(folder / "train.json")[:sentences]
        test = texts(folder / "test.json")[:references]
        for name, embed in embedders.items():
            found[name][data_set] = above(embed, train, test, bound)
            print(name, data_set, found[name][data_set], flush=True)
    return {
        "sentences": sentences,
        "references": references,
        "bound": bound,
        "embedders": found,
    }


def texts(path: Path) -> list[str]:
    return [record["sentence"] for record in json.loads(path.read_text("utf8"))]


def above(
    embed: Embedder, texts: list[str], references: list[str], bound: float
) -> int:
    """Number of texts that are nearer to a reference than the bound."""
    # (texts, references)
    cosines = embed(texts) @ embed(references).T
    return int((cosines.max(axis=1) > np.float32(bound)).sum())
