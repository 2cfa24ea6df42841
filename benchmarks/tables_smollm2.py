"""Tables of docs/smollm2.md."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tables_markdown import Runs, table

PIPELINES = {
    "everyday_smollm2": "`en_cascade_smollm2`",
    "everyday_smollm2_03": "the same, scores of 0.3 and more",
    "everyday_open_sm": "`xx_cascade_open_sm`",
}
DYNAMICNER = {
    "smollm2_dynamicner": "`en_cascade_smollm2`",
    "smollm2_dynamicner_open_sm": "`xx_cascade_open_sm`",
}
GROUPS = {"in_domain": "trained on", "zero_shot": "zero-shot"}


def everyday(runs: Runs) -> str:
    """Precision, recall and F1 on short everyday texts."""
    rows: list[list[Any]] = []
    for name, shown in PIPELINES.items():
        found = runs[name]
        span, typed = found["span"], found["typed"]
        rows.append([shown, *span.values(), *typed.values()])
    return table(["", "span P", "R", "F1", "typed P", "R", "F1"], rows)


def smollm2_means(runs: Runs) -> str:
    """Means over data sets, beside the small pipeline on the same sentences."""
    ours, small = runs["smollm2"], runs["smollm2_open_sm"]
    rows = []
    for group, shown in GROUPS.items():
        a, b = ours[group], small[group]
        numbers = [a["span_f"], a["typed_f"], b["span_f"], b["typed_f"]]
        rows.append([shown, a["data_sets"], *numbers])
    head = ["data sets", "number", "span F1", "typed F1", "small: span F1", "typed F1"]
    return table(head, rows)


def smollm2_sets(runs: Runs) -> str:
    """Every data set."""
    rows = []
    for group, shown in GROUPS.items():
        for name, a in runs["smollm2"]["figures"][group].items():
            b = runs["smollm2_open_sm"]["figures"][group][name]
            numbers = [a["span_f"], a["typed_f"], b["span_f"], b["typed_f"]]
            rows.append([name, shown, *numbers])
    head = ["data set", "", "span F1", "typed F1", "small: span F1", "typed F1"]
    return table(head, rows)


def smollm2_dynamicner(runs: Runs) -> str:
    """DynamicNER's English test sentences, by level."""
    levels = ("extraction", "coarse", "medium", "fine")
    rows = []
    for name, shown in DYNAMICNER.items():
        found = runs[name]["corpora"]["dyn"]
        for key in "prf":
            rows.append(
                [shown, key.upper(), *(found[f"cascade_{x}_{key}"] for x in levels)]
            )
    return table(["", "", *levels], rows)


TABLES: dict[str, Callable[[Runs], str]] = {
    f.__name__: f for f in (everyday, smollm2_means, smollm2_sets, smollm2_dynamicner)
}
