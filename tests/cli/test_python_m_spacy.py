"""`python -m spacy` finds and runs the commands."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_python_m_spacy_finds_the_commands() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "spacy", "cascade", "--help"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert all(
        name in done.stdout for name in ("base", "finetune", "evaluate", "visualize")
    )


@pytest.mark.slow
def test_python_m_spacy_runs_a_command(corpus: Path, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "spacy",
        "cascade",
        "base",
        str(tmp_path / "b"),
        str(corpus / "train.spacy"),
    ]
    done = subprocess.run(
        [*command, "--vocab-size", "300", "--hidden-size", "32", "--layers", "1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "b" / "model.safetensors").is_file()
