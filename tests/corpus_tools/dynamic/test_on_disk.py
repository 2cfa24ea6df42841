"""The three versions of a corpus as files."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from corpus_tools.cli import app
from corpus_tools.dynamic import synonyms, versions
from corpus_tools.dynamic.metrics import (
    METRICS,
)
from corpus_tools.embedding import hash_embedder
from corpus_tools.formats import docbin, geic, swift
from corpus_tools.issues import Report
from corpus_tools.records import Mention, Record
from spacy_cascade.taxonomy import builtin

from .util import TREE

SYNONYMS = {
    "person -> real person -> politician": ["politician", "statesman"],
    "place -> area -> city": ["city", "town", "municipality"],
}


NAMES = {
    "politician": ["Merkel", "Lincoln", "Churchill"],
    "athlete": ["Bolt", "Pelé"],
    "city": ["Paris", "Lima", "Oslo", "Rome", "Accra", "Hanoi"],
    "country": ["Peru", "Chad", "Fiji"],
    "song": ["Imagine", "Yesterday"],
    "film": ["Alien", "Heat"],
    "award": ["Oscar"],
    "river": ["Nile", "Rhine", "Volga"],
}


@pytest.fixture
def source(write_json):
    rng = np.random.default_rng(5)
    value = {}
    for i in range(120):
        kinds = rng.choice(list(NAMES), 3, p=[0.2, 0.1, 0.3, 0.1, 0.1, 0.05, 0.05, 0.1])
        names = [f"{rng.choice(NAMES[k])}{i}" for k in kinds]
        value[f"sentence{i}"] = {
            "sentence": " met ".join(names) + ".",
            "entity": [*names, "gone"],
            "category": [*kinds, "city"],
        }
    return write_json(value, "corpus.json")


@pytest.fixture
def types_file(write_json):
    return write_json(TREE, "types.json")


def run(*args):
    return CliRunner().invoke(app, ["dynamic", *map(str, args), "--quiet"])


@pytest.mark.slow
def test_versions_on_disk(source, types_file, write_json, tmp_path):
    table = write_json(SYNONYMS, "synonyms.json")
    out = tmp_path / "out"
    options = [
        "--taxonomy",
        types_file,
        "--synonyms",
        table,
        "--budget",
        4,
        "--seeds",
        2,
        "--licence",
        "CC0",
        "--json",
    ]
    result = run(source, out, *options)
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    assert figures["verdict"].keys() == {
        f"{m} {w}"
        for m in METRICS
        for w in ("not worse than base", "better than random mean")
    }
    assert (out / "versions.png").read_bytes().startswith(b"\x89PNG")
    assert len((out / "search.jsonl").read_text("utf8").splitlines()) == 4 * 4
    for name in ("base", "random", "dynamic"):
        folder = out / name
        docs = list(docbin.read(folder / "corpus.spacy", Report()))
        assert len(docs) == 120 and sum(len(r.mentions) for r in docs) == 360
        for record in docs:
            for mention, types, path in zip(
                record.mentions,
                record.meta["type_lists"],
                record.meta["paths"],
                strict=True,
            ):
                assert (
                    mention.label in types
                    and len(types) >= 3
                    and len(set(types)) == len(types)
                )
                assert path
        back = list(geic.read(folder / "corpus.geic.json", Report()))
        asked = list(swift.read(folder / "corpus.swift.json", Report()))
        for other in (back, asked):
            assert [r.mentions for r in other] == [r.mentions for r in docs]
            assert [r.meta["type_lists"] for r in other] == [
                r.meta["type_lists"] for r in docs
            ]
        sheet = json.loads((folder / "datasheet.json").read_text("utf8"))
        assert (
            sheet["content"]["mentions"] == 360
            and sheet["content"]["mentions_without_a_place_left_out"] == 120
        )
        assert sheet["licence"]["licence"] == "CC0" and set(sheet["files"]) == {
            f"corpus{s}" for s in (".spacy", ".geic.json", ".swift.json")
        }
        assert (
            (folder / "datasheet.md")
            .read_text("utf8")
            .startswith(f"# corpus.json, {name} version")
        )
        # what the table says can be measured again on the DocBin
        measured = json.loads(
            run(folder / "corpus.spacy", "--measure", "--json").stdout
        )
        of = figures["random"]["seeds"][0] if name == "random" else figures[name]
        for key, value in of["metrics"].items():
            assert measured["metrics"][key] == pytest.approx(value, abs=1e-6)
        assert measured["distinct_lists"] == of["distinct_lists"]
    assert figures["base"]["distinct_lists"] == 1 < figures["dynamic"]["distinct_lists"]

    same = tmp_path / "same"
    same.mkdir()
    (same / "versions.json").touch()
    assert run(source, same, *options, "--overwrite").exit_code == 0
    for path in sorted(p.relative_to(out) for p in out.rglob("*") if p.is_file()):
        assert (out / path).read_bytes() == (same / path).read_bytes(), path


@pytest.mark.slow
def test_each_and_docbin_source(source, types_file, tmp_path):
    tree = tmp_path / "tree"
    for lang in ("en", "de"):
        (tree / lang).mkdir(parents=True)
        docbin.write(geic.read(source, Report()), tree / lang / "train.spacy")
        docbin.write(list(geic.read(source, Report()))[:20], tree / lang / "dev.spacy")
    out = tmp_path / "out"
    options = [
        "--each",
        "--taxonomy",
        types_file,
        "--synonyms",
        "none",
        "--budget",
        1,
        "--seeds",
        1,
        "--to",
        "docbin",
    ]
    dry = run(tree, out, *options, "--dry-run")
    assert dry.exit_code == 0 and "dynamic" in dry.output and not out.exists()
    result = run(tree, out, *options)
    assert result.exit_code == 0, result.output
    for lang in ("en", "de"):
        assert {p.name for p in (out / lang / "dynamic").iterdir()} == {
            "train.spacy",
            "dev.spacy",
            "datasheet.json",
            "datasheet.md",
        }
    assert (out / "versions.png").is_file()
    refused = run(tree, out, *options)
    assert refused.exit_code == 1 and "T037" in refused.output
    assert "T039" in run(source, tmp_path / "x", *options).output


@pytest.mark.slow
def test_own_types(source, tmp_path):
    result = run(
        source,
        tmp_path / "out",
        "--taxonomy",
        "labels",
        "--synonyms",
        "none",
        "--budget",
        4,
        "--seeds",
        1,
        "--to",
        "geic",
        "--json",
    )
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["dynamic"]["distinct_lists"] > 1


def entry(*pairs):
    return {
        "sentence": " ".join(name for name, _ in pairs) or "Nothing.",
        "entity": [n for n, _ in pairs],
        "category": [t for _, t in pairs],
    }


@pytest.mark.parametrize(
    "value, options, code",
    [
        ({"s": entry()}, [], "T033"),
        ({"s": {"sentence": "A.", "entity": ["B"], "category": ["city"]}}, [], "T033"),
        ({"s": entry(("Paris", "city"), ("Rome", "city"))}, [], "T035"),
        (
            {"s": entry(("Paris", "city"), ("Bolt", "runner"), ("Gil", "rider"))},
            [],
            "T034.*runner",
        ),
        (
            {"s": entry(("Paris", "city"), ("Bolt", "runner"))},
            ["--taxonomy", "labels"],
            "T036",
        ),
        (
            {"s": entry(("Paris", "city"), ("Bolt", "athlete"))},
            ["--to", "docx"],
            "T003.*--to",
        ),
        (
            {"s": entry(("Paris", "city"), ("Bolt", "athlete"))},
            ["--taxonomy", "nowhere.json"],
            "T009",
        ),
        (
            {"s": entry(("Paris", "city"), ("Bolt", "athlete"))},
            ["--synonyms", "tlh"],
            "T031",
        ),
    ],
)
def test_bad_input(write_json, tmp_path, value, options, code):
    result = run(write_json(value, "bad.json"), tmp_path / "out", *options)
    assert result.exit_code == 1
    assert re.search(code, result.output), result.output
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_one_sentence(write_json, tmp_path):
    value = {"s": entry(("Paris", "city"), ("Bolt", "athlete"))}
    result = run(
        write_json(value, "one.json"),
        tmp_path / "out",
        "--budget",
        3,
        "--seeds",
        1,
        "--json",
    )
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["base"]["metrics"]["mentions"] == 2


def test_own_lists_round_trip():
    record = Record.from_entries(
        "Paris met Rome.",
        [Mention(10, 14, "town"), Mention(0, 5, "city")],
        meta={"source": "x", "index": 0, "paths": ["place > city", "place > town"]},
        type_lists=[["town", "river"], ["city", "song"]],
    )
    assert record.entry_lists() == [["town", "river"], ["city", "song"]]
    assert replace(record, meta={}).entry_lists() is None


@pytest.mark.slow
@pytest.mark.real_data
def test_dynamicner(data):
    source = versions.Source.open(data / "dynamicner" / "example.json")
    mentions = versions.read(source)
    taxonomy = builtin("dynamicner")
    vectors = versions.embed(mentions.texts, hash_embedder())
    found = versions.compare(
        mentions.labels,
        vectors,
        taxonomy,
        synonyms=synonyms.load("en", taxonomy=taxonomy),
        budget=16,
    )
    assert len(mentions.texts) == 2788 and mentions.rejected == 17
    assert all(found.verdict().values()), found.verdict()
    assert found.dynamic.distinct >= 400
