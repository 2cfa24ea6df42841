"""Tables in docs come from runs."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def tables() -> Any:
    spec = importlib.util.spec_from_file_location("tables", ROOT / "benchmarks/tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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


def test_the_pages_agree_with_the_runs(tables: Any) -> None:
    import json

    runs = {file.stem: json.loads(file.read_text("utf8")) for file in (ROOT / "docs/runs").glob("*.json")}
    for page in (ROOT / "docs").glob("*.md"):
        text = page.read_text("utf8")
        assert tables.fill(text, runs) == text, f"run: python benchmarks/tables.py {page.relative_to(ROOT)}"


def test_ablations_show_mean_and_spread_of_the_seeds_there_are(tables: Any) -> None:
    def run(variant: str, seed: int, f: float) -> dict[str, Any]:
        test = {"own": {"span_f": f, "typed_f": f / 2}}
        return {"variant": variant, "seed": seed, "test": test, "accuracy": {"own": 0.5}, "texts": 9, "train_seconds": 20.4}

    runs = {"ablations": {"runs": [run("cascade", 0, 0.4), run("cascade", 1, 0.6), run("single_stage", 0, 0.3)]}}
    del runs["ablations"]["runs"][2]["accuracy"]
    rows = tables.ablation_stages(runs).split("\n")
    assert rows[2:] == [
        "| cascade, `decisions` | 9 | 2 | 0.500 ± 0.141 | 0.250 ± 0.071 | 0.500 ± 0.000 | 20 |",
        "| single stage, `decisions` | 9 | 1 | 0.300 | 0.150 | – | 20 |",
    ]
    for r, p in zip(runs["ablations"]["runs"], (0.2, 0.4, 0.0), strict=True):
        r["decoding"] = {"greedy": {"p": p, "r": p, "f": p, "sequences": 10 * p}}
    assert tables.ablation_extraction(runs).endswith("| `greedy` | 0.300 ± 0.141 | 0.300 ± 0.141 | 0.300 ± 0.141 | 3.0 ± 1.4 |")
