"""Tables of the pages about corpora: conversion, pruning, decontamination, streaming,
dynamic categorization, conflicts.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ._declare import NOTHING, Across, Columns, Row, Runs, Table, markdown, shown

METRICS = {
    "cohesion": "cohesion ↑",
    "entropy": "entropy ↑",
    "gini": "Gini ↓",
    "variation": "variation ↓",
}
METRIC_COLUMNS: Columns = tuple((head, f"{{{key}}}") for key, head in METRICS.items())
ALIKE: Columns = (
    ("chosen", "{chosen}"),
    ("random", "{random}"),
    ("lower", "{lower}/{types}"),
)


def _share(part: int, whole: int) -> str:
    """In percent, or of small parts as it is."""
    if part and 1000 * part < whole:
        return f"{part} of {whole:,}"
    return f"{100 * part / whole:.1f} %"


def _of(part: int, whole: int) -> str:
    if not whole:
        return NOTHING
    percent = 100 * part / whole
    return f"{part}/{whole} ({percent:.0f}%)"


def _nearest(runs: Runs) -> str:
    """Share of sentences that are above the bound, by embedder."""
    found = runs["nearest"]["embedders"]
    sentences = runs["nearest"]["sentences"]
    rows = []
    for name, counts in found.items():
        cells = [_share(n, sentences) for n in counts.values()]
        rows.append([name, *cells])
        data_sets = list(counts)
    return markdown(["embedder", *data_sets], rows)


STREAMING = {
    "convert": "`convert` to DocBin, `--max-docs 2000`",
    "stats": "`stats`",
    "standardize": "`standardize` to B2NERD",
}


def _streaming(runs: Runs) -> str:
    """Processor time per record and peak memory by size of the input."""
    found = runs["streaming"]["runs"]
    sizes = {row["records"]: row["input_mb"] for row in found}
    rows = []
    for command, name in STREAMING.items():
        of_command = [row for row in found if row["command"] == command]
        of_size = {row["records"]: row for row in of_command}
        cells = []
        for n in sizes:
            milliseconds = of_size[n]["microseconds_per_record"] / 1000
            cells.append(f"{milliseconds:.2f} ({of_size[n]['peak_mb']} MB)")
        rows.append([name, *cells])
    heads = [f"{n:,} records, {mb} MB" for n, mb in sizes.items()]
    return markdown(["ms of processor time per record (peak memory)", *heads], rows)


# -- Dynamic categorization


def _metric(value: Any) -> str:
    """A figure, or mean and standard deviation of several runs."""
    if isinstance(value, dict):
        return f"{value['mean']:.4f} ± {value['std']:.3f}"
    return f"{value:.4f}"


def _metrics(metrics: Row) -> Row:
    return {key: _metric(metrics[key]) for key in METRICS}


def _in_short(version: Row, digits: int) -> str:
    values = [version["metrics"][key] for key in METRICS]
    means = []
    for value in values:
        several = isinstance(value, dict)
        means.append(value["mean"] if several else value)
    return shown(f"{{:.{digits}f}}", means)


def _dynamic(runs: Runs) -> Iterator[Row]:
    """The three versions of DynamicNER's English file, seed 0."""
    for embedder, key in (("MiniLM", "seed 0"), ("hash", "hash, seed 0")):
        for version in ("base", "random", "dynamic"):
            row = runs["dynamic"]["runs"][key][version]
            lengths = shown("{}", row["lengths"])
            about = {"embedder": embedder, "version": version}
            yield {
                **row,
                **_metrics(row["metrics"]),
                **about,
                "lengths": lengths,
            }


def _dynamic_rounds(runs: Runs) -> Iterator[Row]:
    """What the rounds do, and how it looks with synonyms counted as their type; seed 0, MiniLM."""
    found = runs["dynamic"]["runs"]["seed 0"]
    for name, metrics in found["dynamic"]["after_round"].items():
        yield {"name": f"after {name}", **_metrics(metrics)}
    for version in ("random", "dynamic"):
        metrics = found[version]["metrics_by_type"]
        yield {"name": f"{version}, by type", **_metrics(metrics)}


def _dynamic_seeds(runs: Runs) -> Iterator[Row]:
    """Other seeds."""
    for key, run in runs["dynamic"]["runs"].items():
        seed = key.removeprefix("seed ")
        if seed not in (key, "0"):
            yield {
                "seed": seed,
                "dynamic": _in_short(run["dynamic"], 4),
                "random": _in_short(run["random"], 4),
                "skipped": ", ".join(run["skipped_rounds"]) or "none",
            }


def _dynamic_mini(runs: Runs) -> Iterator[Row]:
    """The embedded corpora."""
    for language, run in runs["dynamic_mini"]["runs"].items():
        yield {
            "language": language,
            "base": _in_short(run["base"], 3),
            "random": _in_short(run["random"], 3),
            "dynamic": _in_short(run["dynamic"], 3),
            "lists": run["dynamic"]["lists"],
            "skipped": ", ".join(run["skipped_rounds"]),
        }


TABLES = {
    # What became of the mentions of real corpora.
    "conversion": Table(
        "conversion:results",
        (
            ("data", "{name}"),
            ("records", "{records:,}"),
            ("mentions", "{mentions:,}"),
            ("at token boundaries", "{aligned:,}"),
            ("inside tokens, listed", "{misaligned:,}"),
            ("rejected, reported", "{rejected:,}"),
            ("there and back", "{and_back}"),
        ),
    ),
    # Counts by language, and how alike the chosen sentences are.
    "pruning": Table(
        "pruning:languages",
        (
            ("", "{name}"),
            ("sets", "{datasets}"),
            ("types", "{types}"),
            ("sentences", "{records:,}"),
            ("kept", "{kept:,}"),
            ("mentions", "{mentions:,}"),
            ("kept", "{kept_mentions:,}"),
            ("chosen", "{pool_chosen}"),
            ("random", "{pool_random}"),
            ("lower", "{pool_lower}/{pool_types}"),
        ),
    ),
    # The same comparison by size of the pool.
    "pruning_sizes": Across(
        "pruning:by_size_of_pool",
        "sentences of the pool",
        "{key}",
        (("lower", "{lower}/{types}"),),
    ),
    # Other methods on the same files.
    "pruning_methods": Table(
        "pruning:methods",
        (
            ("method", "{name}"),
            ("sentences kept", "{kept:,}"),
            ("mentions kept", "{kept_mentions:,}"),
            ("without a mention", "{kept_negatives:,}"),
            *ALIKE,
        ),
    ),
    # F1 after training on samples.
    "pruning_training": Table(
        "pruning_training:results",
        (
            ("method", "{name}"),
            ("sentences", "{sentences:,}"),
            ("mentions", "{mentions:,}"),
            ("mentions of the rarest type", "{rarest:,}"),
            ("micro F1", "{micro}"),
            ("macro F1", "{macro}"),
        ),
    ),
    # What was removed.
    "decontamination": Table(
        "decontamination:results",
        (
            ("input", "{name}, {records:,}"),
            ("references", "{references_name}, {references:,}"),
            ("exact", "{exact}"),
            ("near", "{near}"),
            ("semantic", "{semantic}"),
            (
                "removed",
                lambda row: _share(row["records"] - row["kept"], row["records"]),
            ),
            ("processor time", "{processor_seconds} s"),
        ),
    ),
    "nearest": _nearest,
    "streaming": _streaming,
    "dynamic": Table(
        _dynamic,
        (
            ("embedder", "{embedder}"),
            ("version", "{version}"),
            *METRIC_COLUMNS,
            ("names", "{names}"),
            ("lists", "{lists:,}"),
            ("shortest / median / longest", "{lengths}"),
        ),
    ),
    "dynamic_rounds": Table(_dynamic_rounds, (("", "{name}"), *METRIC_COLUMNS)),
    "dynamic_seeds": Table(
        _dynamic_seeds,
        (
            ("seed", "{seed}"),
            ("dynamic", "{dynamic}"),
            ("random mean", "{random}"),
            ("rounds skipped", "{skipped}"),
        ),
    ),
    "dynamic_mini": Table(
        _dynamic_mini,
        (
            ("", "{language}"),
            ("base", "{base}"),
            ("random mean", "{random}"),
            ("dynamic", "{dynamic}"),
            ("lists", "{lists:,}"),
            ("rounds skipped", "{skipped}"),
        ),
    ),
    # The most telling of the first twenty conflicts.
    "conflicts": Table(
        "conflicts:conflicts",
        (
            ("#", "{rank}"),
            ("label", "{label}"),
            ("elsewhere", lambda row: row["other"].strip("()")),
            ("same strings", lambda row: _of(row["n"], row["checked"])),
            ("same edges", lambda row: _of(row["edges"], row["edges_checked"])),
            ("F1 home", lambda row: f"{100 * row['home']:.1f}"),
            ("F1 cross", lambda row: f"{100 * row['cross']:.1f}"),
            ("proposed split", lambda row: shown("`{}`", row["split"])),
        ),
    ),
    # Taggers of one set on another.
    "conflict_taggers": Table(
        "conflicts:taggers",
        (
            ("trained on", "{trained_on}"),
            ("label", "{label}"),
            ("scored on", "{scored_on}"),
            ("label", "{other_label}"),
            ("precision", lambda row: f"{100 * row['p']:.1f}"),
            ("recall", lambda row: f"{100 * row['r']:.1f}"),
            ("F1", lambda row: f"{100 * row['f']:.1f}"),
            ("F1 at home", lambda row: f"{100 * row['home_f']:.1f}"),
        ),
    ),
}
