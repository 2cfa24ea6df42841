"""Bases for the tests of training."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: Any, base: Path) -> Callable[[], Path]:
    """Copies of the base that no other test has loaded and changed."""
    folder, count = tmp_path_factory.mktemp("fresh"), iter(range(1000))

    def copy() -> Path:
        path = folder / str(next(count))
        shutil.copytree(base, path)
        config = json.loads((path / "config.json").read_text())
        (path / "config.json").write_text(json.dumps({**config, "copy": path.name}))
        return path

    return copy
