"""Pipelines with `open_ner`, label sets and texts for several files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc

from spacy_cascade.models.loading import load_model
from spacy_cascade.models.spec import HFSpec
from spacy_cascade.pipeline.open_ner import OpenNER
from spacy_cascade.prompts.labelset import LabelSet
from spacy_cascade.taxonomy import Taxonomy
from tests import util

LABELS = ["person", "location->city", "location->country"]
COMPACT = {"@prompts": "spacy-cascade.CompactOpen.v1"}
B2NER = {"@prompts": "spacy-cascade.B2NEROpen.v1"}
TEXTS = [
    util.SENTENCES[1],
    util.SENTENCES[5],
    *util.ODD[1:5],
    "",
    " ",
    "x",
    "Ann; person: Bob; city: Rome",
]
LORA = {"rank": 4, "alpha": 8}


def pipeline(base: Path, **config: Any) -> Language:
    nlp = util.blank()
    nlp.add_pipe(
        "open_ner",
        config={
            "model": util.model_config(base),
            "taxonomy": LABELS,
            "adapter": LORA,
            **config,
        },
    )
    return nlp


def pipe_of(nlp: Language) -> OpenNER:
    pipe = nlp.get_pipe("open_ner")
    assert isinstance(pipe, OpenNER)
    return pipe


def result(doc: Doc) -> Any:
    return util.entities(doc), util.spans(doc), doc._.cascade_coverage


def code(err: Any) -> str:
    return err.value.code


def exact(base: Path) -> Any:
    """In float64, so that batches of every shape lead to the same decisions: see
    `util.random_lm`.
    """
    lm = load_model(HFSpec(str(base), device="cpu"), private=True)
    lm.model.double()
    return lm


LABEL_SET = LabelSet.build(Taxonomy.from_labels(LABELS), full_paths=True)
