"""No command overwrites what it reads."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from corpus_tools.cli import app as corpus_app
from spacy_cascade.cli import cascade_app
from spacy_cascade.files import find_overlap

# How a path is written that leads to another one. (the other one, a free name) -> path
WAYS: dict[str, Callable[[Path, Path], Path]] = {
    "same": lambda path, free: path,
    "relative": lambda path, free: Path(os.path.relpath(path)),
    "dots": lambda path, free: path.parent / "x" / ".." / path.name,
    "link": lambda path, free: _link(path, free),
}
FILE_WAYS = {**WAYS, "hard link": lambda path, free: _hard_link(path, free)}


def _link(path: Path, free: Path) -> Path:
    free.symlink_to(path, target_is_directory=path.is_dir())
    return free


def _hard_link(path: Path, free: Path) -> Path:
    os.link(path, free)
    return free


@pytest.mark.parametrize("way", list(FILE_WAYS))
def test_a_file_is_known_by_all_its_names(way: str, tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    source = tmp_path / "a.txt"
    source.write_text("x")
    free = tmp_path / "b.txt"
    assert find_overlap([source], [free]) is None
    assert find_overlap([source], [FILE_WAYS[way](source, free)])
    assert find_overlap([tmp_path], [free])


@pytest.mark.parametrize("way", list(WAYS))
def test_a_directory_is_known_by_all_its_names(way: str, tmp_path: Path) -> None:
    source = tmp_path / "a" / "b"
    source.mkdir(parents=True)
    (tmp_path / "a" / "x").mkdir()
    named = WAYS[way](source, tmp_path / "free")
    assert find_overlap([source], [named])
    assert find_overlap([source], [named / "new" / "file.txt"])
    assert find_overlap([named], [tmp_path / "a"])
    assert find_overlap([named], [tmp_path / "a" / "bb"]) is None


def test_a_file_may_get_neighbours_but_not_lose_its_directory(tmp_path: Path) -> None:
    source = tmp_path / "a.txt"
    source.write_text("x")
    assert find_overlap([source], [tmp_path]) is None
    assert find_overlap([source], [tmp_path], replaced=True)
    assert (
        find_overlap(["owner/name", tmp_path / "missing"], [tmp_path / "missing"])
        is None
    )


TEXT = "EU\tB-ORG\nrejects\tO\nBritain\tB-LOC\n.\tO\n\nParis\tB-LOC\nis\tO\nbig\tO\n.\tO\n\n"
FILES = (
    "corpus/en/one/train.tsv",
    "corpus/en/two/train.tsv",
    "corpus/en/one/test.tsv",
    "corpus/en/one/merged.spacy",
    "other.tsv",
    "page.html",
)
# {} is the output. Of the inputs, {source} is what it must not touch.
TREES = {
    "convert": "convert {source} {} --to bio",
    "convert, dry run": "convert {source} {} --to bio --dry-run",
    "dynamic": "dynamic {source} {} --overwrite --taxonomy labels --synonyms none",
    "standardize": "standardize {source} {} --overwrite",
    "standardize, overview": "standardize {source} --overview {}/x.md",
    "conflicts": "conflicts {source} {} --rules-only --overwrite",
    "prune": "prune {source} {} --overwrite",
    "sample": "sample {source} {} --size 5 --overwrite",
    "decontaminate": "decontaminate {source} {} --against other.tsv --overwrite",
    "decontaminate, reference": "decontaminate other.tsv {} --against {source} --overwrite",
    "merge": "merge {source} {}/new.spacy --split merged",
    "report": "report {source} {}/page.html",
}
SINGLES = {
    "convert": "convert {source} {} --from bio --to bio",
    "convert, report": "convert {source} new.spacy --report {}",
    "merge": "merge other.tsv {source} {}",
    "prune": "prune {source} {} --to bio --overwrite",
    "decontaminate": "decontaminate {source} {} --to bio --against corpus/en/one --overwrite",
    "decontaminate, reference": (
        "decontaminate other.tsv {} --to bio --against {source} --overwrite"
    ),
    "report": "report {source} {} --overwrite",
    "report, conflicts": "report other.tsv {} --conflicts {source} --overwrite",
}
MODELS = {
    "average": "average {source} corpus/en {}",
    "deepen": "deepen {source} {}",
    "base": "base {} {source}",
    "base, lexicon": "base {} other.tsv --lexicon {source}",
    "export": "export {source} {}",
    "export, calibrate": "export xx_model {} --calibrate {source}",
    "export, meta": "export xx_model {} --meta {source}",
    "evaluate": "evaluate xx_model {source} --output {}",
    "evaluate, train": "evaluate xx_model other.tsv --output {} --train {source}",
    "errors": "errors xx_model {source} {} --overwrite",
    "errors, json": "errors xx_model {source} new.html --json {} --overwrite",
    "visualize": "visualize xx_model {source} {}",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with FILES."""
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(TEXT, encoding="utf8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _contents(root: Path) -> dict[str, bytes]:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def _refuses(
    app: Any, line: str, source: Path | str, target: Path | str, code: str
) -> None:
    before = _contents(Path())
    result = CliRunner().invoke(
        app, [part.format(target, source=source) for part in line.split()]
    )
    assert result.exit_code == 1, result.output
    assert f"[{code}]" in result.output
    assert _contents(Path()) == before


@pytest.mark.slow
@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("where", ["same", "inside", "link"])
@pytest.mark.parametrize("command", list(TREES))
def test_a_tree_is_not_written_into(command: str, where: str) -> None:
    Path("link").symlink_to("corpus", target_is_directory=True)
    target = {"same": "corpus", "inside": "corpus/en/one", "link": "link"}[where]
    _refuses(corpus_app, TREES[command], "corpus", target, "T111")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("command", [c for c in TREES if "{}/" not in TREES[c]])
def test_what_holds_a_tree_is_not_written_over(command: str) -> None:
    _refuses(corpus_app, TREES[command], "corpus/en", "x/../corpus", "T111")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("way", list(FILE_WAYS))
@pytest.mark.parametrize("command", list(SINGLES))
def test_a_file_is_not_written_over(command: str, way: str) -> None:
    source = Path(
        "page.html" if command.startswith("report") else "corpus/en/one/train.tsv"
    )
    target = FILE_WAYS[way](source.resolve(), Path(f"free{source.suffix}").resolve())
    source.parent.joinpath("x").mkdir()
    _refuses(corpus_app, SINGLES[command], source, target, "T111")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("way", list(FILE_WAYS))
@pytest.mark.parametrize(
    "command", [c for c in MODELS if c not in ("average", "deepen")]
)
def test_no_model_command_writes_over_a_file(command: str, way: str) -> None:
    source = Path("corpus/en/one/train.tsv")
    source.parent.joinpath("x").mkdir()
    target = FILE_WAYS[way](source.resolve(), Path("free.tsv").resolve())
    _refuses(cascade_app, MODELS[command], source, target, "C123")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    "target", ["corpus/en/one", "corpus/en/one/x/..", "corpus/en/one/new"]
)
@pytest.mark.parametrize("command", list(MODELS))
def test_no_model_command_writes_into_what_it_reads(command: str, target: str) -> None:
    _refuses(cascade_app, MODELS[command], "corpus/en/one", target, "C123")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("command", ["average", "deepen", "base"])
def test_a_directory_that_is_replaced_holds_no_input(command: str) -> None:
    source = "corpus/en/one/train.tsv" if command == "base" else "corpus/en/one"
    _refuses(cascade_app, MODELS[command], source, "corpus", "C123")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("written", ["model-best", "model-last", "checkpoint"])
def test_a_run_does_not_train_on_what_it_writes(written: str) -> None:
    Path("run", written, "model").mkdir(parents=True)
    config = f'[paths]\nbase = "run/{written}/model"\n\n[nlp]\nlang = "xx"\n'
    Path("config.cfg").write_text(config, encoding="utf8")
    _refuses(cascade_app, "finetune {source} --output {}", "config.cfg", "run", "C123")


@pytest.mark.usefixtures("folder")
def test_outputs_beside_their_inputs_are_written() -> None:
    source = "corpus/en/one/train.tsv"
    result = CliRunner().invoke(
        corpus_app, ["convert", source, "corpus/en/one", "--quiet"]
    )
    assert result.exit_code == 0, result.output
    assert Path("corpus/en/one/train.spacy").is_file()
    assert Path(source).read_text("utf8") == TEXT


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    "line",
    [
        "convert corpus other.tsv/out",
        "convert corpus new --report other.tsv/report.json",
        "sample corpus other.tsv/out --size 5",
        "report other.tsv other.tsv/page.html",
        "conflicts corpus other.tsv/out --rules-only",
    ],
)
def test_what_the_disk_refuses_has_a_code(line: str) -> None:
    """Here: a directory below a file."""
    result = CliRunner().invoke(corpus_app, line.split())
    assert result.exit_code == 1
    assert "[T1" in result.output
    assert Path("other.tsv").read_text("utf8") == TEXT
