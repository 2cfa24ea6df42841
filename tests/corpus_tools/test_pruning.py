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
from corpus_tools.b2nerd.pruning import PruneOptions, fill_pool, select
from corpus_tools.cli import app
from corpus_tools.convert import convert
from corpus_tools.errors import CorpusError
from corpus_tools.formats import read_records
from corpus_tools.issues import Report
from corpus_tools.units import Incidence, RunOptions
from corpus_tools.vectors import nearest_in, nearest_of

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


def units(n: int, dim: int, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(n, dim)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


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


def one_by_one(
    rows: np.ndarray, vectors: np.ndarray, limits: np.ndarray, k: int
) -> list[int]:
    """The definition, pair by pair."""
    pool: list[int] = []
    for row, limit in zip(rows, limits, strict=True):
        if len(pool) < k and all(
            float(vectors[row] @ vectors[y]) < limit for y in pool
        ):
            pool.append(int(row))
    return pool


@pytest.mark.parametrize("k", [1, 7, 60, 5000])
def test_a_pool_is_filled_as_defined(k):
    vectors = units(1500, 6)
    rng = np.random.default_rng(1)
    rows, limits = rng.permutation(1500), 1 - rng.random(1500)
    assert fill_pool(rows, vectors, limits, k).tolist() == one_by_one(
        rows, vectors, limits, k
    )


@pytest.mark.parametrize(
    "b, cosine, expected",
    [(0.0, 0.75, 0.25), (0.2, 0.75, 0.45), (-0.2, 0.75, 0.05), (0, -0.5, 1)],
)
def test_probability_of_entering(b, cosine, expected):
    # Many types of two records each: the first enters, the second with probability 1 - cos + b.
    pair = np.array([[1, 0], [cosine, (1 - cosine**2) ** 0.5]], dtype=np.float32)
    incidence = Incidence()
    for number in range(4000):
        incidence.add("set", [f"type {number // 2}"])
    keep = select(incidence.freeze(), np.tile(pair, (2000, 1)), PruneOptions(b=b)).keep
    assert keep.sum() / 2000 - 1 == pytest.approx(expected, abs=0.035)


def incidence_of(n: int, seed: int = 0) -> Incidence:
    rng = np.random.default_rng(seed)
    found = Incidence()
    for _ in range(n):
        found.add(
            "set",
            rng.choice(
                ["a", "b", "c"], rng.integers(0, 4), p=[0.8, 0.15, 0.05]
            ).tolist(),
        )
    return found.freeze()


def test_pools_are_bounded_and_their_union_is_kept():
    incidence, vectors = incidence_of(900), units(900, 16)
    selection = select(incidence, vectors, PruneOptions(k=25, seed=3))
    assert {key[1]: len(rows) for key, rows in selection.pools.items()} == {
        "a": 25,
        "b": 25,
        "c": 25,
        "": 5,
    }
    assert set(np.flatnonzero(selection.keep)) == set(
        np.concatenate(list(selection.pools.values()))
    )
    for key, rows in zip(incidence.keys, incidence.by_key(), strict=True):
        assert set(selection.pools[key]) <= set(rows)


def test_copies_enter_once():
    vectors = np.repeat(units(5, 32), 20, axis=0)
    incidence = Incidence()
    for _ in vectors:
        incidence.add("set", ["t"])
    assert select(incidence.freeze(), vectors, PruneOptions()).keep.sum() <= 5


def test_threshold_keeps_all_pool_members_apart():
    vectors = units(600, 5)
    selection = select(
        incidence_of(600),
        vectors,
        PruneOptions(method="threshold", threshold=0.7, k=600),
    )
    for rows in selection.pools.values():
        assert nearest_of(vectors[rows]).max() < 0.7


def test_b_of_one_is_random_sampling_per_type():
    incidence, vectors = incidence_of(500), units(500, 8)
    free = select(incidence, vectors, PruneOptions(k=30, b=1))
    by_type = select(incidence, None, PruneOptions(k=30, method="type-random"))
    assert {k: v.tolist() for k, v in free.pools.items()} == {
        k: v.tolist() for k, v in by_type.pools.items()
    }


@pytest.mark.parametrize("method", ["random", "type-random"])
def test_random_methods_give_the_size_asked_for(method):
    incidence = incidence_of(500)
    assert (
        select(incidence, None, PruneOptions(method=method, size=123)).keep.sum() == 123
    )
    assert (
        select(
            incidence, None, PruneOptions(method=method), sizes={"set": 60}
        ).keep.sum()
        == 60
    )
    assert select(incidence, None, PruneOptions(method=method, size=9999)).keep.all()


def test_sampling_per_type_favours_rare_types():
    incidence = incidence_of(2000)
    rare = incidence.by_key()[[k[1] for k in incidence.keys].index("c")]
    chosen = {
        m: select(incidence, None, PruneOptions(method=m, size=300)).keep
        for m in ("random", "type-random")
    }
    assert chosen["type-random"][rare].mean() > 2 * chosen["random"][rare].mean()


def test_data_sets_and_types_do_not_influence_each_other():
    alone, both = incidence_of(300), incidence_of(300)
    vectors = units(600, 8)
    for _ in range(300):
        both.add("other", ["a", "z"])
    extended = Incidence()
    for number in range(300):
        extended.add(
            "set",
            [
                alone.keys[k][1]
                for k in alone.key[alone.record == number]
                if alone.keys[k][1]
            ],
        )
    for _ in range(300):
        extended.add("other", ["a", "z"])
    options = PruneOptions(k=25)
    one, two = (
        select(alone, vectors[:300], options),
        select(extended.freeze(), vectors, options),
    )
    assert (one.keep == two.keep[:300]).all()


def test_nearest_neighbours_against_scikit_learn():
    neighbors = pytest.importorskip("sklearn.neighbors")
    vectors, others = units(1100, 12), units(9000, 12, seed=1)
    fit = neighbors.NearestNeighbors(metric="cosine").fit(vectors)
    assert nearest_of(vectors) == pytest.approx(
        1 - fit.kneighbors(n_neighbors=1)[0][:, 0], abs=1e-5
    )
    fit = neighbors.NearestNeighbors(metric="cosine").fit(others)
    distances, numbers = fit.kneighbors(vectors, n_neighbors=1)
    found, cosines = nearest_in(vectors, others)
    assert cosines == pytest.approx(1 - distances[:, 0], abs=1e-5)
    assert (found == numbers[:, 0]).all()


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
