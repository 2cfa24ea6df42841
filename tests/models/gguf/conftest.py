"""A GGUF file, and a cache of its own for every test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from spacy_cascade.models.gguf.convert import VARIABLE


@pytest.fixture(scope="package")
def file(tmp_path_factory: Any) -> Path:
    # not at the top: without the package gguf this import skips, which a conftest cannot
    from tests import gguf_files

    return gguf_files.write(tmp_path_factory.mktemp("gguf") / "tiny.gguf")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: Any) -> Path:
    """An empty cache of one's own."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"
