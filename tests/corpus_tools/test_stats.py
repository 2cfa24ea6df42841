"""Counts of a corpus."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest

from corpus_tools.errors import CorpusError, CorpusFileNotFoundError
from corpus_tools.formats.docs import blank_pipeline
from corpus_tools.records import Mention, Record
from corpus_tools.report import conflicts, treemap
from corpus_tools.report.stats import Group, Stats, collect, token_starts
from corpus_tools.report.tally import Paths, Tally, summary
from spacy_cascade.taxonomy import Taxonomy
from tests.corpus_tools.report import RECORDS, run


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
