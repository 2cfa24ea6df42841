"""What the scripts that train share: a pipeline of this project or spaCy's `ner` on
gold Docs, for so many steps and no choice by scores; strict scores of the labels that a
text has; and results that are kept one by one.
"""

from __future__ import annotations

import json
import random
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import spacy
from measure import hits, scores
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import fix_random_seed, load_config, load_model_from_config

from corpus_tools.files import atomic_path
from spacy_cascade.cli.evaluate import known_labels
from spacy_cascade.doc.gold import unannotated
from spacy_cascade.pipeline.component import LMPipe
from spacy_cascade.training.loop import SFT

ADAPTERS = ("full", "lora")
LORA = {"rank": 16, "alpha": 32, "dropout": 0.05}
NER_CONFIG = Path(__file__).parents[1] / "configs" / "baseline_ner.cfg"


def stages(nlp: Language) -> list[tuple[str, Any]]:
    """The components that hold a language model."""
    return [(name, pipe) for name, pipe in nlp.components if isinstance(pipe, LMPipe)]


def fingerprint(nlp: Language) -> str:
    """Tells the weights of a pipeline apart from those of another."""
    return str(stages(nlp)[0][1].lm.fingerprint())


def to_train(model: str, adapter: str, lora: dict[str, Any] | None = None) -> Language:
    """A pipeline whose components are trained as a whole (`full`), or get an adapter
    unless they have one (`lora`).
    """
    nlp = spacy.load(model)
    for name, pipe in stages(nlp):
        if adapter == "lora" and pipe.adapter_settings is None:
            pipe.adapter_settings = {**LORA, **(lora or {})}
        if adapter == "full":
            if pipe.weights.adapter is not None:
                raise SystemExit(
                    f"'{name}' of {model} has an adapter: its weights can't be trained as a"
                    " whole. Use --adapter lora."
                )
            pipe.adapter_settings = None
    return nlp


def finetune(
    nlp: Language, docs: Sequence[Doc], adapter: str, **settings: Any
) -> float:
    """Train every component: all weights together, or adapters one after the other,
    each for all of the steps.

    settings: Of `SFT`. RETURNS (float): Processor minutes.
    """
    start = time.process_time()
    examples = [Example(nlp.make_doc(doc.text), doc) for doc in docs]
    names = [name for name, _ in stages(nlp)]
    for group in [[name] for name in names] if adapter == "lora" else [names]:
        with tempfile.TemporaryDirectory() as tmp:
            SFT(group, save_every=0, **settings).run(nlp, examples, [], Path(tmp))
    return (time.process_time() - start) / 60


def spacy_ner(
    docs: Sequence[Doc], steps: int, batch: int, seed: int
) -> tuple[Language, float]:
    """spaCy's `ner` and `tok2vec` as in configs/baseline_ner.cfg, from nothing.

    RETURNS: pipeline, processor minutes.
    """
    start = time.process_time()
    fix_random_seed(seed)
    config = load_config(NER_CONFIG)
    nlp = load_model_from_config(
        {k: config[k] for k in ("nlp", "components")}, auto_fill=True
    )
    examples = [Example(nlp.make_doc(doc.text), doc) for doc in docs]
    optimizer = nlp.initialize(lambda: examples)
    rng = random.Random(seed)
    order: list[Example] = []
    for _ in range(steps):
        if not order:
            order = rng.sample(examples, len(examples))
        nlp.update(order[:batch], sgd=optimizer, drop=0.1)
        del order[:batch]
    return nlp, (time.process_time() - start) / 60


def strict(nlp: Language, gold: Sequence[Doc]) -> dict[str, Any]:
    """Strict scores, boundaries only and with types, of what a pipeline finds of the
    labels that each text brings along.
    """
    found = [
        known_labels(doc)
        for doc in nlp.pipe((unannotated(nlp, doc) for doc in gold), batch_size=64)
    ]
    return {
        name: scores(hits(found, gold, typed=typed))
        for name, typed in (("span", False), ("typed", True))
    }


class Journal:
    """Results by name in a JSON file that is written after each of them: what is there
    is not run again. Several processes may add to one file.

    about (dict): What all results have in common. RAISES SystemExit: If the file's
        results were made with something else.
    """

    def __init__(self, path: Path | None, about: dict[str, Any], command: str):
        self.path, self.command = path, command
        self.data: dict[str, Any] = {
            "about": json.loads(json.dumps(about)),
            "commands": [],
            "results": {},
        }
        about = self.data["about"]
        self._read()
        differing = sorted(
            k
            for k in {*about, *self.data["about"]}
            if about.get(k) != self.data["about"].get(k)
        )
        if differing:
            raise SystemExit(
                f"{path} was made with other settings ({', '.join(differing)}). Give another"
                " --output, or remove it."
            )

    def _read(self) -> None:
        if self.path is not None and self.path.is_file():
            self.data = json.loads(self.path.read_text("utf8"))

    def has(self, name: str, **settings: Any) -> bool:
        """Whether there is a result of this name that was made with these settings; one
        made with others is to be made anew.
        """
        found = self.data["results"].get(name)
        return found is not None and all(found.get(k) == v for k, v in settings.items())

    def add(self, name: str, result: dict[str, Any]) -> None:
        self._read()
        self.data["results"][name] = result
        if self.command not in self.data["commands"]:
            self.data["commands"].append(self.command)
        if self.path is not None:
            with atomic_path(self.path) as tmp:
                tmp.write_text(
                    json.dumps(self.data, indent=1, ensure_ascii=False) + "\n", "utf8"
                )
