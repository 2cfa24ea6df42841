"""Pages show data as text, whatever is in it, and run nothing that they are not written with."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from spacy.tokens import DocBin, Span
from typer.testing import CliRunner

from corpus_tools.cli import app as corpus_app
from corpus_tools.records import Mention, Record
from corpus_tools.report.samples import Sample, render
from corpus_tools.report.stats import Group
from spacy_cascade.cli import cascade_app
from spacy_cascade.cli.analysis_page import render_page as render_errors
from spacy_cascade.cli.visualize import render_page
from spacy_cascade.pages import html_page
from spacy_cascade.scoring.analysis import Analysis
from tests import util

HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "</style></script><script>alert(1)</script>",
    "\"' onmouseover=alert(1) style='background:url(//x)' x=\"",
    "&lt;svg/onload=alert(1)&gt; {0} {text} %s",
)
# What the pages are made of. None of these loads or runs anything by itself; links go
# to sections.
TAGS = """
    html head meta title style body h1 h2 h3 nav a p section div span mark br small b i table thead
    tbody tr th td ul ol li figure figcaption details summary svg g rect text tspan line polyline
    script
"""
STYLE = re.compile(
    r"(?:(?:width|height|top|flex|--p|background|padding|margin|line-height|border-radius|"
    r"direction|font-size|font-weight|vertical-align|margin-inline-start|white-space)\s*:"
    r"\s*(?:[\w#.%\s-]|var\(--\w+\))+;?\s*)+"
)


class Page(HTMLParser):
    """Tags, attributes and texts of a page, as a browser would see them."""

    def __init__(self, page: str):
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.shown: list[str] = []
        self.inline: dict[str, list[str]] = {"style": [], "script": []}
        self.policy: dict[str, str] = {}
        self._in = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self._in = tag
        about = {name: value or "" for name, value in attrs}
        self.attributes += about.items()
        if about.get("http-equiv") == "Content-Security-Policy":
            assert not self.inline["style"], "the policy comes first"
            parts = (part.strip().split(" ", 1) for part in about["content"].split(";"))
            self.policy = dict(parts)

    def handle_endtag(self, tag: str) -> None:
        self._in = ""

    def handle_data(self, data: str) -> None:
        self.inline.get(self._in, self.shown).append(data)


def harmless(page: str) -> Page:
    """Fails if anything but the page's own style and script could have an effect."""
    found = Page(page)
    assert found.tags <= set(TAGS.split())
    assert not [name for name, _ in found.attributes if name.startswith("on")]
    links = {value for name, value in found.attributes if name in ("href", "src")}
    assert all(link.startswith("#") for link in links)
    for name, value in found.attributes:
        assert name != "style" or STYLE.fullmatch(value), value
    assert found.policy["default-src"] == "'none'"
    assert found.policy["style-src-elem"] == _hash("".join(found.inline["style"]))
    script = "".join(found.inline["script"])
    assert found.policy["script-src"] == (_hash(script) if script else "'none'")
    assert "alert" not in script
    return found


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _shows(page: Page, *values: str) -> None:
    """Values stand on the page as they are, in texts or attributes."""
    text = " ".join("".join(page.shown).split())
    attributes = " ".join(value for _, value in page.attributes)
    for value in values:
        assert value in text or value in attributes


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("field", ["text", "label", "path", "section", "title"])
def test_visualize(nlp: Any, field: str, value: str) -> None:
    of = {
        "text": "Paris",
        "label": "city",
        "path": "location > city",
        "section": "en",
        "title": "t",
    }
    of[field] = value
    doc = nlp.make_doc(f"{of['text']} is big")
    end = len(nlp.make_doc(of["text"]))
    ent = Span(doc, 0, end, label=of["label"])
    doc.set_ents([ent])
    doc.ents[0]._.cascade_path = of["path"]
    _shows(harmless(render_page({of["section"]: [doc]}, title=of["title"])), value)


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize(
    "field", ["text", "gold", "found", "language", "dataset", "title"]
)
def test_errors(nlp: Any, field: str, value: str) -> None:
    of = {
        "text": "Paris",
        "gold": "city",
        "found": "town",
        "language": "en",
        "dataset": "d",
    }
    of |= {"title": "t", field: value}
    analysis = Analysis()
    for found in (of["found"], of["gold"], None):
        gold = util.example(nlp, f"{of['text']} is big", [(of["text"], "")]).reference
        end = len(nlp.make_doc(of["text"]))
        gold.spans["gold"] = [Span(gold, 0, end, label=of["gold"])]
        gold.user_data["cascade_record"] = {
            "language": of["language"],
            "dataset": of["dataset"],
        }
        doc = nlp.make_doc(gold.text)
        doc.spans["cascade"] = [Span(doc, 0, end, label=found)] if found else []
        doc.set_ents(doc.spans["cascade"])
        analysis.add(doc, gold)
    _shows(harmless(render_errors(analysis, title=of["title"])), value)


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize(
    "field", ["text", "label", "language", "dataset", "split", "listed"]
)
def test_samples_of_a_corpus(field: str, nested: bool, value: str) -> None:
    of = {
        "text": "Paris",
        "label": "city",
        "language": "en",
        "dataset": "d",
        "split": "dev",
    }
    of |= {"listed": "town", field: value}
    text = f"{of['text']} is big"
    mentions = [Mention(0, len(of["text"]), of["label"])]
    mentions += [Mention(0, len(text), "whole")] * nested
    lists = [[of["label"], of["listed"]]] * len(mentions)
    record = Record(text, tuple(mentions), meta={"type_lists": lists})
    group = Group(of["language"], of["dataset"], of["split"])
    body = render(
        Sample(group, record, [(m.label,) for m in mentions]), {of["label"]: "c0"}
    )
    page = harmless(html_page(title="t", css="p {}", body=body))
    if not (nested and field == "listed"):
        _shows(page, value)


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize(
    "field", ["sentence", "name", "type", "folder", "title", "conflict"]
)
def test_the_report_of_a_corpus(field: str, value: str, tmp_path: Path) -> None:
    of = {
        "sentence": "Paris is big",
        "name": "Paris",
        "type": "city",
        "folder": "toy",
        "title": "t",
    }
    of |= {
        "conflict": "city",
        field: value.replace("/", "|") if field == "folder" else value,
    }
    sentence = f"{of['name']}: {of['sentence']}"
    entity = {"name": of["name"], "type": of["type"], "pos": [0, len(of["name"])]}
    folder = tmp_path / "NER_en" / of["folder"]
    folder.mkdir(parents=True)
    (folder / "train.json").write_text(
        json.dumps([{"sentence": sentence, "entities": [entity]}])
    )
    one = {
        "label": of["conflict"],
        "other": of["conflict"],
        "strings": [of["conflict"]],
    }
    one |= {
        "wide": [of["conflict"]],
        "split": [of["conflict"]],
        "examples": [["d", of["conflict"]]],
    }
    (tmp_path / "conflicts.json").write_text(json.dumps([one]))
    args = [
        str(tmp_path / "NER_en"),
        str(tmp_path / "page.html"),
        "--title",
        of["title"],
        "--from",
    ]
    args += ["b2nerd", "--conflicts", str(tmp_path / "conflicts.json"), "--quiet"]
    done = CliRunner().invoke(corpus_app, args=["report", *args])
    assert done.exit_code == 0, done.output
    page = harmless((tmp_path / "page.html").read_text("utf8"))
    assert "script" in page.tags
    _shows(page, of[field])


def test_what_no_file_can_hold_is_a_question_mark() -> None:
    assert "a?b" in html_page(title="a\ud800b", css="", body="")


@pytest.fixture
def work(lively: Path, tmp_path: Path) -> Path:
    nlp = util.cascade(lively)
    nlp.to_disk(tmp_path / "pipeline")
    docs = [example.reference for example in util.examples(nlp)[:2]]
    DocBin(docs=docs, store_user_data=True).to_disk(tmp_path / "test.spacy")
    return tmp_path


@pytest.mark.parametrize("command", ["visualize", "errors"])
def test_pages_replace_nothing_unasked_and_follow_no_link(
    command: str, work: Path
) -> None:
    kept, page = work / "kept.txt", work / "page.html"
    kept.write_text("kept")
    page.symlink_to(kept)
    args = [command, str(work / "pipeline"), str(work / "test.spacy"), str(page)]
    refused = CliRunner().invoke(cascade_app, args)
    assert refused.exit_code == 1
    assert "C060" in refused.output
    done = CliRunner().invoke(cascade_app, [*args, "--overwrite"])
    assert done.exit_code == 0, done.output
    assert kept.read_text() == "kept"
    assert not page.is_symlink()
    harmless(page.read_text("utf8"))
    assert not list(work.glob(".page*"))


BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))),
    None,
)


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="there is no Chromium to open the page in")
@pytest.mark.parametrize("escaped", [True, False])
def test_in_a_browser(escaped: bool, tmp_path: Path) -> None:
    """The policy holds by itself, too: with hostile values that nobody has escaped."""
    attack = "<img src=x onerror=\"document.title='ran'\"><script>document.title='ran'</script>"
    show: Callable[[str], str] = escape if escaped else str
    page = html_page(
        title="t", css="p {}", body=show(attack), script="document.body.id='own'"
    )
    (tmp_path / "page.html").write_text(page, encoding="utf8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
    url = (tmp_path / "page.html").as_uri()
    done = subprocess.run(
        [str(BROWSER), *options, url], capture_output=True, text=True, timeout=120
    )
    assert 'id="own"' in done.stdout
    assert "<title>t</title>" in done.stdout
