"""What the scripts of this folder share: reading gold, counting the model's work,
strict scores and their differences.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from spacy.language import Language
from spacy.tokens import Doc, DocBin

from spacy_cascade.scoring.scorers import prf, scored_items
from spacy_cascade.types import Query

RESAMPLES = 2000


@dataclass
class Work:
    """What a language model was given to do. sequences (int): Sequences run, in however
    large batches. tokens (int): Tokens run; those that it remembers are not run again.
    """

    sequences: int = 0
    tokens: int = 0


@contextmanager
def counted(lm: Any) -> Iterator[Work]:
    """Counts the work of a model within the block."""
    work, answer = Work(), lm.candidate_logits

    def counting(queries: Sequence[Query]) -> list[np.ndarray]:
        work.sequences += len(queries)
        work.tokens += sum(
            len(q.ids) - (0 if q.row is None else len(q.row)) for q in queries
        )
        return answer(queries)

    lm.candidate_logits = counting
    try:
        yield work
    finally:
        del lm.candidate_logits


def read(path: Path, nlp: Language, limit: int = 0) -> list[Doc]:
    """Gold Docs of a DocBin; with a `limit` above 0 at most so many, spread evenly over
    the file.
    """
    if not path.is_file():
        raise SystemExit(
            f"No DocBin at {path}. Make one with `python -m corpus_tools convert`."
        )
    docs = list(DocBin().from_disk(path).get_docs(nlp.vocab))
    return (
        [docs[i * len(docs) // limit] for i in range(limit)]
        if 0 < limit < len(docs)
        else docs
    )


def hits(found: Sequence[Doc], gold: Sequence[Doc], *, typed: bool) -> np.ndarray:
    """Right, found and gold mentions of every Doc, strictly by boundaries and, if
    `typed`, by the whole path. Shape (docs, 3).
    """
    keep = 3 if typed else 2
    out = np.zeros((len(gold), 3))
    for row, a, b in zip(out, found, gold, strict=True):
        right, mine = ({item[:keep] for item in items} for items in scored_items(b, a))
        row[:] = len(mine & right), len(mine), len(right)
    return out


def scores(table: np.ndarray) -> dict[str, float]:
    """Micro-averaged precision, recall and F1 of `hits`, rounded."""
    return {
        k: round(float(v or 0.0), 4)
        for k, v in zip("prf", prf(*table.sum(0)), strict=True)
    }


def gain(table: np.ndarray, other: np.ndarray, seed: int = 0) -> dict[str, float]:
    """How much higher the F1 of the first is, with the 95% interval of a paired
    bootstrap over Docs.
    """
    rng = np.random.default_rng(seed)
    draws = rng.multinomial(
        len(table), np.full(len(table), 1 / len(table)), size=RESAMPLES
    )

    def f1(weights: np.ndarray) -> np.ndarray:
        (a, b) = (weights @ t for t in (table, other))
        return 2 * a[..., 0] / (a[..., 1] + a[..., 2]) - 2 * b[..., 0] / (
            b[..., 1] + b[..., 2]
        )

    low, high = np.quantile(f1(draws), (0.025, 0.975))
    return {
        "gain": round(float(f1(np.ones(len(table)))), 4),
        "low": round(float(low), 4),
        "high": round(float(high), 4),
    }
