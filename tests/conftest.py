"""Session fixtures: one tiny base, and pipelines on it.

No test needs a network or a model from outside.
"""

from __future__ import annotations

import json
import os

# Before `huggingface_hub` is imported: no test may reach for the hub.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_OFFLINE"] = "1"
os.environ["HF_HUB_ETAG_TIMEOUT"] = os.environ["HF_HUB_DOWNLOAD_TIMEOUT"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from spacy.language import Language
from spacy.training import Example

from . import util

settings.register_profile(
    "tests",
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
settings.load_profile("tests")

DATA = Path(
    os.environ.get(
        "SPACY_CASCADE_DATA", Path(__file__).parents[1] / ".." / "shared" / "data"
    )
)


@pytest.fixture(scope="session")
def nlp() -> Language:
    """Only a tokenizer."""
    return util.blank()


@pytest.fixture(scope="session")
def texts() -> list[str]:
    return [*util.SENTENCES, *util.ODD]


def build_tiny(path: Path, nlp: Language, texts: list[str], seed: int = 0) -> Path:
    """A base with random weights: 2 layers, width 32."""
    from spacy_cascade.models.tiny import build_base

    words = util.segments(
        nlp, [*texts, *(t for t, _ in util.GOLD), " ".join(util.LABELS)] * 3
    )
    build_base(
        path,
        words,
        vocab_size=700,
        hidden_size=32,
        layers=2,
        heads=2,
        intermediate_size=64,
        neighbours=False,
        seed=seed,
    )
    return path


@pytest.fixture(scope="session")
def base(tmp_path_factory: Any, nlp: Language, texts: list[str]) -> Path:
    return build_tiny(tmp_path_factory.mktemp("base") / "tiny", nlp, texts)


@pytest.fixture(scope="session")
def other_base(tmp_path_factory: Any, nlp: Language, texts: list[str]) -> Path:
    """The same with other random weights."""
    return build_tiny(tmp_path_factory.mktemp("base") / "other", nlp, texts, seed=1)


@pytest.fixture(scope="session")
def lively(tmp_path_factory: Any, base: Path) -> Path:
    """A base whose random decisions vary: the weights are three times as large."""
    path = tmp_path_factory.mktemp("base") / "lively"
    util.random_lm(base, double=False).save(path)
    return path


@pytest.fixture(scope="session")
def rnd(base: Path) -> Any:
    """A language model with large random weights in float64."""
    return util.random_lm(base)


@pytest.fixture
def make() -> Callable[..., Language]:
    return util.cascade


@pytest.fixture(scope="session")
def gold(nlp: Language) -> list[Example]:
    return util.examples(nlp)


@pytest.fixture(scope="session")
def real_data() -> Path:
    if not DATA.is_dir():
        pytest.skip(f"no real data at {DATA}: set SPACY_CASCADE_DATA")
    return DATA.resolve()


@pytest.fixture
def run_suite(monkeypatch: Any, capsys: Any) -> Any:
    """Runs a suite of benchmarks/ and gives its result."""

    def run(name: str, *args: Any) -> Any:
        from benchmarks import run as runner

        command = ["benchmarks/run.py", name, *map(str, args)]
        monkeypatch.setattr(sys, "argv", command)
        runner.main()
        return json.loads(capsys.readouterr().out.splitlines()[-1])

    return run
