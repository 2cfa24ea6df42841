"""Accuracy and cost of the classifier's strategies on gold mentions.

    python benchmarks/run.py decoding.strategies --model training/pipeline --test corpus/test.spacy

Accuracy: share of mentions whose path is right down to each level. Cost per mention:
sequences and tokens that the model runs (what mentions share is run once), and
processor time. Gains over `progressive` come with the 95% interval of a paired
bootstrap.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import spacy
from spacy.training import Example

from benchmarks import options
from benchmarks.common import RESAMPLES, counted, examples, read
from spacy_cascade.doc.annotations import labels_of
from spacy_cascade.doc.gold import gold_mentions, known_path

STRATEGIES = ("progressive", "beam", "path")
BATCH = 64


def run(
    model: options.Model = "training/pipeline",
    test: options.Gold = Path("corpus/test.spacy"),
    beam: Annotated[int, "width of the beam"] = 3,
    limit: options.Limit = 0,
    seed: options.Seed = 0,
) -> dict[str, Any]:
    nlp = spacy.load(model)
    pipe: Any = nlp.get_pipe("cascade_classifier")
    pipe.beam_width = beam
    given = examples(read(test, nlp, limit), nlp)
    measure(pipe, given[:BATCH])  # first calls compile and fill caches

    results: dict[str, Any] = {}
    tables: dict[str, np.ndarray] = {}
    for strategy in STRATEGIES:
        pipe.strategy = strategy
        table, cost = measure(pipe, given)
        tables[strategy] = table
        gains = interval(table, tables[STRATEGIES[0]], seed) if len(tables) > 1 else {}
        results[strategy] = {**accuracies(table), **gains, **cost}
        shown = "  ".join(f"{k} {v}" for k, v in results[strategy].items())
        print(f"{strategy:12}{shown}")
    return {
        **results,
        "model": model,
        "sentences": len(given),
        "mentions": len(tables[STRATEGIES[0]]),
        "beam_width": beam,
        "seed": seed,
    }


def accuracies(table: np.ndarray) -> dict[str, float]:
    means = np.nanmean(table, axis=0)
    return {f"acc{k}": round(float(mean), 4) for k, mean in enumerate(means, 1)}


def measure(pipe: Any, given: list[Example]) -> tuple[np.ndarray, dict[str, float]]:
    """Which mentions are right down to which level, NaN where the gold path does not
    get there; shape (mentions, levels). And the cost per mention.
    """
    rows: list[list[float]] = []
    start = time.process_time()
    with counted(pipe.lm) as work:
        for i in range(0, len(given), BATCH):
            rows += right_levels(pipe, given[i : i + BATCH])
    seconds = time.process_time() - start

    table = np.full((len(rows), max(map(len, rows), default=0)), np.nan)
    for row, values in zip(table, rows, strict=True):
        row[: len(values)] = values
    n = max(1, len(rows))
    return table, {
        "sequences": round(work.sequences / n, 2),
        "tokens": round(work.tokens / n, 1),
        "ms": round(1000 * seconds / n, 2),
    }


def right_levels(pipe: Any, batch: list[Example]) -> list[list[float]]:
    """For each mention whose type is known, whether each level of its path is right."""
    known = []
    for eg in batch:
        taxonomy = labels_of(eg.reference) or pipe.taxonomy
        paths = [(s, e, known_path(taxonomy, path)) for s, e, path in gold_mentions(eg)]
        known.append([mention for mention in paths if mention[2]])
    spans = [[(s, e, 1.0) for s, e, _ in mentions] for mentions in known]
    found = pipe.classify([eg.predicted for eg in batch], spans)

    rows = []
    for mentions, results in zip(known, found, strict=True):
        for (*_, path), (*_, result) in zip(mentions, results, strict=True):
            levels = range(1, len(path) + 1)
            rows.append([float(result.path[:n] == path[:n]) for n in levels])
    return rows


def interval(a: np.ndarray, b: np.ndarray, seed: int) -> dict[str, list[float]]:
    """By level: gain in accuracy of a over b, lower and upper end of its interval."""
    difference = a - b
    rng = np.random.default_rng(seed)
    draws = []
    for _ in range(RESAMPLES):
        drawn = rng.integers(0, len(a), len(a))
        draws.append(np.nanmean(difference[drawn], axis=0))
    ends = np.quantile(np.stack(draws), (0.025, 0.975), axis=0)
    out = {}
    for k in range(a.shape[1]):
        values = (np.nanmean(difference[:, k]), *ends[:, k])
        out[f"gain{k + 1}"] = [round(float(value), 4) for value in values]
    return out
