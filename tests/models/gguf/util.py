"""What the tests of GGUF files share."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def code(err: Any) -> str:
    return err.value.code


def written(cache: Path) -> list[Path]:
    return sorted(p for p in (cache / "gguf").iterdir() if p.is_dir())
