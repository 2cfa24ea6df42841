"""Errors of one component that is saved or loaded.

Those of whole pipelines are among the tests of serialization."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests import util

from .util import extractor, fails


def test_c040_not_a_component_directory(base: Path, tmp_path: Path) -> None:
    pipe: Any = extractor(base).get_pipe("cascade_extractor")
    fails(
        "C040",
        lambda: pipe.from_disk(tmp_path),
        str(tmp_path),
        "cascade.json",
        "'cascade_extractor'",
    )


def test_c041_no_base_to_load(base: Path, tmp_path: Path) -> None:
    pipe: Any = extractor(base, save_weights="adapter").get_pipe("cascade_extractor")
    pipe.start_training()
    pipe.to_disk(tmp_path / "p")
    empty: Any = util.blank().add_pipe("cascade_extractor")
    fails(
        "C041",
        lambda: empty.from_disk(tmp_path / "p"),
        'save_weights = "adapter"',
        str(base),
    )


def test_c042_adapter_only_would_lose_trained_weights(
    base: Path, tmp_path: Path
) -> None:
    pipe: Any = extractor(base, save_weights="adapter", adapter=None).get_pipe(
        "cascade_extractor"
    )
    pipe.start_training()
    fails(
        "C042",
        lambda: pipe.to_disk(tmp_path / "p"),
        'save_weights = "full"',
        "cascade_extractor",
    )
