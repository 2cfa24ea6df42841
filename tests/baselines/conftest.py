"""A model that marks much, and a file of gold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from spacy.tokens import DocBin

from tests import util


@pytest.fixture(scope="package")
def willing(tmp_path_factory: Any, base: Path) -> Path:
    """A base with random weights that never likes to end an answer, so that it marks
    and lists much.
    """
    import torch

    path = tmp_path_factory.mktemp("base") / "willing"
    lm = util.random_lm(base, factor=4.0, seed=3, double=False)
    with torch.no_grad():
        lm.model.get_input_embeddings().weight[lm.token_id("</s>")] = 0
    lm.save(path)
    return path


@pytest.fixture(scope="package")
def gold_file(tmp_path_factory: Any) -> Path:
    path = tmp_path_factory.mktemp("gold") / "gold.spacy"
    DocBin(
        docs=[eg.reference for eg in util.examples(util.blank())] * 4,
        store_user_data=True,
    ).to_disk(path)
    return path
