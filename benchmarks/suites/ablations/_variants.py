"""The variants of the method, and how each is made and trained."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spacy.language import Language

from benchmarks.common import blank, examples
from benchmarks.suites.ablations._data import Data
from spacy_cascade.doc.gold import gold_chars
from spacy_cascade.models.tiny import build_base
from spacy_cascade.pipeline.windows import make_unit
from spacy_cascade.training.loop import SFT

STAGES = ["cascade_extractor", "cascade_classifier"]
MODEL: dict[str, Any] = {
    "layers": 2,
    "hidden_size": 64,
    "heads": 2,
    "intermediate_size": 192,
}
LOOP: dict[str, Any] = {
    "optimizer": "muon",
    "learn_rate": 0.01,
    "weight_decay": 0.05,
    "warmup": 0.03,
    "batch_size": 32,
    "replace_rate": 0.0,
    "save_every": 0,
}
VOCABULARY = 4000
SHARED = {"@causal_lms": "spacy-cascade.SharedLM.v1", "component": STAGES[0]}


@dataclass(frozen=True)
class Variant:
    """What differs from the other variants.

    data (str): A collection (see `_data`).
    single (bool): One stage instead of two.
    labels (bool): Prompts name the label set.
    context (bool): The classifier sees the text.
    loop (dict): Settings of the training.
    decoding (str): Which part of the decoding is varied on what was trained:
        extraction or types.
    """

    data: str
    single: bool = False
    labels: bool = False
    context: bool = True
    loop: dict[str, Any] = field(default_factory=dict)
    decoding: str = ""


COMPLETION = {"objective": "completion"}
OWN_LISTS = {"own_lists": True}
SINGLE_LISTS = {"dynamic_lists": 0.5, "label_dropout": 0.1}
VARIANTS = {
    "cascade": Variant("names", decoding="extraction"),
    "completion": Variant("names", loop=COMPLETION),
    "single_stage": Variant("names", single=True),
    "context_free": Variant("names", context=False),
    "label_aware": Variant("sets", labels=True),
    "bare": Variant("sets"),
    "raw_names": Variant("raw", labels=True),
    "label_sets": Variant("sets", labels=True, loop={"label_sets": 0.5}),
    "pruned": Variant("pruned", labels=True),
    "random_part": Variant("random", labels=True),
    "taxonomy": Variant("types", decoding="types"),
    "base_list": Variant("base", loop=OWN_LISTS),
    "dynamic_lists": Variant("dynamic", loop=OWN_LISTS),
    "label_dropout": Variant("sets", labels=True, loop={"label_dropout": 0.2}),
    "single_completion": Variant("names", single=True, loop=COMPLETION),
    "single_taxonomy": Variant("types", single=True),
    "single_sets": Variant("sets", single=True, labels=True),
    "single_lists": Variant("sets", single=True, labels=True, loop=SINGLE_LISTS),
}


def build(path: Path, data: Data, seed: int) -> None:
    """A tokenizer for the texts and a model with random weights.

    Names of types have tokens of their own.
    """
    types: set[str] = set()
    segments: list[str] = []
    for doc in data.source or data.train:
        for *_, type_path in gold_chars(doc):
            types.update(type_path)
        segments += make_unit(doc, 0, len(doc)).segments()
    build_base(
        path,
        segments,
        vocab_size=VOCABULARY,
        types=sorted(types),
        seed=seed,
        neighbours=False,  # as it was when these were run
        **MODEL,
    )


def pipeline(variant: Variant, base: Path, data: Data) -> Language:
    nlp = blank()
    model = {"@causal_lms": "spacy-cascade.HF.v1", "name": str(base)}

    def add(
        factory: str,
        model: dict[str, str],
        prompt: str,
        **options: Any,
    ) -> Any:
        template = {"@prompts": f"spacy-cascade.{prompt}.v1", **options}
        config = {"adapter": None, "model": model, "template": template}
        return nlp.add_pipe(factory, config=config)

    if variant.single:
        single = add("open_ner", model, "CompactOpen", list_labels=variant.labels)
        if data.taxonomy is not None:
            single.set_labels(data.taxonomy)
        return nlp
    add(STAGES[0], model, "CompactExtract", labels=variant.labels)
    options = {"labels": variant.labels, "context": variant.context}
    classifier = add(STAGES[1], SHARED, "CompactClassify", **options)
    if data.taxonomy is not None:
        classifier.set_taxonomy(data.taxonomy)
    return nlp


def train(
    variant: Variant, data: Data, seed: int, steps: int, folder: Path
) -> tuple[Language, dict[str, Any]]:
    """RETURNS: The trained pipeline; steps, texts, last mean losses and seconds of
    processor time.
    """
    build(folder / "base", data, seed)
    nlp = pipeline(variant, folder / "base", data)
    given = examples(data.train, nlp)
    for name in nlp.pipe_names:
        pipe: Any = nlp.get_pipe(name)
        pipe.initialize(lambda: given)
    settings = {
        **LOOP,
        "max_steps": steps,
        "seed": seed,
        **variant.loop,
    }
    log: list[dict[str, Any]] = []
    start = time.process_time()
    SFT(nlp.pipe_names, **settings).run(
        nlp, given, [], folder / "run", report=log.append
    )
    return nlp, {
        "steps": steps,
        "texts": len(data.train),
        "losses": log[-1]["losses"],
        "train_seconds": round(time.process_time() - start, 1),
    }
