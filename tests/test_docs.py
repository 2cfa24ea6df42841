"""README, pages of components and the tables that come from the code."""

from __future__ import annotations

import contextlib
import importlib
import io
import re
from pathlib import Path
from typing import Any

import pytest
import spacy
from thinc.api import Config

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf8")
COMPONENTS = ROOT / "docs/components"
FACTORIES = [
    "cascade_extractor",
    "cascade_classifier",
    "open_ner",
    "gpt_ner",
    "prompt_ner",
    "span_fuser",
]


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "docs/tools"))
    return importlib.import_module("code_tables")


@pytest.fixture
def docstrings(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "docs/tools"))
    return importlib.import_module("docstrings")


def test_the_readme_is_short() -> None:
    assert len(README.split()) <= 600


@pytest.mark.slow
def test_the_example_of_the_readme_is_true(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    example = re.search(r"```python\n(.*?)```\n\n```\n(.*?)```", README, re.DOTALL)
    assert example is not None
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(example[1], {})
    assert printed.getvalue() == example[2]


def test_pages_have_the_tables_that_the_code_gives(tables: Any) -> None:
    stale = []
    for page in tables.PAGES:
        text = page.read_text("utf8")
        if tables.fill(text) != text:
            stale.append(page.relative_to(ROOT).as_posix())
    assert stale == [], "run: make docs"


@pytest.mark.parametrize("factory", FACTORIES)
def test_every_factory_has_a_page_whose_config_works(factory: str) -> None:
    text = (COMPONENTS / f"{factory}.md").read_text("utf8")
    assert f"<!-- options: {factory} -->" in text
    block = re.search(r"```ini\n(.*?)```", text, re.DOTALL)
    assert block is not None
    settings = Config().from_str("[components]\n" + block[1])["components"][factory]
    nlp = spacy.blank("xx")
    nlp.add_pipe(settings.pop("factory"), config=settings)


def test_parameters_of_a_docstring(docstrings: Any) -> None:
    text = """Does something.

    first (Optional[dict]): One line
        and another: with a colon.
    second (int), third (int): For both.
    RETURNS (int): What comes back.
    """
    assert docstrings.parameters(text, ["first", "second", "third"]) == {
        "first": "One line and another: with a colon.",
        "second": "For both.",
        "third": "For both.",
    }
    assert docstrings.as_markdown(text).splitlines()[2:] == [
        "* `first` (Optional[dict]): One line",
        "    and another: with a colon.",
        "* `second` (int), `third` (int): For both.",
        "* **RETURNS (int)**: What comes back.",
    ]


@pytest.mark.parametrize("page", ["docs/architecture.md", "CONTRIBUTING.md"])
def test_modules_that_a_page_names_exist(page: str) -> None:
    text = (ROOT / page).read_text("utf8")
    named = set(re.findall(r"`([a-z_]+(?:/[a-z_0-9]+)*/[a-z_0-9]+\.py)`", text))
    folders = (ROOT, ROOT / "spacy_cascade")
    missing = [n for n in named if not any((f / n).is_file() for f in folders)]
    assert missing == []
