"""The runner of the benchmarks: options from signatures, run files, and tables."""

from __future__ import annotations

import argparse
import inspect
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest

from benchmarks import options, provenance, run, tables


def suite(
    model: Annotated[str, "a pipeline"],
    data: Sequence[Path] = (),
    n: int = 3,
    fast: bool = True,
    by: Literal["a", "b"] | None = None,
) -> dict[str, Any]:
    return {"model": model, "data": data, "n": n, "fast": fast, "by": by}


def parsed(*words: str) -> dict[str, Any]:
    parser = argparse.ArgumentParser()
    options.add(parser, suite)
    return vars(parser.parse_args(words))


def test_options_are_those_of_the_signature() -> None:
    found = parsed("--model", "x", "--data", "a", "b", "--no-fast", "--by", "b")
    assert suite(**found) == {
        "model": "x",
        "data": [Path("a"), Path("b")],
        "n": 3,
        "fast": False,
        "by": "b",
    }
    assert parsed("--model", "x") == {**suite("x")}
    for words in ((), ("--model", "x", "--by", "c"), ("--model", "x", "--n", "y")):
        with pytest.raises(SystemExit):
            parsed(*words)


@pytest.mark.parametrize("name", sorted(run.suites()))
def test_every_suite_has_a_page_of_help(name: str) -> None:
    function = run.suite(name)
    shown = run.parser_of(name, function).format_help()
    assert f"benchmarks/run.py {name}" in shown
    for parameter in inspect.signature(function).parameters:
        assert f"--{parameter.replace('_', '-')}" in shown


def test_the_list_names_every_suite(monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmarks/run.py"])
    run.main()
    shown = capsys.readouterr().out
    assert all(name in shown for name in run.suites())
    monkeypatch.setattr(sys, "argv", ["benchmarks/run.py", "speed.light"])
    with pytest.raises(SystemExit, match=r"No suite .*speed\.throughput"):
        run.main()


def test_a_run_file_says_how_it_came_about(
    monkeypatch: Any, tmp_path: Path, run_suite: Any
) -> None:
    filled: list[bool] = []
    monkeypatch.setattr(tables, "fill_pages", lambda: filled.append(True))
    output = tmp_path / "runs" / "x.json"
    place = tmp_path / "secret" / "model"
    more = ["--model", place, "--data", "a", "--output", output, "--tables"]

    def small(model: str, data: Sequence[str] = ()) -> dict[str, Any]:
        return {"n": len(data)}

    monkeypatch.setattr(run, "suite", lambda name: small)
    found = run_suite("speed.small", *more)
    assert found == json.loads(output.read_text("utf8"))
    assert found["n"] == 1
    expected = "python benchmarks/run.py speed.small --model <model> --data a"
    assert found["command"].startswith(expected)
    assert "secret" not in json.dumps(found)
    assert {"python", "spacy", "torch"} <= set(found["versions"])
    assert found["machine"]["threads"] >= 1
    assert filled == [True]


def test_outside_of_a_checkout_there_is_no_commit(
    monkeypatch: Any, tmp_path: Path
) -> None:
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "provenance.py"))
    assert provenance.commit() is None
