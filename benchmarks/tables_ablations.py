"""Tables of docs/research/ablations.md: a row is a variant, a cell the mean and standard
deviation over seeds.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import mean, stdev
from typing import Any

from tables_markdown import Runs, table

ABLATIONS = {
    "cascade": "cascade, `decisions`",
    "completion": "cascade, `completion`",
    "single_stage": "single stage, `decisions`",
    "single_completion": "single stage, `completion`",
    "context_free": "cascade, context-free classifier",
    "label_aware": "label-aware, standardized names, all labels",
    "bare": "bare extraction prompt",
    "raw_names": "names as the data sets have them",
    "label_sets": "dynamic label set (0.5)",
    "label_dropout": "label dropout (0.2)",
    "pruned": "training texts pruned",
    "random_part": "a random part of the texts, as large",
    "taxonomy": "cascade",
    "single_taxonomy": "single stage",
    "single_sets": "single stage, label list in the prompt",
    "single_lists": "the same, dynamic label set (0.5), label dropout (0.1)",
    "base_list": "one list of all finest types",
    "dynamic_lists": "dynamic categorization",
}


def _ablation(runs: Runs, variants: str, columns: dict[str, str]) -> str:
    """variants (str): Names; what no run is of has no row. columns (dict): Head -> way
    to the figure, by dots.
    """
    rows = []
    for name in variants.split():
        found = [r for r in runs["ablations"]["runs"] if r["variant"] == name]
        if found:
            cells = [
                _spread([_figure(r, way) for r in found]) for way in columns.values()
            ]
            rows.append(
                [
                    ABLATIONS[name],
                    found[0]["texts"],
                    len(found),
                    *cells,
                    round(mean(r["train_seconds"] for r in found)),
                ]
            )
    return table(["", "texts", "seeds", *columns, "seconds"], rows)


def _decodings(runs: Runs, variant: str, columns: dict[str, str]) -> str:
    found = [
        r["decoding"] for r in runs["ablations"]["runs"] if r["variant"] == variant
    ]
    rows = [
        [
            f"`{name}`",
            *(
                _spread([_figure(d[name], way) for d in found])
                for way in columns.values()
            ),
        ]
        for name in found[0]
    ]
    return table(["", *columns], rows)


def _figure(run: Any, way: str) -> float | None:
    for key in way.split("."):
        run = run.get(key) if run is not None else None
    return run


def _spread(values: list[float | None]) -> str:
    known = [v for v in values if v is not None]
    if not known:
        return "–"
    digits = 3 if max(known) <= 1 else 1
    spread = f" ± {stdev(known):.{digits}f}" if len(known) > 1 else ""
    return f"{mean(known):.{digits}f}{spread}"


TEST = {"span F1": "test.own.span_f", "typed F1": "test.own.typed_f"}
ACCURACY = {"accuracy on gold mentions": "accuracy.own"}
PARTS = {
    f"{k}, {name}": f"test.{data}.{k.split()[0]}_f"
    for data, name in (("parts", "parts"), ("new", "new sets"))
    for k in TEST
}


def ablation_stages(runs: Runs) -> str:
    """Objective, stages, context."""
    return _ablation(
        runs,
        "cascade completion single_stage single_completion context_free",
        {**TEST, **ACCURACY},
    )


def ablation_sets(runs: Runs) -> str:
    """Prompts, names, label sets and choice of texts, on several data sets."""
    variants = (
        "label_aware bare raw_names label_sets label_dropout pruned random_part single_sets"
        " single_lists"
    )
    return _ablation(runs, variants, {**TEST, **PARTS})


def ablation_types(runs: Runs) -> str:
    """The same on a taxonomy."""
    return _ablation(runs, "taxonomy single_taxonomy", {**TEST, **ACCURACY})


def ablation_lists(runs: Runs) -> str:
    """Training on type lists that mentions bring along."""
    columns = {
        "tested on the list of all": "lists.base",
        "tested on lists of their own": "lists.dynamic",
    }
    return _ablation(runs, "base_list dynamic_lists", columns)


def ablation_extraction(runs: Runs) -> str:
    """Rounds against thresholds."""
    return _decodings(
        runs,
        "cascade",
        {"P": "p", "R": "r", "F1": "f", "sequences per text": "sequences"},
    )


def ablation_strategies(runs: Runs) -> str:
    """Strategies of the classifier."""
    return _decodings(
        runs,
        "taxonomy",
        {"accuracy on gold mentions": "accuracy", "tokens per mention": "tokens"},
    )


_OF_ABLATIONS = (
    ablation_stages,
    ablation_sets,
    ablation_types,
    ablation_lists,
    ablation_extraction,
    ablation_strategies,
)
TABLES: dict[str, Callable[[Runs], str]] = {f.__name__: f for f in _OF_ABLATIONS}
