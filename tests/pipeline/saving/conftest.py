"""A pipeline with trained adapters, and its directory."""

from __future__ import annotations

from pathlib import Path

import pytest
from spacy.language import Language

from tests import util

from .util import shake


@pytest.fixture(scope="module")
def trained(lively: Path) -> Language:
    settings = {"adapter": {"rank": 4, "alpha": 8}}
    return shake(
        util.cascade(
            lively,
            extractor=settings,
            classifier={**settings, "save_weights": "adapter"},
        )
    )


@pytest.fixture
def saved(trained: Language, tmp_path: Path) -> Path:
    trained.to_disk(tmp_path / "nlp")
    return tmp_path / "nlp"
