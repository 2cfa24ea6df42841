"""CoNLL-2003 in B2NERD layout."""

from __future__ import annotations

import json
from pathlib import Path

from spacy.language import Language
from spacy.tokens import Doc

from benchmarks.common import real_data_set
from spacy_cascade.training.augment import gold_doc

SPLITS = ("train", "dev", "test")
LABELS = ("person", "location", "organisation", "miscellaneous")
# As `corpus_tools standardize` names them.
STANDARD = {
    "person": "person",
    "location": "location or geo-political entity",
    "organisation": "organization",
    "miscellaneous": "nationality or miscellaneous name",
}


def read_conll(
    data: Path, nlp: Language, names: dict[str, str] | None = None, limit: int = 0
) -> list[list[Doc]]:
    """Gold Docs of the three files.

    names (dict): Other names of the types; every text then brings them along as its
        label set.
    """
    folder = real_data_set(data, "en/conll2003")
    shown = names or {}
    out = []
    for split in SPLITS:
        records = json.loads((folder / f"{split}.json").read_text("utf8"))
        docs = []
        for record in records[: limit or None]:
            mentions = []
            for entity in record["entities"]:
                label = shown.get(entity["type"], entity["type"])
                mentions.append((*entity["pos"], (label,)))
            gold = gold_doc(nlp, record["sentence"], mentions)
            if names:
                gold._.cascade_labels = list(names.values())
            docs.append(gold)
        out.append(docs)
    return out
