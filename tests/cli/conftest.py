"""A tiny corpus, and what the workflow of project.yml makes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import srsly
from spacy.tokens import DocBin

from spacy_cascade.training.augment import gold_doc
from tests import util
from tests.cli.util import PATHS, SMALL, call, find_config


@pytest.fixture(scope="package")
def corpus(tmp_path_factory: Any) -> Path:
    """DynamicNER types, so that the configs can stay as they are."""
    folder = tmp_path_factory.mktemp("corpus")
    nlp = util.blank()
    docs = []
    for text, mentions in util.GOLD:
        spans, at = [], 0
        for name, _ in mentions:
            at = text.index(name, at)
            path = PATHS.get(name, "location > geo-political entity > city")
            spans.append((at, at + len(name), tuple(path.split(" > "))))
            at += len(name)
        doc = gold_doc(nlp, text, spans)
        doc.user_data["cascade_record"] = {"language": "en"}
        docs.append(doc)
    for split in ("train", "dev", "test"):
        (folder / "mini").mkdir(exist_ok=True)
        DocBin(docs=docs, store_user_data=True).to_disk(folder / f"{split}.spacy")
        DocBin(docs=docs, store_user_data=True).to_disk(
            folder / "mini" / f"{split}.spacy"
        )
    (folder / "lexicon").mkdir()
    srsly.write_json(
        folder / "lexicon" / "en.json", {"politician": ["Ann Lee"], "city": ["Oslo"]}
    )
    return folder


@pytest.fixture(scope="package")
def paths(corpus: Path) -> list[str]:
    return [
        f"--paths.train={corpus / 'train.spacy'}",
        f"--paths.dev={corpus / 'dev.spacy'}",
    ]


@pytest.fixture(scope="package")
def work(tmp_path_factory: Any, corpus: Path, paths: list[str]) -> Path:
    """base -> finetune base -> finetune both stages -> assemble."""
    out = tmp_path_factory.mktemp("work")
    options = [
        "--vocab-size",
        400,
        "--hidden-size",
        32,
        "--layers",
        1,
        "--lexicon",
        corpus / "lexicon",
    ]
    call("cascade", "base", out / "init", corpus / "train.spacy", *options)
    lexicon = f"--paths.lexicon={corpus / 'lexicon'}"
    call(
        "cascade",
        "finetune",
        find_config("base"),
        "-o",
        out / "base",
        *paths,
        lexicon,
        f"--paths.init={out / 'init'}",
        *SMALL,
    )
    base = f"--paths.base={out / 'base/model-best/cascade_extractor/model'}"
    for stage in ("extractor", "classifier"):
        call(
            "cascade",
            "finetune",
            find_config(stage),
            "-o",
            out / stage,
            *paths,
            base,
            *SMALL,
        )
    weights = [
        f"--paths.{s}={out / s / 'model-best' / f'cascade_{s}'}"
        for s in ("extractor", "classifier")
    ]
    call("assemble", find_config("pipeline"), out / "pipeline", *weights)
    return out
