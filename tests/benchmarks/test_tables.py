"""Tables in docs come from runs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from benchmarks import tables
from benchmarks.suites.models.data_sets import ZERO_SHOT

ROOT = Path(__file__).parents[2]


def test_a_table_is_filled_and_all_else_stays() -> None:
    figures = {
        "in_domain": {
            "en/a": {"docs": 2, "mentions": 3, "span_f": 0.5, "typed_f": 0.25}
        }
    }
    runs = {
        "open_sm": {
            "in_domain": {"span_f": 0.5, "typed_f": 0.25, "data_sets": 1},
            "figures": figures,
        }
    }
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


def test_other_systems_stand_beside() -> None:
    """A group of a run of its own, data sets that are not measured yet, and means over
    the same data sets.
    """
    figures = {
        f"en/{x}": {"docs": 2, "mentions": 3, "span_f": f, "typed_f": f / 2}
        for x, f in (("a", 0.5), ("b", 0.7))
    }
    group = {"span_f": 0.6, "typed_f": 0.3, "data_sets": 2}
    runs = {
        "open_sm": {"in_domain": group, "figures": {"in_domain": figures}},
        "open_sm_others": {
            "others": {**group, "span_f": 0.1},
            "figures": {"others": {"zh/c": figures["en/a"]}},
        },
        "spacy_sets": {"results": {"en/a": scores(0.4, 0.35)}},
    }
    means = tables.TABLES["open_means"](runs).splitlines()
    assert means[2] == "| trained on | 2 | 0.600 | 0.300 |"
    assert means[3].endswith("| 2 | 0.100 | 0.300 |")
    rows = tables.TABLES["open_sets"](runs).splitlines()[2:]
    assert rows[0] == "| en/a | trained on | 2 | 3 | 0.500 | 0.250 | 0.400 | 0.350 |"
    assert rows[1].endswith("| 0.700 | 0.350 | – | – |")
    assert rows[2].startswith("| zh/c | never seen")
    alone = {"open_sm": runs["open_sm"]}
    assert tables.TABLES["open_means"](alone).splitlines()[2:] == [
        "| trained on | 2 | 0.600 | 0.300 |"
    ]
    assert (
        tables.TABLES["open_sets"](alone).splitlines()[0]
        == "| data set |  | sentences | mentions | span F1 | typed F1 |"
    )
    single = tables.TABLES["open_single"](runs).splitlines()
    assert single[0].startswith("| 1 data sets |")
    assert [row.split("|")[2].strip() for row in single[2:]] == ["0.500", "0.400"]


def test_few_shot_tables() -> None:
    rows = [
        ("none", 0, 0, 0.1),
        ("full", 5, 0, 0.3),
        ("full", 5, 1, 0.5),
        ("ner", 5, 0, 0.2),
    ]
    results = [
        scores(
            f + 0.1,
            f,
            set=s,
            system=system,
            k=k,
            seed=seed,
            texts=4,
            mentions=9,
            steps=30,
            train_minutes=0.25,
        )
        for s in ("en/a", "en/b")
        for system, k, seed, f in rows
        if s == "en/a" or seed == 0
    ]
    runs = {"few_shot": {"results": dict(enumerate(results))}}
    lines = tables.TABLES["few_shot"](runs).splitlines()[2:]
    assert lines[0] == "| 0 | 2 | 4 | 9 | 30 (0.25) | 0.200 | 0.100 | – | – | – |"
    assert (
        lines[1]
        == "| 5 | 2 | 4 | 9 | 30 (0.25) | 0.400 | 0.300 | 30 (0.25) | 0.300 | 0.200 |"
    )
    results.append(
        scores(
            0.9,
            0.9,
            set="en/c",
            system="full",
            k=5,
            seed=0,
            texts=4,
            mentions=9,
            steps=30,
            train_minutes=0.25,
        )
    )
    unfinished = tables.TABLES["few_shot"](
        {"few_shot": {"results": dict(enumerate(results))}}
    )
    assert unfinished.splitlines()[2:] == lines
    assert tables.TABLES["few_shot_sets"](runs).splitlines()[2:] == [
        f"| en/{s} | 0.100 | 0.300 | 0.200 | – | – |" for s in "ab"
    ]
    assert set(tables.open_sm.PUBLISHED) < set(ZERO_SHOT)
    assert tables.TABLES["few_shot_seeds"](runs).splitlines()[2:] == [
        "| en/a | cascade | 5 | 2 | 0.500 ± 0.141 | 0.400 ± 0.141 |"
    ]


def test_conll_table() -> None:
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


class Runs(dict):  # type: ignore[type-arg]
    """All run files; remembers which were asked for."""

    def __init__(self) -> None:
        super().__init__(
            {
                file.stem: json.loads(file.read_text("utf8"))
                for file in tables.RUNS.glob("*.json")
            }
        )
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self.asked.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self.asked.add(name)
        return super().get(name, default)


DOCS = ROOT / "docs"
PAGES = {
    page.relative_to(DOCS).as_posix(): page.read_text("utf8")
    for page in DOCS.rglob("*.md")
}
# What the data say, no measurement; and a card whose training is told by hand.
NOT_MEASURED = {"universal-taxonomy.md", "open-sm.md"}
# Tables of comparisons whose runs take hours.
WAITING = {"open_single", "few_shot_seeds"}


def test_the_pages_agree_with_the_runs_and_need_them_all() -> None:
    runs = Runs()
    for name, text in PAGES.items():
        assert tables.fill(text, runs) == text, f"{name}: run: make results"
    linked = set(re.findall(r"[(/]runs/([\w.]+)\.json\)", "".join(PAGES.values())))
    assert linked <= set(runs), "a page links a run that is not there"
    assert set(runs) - runs.asked - linked == set(), "neither in a table nor linked"
    used = set(re.findall(r"<!-- table: (\w+) -->", "".join(PAGES.values())))
    assert set(tables.TABLES) - used <= WAITING, "a table that no page shows"


@pytest.mark.parametrize("name", sorted(set(PAGES) - NOT_MEASURED))
def test_no_figure_is_typed_into_a_table(name: str) -> None:
    rest = re.sub(
        r"<!-- (?:table|options).*?<!-- end -->|```.*?```",
        "",
        PAGES[name],
        flags=re.DOTALL,
    )
    rows = [
        line
        for line in rest.splitlines()
        if line.startswith("|") and re.search(r"(?<![\d/])\d+\.\d|\d %", line)
    ]
    assert [line for line in rows if "arXiv" not in line] == []


def test_runs_name_their_command_and_no_place_of_a_machine() -> None:
    for file in sorted(tables.RUNS.glob("*.json")):
        text = file.read_text("utf8")
        assert not re.search(r"/(work|tmp|home|root|Users)/", text), file.name
        # what scripts outside of the project made says so in its note
        named = {"command", "commands", "note"} & set(
            json.loads(text)
        ) or f"runs/{file.name}" in "".join(PAGES.values())
        assert named or file.stem in {"open_sm", "ablations"}, (
            f"{file.name}: the page that shows it has the command"
        )


def test_ablations_show_mean_and_spread_of_the_seeds_there_are() -> None:
    def run(variant: str, seed: int, f: float) -> dict[str, Any]:
        test = {"own": {"span_f": f, "typed_f": f / 2}}
        return {
            "variant": variant,
            "seed": seed,
            "test": test,
            "accuracy": {"own": 0.5},
            "texts": 9,
            "train_seconds": 20.4,
        }

    runs = {
        "ablations": {
            "runs": [
                run("cascade", 0, 0.4),
                run("cascade", 1, 0.6),
                run("single_stage", 0, 0.3),
            ]
        }
    }
    del runs["ablations"]["runs"][2]["accuracy"]
    rows = tables.TABLES["ablation_stages"](runs).split("\n")
    assert rows[2:] == [
        "| cascade, `decisions` | 9 | 2 | 0.500 ± 0.141 | 0.250 ± 0.071 | 0.500 ± 0.000 | 20 |",
        "| single stage, `decisions` | 9 | 1 | 0.300 | 0.150 | – | 20 |",
    ]
    for r, p in zip(runs["ablations"]["runs"], (0.2, 0.4, 0.0), strict=True):
        r["decoding"] = {"greedy": {"p": p, "r": p, "f": p, "sequences": 10 * p}}
    assert tables.TABLES["ablation_extraction"](runs).endswith(
        "| `greedy` | 0.300 ± 0.141 | 0.300 ± 0.141 | 0.300 ± 0.141 | 3.0 ± 1.4 |"
    )


def test_costs_are_of_the_types_that_were_asked_for() -> None:
    cost = {"calls": 3.44, "prompt": 1345.6, "output": 4.0, "passes": 5.0, "run": 6.0}
    runs = {
        "costs": {"types": 8, "systems": {"cascade": cost, "trained: pipeline": cost}},
        "costs_all_types": {
            "types": 155,
            "systems": {"cascade": {**cost, "calls": 8.26}},
        },
    }
    rows = tables.TABLES["costs"](runs).splitlines()[2:]
    assert rows[0] == "| cascade | 8 | 3.4 | 1,345.6 | 4.0 | 5.0 | 6.0 |"
    assert rows[1].startswith(
        "| the demo's trained pipeline, compact prompts, own answers | 155 | 3.4 "
    )
    assert rows[2].startswith("| cascade | 155 | 8.3 ")


def test_the_demo_against_its_goals() -> None:
    scores = {
        f"cascade_{level}_f": f
        for level, f in (
            ("extraction", 0.8),
            ("coarse", 0.5),
            ("medium", 0.4),
            ("fine", 0.25),
        )
    }
    runs = {
        "demo": {
            "corpora": {
                "all": {**scores, "cascade_accuracy": 0.3, "docs": 2, "mentions": 9}
            }
        }
    }
    rows = tables.TABLES["demo"](runs).splitlines()
    assert rows[-2] == "| goal |  |  | 0.750 | 0.600 |  | 0.400 |  |"
    assert rows[-1] == "| all against the goal |  |  | +0.050 | -0.100 |  | -0.150 |  |"


def test_fusion_shows_the_threshold_that_dev_chose() -> None:
    def point(rounds: int, t: float, f: float) -> dict[str, Any]:
        return {
            "rounds": rounds,
            "temperature": 1.0,
            "open_threshold": t,
            "p": f,
            "r": f,
            "f": f,
            "sequences": 2.0,
        }

    curves = {
        "fusion, temperature 0.5": [point(1, 0.5, 0.5), point(3, 0.5, 0.4)],
        "fusion, temperature 1": [
            point(1, 0.5, 0.5),
            point(3, 0.5, 0.45),
            point(5, 0.5, 0.3),
        ],
        "open_threshold": [
            point(1, t, f)
            for t, f in ((0.2, 0.41), (0.4, 0.42), (0.5, 0.5), (0.6, 0.52))
        ],
    }
    runs = {
        "fusion": {
            "dev": curves,
            "test": curves,
            "chosen_on_dev": {"open_threshold": {"open_threshold": 0.6}},
        }
    }
    rows = tables.TABLES["fusion"](runs).splitlines()[2:]
    assert [row.split(" | ")[0] for row in rows][-3:] == [
        "| threshold 0.2",
        "| threshold 0.4",
        "| threshold 0.6 (best on dev)",
    ]
    assert rows[0].endswith("| 0.500 | 0.500 | 0.500 | 2.00 |")
    assert tables.TABLES["fusion_dev"](runs).splitlines()[0::2] == [
        "| rounds | 1 | 3 | 5 |",
        "| best F1 on dev | 0.500 | 0.450 | 0.300 |",
    ]


def test_shares_and_counts_of_corpora() -> None:
    total = {
        "references": 900,
        "exact": 0,
        "near": 1,
        "semantic": 2,
        "processor_seconds": 41,
    }
    results = {
        "a": {**total, "references_name": "b", "records": 78648, "kept": 78645},
        "c": {**total, "references_name": "d", "records": 100, "kept": 99},
    }
    rows = tables.TABLES["decontamination"](
        {"decontamination": {"results": results}}
    ).splitlines()[2:]
    assert rows[0] == "| a, 78,648 | b, 900 | 0 | 1 | 2 | 3 of 78,648 | 41 s |"
    assert rows[1].endswith("| 1.0 % | 41 s |")
    runs = {
        "nearest": {"sentences": 600, "embedders": {"hash": {"en/a": 210, "zh/b": 0}}}
    }
    assert tables.TABLES["nearest"](runs).splitlines()[2] == "| hash | 35.0 % | 0.0 % |"
