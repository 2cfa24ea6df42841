"""Data sets for several files."""

from __future__ import annotations

from pathlib import Path

import pytest

from .util import write_set


@pytest.fixture
def tiny(tmp_path) -> list[Path]:
    people, places = ["Ann", "Bob", "Cleo", "Dan"], ["Rome", "Oslo", "Bonn", "Lima"]
    lines = [
        f"[{p}|person] lives in [{q}|location] now" for p in people for q in places
    ]
    other = [line.replace("|location", "|country") for line in lines]
    return [write_set(tmp_path / "one", *lines), write_set(tmp_path / "two", *other)]
