"""The guide on input formats is followed to the letter."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from corpus_tools.cli import app
from corpus_tools.formats import FORMATS, detect, docbin, read_records
from corpus_tools.issues import Report
from corpus_tools.records import Mention

PAGE = Path(__file__).parents[2] / "docs" / "guides" / "input-format.md"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@pytest.fixture
def blocks(tmp_path, monkeypatch):
    """The page's code: the module, its use, the application."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    module, use, tools = BLOCK.findall(PAGE.read_text("utf8"))
    Path("marked_format.py").write_text(module, "utf8")
    yield module, use, tools
    FORMATS.pop("marked", None)
    sys.modules.pop("marked_format", None)


def test_the_page_does_what_it_says(blocks, capsys):
    module, use, _ = blocks
    exec(compile(module, str(PAGE), "exec"), {})
    exec(compile(use, str(PAGE), "exec"), {})
    printed = capsys.readouterr().out.strip()
    assert f"\n    {printed}\n" in PAGE.read_text("utf8")
    first, second = docbin.read(Path("train.spacy"), Report())
    assert first.text == "Lena sings in New York."
    assert first.mentions == (Mention(0, 4, "PER"), Mention(14, 22, "LOC"))
    assert second.mentions == ()


def test_the_commands_know_the_format(blocks):
    module, _, tools = blocks
    exec(compile(module, str(PAGE), "exec"), {})
    exec(compile(tools.replace("app()", ""), str(PAGE), "exec"), {})
    path = Path("a.marked")
    path.write_text("<PER Ann>\n<PER\n", "utf8")
    assert detect(path) == "marked"
    report = Report()
    assert len(list(read_records(path, report))) == 2
    assert [issue.mention for issue in report.issues] == ["<PER"]

    Path("a.x").write_text("<PER Ann>\n", "utf8")
    args = ["stats", "a.x", "--from", "marked"]
    assert CliRunner().invoke(app, args).exit_code == 0
    unknown = CliRunner().invoke(app, ["stats", "a.x"])
    assert unknown.exit_code == 1 and "marked" in unknown.output


def test_a_directory_tree_with_the_format(blocks):
    module = blocks[0]
    exec(compile(module, str(PAGE), "exec"), {})
    Path("in/en").mkdir(parents=True)
    Path("in/en/a.marked").write_text("<PER Ann>\n", "utf8")
    result = CliRunner().invoke(app, ["convert", "in", "out", "--to", "geic"])
    assert result.exit_code == 0
    assert Path("out/en/a.json").is_file()
