"""Errors of the commands are messages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import spacy
from typer.testing import CliRunner

from spacy_cascade.cli import cascade_app
from tests.cli.util import find_config


def _message(*args: Any) -> str:
    """The command ends with exit code 1 and a message instead of a traceback."""
    result = CliRunner().invoke(cascade_app, [str(a) for a in args])
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit), repr(result.exception)
    return result.output


def test_errors_are_messages(tmp_path: Path) -> None:
    assert "C031" in _message("base", tmp_path / "b", tmp_path / "none.spacy")
    (tmp_path / "bad.spacy").write_bytes(b"no docbin")
    assert "C031" in _message("base", tmp_path / "b", tmp_path / "bad.spacy")
    assert not (tmp_path / "b").exists()


def test_evaluate_without_data(work: Path, tmp_path: Path) -> None:
    assert "C031" in _message("evaluate", work / "pipeline", tmp_path)
    assert "C031" in _message(
        "visualize", work / "pipeline", tmp_path / "no.spacy", tmp_path / "p.html"
    )


def test_finetune_with_a_config_without_the_block(tmp_path: Path) -> None:
    assert "C033" in _message("finetune", find_config("pipeline"), "-o", tmp_path / "o")


def test_finetune_with_an_unknown_value(
    work: Path, paths: list[str], tmp_path: Path
) -> None:
    base = f"--paths.base={work / 'init'}"
    text = _message(
        "finetune",
        find_config("extractor"),
        "-o",
        tmp_path / "o",
        *paths,
        base,
        "--finetune.objective=nonsense",
    )
    assert "C020" in text
    assert "decisions, completion" in re.sub(r"\s+", " ", text)


def test_finetune_without_training_data(work: Path, tmp_path: Path) -> None:
    base = f"--paths.base={work / 'init'}"
    text = _message(
        "finetune",
        find_config("extractor"),
        "-o",
        tmp_path / "o",
        f"--paths.train={tmp_path / 'no.spacy'}",
        base,
    )
    assert "C031" in text


@pytest.mark.parametrize("command", ["evaluate", "visualize", "errors", "export"])
def test_a_pipeline_that_is_not_there(command: str, tmp_path: Path) -> None:
    (tmp_path / "test.spacy").touch()
    args = (
        [tmp_path / "test.spacy", tmp_path / "out"]
        if command in ("visualize", "errors")
        else [tmp_path / "test.spacy"]
    )
    assert "E050" in _message(command, tmp_path / "nothing", *args)


def test_a_pipeline_whose_package_is_not_installed(tmp_path: Path) -> None:
    """As one with a transformer is, without spacy-transformers."""
    nlp = spacy.blank("xx")
    nlp.add_pipe("sentencizer")
    nlp.to_disk(tmp_path / "p")
    config = (
        (tmp_path / "p" / "config.cfg")
        .read_text("utf8")
        .replace('factory = "sentencizer"', 'factory = "no_such"')
    )
    (tmp_path / "p" / "config.cfg").write_text(config, "utf8")
    assert "E002" in _message("evaluate", tmp_path / "p", tmp_path / "test.spacy")


def test_errors_without_a_code_are_defects_and_keep_their_traceback() -> None:
    from spacy_cascade.cli._util import show_errors

    with pytest.raises(ValueError, match="defect"), show_errors():
        raise ValueError("defect")


@pytest.mark.parametrize(
    ("text", "why"),
    [("{", "no JSON"), ("[]", "it lacks corpora"), ('{"corpora": {}}', "it lacks all")],
)
def test_c061_show_of_a_file_without_scores(
    tmp_path: Path, text: str, why: str
) -> None:
    (tmp_path / "scores.json").write_text(text)
    output = re.sub(r"\s+", " ", _message("show", tmp_path / "scores.json"))
    assert "C061" in output
    assert why in output


@pytest.mark.parametrize("size", ["0", "40", "-32"])
def test_width_that_the_heads_do_not_divide(tmp_path: Path, size: str) -> None:
    assert "C021" in _message(
        "base", tmp_path / "b", tmp_path / "x.spacy", f"--hidden-size={size}"
    )


@pytest.mark.parametrize("command", ["evaluate", "visualize", "errors", "export"])
def test_a_negative_limit_is_refused(command: str, tmp_path: Path) -> None:
    args = [str(tmp_path / name) for name in "abc"]
    result = CliRunner().invoke(
        cascade_app, [command, *args[: 2 if command == "export" else 3], "--limit=-1"]
    )
    assert result.exit_code == 2
    assert "--limit" in result.output
