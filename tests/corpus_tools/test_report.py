from __future__ import annotations

import json
import random
import re
from collections import Counter
from html.parser import HTMLParser

import numpy as np
import pytest
from typer.testing import CliRunner

from corpus_tools.cli import app
from corpus_tools.errors import CorpusError, CorpusFileNotFoundError
from corpus_tools.formats.docs import blank_pipeline
from corpus_tools.records import Mention, Record
from corpus_tools.report import conflicts, treemap
from corpus_tools.report.samples import MAX_CHARACTERS, Sample, Samples, render
from corpus_tools.report.stats import Group, Stats, collect, token_starts
from corpus_tools.report.tally import Paths, Tally, summary
from spacy_cascade.taxonomy import Taxonomy

RECORDS = [
    {
        "sentence": "Ann met Bob Ray in Rome.",
        "entities": [
            {"name": "Ann", "type": "person", "pos": [0, 3]},
            {"name": "Bob Ray", "type": "person", "pos": [8, 15]},
            {"name": "Ray", "type": "person->name", "pos": [12, 15]},
            {"name": "Rome", "type": "location->city", "pos": [19, 23]},
        ],
    },
    {"sentence": "Nothing here.", "entities": []},
    {
        "sentence": "Paris is <b>big</b>",
        "labels": ["location", "x"],
        "entities": [{"name": "Paris", "type": "location", "pos": [0, 5]}],
    },
]


@pytest.fixture
def corpus(write_json, tmp_path):
    write_json(
        {"P": "person", "L": "location", "C": "location->city"},
        "corpus/NER_en/toy/labels.json",
    )
    write_json(RECORDS, "corpus/NER_en/toy/train.json")
    write_json(RECORDS[:1], "corpus/NER_zh/other/dev.json")
    return tmp_path / "corpus"


def run(*args):
    return CliRunner().invoke(app, [str(a) for a in args])


def test_counts(corpus):
    stats = collect([corpus])
    assert set(stats.groups) == {
        Group("en", "toy", "train"),
        Group("zh", "other", "dev"),
    }
    toy = stats.groups[Group("en", "toy", "train")]
    assert (toy.sentences, toy.mentions, toy.nested, toy.empty) == (3, 5, 1, 1)
    assert toy.characters == sum(len(r["sentence"]) for r in RECORDS)
    assert toy.tokens == sum(
        len(blank_pipeline().make_doc(r["sentence"])) for r in RECORDS
    )
    assert toy.types == {
        ("person",): 2,
        ("person", "name"): 1,
        ("location", "city"): 1,
        ("location",): 1,
    }
    assert toy.at_level(1) == {("person",): 3, ("location",): 2}
    assert toy.mention_tokens == {1: 4, 2: 1}
    assert toy.mention_characters == {3: 2, 7: 1, 4: 1, 5: 1}
    assert toy.per_sentence == {4: 1, 0: 1, 1: 1}
    assert toy.list_lengths == {3: 2, 2: 1} and len(toy.lists) == 2
    assert stats.total.sentences == 4
    assert stats.by(lambda g: g.language)["zh"].mentions == 4


def test_a_mention_inside_a_token_has_one_token():
    tally = Tally()
    tally.add(
        Record("Berliner sind", (Mention(0, 6, "L"), Mention(2, 8, "L"))),
        [("L",)] * 2,
        np.array([0, 9]),
    )
    assert tally.mention_tokens == {1: 2}


def test_token_starts_agree_with_spacy():
    nlp = blank_pipeline()
    for text in ["", " ", "Ann's  dog,\n北京 x", "é\u0301 🙂."]:
        assert token_starts(nlp, text).tolist() == [t.idx for t in nlp.make_doc(text)]


def test_summary_agrees_with_numpy():
    values = np.random.default_rng(0).poisson(7, 1001)
    found = summary(Counter(values.tolist()))
    assert found["mean"] == pytest.approx(values.mean())
    assert (found["min"], found["max"]) == (values.min(), values.max())
    for name, q in (("median", 0.5), ("p90", 0.9), ("p99", 0.99)):
        assert found[name] == np.quantile(values, q, method="inverted_cdf")
    assert summary({}) == {}


def test_paths_of_a_taxonomy():
    paths = Paths(Taxonomy({"location": {"city": None}}))
    assert [paths("city"), paths("town"), paths("town")] == [
        ("location", "city"),
        ("town",),
        ("town",),
    ]
    assert paths.unresolved == {"town": 2}
    assert Paths()("a->b") == ("a", "b")


def test_the_same_in_every_format(corpus, tmp_path):
    whole = collect([corpus / "NER_en" / "toy" / "train.json"], language="en").total
    out = tmp_path / "out.spacy"
    assert (
        run(
            "convert", corpus / "NER_en" / "toy" / "train.json", out, "--max-docs", 1
        ).exit_code
        == 0
    )
    parts = collect(sorted(tmp_path.glob("out-*.spacy")))
    assert [g.split for g in parts.groups] == ["out"]
    assert parts.total.to_dict() == whole.to_dict()


def test_stats_command(corpus):
    result = run("stats", corpus)
    assert (
        result.exit_code == 0
        and "en/toy" in result.output
        and "location > city" in result.output
    )
    found = json.loads(run("stats", corpus, "--json").stdout)
    assert found["total"]["type_counts"]["person"] == 4
    assert found["total"]["mentions_per_sentence"]["mean"] == 9 / 4
    assert [g["split"] for g in found["groups"]] == ["train", "dev"]
    assert (
        json.loads(run("stats", corpus, "--json", "--limit", 1).stdout)["total"][
            "sentences"
        ]
        == 2
    )


def test_a_damaged_file_does_not_stop_a_tree(corpus):
    (corpus / "NER_en" / "toy" / "bad.spacy").write_bytes(b"x")
    result = run("stats", corpus)
    assert (
        result.exit_code == 1 and "en/toy" in result.output and "T004" in result.output
    )


def test_bad_input(corpus, tmp_path, write_json):
    with pytest.raises(CorpusError, match="T080"):
        collect([write_json([], "empty.json")], from_format="b2nerd")
    with pytest.raises(CorpusFileNotFoundError, match="T001"):
        collect([tmp_path / "no"])
    assert "T003" in run("stats", corpus, "--by", "x").output
    result = run("report", corpus, corpus / "NER_en" / "toy" / "train.json")
    assert result.exit_code == 1 and "T081" in result.output
    assert json.loads((corpus / "NER_en" / "toy" / "train.json").read_text()) == RECORDS
    for content in ("{", "3", '{"conflicts": 3}', '[{"x": 1}]'):
        with pytest.raises(CorpusError, match="T082"):
            conflicts.load(write_json(content, "conflicts.json"))


def test_corpora_without_mentions_or_with_one_type(write_json, tmp_path):
    for name, records in {"none": RECORDS[1:2], "one": RECORDS[2:]}.items():
        path = write_json(records, f"{name}.json")
        assert run("stats", path).exit_code == 0
        result = run("report", path, tmp_path / f"{name}.html")
        assert result.exit_code == 0, result.output


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


@pytest.mark.parametrize(
    "text, width, lines, expected",
    [
        ("city", 100, 1, ["city"]),
        ("state or province", 60, 2, ["state or", "province"]),
        ("state or province", 60, 1, ["state or…"]),
        ("government", 40, 1, ["gover…"]),
        ("city", 8, 1, []),
        ("city", 100, 0, []),
        ("team/league", 30, 2, ["team/", "leag…"]),
    ],
)
def test_wrap(text, width, lines, expected):
    assert treemap.wrap(text, width, 10, lines) == expected


def test_stats_without_groups_have_no_total():
    assert Stats().by(lambda g: g.language) == {}


@pytest.mark.slow
@pytest.mark.real_data
def test_real_corpora_fit_in_a_page_of_one_megabyte(data, tmp_path):
    out = tmp_path / "page.html"
    result = run("report", data / "b2nerd_style", out, "--limit", 20, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert len(found["languages"]) == 13
    assert out.stat().st_size < 1_000_000
