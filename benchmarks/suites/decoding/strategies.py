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
    """Measure one strategy after the other.

    RETURNS (dict): Under the name of each strategy accuracies by level (`acc1`, `acc2` ...),
        gains over the first strategy with their intervals, and costs per mention.
    """
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
        gains = {}
        if strategy != STRATEGIES[0]:
            gains = interval(table, tables[STRATEGIES[0]], seed)
        results[strategy] = {
            **accuracies(table),
            **gains,
            **cost,
        }
        print(f"{strategy:12}{results[strategy]}")
    return {
        **results,
        "model": model,
        "sentences": len(given),
        "mentions": len(tables[STRATEGIES[0]]),
        "beam_width": beam,
        "seed": seed,
    }


def accuracies(table: np.ndarray) -> dict[str, float]:
    """Share of the mentions that are right down to each level."""
    out = {}
    for level, mean in enumerate(np.nanmean(table, axis=0), 1):
        out[f"acc{level}"] = round(float(mean), 4)
    return out


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

    deepest = max(map(len, rows), default=0)
    table = np.full((len(rows), deepest), np.nan)
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
        mentions = []
        for start, end, path in gold_mentions(eg):
            right = known_path(taxonomy, path)
            if right:
                mentions.append((start, end, right))
        known.append(mentions)
    spans = []
    for mentions in known:
        spans.append([(start, end, 1.0) for start, end, _ in mentions])
    docs = [eg.predicted for eg in batch]
    found = pipe.classify(docs, spans)

    rows = []
    for mentions, results in zip(known, found, strict=True):
        for (*_, path), (*_, result) in zip(mentions, results, strict=True):
            row = []
            for n in range(1, len(path) + 1):
                right = result.path[:n] == path[:n]
                row.append(float(right))
            rows.append(row)
    return rows


def interval(
    a: np.ndarray,
    b: np.ndarray,
    seed: int,
) -> dict[str, list[float]]:
    """By level: gain in accuracy of a over b, lower and upper end of its interval."""
    difference = a - b
    rng = np.random.default_rng(seed)
    draws = []
    for _ in range(RESAMPLES):
        drawn = rng.integers(0, len(a), len(a))
        draws.append(np.nanmean(difference[drawn], axis=0))
    gains = np.nanmean(difference, axis=0)
    low, high = np.quantile(np.stack(draws), (0.025, 0.975), axis=0)
    out = {}
    for k, values in enumerate(zip(gains, low, high, strict=True), 1):
        out[f"gain{k}"] = [round(float(value), 4) for value in values]
    return out
