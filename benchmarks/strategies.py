"""Accuracy and cost of the classifier's strategies on gold mentions.

    python benchmarks/strategies.py --model training/pipeline --test corpus/test.spacy

Accuracy: share of mentions whose path is right down to each level. Cost per mention:
    sequences and tokens that the model runs
(what mentions share is run once), and processor time. Gains over `progressive` come
with the 95% interval of a paired bootstrap. Prints one JSON object as its last line.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import spacy
from measure import RESAMPLES, counted, read
from spacy.training import Example

from spacy_cascade.doc.annotations import labels_of
from spacy_cascade.doc.gold import gold_mentions, known_path

STRATEGIES = ("progressive", "beam", "path")
BATCH = 64


def measure(pipe: Any, examples: list[Example]) -> tuple[np.ndarray, dict[str, float]]:
    """Which mentions are right down to which level, NaN where the gold path does not
    get there; shape (mentions, levels). And the cost per mention.
    """
    rows: list[list[float]] = []
    start = time.process_time()
    with counted(pipe.lm) as work:
        for i in range(0, len(examples), BATCH):
            batch = examples[i : i + BATCH]
            known = [
                [
                    (s, e, p)
                    for s, e, path in gold_mentions(eg)
                    if (p := known_path(labels_of(eg.reference) or pipe.taxonomy, path))
                ]
                for eg in batch
            ]
            found = pipe.classify(
                [eg.predicted for eg in batch],
                [[(s, e, 1.0) for s, e, _ in m] for m in known],
            )
            for mentions, results in zip(known, found, strict=True):
                for (*_, path), (*_, result) in zip(mentions, results, strict=True):
                    rows.append(
                        [
                            float(result.path[:n] == path[:n])
                            for n in range(1, len(path) + 1)
                        ]
                    )
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


def interval(a: np.ndarray, b: np.ndarray, seed: int) -> dict[str, list[float]]:
    """By level: gain in accuracy of a over b, lower and upper end of its interval."""
    difference = a - b
    rng = np.random.default_rng(seed)
    draws = np.stack(
        [
            np.nanmean(difference[rng.integers(0, len(a), len(a))], axis=0)
            for _ in range(RESAMPLES)
        ]
    )
    ends = np.quantile(draws, (0.025, 0.975), axis=0)
    return {
        f"gain{k + 1}": [
            round(float(x), 4) for x in (np.nanmean(difference[:, k]), *ends[:, k])
        ]
        for k in range(a.shape[1])
    }


def main() -> None:
    ap = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ap.add_argument(
        "--model",
        default="training/pipeline",
        help="a pipeline with a cascade_classifier",
    )
    ap.add_argument(
        "--test", type=Path, default=Path("corpus/test.spacy"), help="gold DocBin"
    )
    ap.add_argument("--beam", type=int, default=3, help="width of the beam")
    ap.add_argument("--limit", type=int, default=0, help="most sentences; 0: all")
    ap.add_argument("--seed", type=int, default=0, help="of the bootstrap")
    args = ap.parse_args()
    nlp = spacy.load(args.model)
    pipe: Any = nlp.get_pipe("cascade_classifier")
    pipe.beam_width = args.beam
    examples = [
        Example(nlp.make_doc(d.text), d) for d in read(args.test, nlp, args.limit)
    ]
    measure(pipe, examples[:BATCH])  # first calls compile and fill caches
    results: dict[str, Any] = {}
    tables: dict[str, np.ndarray] = {}
    for strategy in STRATEGIES:
        pipe.strategy = strategy
        tables[strategy], cost = measure(pipe, examples)
        accuracy = {
            f"acc{k + 1}": round(float(x), 4)
            for k, x in enumerate(np.nanmean(tables[strategy], axis=0))
        }
        gains = (
            {}
            if strategy == STRATEGIES[0]
            else interval(tables[strategy], tables[STRATEGIES[0]], args.seed)
        )
        results[strategy] = {**accuracy, **gains, **cost}
        shown = "  ".join(f"{k} {v}" for k, v in results[strategy].items())
        print(f"{strategy:12}{shown}")
    about = {
        "model": str(args.model),
        "sentences": len(examples),
        "mentions": len(tables[STRATEGIES[0]]),
        "beam_width": args.beam,
    }
    print(json.dumps({**results, **about, "seed": args.seed}))


if __name__ == "__main__":
    main()
