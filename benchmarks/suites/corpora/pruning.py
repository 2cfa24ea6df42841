"""Train spaCy's `ner` on pruned data and on random samples of equal size, with equal
steps, and score the whole test file.

    python benchmarks/run.py corpora.pruning --data ../shared/data --k 100

Samples: diversity-aware pruning, per-type random and random (as many sentences as
pruning keeps), and all sentences. The model is spaCy's default tok2vec and `ner` from
random initialization.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from spacy.scorer import Scorer
from spacy.training import Example

from benchmarks import options
from benchmarks.common import REAL_DATA, examples, real_data_set
from benchmarks.training import annotated, default_ner
from corpus_tools.b2nerd.prune_corpus import prune
from corpus_tools.b2nerd.pruning import PruneOptions
from corpus_tools.formats import read_records
from corpus_tools.formats.docs import DocMaker, blank_pipeline
from corpus_tools.issues import Report
from corpus_tools.units import RunOptions

METHODS = ("diversity", "type-random", "random", "all")


def run(
    data: options.RealData = REAL_DATA,
    sets: Sequence[str] = ("en/conll2003", "en/few_nerd_36", "en/multiconer2_en"),
    k: Annotated[int, "sentences per type"] = 100,
    steps: int = 250,
    batch: int = 24,
    seeds: Annotated[int, "samples and trainings per method"] = 2,
) -> dict[str, Any]:
    """Train on every sample.

    RETURNS (dict): `results` has for each data set and method the size of the last sample,
        and the scores of all runs.
    """
    start = time.process_time()
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as tmp:
        for name in sets:
            source = real_data_set(data, name)
            test = read(source / "test.json")
            results[name] = {method: {"runs": []} for method in METHODS}
            for seed in range(seeds):
                folder = Path(tmp) / name
                cache = Path(tmp) / "cache"
                found = samples(source, folder, k, seed, cache)
                for method, train in found.items():
                    row = results[name][method]
                    row |= about(train)
                    scores = score(train, test, steps, batch, seed)
                    row["runs"].append(scores)
            for method in METHODS:
                print(name, method, results[name][method], flush=True)
    minutes = (time.process_time() - start) / 60
    return {
        "sets": sets,
        "k": k,
        "steps": steps,
        "batch": batch,
        "seeds": seeds,
        "cpu_minutes": round(minutes, 1),
        "results": results,
    }


def read(path: Path) -> list[Example]:
    make = DocMaker(blank_pipeline("xx"))
    gold = [make(record) for record in read_records(path, Report())]
    return examples(gold, make.nlp)


def samples(
    source: Path, folder: Path, k: int, seed: int, cache: Path
) -> dict[str, list[Example]]:
    """The training examples of each method."""
    found = {"all": read(source / "train.json")}
    sizes = None
    for method in METHODS[:3]:
        out = folder / f"{method}-{seed}"
        options = PruneOptions(method=method, k=k, seed=seed)
        run = RunOptions(to_format="b2nerd")
        report = prune(
            source,
            out,
            options,
            run,
            sizes=sizes,
            cache=cache,
        )
        sizes = {name: one["kept"] for name, one in report["datasets"].items()}
        found[method] = read(out / "train.json")
    return found


def about(train: list[Example]) -> dict[str, int]:
    types = Counter(ent.label_ for eg in train for ent in eg.reference.ents)
    return {
        "sentences": len(train),
        "mentions": types.total(),
        "rarest": min(types.values()),
    }


def score(
    train: list[Example], test: list[Example], steps: int, batch: int, seed: int
) -> dict[str, float]:
    """Micro F1, and the mean over types of their F1, after training from nothing."""

    def draw(rng: random.Random) -> list[Example]:
        return rng.choices(train, k=batch)

    nlp = default_ner(train, steps, seed, draw)
    scores = Scorer.score_spans(annotated(nlp, test), "ents")
    by_type = [one["f"] for one in scores["ents_per_type"].values()]
    return {"micro": scores["ents_f"], "macro": float(np.mean(by_type))}
