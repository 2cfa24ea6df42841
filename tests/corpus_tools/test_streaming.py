"""What keeps memory flat, and what all commands have in common."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
import typer
from spacy.tokens import DocBin
from srsly import msgpack_decoders, msgpack_encoders
from typer.testing import CliRunner

from benchmarks.suites.corpora import streaming
from corpus_tools.cli import PANELS, app
from corpus_tools.convert import convert
from corpus_tools.formats import docbin, docs
from corpus_tools.issues import KEPT, REJECTED, REJECTED_RECORDS, Report
from corpus_tools.records import Mention, Record

ROOT = Path(__file__).parents[2]


def test_a_report_keeps_some_issues_and_counts_all():
    report = Report()
    for i in range(KEPT + 50):
        report.file("a").add(i, REJECTED, "mention", "x")
        report.file("b").add(i, REJECTED, "record")
    assert len(report.of_kind(REJECTED)) == 2 * KEPT
    assert report.total(REJECTED) == report.total(REJECTED_RECORDS) == KEPT + 50
    assert report.rejected == 2 * (KEPT + 50)
    for i in range(
        3 * KEPT
    ):  # a type's first mention is an issue, whatever came before
        report.file("a").unknown_type(i, "old", "not there", "x")
    report.file("a").unknown_type(0, "new", "not there", "x")
    assert len(report.of_kind("unknown_type")) == 2


def test_a_report_to_a_file_is_complete(write_json, tmp_path):
    source = write_json(
        [{"sentence": "x", "entities": [{"name": "y", "type": "t"}]}] * (KEPT + 5)
    )
    assert len(convert(source, tmp_path / "x.spacy", force=True).issues) == KEPT
    options = ["--force", "--report", str(tmp_path / "r.json")]
    result = CliRunner().invoke(
        app, ["convert", str(source), str(tmp_path / "x.spacy"), *options]
    )
    assert result.exit_code == 0 and f"{KEPT + 5} rejected" in result.output
    assert len(json.loads((tmp_path / "r.json").read_text())["issues"]) == KEPT + 5
    result = CliRunner().invoke(
        app, ["convert", str(source), str(tmp_path / "x.spacy"), "--strict", "--force"]
    )
    assert result.exit_code == 1 and f"{KEPT + 5} mention(s)" in result.output


def test_a_file_none_of_whose_mentions_is_found_is_refused(write_json, tmp_path):
    source = write_json(
        [{"sentence": "x", "entities": [{"name": "y", "type": "t"}]}] * 3
    )
    target = tmp_path / "x.spacy"
    result = CliRunner().invoke(app, ["convert", str(source), str(target)])
    assert (
        result.exit_code == 1
        and "[T087]" in result.output
        and "3 of 3" in result.output
    )
    assert not target.exists()


def new_words(n):
    rng = random.Random(0)
    for i in range(n):
        word = "".join(rng.choices("abcdefghij", k=12))
        yield Record(
            f"{word} in Rome",
            (Mention(len(word) + 4, len(word) + 8, "city"),),
            meta={"source": "f", "index": i},
        )


@pytest.mark.parametrize("max_docs", [None, 7])
def test_writing_forgets_words(tmp_path, monkeypatch, max_docs):
    monkeypatch.setattr(docs, "LEARNED", 0)
    monkeypatch.setattr(docs, "ZONE", 10)
    vocab = docs.blank_pipeline().vocab
    docbin.write(new_words(1), tmp_path / "warm.spacy")
    before = len(vocab), len(vocab.strings)
    for n in (0, 9, 10, 95):
        docbin.write(new_words(n), tmp_path / "x.spacy", max_docs=max_docs)
        assert (len(vocab), len(vocab.strings)) == before
        files = sorted(tmp_path.glob("x*.spacy"))
        assert [r for f in files for r in docbin.read(f, Report())] == list(
            new_words(n)
        )


def test_a_failure_in_a_zone_leaves_a_usable_pipeline(tmp_path, monkeypatch):
    monkeypatch.setattr(docs, "LEARNED", 0)

    def broken():
        yield from new_words(5)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        docbin.write(broken(), tmp_path / "x.spacy")
    docbin.write(new_words(5), tmp_path / "x.spacy")
    assert list(docbin.read(tmp_path / "x.spacy", Report())) == list(new_words(5))


def test_codecs_are_collected_again_afterwards(tmp_path):
    docbin.write(new_words(3), tmp_path / "x.spacy")
    first, second = (docbin.read(tmp_path / "x.spacy", Report()) for _ in range(2))
    next(first), next(second)
    first.close()
    assert len(list(second)) == 2
    for registry in (msgpack_encoders, msgpack_decoders):
        assert "get_all" not in vars(registry) and "numpy" in registry.get_all()


def test_our_docbins_hold_what_spacys_do(tmp_path):
    make = docs.DocMaker(docs.blank_pipeline())
    records = [
        *new_words(3),
        Record("北京 is 🙂  big\n", (Mention(0, 2, "城市"), Mention(0, 1, "x"))),
        Record(""),
    ]
    DocBin(docs=[make(r) for r in records], store_user_data=True).to_disk(
        tmp_path / "spacy.spacy"
    )
    docbin.write(records, tmp_path / "ours.spacy")
    theirs, ours = (
        list(
            docbin.load(tmp_path / f"{name}.spacy").get_docs(
                docs.blank_pipeline().vocab
            )
        )
        for name in ("spacy", "ours")
    )
    for a, b in zip(theirs, ours, strict=True):
        assert a.to_json() == b.to_json() and a.user_data == b.user_data
        assert [(s.start, s.end, s.label_) for s in a.spans["gold"]] == [
            (s.start, s.end, s.label_) for s in b.spans["gold"]
        ]


def test_parts_and_a_single_file_replace_each_other(tmp_path):
    parts = tmp_path / "parts"
    path = parts / "train.spacy"
    for max_docs, expected in ((2, 3), (None, 1), (4, 2), (1, 5)):
        docbin.write(new_words(5), path, max_docs=max_docs)
        assert len(list(parts.iterdir())) == expected
    # the next merge would read it
    inside = CliRunner().invoke(
        app, ["merge", str(parts), str(parts / "all" / "merged.spacy")]
    )
    assert inside.exit_code == 1 and "[T111]" in inside.output
    target = tmp_path / "all" / "merged.spacy"
    result = CliRunner().invoke(app, ["merge", str(parts), str(target)])
    assert result.exit_code == 0 and list(docbin.read(target, Report())) == list(
        new_words(5)
    )


def options(command):
    return {name for parameter in command.params for name in parameter.opts}


def test_commands_have_the_same_options():
    commands = typer.main.get_command(app).commands
    assert set(commands) == {name for names in PANELS.values() for name in names}
    assert list(commands) == [name for names in PANELS.values() for name in names]
    for name, command in commands.items():
        assert "--json" in options(command)
        if name not in ("fetch", "merge"):  # these take files as a whole
            assert {"--seed", "--limit", "--quiet"} <= options(command)
        if name not in ("stats", "check-twins"):  # these write nothing
            assert "--dry-run" in options(command)
        assert len(command.help.splitlines()[0]) <= 110


def test_dry_runs_write_nothing(tmp_path, write_json):
    source, out = str(write_json([{"sentence": "x", "entities": []}])), tmp_path / "out"
    for args in (
        ["convert", source, str(out)],
        ["merge", source, str(out)],
        ["fetch", "b2nerd", str(out)],
    ):
        result = CliRunner().invoke(app, [*args, "--dry-run", "--json"])
        assert result.exit_code == 0 and not out.exists()
        assert next(iter(json.loads(result.stdout)["would_write"].values())).startswith(
            str(out)
        )


def test_the_benchmark_makes_valid_records(tmp_path):
    for layout in ("b2nerd", "jsonl"):
        target = tmp_path / layout
        streaming.generate(
            ROOT / "assets" / "corpora" / "b2nerd_mini",
            target,
            1000,
            layout=layout,
            seed=0,
        )
        report = convert(
            target, tmp_path / "out", from_format="b2nerd", to_format="b2nerd"
        )
        assert report.total("records") == 1000 and report.rejected == 0
        assert 0 < report.total("repaired") < 40
