from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from corpus_tools.b2nerd.conflicts.detect import Settings, detect
from corpus_tools.errors import CorpusError
from corpus_tools.plotting import pyplot

MINI = Path(__file__).parents[2] / "assets" / "corpora" / "b2nerd_mini"


def test_t083_no_matplotlib(monkeypatch: Any, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(CorpusError, match=r"T083.*pip install matplotlib"):
        pyplot()
    with pytest.raises(CorpusError, match="T083"):
        detect([MINI], tmp_path / "out", Settings())
    assert not (tmp_path / "out").exists()
