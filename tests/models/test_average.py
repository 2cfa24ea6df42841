"""Averaging the weights of several trainings."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from spacy_cascade.cli.average import average
from spacy_cascade.errors import CascadeError
from spacy_cascade.models.tiny import build_base
from tests import util


def weights(path: Path) -> dict[str, torch.Tensor]:
    return AutoModelForCausalLM.from_pretrained(path).state_dict()


def test_the_mean_of_three(base: Path, other_base: Path, tmp_path: Path) -> None:
    average([base, other_base, base], tmp_path / "mean")
    one, other, mean = weights(base), weights(other_base), weights(tmp_path / "mean")
    assert not torch.equal(
        one["model.embed_tokens.weight"], other["model.embed_tokens.weight"]
    )
    for name, weight in mean.items():
        torch.testing.assert_close(weight, (2 * one[name] + other[name]) / 3)
    assert (tmp_path / "mean" / "tokenizer.json").read_bytes() == (
        base / "tokenizer.json"
    ).read_bytes()


def test_models_of_other_shapes_or_with_other_tokenizers_are_refused(
    base: Path, tmp_path: Path
) -> None:
    words = util.segments(util.blank(), util.SENTENCES * 3)
    settings = {"hidden_size": 32, "layers": 2, "heads": 2, "intermediate_size": 64}
    build_base(tmp_path / "other", words, vocab_size=500, **settings)
    with pytest.raises(CascadeError, match=r"C054.*other shapes"):
        average([base, tmp_path / "other"], tmp_path / "mean")
    build_base(tmp_path / "one", words, vocab_size=500, **settings)
    build_base(tmp_path / "two", [w[::-1] for w in words], vocab_size=500, **settings)
    with pytest.raises(CascadeError, match=r"C054.*tokenizer"):
        average([tmp_path / "one", tmp_path / "two"], tmp_path / "mean")
    assert not (tmp_path / "mean").exists()


def test_command(base: Path, other_base: Path, tmp_path: Path) -> None:
    from spacy.cli._util import app
    from typer.testing import CliRunner

    runner = CliRunner()
    done = runner.invoke(
        app, ["cascade", "average", str(base), str(other_base), str(tmp_path / "mean")]
    )
    assert done.exit_code == 0, done.output
    assert (tmp_path / "mean" / "model.safetensors").is_file()
    assert (
        runner.invoke(
            app, ["cascade", "average", str(base), str(tmp_path / "mean")]
        ).exit_code
        == 2
    )
