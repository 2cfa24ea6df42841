"""Names that are a type and a branch of others at once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from spacy.vocab import Vocab
from typer.testing import CliRunner

from corpus_tools.cli import app
from corpus_tools.formats import docbin

WEAPONS = "product > weapon > biological"


def geic(*types: str) -> dict[str, Any]:
    return {
        f"sentence{i}": {
            "sentence": "Anthrax was here",
            "entity": ["Anthrax"],
            "category": [t],
        }
        for i, t in enumerate(types)
    }


@pytest.fixture
def warnings(
    caplog: pytest.LogCaptureFixture, write_json: Callable[..., Path]
) -> Callable[..., list[str]]:
    """What a command warns of, given the types of a corpus."""

    def of(types: tuple[str, ...], *command: Any) -> list[str]:
        caplog.clear()
        with caplog.at_level(logging.WARNING, logger="spacy_cascade"):
            args = [
                str(a)
                for a in (
                    command[0],
                    write_json(geic(*types)),
                    *command[1:],
                    "--taxonomy",
                    "dynamicner",
                )
            ]
            result = CliRunner().invoke(app, args)
        assert result.exit_code == 0, result.output
        return [m for m in caplog.messages if "CW04" in m]

    return of


def test_finest_types_are_in_no_doubt(
    warnings: Callable[..., list[str]], tmp_path: Path
) -> None:
    """DynamicNER's own files name the finest types only."""
    assert not warnings(
        ("biological", "city", "biological"),
        "convert",
        tmp_path / "a.spacy",
        "--to",
        "docbin",
    )
    docs = docbin.load(tmp_path / "a.spacy").get_docs(Vocab())
    paths = [path for doc in docs for path in doc.spans["gold"].attrs["paths"]]
    assert paths == [WEAPONS, "location > geo-political entity > city", WEAPONS]


@pytest.mark.parametrize(
    "types",
    [
        ("biological", "city", "medical"),
        ("medical", "biological"),
        ("biological", "no such type"),
    ],
)
def test_where_labels_are_of_any_level_a_name_is_ambiguous(
    types: tuple[str, ...], warnings: Callable[..., list[str]], tmp_path: Path
) -> None:
    (message,) = warnings(types, "convert", tmp_path / "a.spacy", "--to", "docbin")
    assert f"{WEAPONS}; science entity > biological" in message


SWIFT = ("convert", "{}/{}.json", "--to", "swift", "--stage", "2", "--level", "none")
SAMPLE = ("sample", "{}/{}.json", "--mode", "few-shot", "--size", "2", "--coarse")


@pytest.mark.parametrize("command", [SWIFT, SAMPLE, ("stats",)])
def test_other_commands_and_formats_agree(
    command: tuple[str, ...], warnings: Callable[..., list[str]], tmp_path: Path
) -> None:
    assert not warnings(
        ("biological",), *(part.format(tmp_path, "finest") for part in command)
    )
    assert warnings(
        ("medical", "biological"), *(part.format(tmp_path, "any") for part in command)
    )
