"""Tables of docs/research/ablations.md: a row is a variant, a cell the mean and standard
deviation over seeds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Any

from ._declare import NOTHING, Runs, markdown

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


@dataclass(frozen=True)
class Variants:
    """variants (str): Names; what no run is of has no row. columns: Head and way to the
    figure, by dots.
    """

    variants: str
    columns: tuple[tuple[str, str], ...]

    def __call__(self, runs: Runs) -> str:
        rows = []
        for name in self.variants.split():
            found = _of(runs, name)
            if found:
                seconds = round(mean(run["train_seconds"] for run in found))
                texts = found[0]["texts"]
                sizes = [str(texts), str(len(found))]
                cells = [_spread(found, way) for _, way in self.columns]
                rows.append([ABLATIONS[name], *sizes, *cells, str(seconds)])
        heads = [head for head, _ in self.columns]
        return markdown(["", "texts", "seeds", *heads, "seconds"], rows)


@dataclass(frozen=True)
class Decodings:
    """A row for each setting of the decoding of one variant."""

    variant: str
    columns: tuple[tuple[str, str], ...]

    def __call__(self, runs: Runs) -> str:
        found = [run["decoding"] for run in _of(runs, self.variant)]
        rows = []
        for name in found[0]:
            of_setting = [settings[name] for settings in found]
            cells = [_spread(of_setting, way) for _, way in self.columns]
            rows.append([f"`{name}`", *cells])
        heads = [head for head, _ in self.columns]
        return markdown(["", *heads], rows)


def _of(runs: Runs, variant: str) -> list[dict[str, Any]]:
    all_runs = runs["ablations"]["runs"]
    return [run for run in all_runs if run["variant"] == variant]


def _spread(found: Iterable[dict[str, Any]], way: str) -> str:
    """Mean and standard deviation."""
    figures = [_figure(run, way) for run in found]
    known = [figure for figure in figures if figure is not None]
    if not known:
        return NOTHING
    digits = 3 if max(known) <= 1 else 1
    shown = f"{mean(known):.{digits}f}"
    if len(known) > 1:
        shown += f" ± {stdev(known):.{digits}f}"
    return shown


def _figure(run: Any, way: str) -> float | None:
    for key in way.split("."):
        run = run.get(key) if run is not None else None
    return run


TEST = (("span F1", "test.own.span_f"), ("typed F1", "test.own.typed_f"))
ACCURACY = (("accuracy on gold mentions", "accuracy.own"),)
PARTS = (
    ("span F1, parts", "test.parts.span_f"),
    ("typed F1, parts", "test.parts.typed_f"),
    ("span F1, new sets", "test.new.span_f"),
    ("typed F1, new sets", "test.new.typed_f"),
)
LISTS = (
    ("tested on the list of all", "lists.base"),
    ("tested on lists of their own", "lists.dynamic"),
)
EXTRACTION = (("P", "p"), ("R", "r"), ("F1", "f"), ("sequences per text", "sequences"))
STRATEGIES = (
    ("accuracy on gold mentions", "accuracy"),
    ("tokens per mention", "tokens"),
)

TABLES = {
    # Objective, stages, context.
    "ablation_stages": Variants(
        "cascade completion single_stage single_completion context_free",
        (*TEST, *ACCURACY),
    ),
    # Prompts, names, label sets and choice of texts, on several data sets.
    "ablation_sets": Variants(
        "label_aware bare raw_names label_sets label_dropout pruned random_part"
        " single_sets single_lists",
        (*TEST, *PARTS),
    ),
    # The same on a taxonomy.
    "ablation_types": Variants("taxonomy single_taxonomy", (*TEST, *ACCURACY)),
    # Training on type lists that mentions bring along.
    "ablation_lists": Variants("base_list dynamic_lists", LISTS),
    # Rounds against thresholds.
    "ablation_extraction": Decodings("cascade", EXTRACTION),
    # Strategies of the classifier.
    "ablation_strategies": Decodings("taxonomy", STRATEGIES),
}
