from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from corpus_tools.issues import Report
from tests.corpus_tools.report import RECORDS

DATA = Path(
    os.environ.get(
        "SPACY_CASCADE_DATA", Path(__file__).parents[2] / ".." / "shared" / "data"
    )
)


@pytest.fixture
def data() -> Path:
    if not DATA.is_dir():
        pytest.skip(f"no real data at {DATA}: set SPACY_CASCADE_DATA")
    return DATA.resolve()


@pytest.fixture
def report() -> Report:
    return Report()


@pytest.fixture
def write_json(tmp_path: Path) -> Any:
    """Writes an object (or raw text) to a file and returns its path."""

    def write(value: Any, name: str = "data.json") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=True)
        path.write_text(text, encoding="utf8", errors="surrogatepass")
        return path

    return write


@pytest.fixture
def corpus(write_json: Any, tmp_path: Path) -> Path:
    """Folder of a corpus in two languages."""
    write_json(
        {"P": "person", "L": "location", "C": "location->city"},
        "corpus/NER_en/toy/labels.json",
    )
    write_json(RECORDS, "corpus/NER_en/toy/train.json")
    write_json(RECORDS[:1], "corpus/NER_zh/other/dev.json")
    return tmp_path / "corpus"
