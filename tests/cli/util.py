"""Calls of the commands, and the configs of this repository."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from spacy.cli._util import app
from typer.testing import CliRunner

import spacy_cascade.cli  # noqa: F401

CONFIGS = [
    path
    for path in sorted((Path(__file__).parents[2] / "configs").glob("*.cfg"))
    # an extra; tests/baselines/test_spacy_components.py trains it where it is installed
    if "transformer" not in path.stem or find_spec("spacy_transformers")
]
SMALL = [
    "--finetune.max_steps=3",
    "--finetune.batch_size=4",
    "--finetune.eval_every=2",
    "--finetune.save_every=2",
]
PATHS = {
    "John Smith": "person > real person > politician",
    "Mary Jones": "person > real person > artist",
    "Peter Brown": "person > real person > actor",
}


def call(*args: Any, code: int = 0) -> str:
    result = CliRunner().invoke(app, [str(a) for a in args])
    assert result.exit_code == code, f"{result.output}\n{result.exception!r}"
    return result.output


def find_config(name: str) -> Path:
    return next(c for c in CONFIGS if c.name == f"{name}.cfg")
