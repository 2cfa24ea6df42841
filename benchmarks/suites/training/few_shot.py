"""Few-shot: 5, 20 and 100 examples of every type of a data set that a pipeline never
saw, and spaCy's `ner` on the same texts.

    python benchmarks/run.py training.few_shot --model assets/open_sm/pipeline
        --data corpus/open-sets --output docs/research/runs/few_shot.json
    python benchmarks/run.py training.few_shot --model assets/open_sm/pipeline
        --data corpus/open-sets --output docs/research/runs/few_shot.json
        --sets en/crossner_ai en/mit_restaurant --seeds 1 2

Texts of the train file are taken in random order, each if it has a mention of a type of
which there are fewer than k so far: so every type has k mentions, or all that there
are. Steps are fixed beforehand, nothing is chosen by scores. Of the test file --limit
texts, spread evenly over it, each with the label set of its data set, strict spans.
What is finished is not run again, unless steps, settings or the pipeline's weights
differ.

spaCy's `ner` begins with random weights and has features of prefix, suffix and shape.
It gets four to five times as many steps of the same size.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import spacy
from spacy.tokens import Doc
from tqdm import tqdm

from benchmarks import options
from benchmarks.common import Journal, read
from benchmarks.suites.models.data_sets import ZERO_SHOT
from benchmarks.training import (
    finetune,
    fingerprint,
    mentions_in,
    process_minutes,
    spacy_ner,
    strict,
    to_train,
)

System = Literal["none", "full", "lora", "ner"]


def run(
    model: options.Model,
    data: options.DataSets,
    sets: Sequence[str] = ZERO_SHOT,
    split: Annotated[str, "what is scored; dev to try settings"] = "test",
    shots: Annotated[Sequence[int], "examples of every type"] = (5, 20, 100),
    steps: Annotated[Sequence[int], "of the pipeline, parallel to --shots"] = (
        30,
        60,
        90,
    ),
    ner_steps: Annotated[Sequence[int], "of spaCy's ner, parallel to --shots"] = (
        150,
        250,
        350,
    ),
    systems: Sequence[System] = ("none", "full", "ner"),
    optimizer: str = "muon",
    rate: Annotated[float, "learning rate"] = 5e-3,
    batch: int = 16,
    replace: options.Replace = 0.5,
    invent: Annotated[float, "share of these that are invented"] = 0.2,
    seeds: Annotated[Sequence[int], "of sampling and training"] = (0,),
    limit: Annotated[int, "test texts per data set; 0: all"] = 200,
    output: options.AddedTo = None,
) -> dict[str, Any]:
    """Train each system on each sample that has no result yet.

    RETURNS (dict): What the output holds: `results` by data set, system, k and seed.
    """
    if not len(shots) == len(steps) == len(ner_steps):
        raise SystemExit("--shots, --steps and --ner-steps must be of one length")
    settings = {
        "optimizer": optimizer,
        "learn_rate": rate,
        "batch_size": batch,
        "subword_noise": 0.1,
        "replace_rate": replace,
        "invent_rate": invent,
    }
    trial = Trial(model, data, split, limit, settings)
    journal = Journal(output, {"split": split, "limit": limit})
    sizes = zip(shots, steps, ner_steps, strict=True)
    plan = plan_of(systems, sizes, seeds)
    cells = [(name, row) for row in plan for name in sets]
    for name, row in tqdm(cells, disable=None):
        key = f"{name} {row.system} {row.k} {row.seed}"
        settings_of = trial.made_with(row.system)
        if not journal.has(key, steps=row.steps, **settings_of):
            result = trial.result(name, row)
            journal.add(key, result)
            tqdm.write(f"{key:40}{result}")
    return journal.data


class Row(NamedTuple):
    system: str
    k: int
    steps: int
    seed: int


def plan_of(
    systems: Sequence[str],
    sizes: Any,
    seeds: Sequence[int],
) -> list[Row]:
    plan = [Row("none", 0, 0, 0)] if "none" in systems else []
    trained = [system for system in systems if system != "none"]
    for k, steps, ner_steps in sizes:
        for seed in seeds:
            for system in trained:
                plan.append(
                    Row(system, k, ner_steps if system == "ner" else steps, seed)
                )
    return plan


def sample(
    docs: Sequence[Doc],
    k: int,
    seed: int,
) -> list[Doc]:
    """Few texts in which every type has k mentions, or all that there are."""
    counts: Counter[str] = Counter()
    out = []
    for doc in random.Random(seed).sample(list(docs), len(docs)):
        types = [ent.label_ for ent in doc.ents]
        if any(counts[label] < k for label in types):
            out.append(doc)
            counts.update(types)
    return out


@dataclass
class Trial:
    """settings (dict): Of `SFT`."""

    model: str
    data: Path
    split: str
    limit: int
    settings: dict[str, Any]

    def __post_init__(self) -> None:
        self.nlp = spacy.load(self.model)
        self.weights = fingerprint(self.nlp)

    def made_with(self, system: str) -> dict[str, Any]:
        """What a result depends on."""
        if system == "ner":
            return {"batch_size": self.settings["batch_size"]}
        more = {} if system == "none" else self.settings
        return {"weights": self.weights, **more}

    def result(
        self,
        name: str,
        row: Row,
    ) -> dict[str, Any]:
        folder = self.data / name
        gold = read(folder / f"{self.split}.spacy", self.nlp, self.limit)
        train = read(folder / "train.spacy", self.nlp)
        docs = sample(train, row.k, row.seed)
        nlp, minutes = self.trained(row, docs)
        start = time.process_time()
        return {
            **strict(nlp, gold),
            "set": name,
            **row._asdict(),
            "texts": len(docs),
            **self.made_with(row.system),
            "mentions": mentions_in(docs),
            "test_texts": len(gold),
            "test_mentions": mentions_in(gold),
            "train_minutes": round(minutes, 3),
            "test_minutes": process_minutes(start),
        }

    def trained(
        self,
        row: Row,
        docs: list[Doc],
    ) -> tuple[Any, float]:
        """RETURNS: a pipeline, and the minutes that its training took."""
        if row.system == "none":
            return self.nlp, 0.0
        if row.system == "ner":
            return spacy_ner(docs, row.steps, self.settings["batch_size"], row.seed)
        nlp = to_train(self.model, row.system)
        options = {
            "max_steps": row.steps,
            "seed": row.seed,
            **self.settings,
        }
        return nlp, finetune(nlp, docs, row.system, **options)
