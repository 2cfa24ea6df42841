"""Tables of docs/open-sm.md."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from statistics import mean, stdev
from typing import Any

from ._declare import NOTHING, Row, Runs, Table, markdown, percent, show

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
LOADED = {
    "import_spacy": "`import spacy`",
    "load": "`spacy.load`",
    "first_text": "the first text",
}


def _both(runs: Runs, name: str) -> dict[str, Any]:
    """Scores by group, and by data set under `figures`, of a pipeline; those of
    `others` may stand in a run of their own.
    """
    found = runs.get(name, {})
    rest = runs.get(f"{name}_others", {})
    figures = {**rest.get("figures", {}), **found.get("figures", {})}
    return {**rest, **found, "figures": figures}


def _f(row: Row | None) -> Row:
    """Span and typed F1 of a row of `models.data_sets` or of a suite that trains."""
    if not row:
        return {}
    if "span_f" in row:
        return {"span": row["span_f"], "typed": row["typed_f"]}
    return {"span": row["span"]["f"], "typed": row["typed"]["f"]}


def _means(rows: Iterable[Row]) -> Row:
    pairs = [_f(row) for row in rows]
    if not pairs:
        return {}
    return {
        "span": mean(pair["span"] for pair in pairs),
        "typed": mean(pair["typed"] for pair in pairs),
    }


def _groups(runs: Runs) -> Iterator[Row]:
    ours = _both(runs, "open_sm")
    for group, name in GROUPS.items():
        if group in ours:
            yield {"name": name, **ours[group]}


def _throughput(runs: Runs) -> Iterator[Row]:
    speed = "{median:.0f} ({min:.0f} to {max:.0f})"
    seconds = "{median:.2f} ({min:.2f} to {max:.2f})"
    for file, found in runs["throughput"]["files"].items():
        name = "/".join(file.split("/")[-3:-1])
        yield {
            "name": f"sentences per second, {name}",
            "median": show(speed, found["sentences_per_second"]),
            "ratio": found["vs_transformers"],
        }
    for part, name in LOADED.items():
        median = show(seconds, runs["throughput"]["seconds"][part])
        yield {"name": f"seconds, {name}", "median": median}


def _throughput_table(runs: Runs) -> str:
    rounds = runs["throughput"]["rounds"]
    columns = (
        ("", "{name}"),
        (f"median of {rounds} (from, to)", "{median}"),
        ("times as fast as by transformers", "{ratio:.2f}"),
    )
    return Table(_throughput, columns)(runs)


def _spacy(runs: Runs) -> Iterator[Row]:
    """The first texts of every test file."""
    systems = runs["spacy_merged_100"]["systems"]
    theirs = [system for system in systems if "spaCy" in system["name"]]
    best = max(theirs, key=lambda system: system["in_domain"]["typed_f"])
    beaten = best["figures"]["in_domain"]
    for system in systems:
        ours = system["figures"]["in_domain"]
        won = 0
        for name, row in beaten.items():
            won += ours[name]["typed_f"] > row["typed_f"]
        sets = system["in_domain"]["data_sets"]
        is_ours = "cascade" in system["name"]
        yield {**system, "won": f"{won} of {sets}" if is_ours else ""}


def _single(runs: Runs) -> str:
    """Mean over the data sets on which spaCy's `ner` was trained one by one."""
    single = runs["spacy_sets"]["results"]
    ours = runs["open_sm"]["figures"]["in_domain"]
    rows = (
        {
            "name": "`xx_cascade_open_sm`, one model for all",
            **_means(ours[k] for k in single),
        },
        {"name": "spaCy `ner`, a model for each set", **_means(single.values())},
    )
    columns = (
        (f"{len(single)} data sets", "{name}"),
        ("span F1", "{span}"),
        ("typed F1", "{typed}"),
    )
    return Table(lambda runs: rows, columns)(runs)


def _sets(runs: Runs) -> Iterator[Row]:
    single = runs.get("spacy_sets", {}).get("results", {})
    figures = _both(runs, "open_sm")["figures"]
    for group, name in GROUPS.items():
        for data_set, row in figures.get(group, {}).items():
            beside = _f(single.get(data_set))
            yield {
                "set": data_set,
                "name": name,
                **row,
                "single": beside,
            }


# -- Few-shot


def _results(runs: Runs, seed: int | None = 0) -> list[Row]:
    results = runs["few_shot"]["results"].values()
    if seed is None:
        return list(results)
    return [row for row in results if row["seed"] == seed]


def _shots(runs: Runs) -> list[int]:
    return sorted({row["k"] for row in _results(runs, seed=None)})


def _few_shot(runs: Runs) -> Iterator[Row]:
    """Means over the data sets that both systems have results for."""
    for k in _shots(runs):
        ours: dict[str, Row] = {}
        theirs: dict[str, Row] = {}
        for row in _results(runs):
            if row["k"] == k:
                system = theirs if row["system"] == "ner" else ours
                system[row["set"]] = row
        sets = [name for name in ours if not k or name in theirs]
        if sets:
            mine = [ours[name] for name in sets]
            other = [theirs[name] for name in sets if name in theirs]
            yield {
                "k": k,
                "sets": len(sets),
                "texts": round(mean(row["texts"] for row in mine)),
                "mentions": round(mean(row["mentions"] for row in mine)),
                "ours": {**_means(mine), "costs": _costs(mine)},
                "spacy": {**_means(other), "costs": _costs(other)},
            }


def _costs(rows: list[Row]) -> str | None:
    if not rows:
        return None
    steps = rows[0]["steps"]
    minutes = mean(row["train_minutes"] for row in rows)
    return f"{steps} ({minutes:.2f})"


def _few_shot_sets(runs: Runs) -> str:
    """Typed F1 of every data set."""
    found = {}
    for row in _results(runs):
        key = row["set"], row["system"] == "ner", row["k"]
        found[key] = f"{row['typed']['f']:.3f}"
    shots = _shots(runs)
    columns = {(False, k): f"k = {k}" for k in shots}
    columns |= {(True, k): f"spaCy, {k}" for k in shots if k}
    heads = list(columns.values())
    names = [row["set"] for row in _results(runs, seed=None)]
    rows = []
    for name in dict.fromkeys(names):
        known = PUBLISHED.get(name, (None, None))
        published = [show("{f}", {"f": f}) for f in known]
        cells = [found.get((name, *column), NOTHING) for column in columns]
        rows.append([name, *cells, *published])
    return markdown(["data set", *heads, "published, 7B: zero-shot", "few-shot"], rows)


def _few_shot_seeds(runs: Runs) -> Iterator[Row]:
    """Mean and standard deviation over seeds of texts and training, where there are several."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in _results(runs, seed=None):
        system = "spaCy `ner`" if row["system"] == "ner" else "cascade"
        key = row["set"], system, row["k"]
        groups.setdefault(key, []).append(row)
    for (name, system, k), rows in groups.items():
        if len(rows) > 1:
            kinds = {
                kind: _spread(row[kind]["f"] for row in rows)
                for kind in ("span", "typed")
            }
            yield {
                "set": name,
                "system": system,
                "k": k,
                "seeds": len(rows),
                **kinds,
            }


def _spread(values: Iterable[float]) -> str:
    known = list(values)
    return f"{mean(known):.3f} ± {stdev(known):.3f}"


def _adapter(run: Row) -> str:
    name = "all weights"
    if run["adapter"] != "full":
        modules = run.get("targets", "")
        shown = modules if isinstance(modules, str) else ", ".join(modules)
        name = f"LoRA, rank {run['rank']}, {shown}"
    return f"{name}; {run['note']}" if "note" in run else name


def _error_rows(runs: Runs) -> Iterator[Row]:
    found = runs["open_errors"]
    for name, row in found["language"].items():
        yield {"name": name, **row}
    yield {"name": "all", **found["all"]}


def _confusions(runs: Runs) -> Iterator[Row]:
    confusions = runs["open_errors"]["all"]["confusions"]
    for gold, found, n in confusions[:15]:
        yield {"gold": gold, "found": found, "n": n}


F1 = (("span F1", "{span_f}"), ("typed F1", "{typed_f}"))

TABLES = {
    # Mean over data sets.
    "open_means": Table(
        _groups, (("data sets", "{name}"), ("number", "{data_sets}"), *F1)
    ),
    # Sentences per second, and seconds of loading.
    "throughput": _throughput_table,
    # What training time does.
    "open_training": Table(
        "open_training:runs",
        (
            ("minutes of one core", "{minutes}"),
            ("steps", "{steps:,}"),
            ("layers", "{layers}"),
            ("trained on: span F1", "{span_f}"),
            ("typed F1", "{typed_f}"),
            ("CrossNER typed F1", "{crossner_typed_f}"),
            ("dev: span F1", "{dev_span_f}"),
            ("typed F1", "{dev_typed_f}"),
        ),
    ),
    # Beside spaCy's `ner` trained on the same merged data.
    "open_spacy": Table(
        _spacy,
        (
            ("", "{name}"),
            ("minutes of one core", "{minutes}"),
            ("trained on: span F1", "{in_domain[span_f]}"),
            ("typed F1", "{in_domain[typed_f]}"),
            ("zero-shot: span F1", "{zero_shot[span_f]}"),
            ("typed F1", "{zero_shot[typed_f]}"),
            ("data sets with a higher typed F1 than the better `ner`", "{won}"),
        ),
    ),
    "open_single": _single,
    # Every data set.
    "open_sets": Table(
        _sets,
        (
            ("data set", "{set}"),
            ("", "{name}"),
            ("sentences", "{docs}"),
            ("mentions", "{mentions}"),
            *F1,
            ("spaCy `ner` of this set: span", "{single[span]}"),
            ("typed", "{single[typed]}"),
        ),
        only_measured=True,
    ),
    "few_shot": Table(
        _few_shot,
        (
            ("k", "{k}"),
            ("data sets", "{sets}"),
            ("texts", "{texts}"),
            ("mentions", "{mentions}"),
            ("steps (minutes)", "{ours[costs]}"),
            ("span F1", "{ours[span]}"),
            ("typed F1", "{ours[typed]}"),
            ("spaCy: steps (minutes)", "{spacy[costs]}"),
            ("span", "{spacy[span]}"),
            ("typed", "{spacy[typed]}"),
        ),
    ),
    "few_shot_sets": _few_shot_sets,
    "few_shot_seeds": Table(
        _few_shot_seeds,
        (
            ("data set", "{set}"),
            ("", "{system}"),
            ("k", "{k}"),
            ("seeds", "{seeds}"),
            ("span F1", "{span}"),
            ("typed F1", "{typed}"),
        ),
    ),
    # CoNLL-2003 before and after fine-tuning on its train file.
    "conll": Table(
        "conll:results",
        (
            ("trained", _adapter),
            ("steps", "{max_steps}"),
            ("minutes", "{train_minutes:.1f}"),
            ("before: span F1", "{before[span][f]}"),
            ("typed F1", "{before[typed][f]}"),
            ("after: span F1", "{span[f]}"),
            ("typed F1", "{typed[f]}"),
        ),
    ),
    # What became of the gold mentions, by language, and what typed F1 would gain from
    # each repair.
    "errors_languages": Table(
        _error_rows,
        (
            ("", "{name}"),
            ("mentions", "{gold}"),
            ("right", percent("right", "gold")),
            ("wrong type", percent("type", "gold")),
            ("too long", percent("long", "gold")),
            ("too short", percent("short", "gold")),
            ("crossing", percent("overlap", "gold")),
            ("missed", percent("missed", "gold")),
            ("of those found, spurious", percent("spurious", "found")),
            ("F1 gain: type", "{f1_gain_if_repaired[type]:+.2f}"),
            ("F1 gain: boundary", "{f1_gain_if_repaired[boundary]:+.2f}"),
            ("F1 gain: missed", "{f1_gain_if_repaired[missed]:+.2f}"),
            ("F1 gain: spurious", "{f1_gain_if_repaired[spurious]:+.2f}"),
        ),
    ),
    # The types that are confused most often, where boundaries are right.
    "errors_confused": Table(
        _confusions, (("gold", "{gold}"), ("found", "{found}"), ("mentions", "{n}"))
    ),
}
