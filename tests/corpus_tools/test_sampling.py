from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from corpus_tools.cli import app
from corpus_tools.errors import CorpusError
from corpus_tools.formats import read_records
from corpus_tools.issues import Report
from corpus_tools.records import Mention, Record, Rejected
from corpus_tools.sample_corpus import sample
from corpus_tools.sampling import (
    SPLITS,
    CoarseTypes,
    SampleOptions,
    Scan,
    few_shot,
    masked,
    partition,
    split_by_ratio,
)
from corpus_tools.units import RunOptions
from spacy_cascade.taxonomy import builtin

CORPUS = Path(__file__).parents[2] / "assets" / "corpora"
ENGLISH = CORPUS / "dynamicner_mini" / "en"


def scan(rows: list[list[str]], texts: list[str] | None = None) -> Scan:
    """rows: the labels of each record."""
    made = [
        Record(
            (texts or [])[i] if texts else f"text {i}",
            tuple(Mention(k, k + 1, label) for k, label in enumerate(row)),
        )
        for i, row in enumerate(rows)
    ]
    return Scan("set", made, CoarseTypes())


def random_rows(n: int = 600) -> list[list[str]]:
    rng = np.random.default_rng(0)
    labels = ["a->x", "a->y", "b->x", "c->x", "d->x", "e->z"]
    return [
        rng.choice(
            labels, rng.integers(0, 3), p=[0.5, 0.25, 0.1, 0.1, 0.04, 0.01]
        ).tolist()
        for _ in range(n)
    ]


@pytest.mark.parametrize("size", [6, 30, 61, 300])
def test_every_type_has_its_stratum(size):
    rows = random_rows()
    chosen = few_shot(scan(rows), SampleOptions(size=size))
    total = Counter(label for row in rows for label in set(row))
    found = Counter(
        label
        for row, kept in zip(rows, chosen, strict=True)
        for label in set(row)
        if kept
    )
    assert len(total) == 6
    for label, n in total.items():
        assert found[label] >= min(size // 6, n)
    assert min(size // 6, min(total.values())) * 6 <= chosen.sum() <= size
    assert not any(kept and not row for row, kept in zip(rows, chosen, strict=True))


def test_strata_without_overlap_have_exactly_the_size_of_the_formula():
    rows = [["a"]] * 50 + [["b"]] * 20 + [["c"]] * 3
    chosen = few_shot(scan(rows), SampleOptions(size=31))
    assert [chosen[:50].sum(), chosen[50:70].sum(), chosen[70:].sum()] == [10, 10, 3]


def test_coarse_strata():
    chosen = few_shot(
        scan([["a->x"], ["a->y"], ["b->z"], ["b->z"]]),
        SampleOptions(size=2, coarse=True),
    )
    assert chosen[:2].sum() == chosen[2:].sum() == 1


def test_ratio_holds_over_all_and_per_type():
    rows = [["common"]] * 400 + [["rare", "common"]] * 100
    split = split_by_ratio(scan(rows), SampleOptions(mode="splits"))
    assert np.bincount(split).tolist() == [100, 100, 300]
    assert np.bincount(split[400:]).tolist() == [20, 20, 60]


def test_equal_sentences_come_to_one_split():
    texts = [f"Sentence number {i % 40}{'!' * (i // 40)}" for i in range(200)]
    split = split_by_ratio(scan([["a"]] * 200, texts), SampleOptions(mode="splits"))
    assert all(len(set(split[i::40])) == 1 for i in range(40))
    assert np.bincount(split[:40]).tolist() == [8, 8, 24]


def test_partition_is_near_the_ratio_and_takes_given_types():
    rows = [
        [f"{c}->x"]
        for c, n in zip("abcdef", (10, 10, 10, 10, 5, 5), strict=True)
        for _ in range(n)
    ]
    found = partition(scan(rows), SampleOptions(mode="disjoint"))
    sizes = Counter(found[row[0][0]] for row in rows)
    assert [sizes[i] for i in range(3)] == [10, 10, 30]
    given = partition(
        scan(rows),
        SampleOptions(mode="disjoint", types={"train": ["e"], "dev": ["a", "b"]}),
    )
    assert (given["e"], given["a"], given["b"]) == (0, 1, 1) and set(
        given.values()
    ) == {0, 1, 2}


@pytest.mark.parametrize("mixed", ["mask", "drop"])
def test_disjoint_coarse_types(tmp_path, mixed):
    options = SampleOptions(mode="disjoint", mixed=mixed)
    report = sample(
        ENGLISH,
        tmp_path,
        options,
        RunOptions(to_format="geic"),
        taxonomy=builtin("dynamicner"),
    )
    of_record, coarse, texts = (
        CoarseTypes(builtin("dynamicner")),
        defaultdict(set),
        defaultdict(set),
    )
    (found,) = report["datasets"].values()
    for name in SPLITS:
        for record in read_records(tmp_path / "en" / f"{name}.json", Report()):
            coarse[name] |= set(of_record(record))
            texts[name].add(record.text)
        assert coarse[name] == set(found["coarse_types"][name])
    assert (
        not coarse["train"] & coarse["dev"]
        and not coarse["train"] & coarse["test"]
        and not coarse["dev"] & coarse["test"]
    )
    assert (
        not texts["train"] & texts["test"]
        and not texts["train"] & texts["dev"]
        and not texts["dev"] & texts["test"]
    )
    assert len(set.union(*coarse.values())) == 8
    removed = sum(f["removed_mentions"] for f in found["splits"].values())
    written = sum(f["records"] for f in found["splits"].values())
    assert written + found["left_out"] == found["records"]
    assert (removed == 0) == (mixed == "drop") and (found["left_out"] == 0) == (
        mixed == "mask"
    )


def test_masked_records_say_nothing_of_other_splits():
    record = Record(
        "Ada in Rome",
        (Mention(0, 3, "person"), Mention(7, 11, "city")),
        labels=("person", "city", "animal"),
        meta={
            "type_lists": [["person", "city"], ["city", "river"]],
            "order": [1, 0, 2],
            "questions": ["?"],
        },
        rejected=(Rejected("Bob", "person"),),
    )
    found = masked(record, 1, {"person": 0, "city": 1}, CoarseTypes())
    assert (
        found.mentions == record.mentions[1:]
        and found.labels == ("city", "animal")
        and not found.rejected
    )
    assert found.meta == {"type_lists": [["city", "river"]]}


@pytest.mark.slow
def test_all_modes_are_deterministic_and_follow_the_seed(tmp_path):
    taxonomy = builtin("dynamicner")
    for options in ({"size": 160}, {"mode": "splits"}, {"mode": "disjoint"}):
        texts = []
        for i, seed in enumerate((0, 0, 1)):
            out = tmp_path / f"{options.get('mode')}{i}"
            sample(
                ENGLISH,
                out,
                SampleOptions(**options, seed=seed),
                RunOptions(to_format="geic", limit=250),
                taxonomy=taxonomy,
            )
            texts.append({p.name: p.read_bytes() for p in sorted(out.rglob("*.json"))})
        assert texts[0] == texts[1]
        assert texts[0]["train.json"] != texts[2]["train.json"]


def test_trees_and_datasheets(tmp_path):
    source = CORPUS / "b2nerd_mini"
    report = sample(
        source,
        tmp_path,
        SampleOptions(size=30),
        RunOptions(to_format="b2nerd", licence="CC0-1.0"),
    )
    assert len(report["datasets"]) == 7
    for name, found in report["datasets"].items():
        records = list(read_records(tmp_path / name / "train.json", Report()))
        assert len(records) == found["splits"]["train"]["records"] <= 30
    sheet = json.loads((tmp_path / "datasheet.json").read_text("utf8"))
    assert sheet["licence"]["licence"] == "CC0-1.0"
    assert len(sheet["files"]) == 7 and sheet["types"]["types"] > 50


@pytest.mark.parametrize(
    "options, code",
    [
        ({"mode": "half"}, "T003"),
        ({"mixed": "no"}, "T003"),
        ({}, "T008"),
        ({"size": 0}, "T008"),
        ({"mode": "splits", "ratio": (1, 1)}, "T008"),
        ({"mode": "splits", "ratio": (0, 1, 1)}, "T008"),
        ({"size": 5, "seed": -1}, "T008"),
    ],
)
def test_options_out_of_range(options, code):
    with pytest.raises(CorpusError, match=code):
        SampleOptions(**options)


def test_bad_input(tmp_path, write_json):
    one = write_json(
        [
            {
                "sentence": "Oslo sleeps.",
                "entities": [{"name": "Oslo", "type": "city", "pos": [0, 4]}],
            }
        ],
        "one.json",
    )
    none = write_json([{"sentence": "It rains.", "entities": []}], "none.json")
    assert (
        sample(one, tmp_path / "a", SampleOptions(size=1))["datasets"]["one"]["splits"][
            "train"
        ]["records"]
        == 1
    )
    for path, options, code in (
        (one, {"mode": "splits"}, "T078"),
        (none, {"size": 5}, "T078"),
        (one, {"mode": "disjoint"}, r"T079.*1 coarse type"),
        (none, {"mode": "disjoint"}, r"T079.*0 coarse type"),
    ):
        with pytest.raises(CorpusError, match=code):
            sample(path, tmp_path / "b", SampleOptions(**options))
    with pytest.raises(CorpusError, match="T008"):
        sample(one, one, SampleOptions(size=1))
    with pytest.raises(CorpusError, match=r"T078.*all 6 types"):
        few_shot(scan(random_rows()), SampleOptions(size=5))
    rows = random_rows()
    for types, why in (
        ({"dev": ["q"]}, "none of its"),
        ({"dev": ["a"], "test": ["a"]}, "two splits"),
        ({"dev": list("abcde")}, "leave none"),
    ):
        with pytest.raises(CorpusError, match=f"T079.*{why}"):
            partition(scan(rows), SampleOptions(mode="disjoint", types=types))
    assert not (tmp_path / "b").exists()


@pytest.mark.slow
def test_command(tmp_path):
    out = tmp_path / "out"
    args = ["sample", str(ENGLISH), str(out), "--mode", "splits"]
    run = CliRunner().invoke
    plan = json.loads(run(app, [*args, "--dry-run", "--json"]).stdout)
    assert len(plan["would_write"]) == 3 and not out.exists()
    result = run(app, args)
    assert result.exit_code == 0 and "799 records written" in result.output
    assert "T071" in run(app, args).output
    report = json.loads(
        run(
            app, [*args, "--overwrite", "--ratio", "2:2:6", "--limit", "50", "--json"]
        ).stdout
    )
    assert [f["records"] for f in report["datasets"]["en"]["splits"].values()] == [
        30,
        30,
        90,
    ]
    assert "T008" in run(app, [*args, "--ratio", "a:b"]).output


@pytest.mark.slow
@pytest.mark.real_data
def test_dynamicner_test_file(data, tmp_path):
    taxonomy = builtin("dynamicner")
    source = data / "dynamicner" / "example.json"
    report = sample(
        source,
        tmp_path / "s",
        SampleOptions(mode="splits"),
        RunOptions(to_format="geic"),
    )
    assert [
        f["records"] for f in report["datasets"]["example"]["splits"].values()
    ] == pytest.approx([180, 180, 540], abs=3)
    report = sample(
        source,
        tmp_path / "d",
        SampleOptions(mode="disjoint"),
        RunOptions(to_format="geic"),
        taxonomy=taxonomy,
    )
    assert sum(map(len, report["datasets"]["example"]["coarse_types"].values())) == 8
