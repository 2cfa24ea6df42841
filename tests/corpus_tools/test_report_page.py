"""The page that shows a corpus."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from html.parser import HTMLParser

import pytest

from corpus_tools.records import Mention, Record
from corpus_tools.report import treemap
from corpus_tools.report.samples import MAX_CHARACTERS, Sample, Samples, render
from corpus_tools.report.stats import Group
from tests.corpus_tools.report import run


class Page(HTMLParser):
    """Collects the names of tags and all references, and checks that tags are balanced."""

    VOID = ("meta", "br", "rect", "line", "polyline")

    def __init__(self):
        super().__init__()
        self.tags, self.references, self.open = Counter(), [], []

    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        self.references += [
            v for k, v in attrs if k in ("src", "href", "srcset", "data")
        ]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag


def test_the_page(corpus, tmp_path, write_json):
    ranked = [
        {
            "label": "location",
            "other": "<i>",
            "n": 1200,
            "checked": 3000,
            "home": 0.9,
            "cross": 0.1,
            "wide": ["en/toy"],
            "narrow": ["zh/other"],
            "split": ["a"],
            "strings": {"Rome": 2},
        }
    ]
    given = write_json({"conflicts": ranked}, "conflicts.json")
    out = tmp_path / "page.html"
    assert run("report", corpus, out, "--dry-run").exit_code == 0 and not out.exists()
    result = run("report", corpus, out, "--conflicts", given, "--title", "A & B")
    assert result.exit_code == 0, result.output
    text = out.read_text("utf8")
    page = Page()
    page.feed(text)
    assert not page.open
    assert all(reference.startswith("#") for reference in page.references)
    assert not re.search(r"https?://|url\(|@import", text)
    assert page.tags["mark"] > 0 and page.tags["svg"] > 3
    assert (
        "A &amp; B" in text
        and "1,200 of 3,000" in text
        and "&lt;i&gt;" in text
        and "&lt;b&gt;big" in text
    )
    result = run("report", corpus, out)
    assert result.exit_code == 1 and "T071" in result.output
    assert run("report", corpus, out, "--overwrite").exit_code == 0
    again = out.read_bytes()
    assert (
        run("report", corpus, out, "--overwrite").exit_code == 0
        and out.read_bytes() == again
    )


def test_samples_are_drawn_evenly_and_seeded():
    def draw(seed, size=5):
        samples = Samples(size, seed)
        for i in range(100):
            samples(
                Group("en", "d", "train"),
                Record(f"{i} x", (Mention(0, 1, "a"),)),
                [("a",)],
            )
        return [s.record.text for s in samples.drawn["en"]]

    assert draw(1) == draw(1) != draw(2)
    counts = Counter(text for seed in range(300) for text in draw(seed))
    assert len(counts) == 100 and max(counts.values()) < 36  # 15 expected


def test_samples_leave_out_what_cannot_be_shown():
    samples = Samples(5)
    samples(Group("en", "", ""), Record("no mention"), [])
    samples(
        Group("en", "", ""),
        Record("x" * (MAX_CHARACTERS + 1), (Mention(0, 1, "a"),)),
        [("a",)],
    )
    assert not samples.drawn


@pytest.mark.parametrize("nested", [False, True])
def test_a_sample_shows_the_text_as_it_is(nested):
    mentions = [
        Mention(4, 12, "city<"),
        *([Mention(8, 12, "x")] if nested else []),
        Mention(14, 16, "city<"),
    ]
    text = "In <New York>, 北京: &amp; so  on"
    record = Record(
        text,
        tuple(mentions),
        meta={} if nested else {"type_lists": [["city<", "y"]] * 2},
    )
    html = render(
        Sample(Group("zh", "d", "dev"), record, [(m.label,) for m in mentions]),
        {"x": "c0"},
    )

    class Text(HTMLParser):
        shown, depth = "", 0

        def handle_starttag(self, tag, attrs):
            css = dict(attrs).get("class", "")
            self.depth += (
                1
                if self.depth
                or tag == "small"
                or css in ("label", "slice", "slice start")
                else 0
            )

        def handle_endtag(self, tag):
            self.depth -= 1 if self.depth else 0

        def handle_data(self, data):
            self.shown += "" if self.depth else data

    parser = Text()
    parser.feed(html)
    assert parser.shown.strip() == text
    assert (
        "city&lt;" in html
        and "<New" not in html
        and ("out of: city&lt;, y" in html) != nested
    )


def test_squarify_fills_the_box_in_proportion():
    rng = random.Random(0)
    for n in (1, 2, 7, 60):
        values = sorted((rng.randint(1, 1000) for _ in range(n)), reverse=True)
        boxes = treemap.squarify(values, (3, 4, 200, 100))
        for value, (x, y, w, h) in zip(values, boxes, strict=True):
            assert w * h == pytest.approx(20000 * value / sum(values))
            assert (
                x >= 3 - 1e-6
                and y >= 4 - 1e-6
                and x + w <= 203 + 1e-6
                and y + h <= 104 + 1e-6
            )
        for i, (x, y, w, h) in enumerate(boxes):
            for a, b, c, d in boxes[:i]:
                assert (
                    x + w <= a + 1e-6
                    or a + c <= x + 1e-6
                    or y + h <= b + 1e-6
                    or b + d <= y + 1e-6
                )
    assert treemap.squarify([6, 6, 4, 3, 2, 2, 1], (0, 0, 6, 4))[:2] == [
        (0, 0, 3, 2),
        (0, 2, 3, 2),
    ]  # the paper's example


def test_treemap_counts_and_small_types():
    root = treemap.tree(
        {
            ("a", "b"): 5000,
            ("a",): 3000,
            **{(f"t{i}",): 1 for i in range(4)},
            ("c",): 100,
        }
    )
    assert (
        root.total == 8104
        and root.children["a"].total == 8000
        and root.children["a"].own == 3000
    )
    svg = treemap.draw(root, {"a": "c0"}, width=400, height=200)
    assert (
        "a &gt; b: 5,000 (61.7%)" in svg
        and "a itself" in svg
        and "4 more types" in svg
        and ">t1<" not in svg
    )


@pytest.mark.slow
@pytest.mark.real_data
def test_real_corpora_fit_in_a_page_of_one_megabyte(data, tmp_path):
    out = tmp_path / "page.html"
    result = run("report", data / "b2nerd_style", out, "--limit", 20, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert len(found["languages"]) == 13
    assert out.stat().st_size < 1_000_000
