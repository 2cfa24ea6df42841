"""spaCy's `ner` trained on the train file of one data set after the other, each scored
on its own test file.

    python benchmarks/run.py training.spacy_sets --data corpus/open-sets
        --sources assets/open_sm/sources.json --output docs/research/runs/spacy_sets.json

Architecture and features of configs/baseline_ner.cfg, from random weights, each set on
its own: no other text, no other types. Steps of 32 texts: --epochs passes over the
train file, but at least --least and at most --most steps, so the largest sets are
passed over less often. Nothing is chosen by scores. Each finished set is written to
--output, and is not run again.

That the types of a set are all that the model knows favours it over a pipeline for all
sets; that training is short does not.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from tqdm import tqdm

from benchmarks import options
from benchmarks.common import Journal, blank, read
from benchmarks.training import mentions_in, process_minutes, spacy_ner, strict

BATCH = 32


def run(
    data: options.DataSets,
    sources: options.Sources,
    sets: Annotated[Sequence[str], "only these"] = (),
    epochs: float = 6.0,
    least: Annotated[int, "steps"] = 100,
    most: Annotated[int, "steps"] = 300,
    limit: Annotated[int, "test texts per data set; 0: all"] = 0,
    seed: options.Seed = 0,
    output: options.AddedTo = None,
) -> dict[str, Any]:
    """Train on each data set that has no result yet.

    RETURNS (dict): What the output holds: `results` by data set.
    """
    about = {
        "epochs": epochs,
        "least": least,
        "most": most,
        "batch": BATCH,
        "limit": limit,
        "seed": seed,
    }
    journal = Journal(output, about)
    names = sets or sorted(json.loads(sources.read_text("utf8")))
    for name in tqdm(names, disable=None):
        if not journal.has(name):
            size = (epochs, least, most)
            result = trained(data / name, size, limit, seed)
            journal.add(name, result)
            tqdm.write(f"{name:30}{result}")
    return journal.data


def trained(
    folder: Path, size: tuple[float, int, int], limit: int, seed: int
) -> dict[str, Any]:
    train = read(folder / "train.spacy", blank())
    gold = read(folder / "test.spacy", blank(), limit)
    steps = steps_for(len(train), *size)
    nlp, minutes = spacy_ner(train, steps, BATCH, seed)
    start = time.process_time()
    return {
        **strict(nlp, gold),
        "texts": len(train),
        "steps": steps,
        "docs": len(gold),
        "mentions": mentions_in(gold),
        "train_minutes": round(minutes, 3),
        "test_minutes": process_minutes(start),
    }


def steps_for(
    texts: int,
    epochs: float,
    least: int,
    most: int,
) -> int:
    return round(min(most, max(least, epochs * texts / BATCH)))
