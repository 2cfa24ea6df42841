"""Tables of docs/open-sm.md: one function for each, from the JSON files in docs/research/runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from statistics import mean, stdev
from typing import Any

from tables_markdown import Runs, table

GROUPS = {
    "in_domain": "trained on",
    "zero_shot": "zero-shot",
    "others": "never seen, other guidelines",
}
# Typed F1 of CascadeNER with Qwen2.5-7B, zero-shot and few-shot (arXiv 2409.11022):
# whole test files, for orientation.
PUBLISHED = {
    "en/crossner_ai": (0.689, 0.758),
    "en/crossner_literature": (0.717, 0.752),
    "en/crossner_music": (0.793, 0.832),
    "en/crossner_politics": (0.805, 0.824),
    "en/crossner_science": (0.736, 0.771),
}


def _both(runs: Runs, name: str) -> dict[str, Any]:
    """Scores by group, and by data set under `figures`, of a pipeline; those of
    `others` may stand in a run of their own.
    """
    found, rest = runs.get(name, {}), runs.get(f"{name}_others", {})
    return {
        **rest,
        **found,
        "figures": {**rest.get("figures", {}), **found.get("figures", {})},
    }


def _f(row: dict[str, Any] | None) -> list[Any]:
    """Span and typed F1 of `open_sm.py`, of `tuning.py`, or none."""
    if not row:
        return ["–", "–"]
    return (
        [row["span_f"], row["typed_f"]]
        if "span_f" in row
        else [row["span"]["f"], row["typed"]["f"]]
    )


def _measured(
    head: list[str], rows: list[list[Any]]
) -> tuple[list[str], list[list[Any]]]:
    """Without the columns of systems that nothing was measured of."""
    kept = [
        i for i, column in enumerate(zip(*rows, strict=True)) if set(column) != {"–"}
    ]
    return [head[i] for i in kept], [[row[i] for i in kept] for row in rows]


def _means(rows: Iterable[dict[str, Any]]) -> list[Any]:
    pairs = [_f(row) for row in rows]
    return (
        [mean(column) for column in zip(*pairs, strict=True)] if pairs else ["–", "–"]
    )


def open_means(runs: Runs) -> str:
    """Mean over data sets."""
    ours = _both(runs, "open_sm")
    return table(
        ["data sets", "number", "span F1", "typed F1"],
        [
            [name, ours[group]["data_sets"], *_f(ours[group])]
            for group, name in GROUPS.items()
            if group in ours
        ],
    )


def throughput(runs: Runs) -> str:
    """Sentences per second, and seconds of loading."""
    run = runs["throughput"]

    def told(figures: dict[str, float], digits: int) -> str:
        return (
            f"{figures['median']:.{digits}f} ({figures['min']:.{digits}f} to"
            f" {figures['max']:.{digits}f})"
        )

    rows = [
        [
            f"sentences per second, {'/'.join(file.split('/')[-3:-1])}",
            told(found["sentences_per_second"], 0),
            f"{found['vs_transformers']:.2f}",
        ]
        for file, found in run["files"].items()
    ]
    names = {
        "import_spacy": "`import spacy`",
        "load": "`spacy.load`",
        "first_text": "the first text",
    }
    rows += [
        [f"seconds, {names[k]}", told(found, 2), "–"]
        for k, found in run["seconds"].items()
    ]
    return table(
        [
            "",
            f"median of {run['rounds']} (from, to)",
            "times as fast as by transformers",
        ],
        rows,
    )


def open_training(runs: Runs) -> str:
    """What training time does."""
    rows = [
        [
            r["minutes"],
            f"{r['steps']:,}",
            r["layers"],
            r["span_f"],
            r["typed_f"],
            r["crossner_typed_f"],
            r["dev_span_f"],
            r["dev_typed_f"],
        ]
        for r in runs["open_training"]["runs"]
    ]
    head = [
        "minutes of one core",
        "steps",
        "layers",
        "trained on: span F1",
        "typed F1",
        "CrossNER typed F1",
        "dev: span F1",
        "typed F1",
    ]
    return table(head, rows)


def open_spacy(runs: Runs) -> str:
    """Beside spaCy's `ner` trained on the same merged data, on the first texts of every
    test file.
    """
    systems = runs["spacy_merged_100"]["systems"]
    best = max(
        (s for s in systems if "spaCy" in s["name"]),
        key=lambda s: s["in_domain"]["typed_f"],
    )
    rows = []
    for s in systems:
        won = sum(
            s["figures"]["in_domain"][name]["typed_f"] > f["typed_f"]
            for name, f in best["figures"]["in_domain"].items()
        )
        cells = [
            s[group][f]
            for group in ("in_domain", "zero_shot")
            for f in ("span_f", "typed_f")
        ]
        rows.append(
            [
                s["name"],
                s["minutes"],
                *cells,
                ""
                if "cascade" not in s["name"]
                else f"{won} of {s['in_domain']['data_sets']}",
            ]
        )
    head = [
        "",
        "minutes of one core",
        "trained on: span F1",
        "typed F1",
        "zero-shot: span F1",
        "typed F1",
    ]
    return table(
        [*head, "data sets with a higher typed F1 than the better `ner`"], rows
    )


def open_single(runs: Runs) -> str:
    """Mean over the data sets on which spaCy's `ner` was trained one by one."""
    single, ours = (
        runs["spacy_sets"]["results"],
        runs["open_sm"]["figures"]["in_domain"],
    )
    rows = [
        ["`xx_cascade_open_sm`, one model for all", *_means(ours[k] for k in single)]
    ]
    rows += [["spaCy `ner`, a model for each set", *_means(single.values())]]
    return table([f"{len(single)} data sets", "span F1", "typed F1"], rows)


def open_sets(runs: Runs) -> str:
    """Every data set."""
    single = runs.get("spacy_sets", {}).get("results", {})
    rows = [
        [data_set, name, s["docs"], s["mentions"], *_f(s), *_f(single.get(data_set))]
        for group, name in GROUPS.items()
        for data_set, s in _both(runs, "open_sm")["figures"].get(group, {}).items()
    ]
    head = [
        "data set",
        "",
        "sentences",
        "mentions",
        "span F1",
        "typed F1",
        "spaCy `ner` of this set: span",
        "typed",
    ]
    return table(*_measured(head, rows))


def _shots(runs: Runs) -> tuple[list[dict[str, Any]], list[int]]:
    results = list(runs["few_shot"]["results"].values())
    return results, sorted({r["k"] for r in results})


def few_shot(runs: Runs) -> str:
    """Mean over the data sets that both systems have results for, first seed."""
    results, shots = _shots(runs)
    rows = []
    for k in shots:
        of_k = {
            (r["system"] == "ner", r["set"]): r
            for r in results
            if r["k"] == k and r["seed"] == 0
        }
        sets = [s for ner, s in of_k if not ner and (not k or (True, s) in of_k)]
        if not sets:
            continue
        ours, other = (
            [of_k[ner, s] for s in sets if (ner, s) in of_k] for ner in (False, True)
        )
        texts = [round(mean(r[key] for r in ours)) for key in ("texts", "mentions")]
        costs = [
            (
                f"{part[0]['steps']} ({mean(r['train_minutes'] for r in part):.2f})"
                if part
                else "–"
            )
            for part in (ours, other)
        ]
        rows.append(
            [k, len(sets), *texts, costs[0], *_means(ours), costs[1], *_means(other)]
        )
    head = [
        "k",
        "data sets",
        "texts",
        "mentions",
        "steps (minutes)",
        "span F1",
        "typed F1",
        "spaCy: steps (minutes)",
        "span",
        "typed",
    ]
    return table(head, rows)


def few_shot_sets(runs: Runs) -> str:
    """Typed F1 of every data set, first seed."""
    results, shots = _shots(runs)
    found = {
        (r["set"], r["system"] == "ner", r["k"]): r["typed"]["f"]
        for r in results
        if r["seed"] == 0
    }
    columns = [(ner, k) for ner in (False, True) for k in shots if k or not ner]
    rows = [
        [s, *(found.get((s, *c), "–") for c in columns), *PUBLISHED.get(s, "––")]
        for s in dict.fromkeys(r["set"] for r in results)
    ]
    head = [f"spaCy, {k}" if ner else f"k = {k}" for ner, k in columns]
    return table(["data set", *head, "published, 7B: zero-shot", "few-shot"], rows)


def few_shot_seeds(runs: Runs) -> str:
    """Mean and standard deviation over seeds of texts and training, where there are several."""
    results, _ = _shots(runs)
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for r in results:
        groups.setdefault(
            (r["set"], "spaCy `ner`" if r["system"] == "ner" else "cascade", r["k"]), []
        ).append(r)
    rows = []
    for key, found in groups.items():
        if len(found) > 1:
            values = [[r[name]["f"] for r in found] for name in ("span", "typed")]
            rows.append(
                [*key, len(found), *(f"{mean(v):.3f} ± {stdev(v):.3f}" for v in values)]
            )
    return table(["data set", "", "k", "seeds", "span F1", "typed F1"], rows)


def conll(runs: Runs) -> str:
    """CoNLL-2003 before and after fine-tuning on its train file."""
    rows = [
        [
            _adapter(r),
            r["max_steps"],
            f"{r['train_minutes']:.1f}",
            *_f(r["before"]),
            *_f(r),
        ]
        for r in runs["conll"]["results"].values()
    ]
    return table(
        [
            "trained",
            "steps",
            "minutes",
            "before: span F1",
            "typed F1",
            "after: span F1",
            "typed F1",
        ],
        rows,
    )


def _adapter(run: dict[str, Any]) -> str:
    modules = run.get("targets", "")
    modules = modules if isinstance(modules, str) else ", ".join(modules)
    name = (
        "all weights"
        if run["adapter"] == "full"
        else f"LoRA, rank {run['rank']}, {modules}"
    )
    return f"{name}; {run['note']}" if "note" in run else name


TABLES: dict[str, Callable[[Runs], str]] = {
    f.__name__: f
    for f in (
        open_means,
        throughput,
        open_training,
        open_spacy,
        open_single,
        open_sets,
        few_shot,
        few_shot_sets,
        few_shot_seeds,
        conll,
    )
}
