"""A small taxonomy, and maps for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from corpus_tools.b2nerd.labelmap import (
    LabelMap,
)
from corpus_tools.cli import app
from corpus_tools.errors import CorpusError
from spacy_cascade.taxonomy import Taxonomy

ROOT = Path(__file__).parents[3]


MINI = ROOT / "assets" / "corpora" / "b2nerd_mini"


TYPES = Taxonomy(
    {
        "person": {"politician": {}, "others": {}},
        "location": {"country": {}, "city": {}},
        "location or city": {"others": {}},
        "organization": {"company": {}, "others": {}},
    },
    name="small",
    names={"zh": {"location > country": "国家"}},
)


runner = CliRunner()


def make(
    name: str = "en/x", /, reasons: dict[str, str] | None = None, **targets: str | None
) -> LabelMap:
    return LabelMap(name, targets, reasons or {})


def code(function, *args) -> str:
    with pytest.raises(CorpusError) as err:
        function(*args)
    return err.value.code


def run(*args: object) -> tuple[int, str]:
    result = runner.invoke(app, ["standardize", *map(str, args)])
    return result.exit_code, result.output
