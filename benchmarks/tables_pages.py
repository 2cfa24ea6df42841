"""Tables of docs/research/baselines.md, docs/research/fusion.md and docs/research/scaling.md."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from tables_markdown import Runs, table

LEVELS = ("extraction", "coarse", "medium", "fine")


def costs(runs: Runs) -> str:
    """Calls and tokens of all systems, per sentence."""
    columns = {
        "calls": "calls",
        "prompt": "prompt tokens",
        "output": "output tokens",
        "passes": "passes",
        "run": "tokens run",
    }
    rows = []
    for run in ("costs", "costs_all_types"):
        found = runs[run]
        for name, r in found["systems"].items():
            trained = name.startswith("trained")
            types = 155 if trained else found["types"]
            name = (
                "the demo's trained pipeline, compact prompts, own answers"
                if trained
                else name
            )
            rows.append([name, types, *(f"{r[k]:,.1f}" for k in columns)])
    return table(["per sentence", "types", *columns.values()], rows)


def fusion(runs: Runs) -> str:
    """Settings of the extractor on test."""
    found = runs["fusion"]
    curves = found["test"]
    default = next(p for p in curves["open_threshold"] if p["open_threshold"] == 0.5)
    chosen = found["chosen_on_dev"]["open_threshold"]["open_threshold"]
    rows = [["default: one round, threshold 0.5", *_point(default)]]
    for t, rounds in ((0.5, 2), (0.5, 3), (1, 3), (1, 5)):
        rows += [
            [f"k = {rounds}, temperature {t:g}", *_point(p)]
            for p in curves[f"fusion, temperature {t:g}"]
            if p["rounds"] == rounds
        ]
    for t in (0.2, 0.4, chosen):
        best = " (best on dev)" if t == chosen else ""
        rows += [
            [f"threshold {t:g}{best}", *_point(p)]
            for p in curves["open_threshold"]
            if p["open_threshold"] == t
        ]
    return table(["test", "P", "R", "F1", "sequences per sentence"], rows)


def _point(p: dict[str, Any]) -> list[Any]:
    return [p["p"], p["r"], p["f"], f"{p['sequences']:.2f}"]


def fusion_dev(runs: Runs) -> str:
    """Best F1 on dev by number of rounds, of all temperatures."""
    points = [
        p
        for name, curve in runs["fusion"]["dev"].items()
        if name != "open_threshold"
        for p in curve
    ]
    best: dict[int, float] = {}
    for p in points:
        best[p["rounds"]] = max(p["f"], best.get(p["rounds"], 0.0))
    return table(["rounds", *map(str, best)], [["best F1 on dev", *best.values()]])


def fusion_gain(runs: Runs) -> str:
    """What the threshold that is best on dev gains on test."""
    found = runs["fusion"]["on_test"]["open_threshold"]
    rows = [
        [kind, f"{r['gain']:+.3f}", f"{r['low']:+.3f} to {r['high']:+.3f}"]
        for kind, r in found.items()
    ]
    return table(["F1", "gain on test", "95% interval"], rows)


def strategies(runs: Runs) -> str:
    """Accuracy and cost of the classifier's strategies."""
    names = {
        "progressive": "`progressive` (default)",
        "beam": f"`beam`, width {runs['strategies']['beam_width']}",
        "path": "`path`",
    }
    rows = []
    for key, name in names.items():
        r = runs["strategies"][key]
        gain = (
            "{:+.3f} ({:+.3f} to {:+.3f})".format(*r["gain3"]) if "gain3" in r else None
        )
        rows.append(
            [
                name,
                r["acc1"],
                r["acc2"],
                r["acc3"],
                gain,
                f"{r['sequences']:.2f}",
                f"{r['tokens']:.0f}",
                f"{r['ms']:.1f}",
            ]
        )
    return table(
        [
            "",
            "coarse",
            "medium",
            "fine",
            "gain in fine (95% interval)",
            "sequences",
            "tokens",
            "ms (1 core)",
        ],
        rows,
    )


def calibration(runs: Runs) -> str:
    """Calibration error and Brier score on test."""
    rows = []
    for stage in ("extractor", "classifier"):
        r = runs["calibration"][stage]
        for method in ("as it is", "temperature", "isotonic"):
            m = r[method]
            rows.append(
                [
                    stage,
                    f"{r['n']:,}",
                    method,
                    m["ece"],
                    m["brier"],
                    m["mean_score"],
                    r["right"],
                ]
            )
    return table(
        [
            "",
            "scores",
            "",
            "expected calibration error",
            "Brier score",
            "mean score",
            "share that is right",
        ],
        rows,
    )


def scaling_document(runs: Runs) -> str:
    """Time per token and memory by length."""
    found = runs["scaling"]["document"]["by_length"].values()
    rows = [
        ["microseconds per token", *(f"{r['us_per_token']:.0f}" for r in found)],
        ["peak memory of the process, MiB", *(f"{r['peak_mib']:.0f}" for r in found)],
    ]
    return table(["tokens of the document", *(f"{r['tokens']:,}" for r in found)], rows)


def scaling_labels(runs: Runs) -> str:
    """Time per mention by number of types."""
    found = runs["scaling"]["labels"]
    names = {
        "hierarchy": "three levels, ms per mention",
        "flat": "one list, ms per mention",
    }
    rows = []
    for form, name in names.items():
        times = list(found[form].values())
        rows.append([name, *(f"{t:.1f}" for t in times), f"{times[-1] / times[0]:.2f}"])
    return table(
        ["types", *(f"{int(n):,}" for n in found["flat"]), "last to first"], rows
    )


def scaling_mentions(runs: Runs) -> str:
    """Time per sentence by number of mentions."""
    found = runs["scaling"]["mentions"]
    return table(
        ["mentions in a sentence of 60 words", *found],
        [["ms per sentence", *(f"{t:.1f}" for t in found.values())]],
    )


def scaling_batch(runs: Runs) -> str:
    """Speed by batch size."""
    found = runs["scaling"]["batch"]
    return table(
        ["`batch_size`", *found],
        [["sentences per second", *(f"{s:.0f}" for s in found.values())]],
    )


def peers(runs: Runs) -> str:
    """Sentences per second of other systems."""
    names = {
        "ours": "both stages of this project",
        "gliner": "GLiNER",
        "spacy_ner": "spaCy `ner`",
    }
    found = runs["peers"]
    return table(
        ["types", *found["ours"]],
        [
            [name, *(f"{s:.0f}" for s in found[key].values())]
            for key, name in names.items()
        ],
    )


def int8(runs: Runs) -> str:
    """Speed at the shape of Qwen2.5-0.5B, scores and time of the demo."""
    found = runs["int8"]
    rows = []
    for name, r in found["demo"].items():
        speed = found["qwen2.5-0.5b"][name]
        scores = [
            r[f"cascade_{k}"] for k in (*(f"{level}_f" for level in LEVELS), "accuracy")
        ]
        rows.append(
            [
                name,
                f"{speed['extraction']:.2f}",
                f"{speed['classification']:.2f}",
                *scores,
                f"{r['cpu_seconds']:.0f}",
            ]
        )
    head = ["", "0.5B: sentences/s, extraction", "mentions/s, classification"]
    return table(
        [*head, *_names("the demo: ", LEVELS), "accuracy", "processor seconds"], rows
    )


def _names(first: str, levels: Iterable[str]) -> list[str]:
    names = [f"{level} F1" for level in levels]
    return [first + names[0], *names[1:]]


_OF_PAGES = (
    costs, fusion, fusion_dev, fusion_gain, strategies, calibration,
    scaling_document, scaling_labels, scaling_mentions, scaling_batch, peers, int8,
)  # fmt: skip
TABLES: dict[str, Callable[[Runs], str]] = {f.__name__: f for f in _OF_PAGES}
