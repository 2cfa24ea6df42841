"""Files and directory trees are pruned, with state and reports."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from corpus_tools.b2nerd.prune_corpus import prune
from corpus_tools.b2nerd.prune_report import compared
from corpus_tools.b2nerd.pruning import PruneOptions
from corpus_tools.cli import app
from corpus_tools.convert import convert
from corpus_tools.errors import CorpusError
from corpus_tools.formats import read_records
from corpus_tools.issues import Report
from corpus_tools.units import RunOptions

from .pruning_corpus import units

WORDS = [
    "river",
    "stone",
    "quiet",
    "amber",
    "winter",
    "marble",
    "ocean",
    "thunder",
    "velvet",
    "copper",
    "meadow",
    "lantern",
]


def corpus(folder: Path, sets: dict[str, int], seed: int = 0) -> Path:
    """Data sets in b2nerd layout; every fifth record has no mention, every third has two types."""
    rng = np.random.default_rng(seed)
    for name, n in sets.items():
        records = []
        for i in range(n):
            first, second, *rest = rng.choice(WORDS, 9).tolist()
            text = f"{first} {second} {' '.join(rest)} {i % 7}"
            entities = (
                [{"name": first, "type": "thing", "pos": [0, len(first)]}]
                if i % 5
                else []
            )
            if i % 5 and i % 3 == 0:
                pos = [len(first) + 1, len(first) + 1 + len(second)]
                entities.append({"name": second, "type": "place", "pos": pos})
            records.append({"sentence": text, "entities": entities})
        path = folder / "en" / name / "train.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(records), "utf8")
        (path.parent / "labels.json").write_text('{"T": "thing", "P": "place"}', "utf8")
    return folder


def tree(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


def test_chosen_sets_are_more_diverse_than_random_ones(tmp_path):
    source = corpus(tmp_path / "in", {"one": 700})

    def clustered(texts):
        # A few dense groups, as near-copies make them, in a thin cloud.
        rng = np.random.default_rng(len(texts))
        centres = units(8, 24)[rng.integers(8, size=len(texts))]
        noise = (
            rng.normal(size=centres.shape)
            * np.where(rng.random(len(texts)) < 0.7, 0.02, 1)[:, None]
        )
        return (centres + noise).astype(np.float32)

    report = prune(
        source,
        tmp_path / "out",
        PruneOptions(k=60),
        RunOptions(to_format="b2nerd"),
        embedder=clustered,
        compare=5,
    )
    figures = compared(report["datasets"], "pool")
    assert figures["lower"] == figures["types"] == 2
    assert figures["chosen"] < figures["random"] - 0.1


def test_kept_samples_keep_all_mentions(tmp_path):
    source = corpus(tmp_path / "in", {"one": 200, "two": 50})
    report = prune(
        source, tmp_path / "out", PruneOptions(k=15), RunOptions(to_format="b2nerd")
    )
    before = {
        r.text: r.mentions for r in read_records(source / "en/one/train.json", Report())
    }
    after = list(read_records(tmp_path / "out/en/one/train.json", Report()))
    found = report["datasets"]["en/one"]
    assert len(after) == found["kept"] < found["records"] == 200
    assert all(r.mentions == before[r.text] for r in after)
    assert sum(len(r.mentions) for r in after) == found["kept_mentions"]
    assert sum(not r.mentions for r in after) == found["negatives"]["kept"] <= 3
    assert json.loads((tmp_path / "out/en/one/labels.json").read_text("utf8")) == {
        "thing": "thing",
        "place": "place",
    }


def test_same_seed_same_bytes_and_another_seed_another_choice(tmp_path):
    source = corpus(tmp_path / "in", {"one": 150})
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        prune(source, tmp_path / name, PruneOptions(k=10, seed=seed))
    a, b, c = (tree(tmp_path / name) for name in "abc")
    assert sorted(a) == [
        "datasheet.json",
        "datasheet.md",
        "en/one/train.spacy",
        "pruning.json",
    ]
    assert a == b
    assert a["en/one/train.spacy"] != c["en/one/train.spacy"]


def test_a_docbin_of_many_data_sets_is_pruned_as_the_data_sets_are(tmp_path):
    source = corpus(tmp_path / "in", {"one": 150, "two": 120})
    apart = prune(source, tmp_path / "apart", PruneOptions(k=10))
    convert(source, tmp_path / "spacy")
    runner = CliRunner()
    merged = [str(tmp_path / "spacy"), str(tmp_path / "all.spacy")]
    assert runner.invoke(app, ["merge", *merged]).exit_code == 0
    together = prune(tmp_path / "all.spacy", tmp_path / "out.spacy", PruneOptions(k=10))
    assert together["datasets"] == apart["datasets"]
    assert (tmp_path / "out.pruning.json").is_file() and (
        tmp_path / "out.datasheet.md"
    ).is_file()
    assert (
        len(list(read_records(tmp_path / "out.spacy", Report())))
        == apart["total"]["kept"]
    )


@pytest.mark.slow
def test_a_killed_run_goes_on_and_writes_the_same_bytes(tmp_path):
    source = corpus(tmp_path / "in", {"a": 60, "b": 80, "c": 5000})
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    prune(source, whole, PruneOptions(k=20), RunOptions(to_format="b2nerd"))
    command = [
        sys.executable,
        "-m",
        "corpus_tools",
        "prune",
        str(source),
        str(killed),
        "--k",
        "20",
        "--to",
        "b2nerd",
        "--quiet",
    ]
    process = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"})
    checkpoint = killed / "pruning.state" / "en__b.json"
    while not checkpoint.is_file() and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert (
        not (killed / "en/c/train.json").exists()
        and not (killed / "pruning.json").exists()
    )
    stamp = (killed / "en/a/train.json").stat().st_mtime_ns
    with pytest.raises(CorpusError, match="T073"):
        prune(source, killed, PruneOptions(k=21), RunOptions(to_format="b2nerd"))
    # what a kill in the middle of writing leaves
    (killed / "en/b/.train.json.1.tmp").write_text("[")
    (killed / "en/b/train.json").unlink()
    prune(source, killed, PruneOptions(k=20), RunOptions(to_format="b2nerd"))
    assert tree(killed) == tree(whole)
    assert (killed / "en/a/train.json").stat().st_mtime_ns == stamp


def test_a_changed_file_is_done_again(tmp_path):
    source = corpus(tmp_path / "in", {"a": 40, "b": 40})

    def failing(texts):
        if len(texts) > 40:
            raise RuntimeError
        return units(len(texts), 8)

    records = json.loads((source / "en/b/train.json").read_text("utf8"))
    (source / "en/b/train.json").write_text(json.dumps(records * 2), "utf8")
    with pytest.raises(RuntimeError):
        prune(source, tmp_path / "out", PruneOptions(k=5), embedder=failing)
    first = json.loads((source / "en/a/train.json").read_text("utf8"))
    (source / "en/a/train.json").write_text(json.dumps(first[:30]), "utf8")
    (source / "en/b/train.json").write_text(json.dumps(records), "utf8")
    report = prune(source, tmp_path / "out", PruneOptions(k=5), embedder=failing)
    assert [report["datasets"][f"en/{n}"]["records"] for n in "ab"] == [30, 40]


def test_cached_embeddings_are_used(tmp_path):
    source = corpus(tmp_path / "in", {"one": 90})
    calls = []

    def embed(texts):
        calls.append(len(texts))
        return units(len(texts), 8)

    for k in (5, 9):
        prune(
            source,
            tmp_path / f"out{k}",
            PruneOptions(k=k),
            embedder=embed,
            cache=tmp_path / "cache",
        )
    assert calls == [90]


@pytest.mark.parametrize(
    "options, code",
    [
        ({"k": 0}, "T008"),
        ({"k": -3}, "T008"),
        ({"b": 1.5}, "T008"),
        ({"b": -2}, "T008"),
        ({"b": float("nan")}, "T008"),
        ({"threshold": -1}, "T008"),
        ({"size": 0}, "T008"),
        ({"seed": -1}, "T008"),
        ({"method": "best"}, "T003"),
    ],
)
def test_options_out_of_range(options, code):
    with pytest.raises(CorpusError, match=code):
        PruneOptions(**options)


@pytest.mark.parametrize(
    "value, code", [(float("nan"), "T042"), (0.0, "T042"), (float("inf"), "T042")]
)
def test_unusable_embeddings(tmp_path, value, code):
    source = corpus(tmp_path / "in", {"one": 10})

    def embed(texts):
        rows = units(len(texts), 4)
        rows[3] = value
        return rows

    with pytest.raises(CorpusError, match=code):
        prune(source, tmp_path / "out", PruneOptions(), embedder=embed)
    assert not list(tmp_path.glob("out/**/*.spacy"))


def test_an_embedder_that_loses_texts(tmp_path):
    source = corpus(tmp_path / "in", {"one": 10})
    with pytest.raises(CorpusError, match="T072"):
        prune(
            source, tmp_path / "out", PruneOptions(), embedder=lambda texts: units(3, 4)
        )


def test_one_sentence_and_one_type(tmp_path, write_json):
    entity = {"name": "Oslo", "type": "city", "pos": [0, 4]}
    one = write_json([{"sentence": "Oslo sleeps.", "entities": [entity]}], "one.json")
    total = prune(one, tmp_path / "one.spacy", PruneOptions(), compare=2)["total"]
    assert (total["kept"], total["types"], total["kept_mentions"]) == (1, 1, 1)


def test_no_mention(tmp_path, write_json):
    none = write_json([{"sentence": "It rains.", "entities": []}], "none.json")
    with pytest.raises(CorpusError, match="T074"):
        prune(none, tmp_path / "none.spacy", PruneOptions())
    assert not (tmp_path / "none.spacy").exists()


def test_an_empty_data_set_among_others(tmp_path):
    source = corpus(tmp_path / "in", {"one": 20, "two": 0})
    report = prune(
        source, tmp_path / "out", PruneOptions(), RunOptions(to_format="b2nerd")
    )
    assert list(report["datasets"]) == ["en/one"]


def test_random_needs_sizes(tmp_path):
    source = corpus(tmp_path / "in", {"one": 20, "two": 20})
    with pytest.raises(CorpusError, match="T074"):
        prune(source, tmp_path / "out", PruneOptions(method="random"))
    with pytest.raises(CorpusError, match=r"T074.*en/two"):
        prune(
            source, tmp_path / "out", PruneOptions(method="random"), sizes={"en/one": 3}
        )


def test_command(tmp_path):
    source, out = corpus(tmp_path / "in", {"one": 80}), tmp_path / "out"
    run = CliRunner().invoke
    plan = json.loads(
        run(app, ["prune", str(source), str(out), "--dry-run", "--json"]).stdout
    )
    assert (
        plan["would_read"] == {"en/one": [str(source / "en/one/train.json")]}
        and not out.exists()
    )
    result = run(
        app, ["prune", str(source), str(out), "--k", "9", "--compare", "2", "--json"]
    )
    assert json.loads(result.stdout) == json.loads(
        (out / "pruning.json").read_text("utf8")
    )
    result = run(app, ["prune", str(source), str(out)])
    assert result.exit_code == 1 and "T071" in result.output
    result = run(app, ["prune", str(source), str(out), "--overwrite", "--k", "9"])
    assert result.exit_code == 0 and "of 80 records kept" in result.output
    like = ["--method", "random", "--like", str(out / "pruning.json"), "--json"]
    drawn = json.loads(
        run(app, ["prune", str(source), str(tmp_path / "drawn"), *like]).stdout
    )
    kept = json.loads((out / "pruning.json").read_text("utf8"))["total"]["kept"]
    assert drawn["total"]["kept"] == kept
    result = run(
        app,
        [
            "prune",
            str(source),
            str(tmp_path / "x"),
            "--like",
            str(source / "en/one/train.json"),
        ],
    )
    assert result.exit_code == 1 and "T005" in result.output
    result = run(app, ["prune", str(source), str(tmp_path / "x"), "--split", "valid"])
    assert result.exit_code == 1 and "T070" in result.output


@pytest.mark.real_data
def test_real_pools_are_more_diverse_than_random_ones(data, tmp_path):
    source = data / "b2nerd_style" / "en" / "conll2003"
    report = prune(
        source,
        tmp_path,
        PruneOptions(k=100),
        RunOptions(limit=2000, to_format="b2nerd"),
        compare=3,
    )
    figures = compared(report["datasets"], "pool")
    assert figures["types"] == figures["lower"] == 4
