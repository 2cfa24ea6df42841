"""Tables in docs come from runs."""

from __future__ import annotations

import importlib
import runpy
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def tables(monkeypatch: Any) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("tables")


def test_a_table_is_filled_and_all_else_stays(tables: Any) -> None:
    figures = {"in_domain": {"en/a": {"docs": 2, "mentions": 3, "span_f": 0.5, "typed_f": 0.25}}}
    runs = {"open_sm": {"in_domain": {"span_f": 0.5, "typed_f": 0.25, "data_sets": 1}, "figures": figures}}
    page = "# A\n<!-- table: open_sets -->\nold\n<!-- end -->\n\nB\n"
    filled = tables.fill(page, runs)
    assert "| en/a | trained on | 2 | 3 | 0.500 | 0.250 |" in filled
    assert "old" not in filled
    assert filled.startswith("# A\n")
    assert filled.endswith("\nB\n")
    assert tables.fill(filled, runs) == filled
    with pytest.raises(KeyError):
        tables.fill("<!-- table: other -->\n<!-- end -->", runs)


def scores(span: float, typed: float, **more: Any) -> dict[str, Any]:
    return {"span": {"f": span}, "typed": {"f": typed}, **more}


def test_other_systems_stand_beside(tables: Any) -> None:
    """A group of a run of its own, data sets that are not measured yet, and means over the same data sets."""
    figures = {f"en/{x}": {"docs": 2, "mentions": 3, "span_f": f, "typed_f": f / 2} for x, f in (("a", 0.5), ("b", 0.7))}
    group = {"span_f": 0.6, "typed_f": 0.3, "data_sets": 2}
    runs = {
        "open_sm": {"in_domain": group, "figures": {"in_domain": figures}},
        "open_sm_others": {"others": {**group, "span_f": 0.1}, "figures": {"others": {"zh/c": figures["en/a"]}}},
        "spacy_merged": {"in_domain": {**group, "span_f": 0.2}, "figures": {"in_domain": {"en/a": {"span_f": 0.2, "typed_f": 0.1}}}},
        "spacy_sets": {"results": {"en/a": scores(0.4, 0.35)}},
    }
    means = tables.TABLES["open_means"](runs).splitlines()
    assert means[2] == "| trained on | 2 | 0.600 | 0.300 | 0.200 | 0.300 |"
    assert means[3].endswith("| 2 | 0.100 | 0.300 | – | – |")
    rows = tables.TABLES["open_sets"](runs).splitlines()[2:]
    assert rows[0] == "| en/a | trained on | 2 | 3 | 0.500 | 0.250 | 0.200 | 0.100 | 0.400 | 0.350 |"
    assert rows[1].endswith("| 0.700 | 0.350 | – | – | – | – |")
    assert rows[2].startswith("| zh/c | never seen")
    alone = {"open_sm": runs["open_sm"]}
    assert tables.TABLES["open_means"](alone).splitlines()[2:] == ["| trained on | 2 | 0.600 | 0.300 |"]
    assert tables.TABLES["open_sets"](alone).splitlines()[0] == "| data set |  | sentences | mentions | span F1 | typed F1 |"
    single = tables.TABLES["open_single"](runs).splitlines()
    assert single[0].startswith("| 1 data sets |")
    assert [row.split("|")[2].strip() for row in single[2:]] == ["0.500", "0.200", "0.400"]


def test_few_shot_tables(tables: Any) -> None:
    rows = [("none", 0, 0, 0.1), ("full", 5, 0, 0.3), ("full", 5, 1, 0.5), ("ner", 5, 0, 0.2)]
    results = [
        scores(f + 0.1, f, set=s, system=system, k=k, seed=seed, texts=4, mentions=9, steps=30, train_minutes=0.25)
        for s in ("en/a", "en/b")
        for system, k, seed, f in rows
        if s == "en/a" or seed == 0
    ]
    runs = {"few_shot": {"results": dict(enumerate(results))}}
    lines = tables.TABLES["few_shot"](runs).splitlines()[2:]
    assert lines[0] == "| 0 | 2 | 4 | 9 | 30 (0.25) | 0.200 | 0.100 | – | – | – |"
    assert lines[1] == "| 5 | 2 | 4 | 9 | 30 (0.25) | 0.400 | 0.300 | 30 (0.25) | 0.300 | 0.200 |"
    results.append(scores(0.9, 0.9, set="en/c", system="full", k=5, seed=0, texts=4, mentions=9, steps=30, train_minutes=0.25))
    unfinished = tables.TABLES["few_shot"]({"few_shot": {"results": dict(enumerate(results))}})
    assert unfinished.splitlines()[2:] == lines
    assert tables.TABLES["few_shot_sets"](runs).splitlines()[2:] == [f"| en/{s} | 0.100 | 0.300 | 0.200 | – | – |" for s in "ab"]
    assert set(tables.tables_open.PUBLISHED) < set(runpy.run_path(str(ROOT / "benchmarks/open_sm.py"))["ZERO_SHOT"])
    assert tables.TABLES["few_shot_seeds"](runs).splitlines()[2:] == ["| en/a | cascade | 5 | 2 | 0.500 ± 0.141 | 0.400 ± 0.141 |"]


def test_conll_table(tables: Any) -> None:
    more = {"before": scores(0.4, 0.3), "max_steps": 9, "train_minutes": 1.5}
    results = {
        "a": scores(0.9, 0.8, adapter="full", note="earlier", **more),
        "c": scores(0.8, 0.7, adapter="lora", rank=16, targets="all-linear", **more),
    }
    lines = tables.TABLES["conll"]({"conll": {"results": results}}).splitlines()[2:]
    assert lines == [
        "| all weights; earlier | 9 | 1.5 | 0.400 | 0.300 | 0.900 | 0.800 |",
        "| LoRA, rank 16, all-linear | 9 | 1.5 | 0.400 | 0.300 | 0.800 | 0.700 |",
    ]


def test_the_pages_agree_with_the_runs(tables: Any) -> None:
    import json

    runs = {file.stem: json.loads(file.read_text("utf8")) for file in (ROOT / "docs/runs").glob("*.json")}
    for page in (ROOT / "docs").glob("*.md"):
        text = page.read_text("utf8")
        assert tables.fill(text, runs) == text, "run: make results"


def test_ablations_show_mean_and_spread_of_the_seeds_there_are(tables: Any) -> None:
    def run(variant: str, seed: int, f: float) -> dict[str, Any]:
        test = {"own": {"span_f": f, "typed_f": f / 2}}
        return {"variant": variant, "seed": seed, "test": test, "accuracy": {"own": 0.5}, "texts": 9, "train_seconds": 20.4}

    runs = {"ablations": {"runs": [run("cascade", 0, 0.4), run("cascade", 1, 0.6), run("single_stage", 0, 0.3)]}}
    del runs["ablations"]["runs"][2]["accuracy"]
    rows = tables.TABLES["ablation_stages"](runs).split("\n")
    assert rows[2:] == [
        "| cascade, `decisions` | 9 | 2 | 0.500 ± 0.141 | 0.250 ± 0.071 | 0.500 ± 0.000 | 20 |",
        "| single stage, `decisions` | 9 | 1 | 0.300 | 0.150 | – | 20 |",
    ]
    for r, p in zip(runs["ablations"]["runs"], (0.2, 0.4, 0.0), strict=True):
        r["decoding"] = {"greedy": {"p": p, "r": p, "f": p, "sequences": 10 * p}}
    assert tables.TABLES["ablation_extraction"](runs).endswith("| `greedy` | 0.300 ± 0.141 | 0.300 ± 0.141 | 0.300 ± 0.141 | 3.0 ± 1.4 |")
