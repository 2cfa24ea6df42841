"""Conversion of files and trees, and the command line."""

from __future__ import annotations

import json
import sys
from types import ModuleType

import pytest
from typer.testing import CliRunner

from corpus_tools.cli import app
from corpus_tools.convert import convert
from corpus_tools.errors import CorpusError, CorpusFileNotFoundError
from corpus_tools.fetch import fetch
from corpus_tools.formats import detect, docbin, read_records
from corpus_tools.issues import REJECTED, SKIPPED, Report

GOOD = {
    "sentence": "Ann in Rome",
    "entities": [{"name": "Ann", "type": "person", "pos": [0, 3]}],
}
BAD = {
    "sentence": "Ann",
    "entities": [{"name": "Bob", "type": "person", "pos": [0, 3]}],
}
GEIC = {
    "sentence1": {"sentence": "Ann in Rome", "entity": ["Rome"], "category": ["city"]}
}


def run(*args):
    return CliRunner().invoke(app, [str(a) for a in args])


@pytest.mark.parametrize(
    "name, value, format",
    [
        ("a.json", GEIC, "geic"),
        ("a.json", [GOOD], "b2nerd"),
        ("a.jsonl", json.dumps(GOOD) + "\n" + json.dumps(GOOD), "b2nerd"),
        ("a.json", [{"conversations": []}], "swift"),
        ("a.json", '[\n{"entities" },\n{"conversations": []}\n]', "swift"),
        ("a.conll", "a O", "bio"),
        ("a.spacy", "", "docbin"),
    ],
)
def test_detect(write_json, name, value, format):
    assert detect(write_json(value, name)) == format


@pytest.mark.parametrize(
    "name, value",
    [("a.json", {"x": "y"}), ("a.json", "[]"), ("a.json", ""), ("a.pdf", "x")],
)
def test_detect_fails(write_json, name, value):
    with pytest.raises(CorpusError, match="T002"):
        detect(write_json(value, name))


def test_b2nerd_tree(write_json, tmp_path):
    write_json([GOOD], "in/NER_en/news/train.json")
    write_json({"PER": "person"}, "in/NER_en/news/labels.json")
    write_json([GOOD, BAD], "in/zh/web/test.json")
    write_json({"a": ["b"]}, "in/zh/web/category.json")
    report = convert(tmp_path / "in", tmp_path / "out")
    files = sorted(
        str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.*")
    )
    assert files == ["en/news/train.spacy", "zh/web/test.spacy"]
    (record,) = docbin.read(tmp_path / "out" / "en" / "news" / "train.spacy", Report())
    assert record.meta == {
        "source": "NER_en/news/train.json",
        "index": 0,
        "language": "en",
        "dataset": "news",
    }
    assert record.labels == ("person",)
    assert {
        name: c["records"] for name, c in report.grouped().items() if c["records"]
    } == {"en": 1, "zh": 2}
    assert [(i.kind, i.file, i.record) for i in report.issues] == [
        (SKIPPED, "zh/web/category.json", 0),
        (REJECTED, "zh/web/test.json", 2),
    ]


def test_geic_tree(write_json, tmp_path):
    for split in ("train", "test"):
        write_json(GEIC, f"dyn/de/{split}.json")
    convert(tmp_path / "dyn", tmp_path / "out")
    convert(tmp_path / "dyn" / "de", tmp_path / "at", language="at")
    (record,) = docbin.read(tmp_path / "at" / "test.spacy", Report())
    assert record.meta["language"] == "at"
    (record,) = docbin.read(tmp_path / "out" / "de" / "test.spacy", Report())
    assert (record.meta["language"], record.meta["dataset"], record.meta["id"]) == (
        "de",
        "dyn",
        "sentence1",
    )


def test_through_every_format(write_json, tmp_path):
    path = write_json(GEIC)
    for step, to in enumerate(["docbin", "b2nerd", "bio", "docbin", "geic"]):
        target = tmp_path / f"out{step}"
        convert(path, target, to_format=to)
        (path,) = target.iterdir()
    assert json.loads(path.read_text()) == GEIC


def test_strict_writes_nothing(write_json, tmp_path):
    write_json([GOOD], "in/a.json")
    write_json([BAD], "in/b.json")
    report = convert(tmp_path / "in", tmp_path / "out", strict=True)
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["a.spacy"]
    assert list(report.failed) == ["b.json"]
    assert "T006" in report.failed["b.json"]


def test_a_file_of_a_tree_that_can_not_be_read(write_json, tmp_path):
    write_json([GOOD], "in/a.json")
    write_json("no docbin", "in/b.spacy")
    report = convert(tmp_path / "in", tmp_path / "out")
    assert "T004" in report.failed["b.spacy"]
    assert (tmp_path / "out" / "a.spacy").exists()
    with pytest.raises(CorpusError, match="T004"):
        convert(tmp_path / "in" / "b.spacy", tmp_path / "out")


def test_wrong_inputs(write_json, tmp_path):
    (tmp_path / "empty").mkdir()
    for source, error, code in (
        (tmp_path / "no", CorpusFileNotFoundError, "T001"),
        (tmp_path / "empty", CorpusError, "T007"),
    ):
        with pytest.raises(error, match=code):
            convert(source, tmp_path / "out")
    for options in ({"from_format": "x"}, {"to_format": "x"}):
        with pytest.raises(CorpusError, match="T003"):
            convert(write_json([GOOD]), tmp_path / "out", **options)
    write_json([GOOD], "two/a.json")
    write_json(json.dumps(GOOD), "two/a.jsonl")
    with pytest.raises(CorpusError, match="T010"):
        convert(tmp_path / "two", tmp_path / "out")


def test_limit_and_read_records(write_json, tmp_path):
    path = write_json([GOOD] * 5)
    convert(path, tmp_path / "x.spacy", limit=2)
    found = list(
        read_records(tmp_path / "x.spacy", Report(), about={"dataset": "late"})
    )
    assert [(r.meta["index"], r.meta["source"]) for r in found] == [
        (0, str(path)),
        (1, str(path)),
    ]


def test_cli_convert_prints_and_reports(write_json, tmp_path):
    path = write_json([GOOD, BAD])
    result = run(
        "convert",
        path,
        tmp_path / "x.spacy",
        "--report",
        tmp_path / "r.json",
        "--taxonomy",
        "dynamicner",
    )
    assert result.exit_code == 0, result.output
    assert "record 2: 'Bob': 'pos' [0, 3] holds" in result.output
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["total"]["mentions"] == 2
    assert report["issues"][0]["record"] in (1, 2)
    strict = run("convert", path, tmp_path / "y.spacy", "--strict")
    assert strict.exit_code == 1
    assert "T006" in strict.output
    assert not (tmp_path / "y.spacy").exists()


def test_cli_errors_have_codes(write_json, tmp_path):
    path = write_json([GOOD])
    for args, code in (
        (("convert", tmp_path / "no", tmp_path), "T001"),
        (("convert", path, tmp_path, "--taxonomy", "nope"), "T009"),
        (("convert", path, tmp_path, "--alignment", "nope"), "T003"),
        (("merge", path, tmp_path / "x.spacy"), "T004"),
        (("fetch", "nope", tmp_path), "T003"),
    ):
        result = run(*args)
        assert (result.exit_code, code in result.output) == (1, True), result.output


def test_cli_swift_questions(write_json, tmp_path):
    path = write_json(
        {"s": {"sentence": "Ann in Rome", "entity": ["Rome"], "category": ["city"]}}
    )
    out = tmp_path / "x.json"
    args = (
        "--to",
        "swift",
        "--stage",
        2,
        "--level",
        "first",
        "--taxonomy",
        "dynamicner",
    )
    result = run("convert", path, out, *args)
    assert result.exit_code == 0, result.output
    ((user, answer),) = [r["conversations"] for r in json.loads(out.read_text())]
    assert "in the first list: " in user["value"]
    assert answer["value"] == "location"


def test_cli_merge(write_json, tmp_path):
    path = write_json([GOOD, GOOD])
    convert(path, tmp_path / "a.spacy")
    result = run(
        "merge", tmp_path / "a.spacy", tmp_path / "a.spacy", tmp_path / "b.spacy"
    )
    assert result.exit_code == 0
    assert len(docbin.load(tmp_path / "b.spacy")) == 4
    assert run("merge", tmp_path / "a.spacy").exit_code == 2


def test_fetch(monkeypatch, tmp_path):
    asked = []

    def download(repo, *, repo_type, local_dir):
        asked.append((repo, repo_type, local_dir))
        if len(asked) > 1:
            raise ConnectionError("no route to host")
        return str(local_dir)

    hub = ModuleType("huggingface_hub")
    hub.snapshot_download = download  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    assert fetch("b2nerd", tmp_path) == tmp_path
    assert asked == [("Umean/B2NERD", "dataset", tmp_path)]
    with pytest.raises(CorpusError, match=r"T020.*no route to host.*convert"):
        fetch("dynamicner", tmp_path)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(CorpusError, match="T021"):
        fetch("dynamicner", tmp_path)


def test_cli_merge_takes_the_named_data_sets(write_json, tmp_path):
    for name in ("en/a", "en/b"):
        (tmp_path / "in" / name).mkdir(parents=True)
        write_json([GOOD] if name == "en/b" else [GOOD, GOOD], f"in/{name}/train.json")
    assert (
        run("convert", tmp_path / "in", tmp_path / "out", "--from", "b2nerd").exit_code
        == 0
    )
    sources = write_json({"en/b": {"licence": "CC0"}}, "sources.json")
    result = run(
        "merge", tmp_path / "out", tmp_path / "all.spacy", "--sources", sources
    )
    assert result.exit_code == 0, result.output
    assert len(docbin.load(tmp_path / "all.spacy")) == 1
    even = run("merge", tmp_path / "out", tmp_path / "all.spacy", "--balance", "0")
    assert even.exit_code == 0, even.output
    texts = [
        docbin.load(tmp_path / "out" / name / "train.spacy")
        for name in ("en/a", "en/b")
    ]
    assert [len(t) for t in texts] == [2, 1]
    assert len(docbin.load(tmp_path / "all.spacy")) == 4
    assert (
        run(
            "merge", tmp_path / "out", tmp_path / "all.spacy", "--balance", "2"
        ).exit_code
        == 2
    )
    missing = run(
        "merge",
        tmp_path / "out",
        tmp_path / "all.spacy",
        "--sources",
        write_json(["en/c"], "s.json"),
    )
    assert missing.exit_code == 1
    assert "T001" in missing.output
