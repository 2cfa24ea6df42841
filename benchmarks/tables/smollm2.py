"""Tables of docs/smollm2.md."""

from __future__ import annotations

from collections.abc import Iterator

from ._declare import Row, Runs, Table

EVERYDAY = {
    "everyday_smollm2": "`en_cascade_smollm2`",
    "everyday_smollm2_03": "the same, scores of 0.3 and more",
    "everyday_open_sm": "`xx_cascade_open_sm`",
}
DYNAMICNER = {
    "smollm2_dynamicner": "`en_cascade_smollm2`",
    "smollm2_dynamicner_open_sm": "`xx_cascade_open_sm`",
}
GROUPS = {"in_domain": "trained on", "zero_shot": "zero-shot"}
BESIDE = (
    ("span F1", "{ours[span_f]}"),
    ("typed F1", "{ours[typed_f]}"),
    ("small: span F1", "{small[span_f]}"),
    ("typed F1", "{small[typed_f]}"),
)


def _everyday(runs: Runs) -> Iterator[Row]:
    for name, shown in EVERYDAY.items():
        yield {"name": shown, **runs[name]}


def _groups(runs: Runs) -> Iterator[Row]:
    ours, small = runs["smollm2"], runs["smollm2_open_sm"]
    for group, shown in GROUPS.items():
        yield {
            "name": shown,
            "ours": ours[group],
            "small": small[group],
        }


def _sets(runs: Runs) -> Iterator[Row]:
    ours, small = runs["smollm2"]["figures"], runs["smollm2_open_sm"]["figures"]
    for group, shown in GROUPS.items():
        for name, row in ours[group].items():
            yield {
                "set": name,
                "name": shown,
                "ours": row,
                "small": small[group][name],
            }


def _levels(runs: Runs) -> Iterator[Row]:
    for name, shown in DYNAMICNER.items():
        found = runs[name]["corpora"]["dyn"]
        for key in "prf":
            levels = {x: found[f"cascade_{x}_{key}"] for x in LEVELS}
            yield {
                "name": shown,
                "key": key.upper(),
                **levels,
            }


LEVELS = ("extraction", "coarse", "medium", "fine")

TABLES = {
    # Precision, recall and F1 on short everyday texts.
    "everyday": Table(
        _everyday,
        (
            ("", "{name}"),
            ("span P", "{span[p]}"),
            ("R", "{span[r]}"),
            ("F1", "{span[f]}"),
            ("typed P", "{typed[p]}"),
            ("R", "{typed[r]}"),
            ("F1", "{typed[f]}"),
        ),
    ),
    # Means over data sets, beside the small pipeline on the same sentences.
    "smollm2_means": Table(
        _groups, (("data sets", "{name}"), ("number", "{ours[data_sets]}"), *BESIDE)
    ),
    # Every data set.
    "smollm2_sets": Table(_sets, (("data set", "{set}"), ("", "{name}"), *BESIDE)),
    # DynamicNER's English test sentences, by level.
    "smollm2_dynamicner": Table(
        _levels,
        (("", "{name}"), ("", "{key}"), *((level, f"{{{level}}}") for level in LEVELS)),
    ),
}
