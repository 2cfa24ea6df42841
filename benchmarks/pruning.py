"""Train spaCy's `ner` on pruned data and on random samples of equal size, with equal
steps, and score the whole test file.

    python benchmarks/pruning.py --data ../shared/data --k 100

Samples: diversity-aware pruning, per-type random and random (as many sentences as
    pruning keeps), and all sentences. The
model is spaCy's default tok2vec and `ner` from random initialization. Prints a table,
and one JSON object as its last line.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import spacy
from spacy.scorer import Scorer
from spacy.training import Example

from corpus_tools.b2nerd.prune_corpus import prune
from corpus_tools.b2nerd.pruning import PruneOptions
from corpus_tools.formats import read_records
from corpus_tools.formats.docs import TOKENIZER, DocMaker, blank_pipeline
from corpus_tools.records import Report
from corpus_tools.units import RunOptions

METHODS = ("diversity", "type-random", "random", "all")


def read(path: Path) -> list[Example]:
    make = DocMaker(blank_pipeline("xx"))
    gold = [make(record) for record in read_records(path, Report())]
    return [Example(make.nlp.make_doc(doc.text), doc) for doc in gold]


def samples(
    source: Path, folder: Path, k: int, seed: int, cache: Path
) -> dict[str, list[Example]]:
    """The training examples of each method."""
    found = {"all": read(source / "train.json")}
    sizes = None
    for method in METHODS[:3]:
        out = folder / f"{method}-{seed}"
        options = PruneOptions(method=method, k=k, seed=seed)
        report = prune(
            source,
            out,
            options,
            RunOptions(to_format="b2nerd"),
            sizes=sizes,
            cache=cache,
        )
        sizes = {name: one["kept"] for name, one in report["datasets"].items()}
        found[method] = read(out / "train.json")
    return found


def score(
    train: list[Example], test: list[Example], steps: int, batch: int, seed: int
) -> dict[str, float]:
    """Micro F1, and the mean over types of their F1, after training from nothing."""
    spacy.util.fix_random_seed(seed)
    nlp = spacy.blank("xx", config=TOKENIZER)
    nlp.add_pipe("ner")
    optimizer = nlp.initialize(lambda: train)
    rng = random.Random(seed)
    for _ in range(steps):
        nlp.update(rng.choices(train, k=batch), sgd=optimizer, drop=0.1)
    done = [
        Example(doc, eg.reference)
        for doc, eg in zip(nlp.pipe(e.reference.text for e in test), test, strict=True)
    ]
    scores = Scorer.score_spans(done, "ents")
    return {
        "micro": scores["ents_f"],
        "macro": float(np.mean([s["f"] for s in scores["ents_per_type"].values()])),
    }


def main() -> None:
    ap = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ap.add_argument(
        "--data",
        type=Path,
        default=Path(os.environ.get("SPACY_CASCADE_DATA", "../shared/data")),
    )
    ap.add_argument(
        "--sets",
        nargs="+",
        default=["en/conll2003", "en/few_nerd_36", "en/multiconer2_en"],
    )
    ap.add_argument("--k", type=int, default=100)
    ap.add_argument("--steps", type=int, default=250)
    ap.add_argument("--batch", type=int, default=24)
    ap.add_argument(
        "--seeds", type=int, default=2, help="samples and trainings per method"
    )
    args = ap.parse_args()
    results: dict[str, Any] = {}
    start = time.process_time()
    with tempfile.TemporaryDirectory() as tmp:
        for name in args.sets:
            source = args.data / "b2nerd_style" / name
            if not source.is_dir():
                raise SystemExit(
                    f"No data at {source}. Give the folder that holds b2nerd_style/ with --data."
                )
            test = read(source / "test.json")
            runs: dict[str, list[dict[str, float]]] = {m: [] for m in METHODS}
            about: dict[str, dict[str, Any]] = {}
            for seed in range(args.seeds):
                for method, train in samples(
                    source, Path(tmp) / name, args.k, seed, Path(tmp) / "cache"
                ).items():
                    runs[method].append(
                        score(train, test, args.steps, args.batch, seed)
                    )
                    types = Counter(e.label_ for eg in train for e in eg.reference.ents)
                    about[method] = {
                        "sentences": len(train),
                        "mentions": types.total(),
                        "rarest": min(types.values()),
                    }
            results[name] = {m: {**about[m], "runs": runs[m]} for m in METHODS}
            for method in METHODS:
                figures = [
                    f"{key} {np.mean([r[key] for r in runs[method]]):.4f}"
                    for key in ("micro", "macro")
                ]
                print(name, method, about[method], *figures, flush=True)
    options = {k: v for k, v in vars(args).items() if k != "data"}
    print(
        json.dumps(
            {
                **options,
                "cpu_minutes": round((time.process_time() - start) / 60, 1),
                "results": results,
            }
        )
    )


if __name__ == "__main__":
    main()
