"""Tables of the pages about corpora: conversion, pruning, decontamination, streaming,
dynamic categorization, conflicts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tables_markdown import Runs, table

METRICS = {
    "cohesion": "cohesion ↑",
    "entropy": "entropy ↑",
    "gini": "Gini ↓",
    "variation": "variation ↓",
}


def conversion(runs: Runs) -> str:
    """What became of the mentions of real corpora."""
    rows = [
        [
            name,
            *(
                f"{r[k]:,}" if r[k] is not None else None
                for k in ("records", "mentions", "aligned", "misaligned", "rejected")
            ),
            r["and_back"],
        ]
        for name, r in runs["conversion"]["results"].items()
    ]
    head = [
        "data",
        "records",
        "mentions",
        "at token boundaries",
        "inside tokens, listed",
        "rejected, reported",
        "there and back",
    ]
    return table(head, rows)


def pruning(runs: Runs) -> str:
    """Counts by language, and how alike the chosen sentences are."""
    rows = [
        [
            name,
            r["datasets"],
            r["types"],
            *(f"{r[k]:,}" for k in ("records", "kept", "mentions", "kept_mentions")),
            *_alike(r, "pool_"),
        ]
        for name, r in runs["pruning"]["languages"].items()
    ]
    return table(
        [
            "",
            "sets",
            "types",
            "sentences",
            "kept",
            "mentions",
            "kept",
            "chosen",
            "random",
            "lower",
        ],
        rows,
    )


def pruning_sizes(runs: Runs) -> str:
    """The same comparison by size of the pool."""
    found = runs["pruning"]["by_size_of_pool"]
    return table(
        ["sentences of the pool", *found],
        [["lower", *(f"{r['lower']}/{r['types']}" for r in found.values())]],
    )


def pruning_methods(runs: Runs) -> str:
    """Other methods on the same files."""
    rows = [
        [
            name,
            *(f"{r[k]:,}" for k in ("kept", "kept_mentions", "kept_negatives")),
            *_alike(r),
        ]
        for name, r in runs["pruning"]["methods"].items()
    ]
    return table(
        [
            "method",
            "sentences kept",
            "mentions kept",
            "without a mention",
            "chosen",
            "random",
            "lower",
        ],
        rows,
    )


def _alike(found: dict[str, Any], prefix: str = "") -> list[Any]:
    return [
        found[f"{prefix}chosen"],
        found[f"{prefix}random"],
        f"{found[prefix + 'lower']}/{found[prefix + 'types']}",
    ]


def pruning_training(runs: Runs) -> str:
    """F1 after training on samples."""
    found = runs["pruning_training"]["results"]
    rows = [
        [
            name,
            *(f"{r[k]:,}" for k in ("sentences", "mentions", "rarest")),
            r["micro"],
            r["macro"],
        ]
        for name, r in found.items()
    ]
    return table(
        [
            "method",
            "sentences",
            "mentions",
            "mentions of the rarest type",
            "micro F1",
            "macro F1",
        ],
        rows,
    )


def decontamination(runs: Runs) -> str:
    """What was removed."""
    rows = [
        [f"{name}, {r['records']:,}", f"{r['references_name']}, {r['references']:,}", r["exact"], r["near"], r["semantic"],
         _share(r["records"] - r["kept"], r["records"]), f"{r['processor_seconds']} s"]
        for name, r in runs["decontamination"]["results"].items()
    ]  # fmt: skip
    return table(
        [
            "input",
            "references",
            "exact",
            "near",
            "semantic",
            "removed",
            "processor time",
        ],
        rows,
    )


def nearest(runs: Runs) -> str:
    """Share of sentences that are above the bound, by embedder."""
    found = runs["nearest"]["embedders"]
    rows = [
        [name, *(_share(n, runs["nearest"]["sentences"]) for n in r.values())]
        for name, r in found.items()
    ]
    return table(["embedder", *next(iter(found.values()))], rows)


def _share(part: int, whole: int) -> str:
    return (
        f"{100 * part / whole:.1f} %"
        if 1000 * part >= whole or not part
        else f"{part} of {whole:,}"
    )


def streaming(runs: Runs) -> str:
    """Processor time per record and peak memory by size of the input."""
    found = runs["streaming"]["runs"]
    sizes = {r["records"]: r["input_mb"] for r in found}
    names = {
        "convert": "`convert` to DocBin, `--max-docs 2000`",
        "stats": "`stats`",
        "standardize": "`standardize` to B2NERD",
    }
    rows = []
    for command, name in names.items():
        of_size = {r["records"]: r for r in found if r["command"] == command}
        rows.append(
            [
                name,
                *(
                    f"{of_size[n]['microseconds_per_record'] / 1000:.2f}"
                    f" ({of_size[n]['peak_mb']} MB)"
                    for n in sizes
                ),
            ]
        )
    head = "ms of processor time per record (peak memory)"
    return table([head, *(f"{n:,} records, {mb} MB" for n, mb in sizes.items())], rows)


def dynamic(runs: Runs) -> str:
    """The three versions of DynamicNER's English file, seed 0."""
    rows = []
    for embedder, key in (("MiniLM", "seed 0"), ("hash", "hash, seed 0")):
        for version in ("base", "random", "dynamic"):
            r = runs["dynamic"]["runs"][key][version]
            cells = [_metric(r["metrics"][m]) for m in METRICS]
            rows.append(
                [
                    embedder,
                    version,
                    *cells,
                    r["names"],
                    f"{r['lists']:,}",
                    " / ".join(map(str, r["lengths"])),
                ]
            )
    return table(
        [
            "embedder",
            "version",
            *METRICS.values(),
            "names",
            "lists",
            "shortest / median / longest",
        ],
        rows,
    )


def dynamic_rounds(runs: Runs) -> str:
    """What the rounds do, and how it looks with synonyms counted as their type; seed 0, MiniLM."""
    found = runs["dynamic"]["runs"]["seed 0"]
    rows = [
        [f"after {name}", *(_metric(m[k]) for k in METRICS)]
        for name, m in found["dynamic"]["after_round"].items()
    ]
    rows += [
        [f"{v}, by type", *(_metric(found[v]["metrics_by_type"][k]) for k in METRICS)]
        for v in ("random", "dynamic")
    ]
    return table(["", *METRICS.values()], rows)


def dynamic_seeds(runs: Runs) -> str:
    """Other seeds."""
    found = {
        key.removeprefix("seed "): r
        for key, r in runs["dynamic"]["runs"].items()
        if key.startswith("seed ") and key != "seed 0"
    }
    rows = [
        [
            seed,
            _metrics(r["dynamic"], 4),
            _metrics(r["random"], 4),
            ", ".join(r["skipped_rounds"]) or "none",
        ]
        for seed, r in found.items()
    ]
    return table(["seed", "dynamic", "random mean", "rounds skipped"], rows)


def dynamic_mini(runs: Runs) -> str:
    """The embedded corpora."""
    found = runs["dynamic_mini"]["runs"]
    rows = [
        [
            lang,
            *(_metrics(r[v], 3) for v in ("base", "random", "dynamic")),
            f"{r['dynamic']['lists']:,}",
            ", ".join(r["skipped_rounds"]),
        ]
        for lang, r in found.items()
    ]
    return table(
        ["", "base", "random mean", "dynamic", "lists", "rounds skipped"], rows
    )


def _metric(value: Any) -> str:
    return (
        f"{value['mean']:.4f} ± {value['std']:.3f}"
        if isinstance(value, dict)
        else f"{value:.4f}"
    )


def _metrics(version: dict[str, Any], digits: int) -> str:
    values = [version["metrics"][m] for m in METRICS]
    return " / ".join(
        f"{v['mean'] if isinstance(v, dict) else v:.{digits}f}" for v in values
    )


def conflicts(runs: Runs) -> str:
    """The most telling of the first twenty conflicts."""
    rows = [
        [r["rank"], r["label"], r["other"].strip("()"), _of(r["n"], r["checked"]), _of(r["edges"], r["edges_checked"]),
         f"{100 * r['home']:.1f}", f"{100 * r['cross']:.1f}", " / ".join(f"`{s}`" for s in r["split"])]
        for r in runs["conflicts"]["conflicts"]
    ]  # fmt: skip
    return table(
        [
            "#",
            "label",
            "elsewhere",
            "same strings",
            "same edges",
            "F1 home",
            "F1 cross",
            "proposed split",
        ],
        rows,
    )


def _of(part: int, whole: int) -> str:
    return f"{part}/{whole} ({100 * part / whole:.0f}%)" if whole else "–"


def conflict_taggers(runs: Runs) -> str:
    """Taggers of one set on another."""
    rows = [
        [
            r["trained_on"],
            r["label"],
            r["scored_on"],
            r["other_label"],
            *(f"{100 * r[k]:.1f}" for k in ("p", "r", "f", "home_f")),
        ]
        for r in runs["conflicts"]["taggers"]
    ]
    return table(
        [
            "trained on",
            "label",
            "scored on",
            "label",
            "precision",
            "recall",
            "F1",
            "F1 at home",
        ],
        rows,
    )


_OF_CORPORA = (
    conversion, pruning, pruning_sizes, pruning_methods, pruning_training, decontamination, nearest, streaming,
    dynamic, dynamic_rounds, dynamic_seeds, dynamic_mini, conflicts, conflict_taggers,
)  # fmt: skip
TABLES: dict[str, Callable[[Runs], str]] = {f.__name__: f for f in _OF_CORPORA}
