"""Tables of docs/research/fusion.md, docs/research/scaling.md and docs/research/baselines.md."""

from __future__ import annotations

from collections.abc import Iterator

from ._declare import Across, Row, Runs, Table, markdown

LEVELS = ("extraction", "coarse", "medium", "fine")


# -- Baselines


def _costs(runs: Runs) -> Iterator[Row]:
    """Calls and tokens of all systems, per sentence."""
    trained = "the demo's trained pipeline, compact prompts, own answers"
    for run in ("costs", "costs_all_types"):
        types = runs[run]["types"]
        for name, row in runs[run]["systems"].items():
            if name.startswith("trained"):
                yield {"name": trained, "types": 155, **row}
            else:
                yield {"name": name, "types": types, **row}


# -- Fusion


def _fusion(runs: Runs) -> Iterator[Row]:
    """Settings of the extractor on test."""
    curves = runs["fusion"]["test"]
    chosen = runs["fusion"]["chosen_on_dev"]["open_threshold"]["open_threshold"]
    opened = {point["open_threshold"]: point for point in curves["open_threshold"]}
    yield {"name": "default: one round, threshold 0.5", **opened[0.5]}
    for temperature, rounds in ((0.5, 2), (0.5, 3), (1, 3), (1, 5)):
        for point in curves[f"fusion, temperature {temperature:g}"]:
            if point["rounds"] == rounds:
                yield {"name": f"k = {rounds}, temperature {temperature:g}", **point}
    for threshold in (0.2, 0.4, chosen):
        if threshold in opened:
            best = " (best on dev)" if threshold == chosen else ""
            yield {"name": f"threshold {threshold:g}{best}", **opened[threshold]}


def _fusion_dev(runs: Runs) -> str:
    """Best F1 on dev by number of rounds, of all temperatures."""
    best: dict[int, float] = {}
    for name, curve in runs["fusion"]["dev"].items():
        if name != "open_threshold":
            for point in curve:
                known = best.get(point["rounds"], 0.0)
                best[point["rounds"]] = max(point["f"], known)
    figures = [f"{f:.3f}" for f in best.values()]
    row = ["best F1 on dev", *figures]
    return markdown(["rounds", *map(str, best)], [row])


def _strategies(runs: Runs) -> Iterator[Row]:
    """Accuracy and cost of the classifier's strategies."""
    found = runs["strategies"]
    names = {
        "progressive": "`progressive` (default)",
        "beam": f"`beam`, width {found['beam_width']}",
        "path": "`path`",
    }
    for key, name in names.items():
        row = found[key]
        gain = None
        if "gain3" in row:
            gain = "{:+.3f} ({:+.3f} to {:+.3f})".format(*row["gain3"])
        yield {"name": name, "gain": gain, **row}


def _calibration(runs: Runs) -> Iterator[Row]:
    """Calibration error and Brier score on test."""
    for stage in ("extractor", "classifier"):
        found = runs["calibration"][stage]
        for method in ("as it is", "temperature", "isotonic"):
            about = {
                "stage": stage,
                "method": method,
                "n": found["n"],
            }
            yield {
                **found[method],
                **about,
                "right": found["right"],
            }


# -- Scaling


def _labels(runs: Runs) -> str:
    """Time per mention by number of types."""
    found = runs["scaling"]["labels"]
    names = {"hierarchy": "three levels", "flat": "one list"}
    rows = []
    for form, name in names.items():
        times = list(found[form].values())
        ratio = f"{times[-1] / times[0]:.2f}"
        cells = [f"{time:.1f}" for time in times]
        rows.append([f"{name}, ms per mention", *cells, ratio])
    sizes = [f"{int(n):,}" for n in found["flat"]]
    return markdown(["types", *sizes, "last to first"], rows)


def _peers(runs: Runs) -> str:
    """Sentences per second of other systems."""
    found = runs["peers"]
    names = {
        "ours": "both stages of this project",
        "gliner": "GLiNER",
        "spacy_ner": "spaCy `ner`",
    }
    rows = []
    for key, name in names.items():
        speeds = [f"{speed:.0f}" for speed in found[key].values()]
        rows.append([name, *speeds])
    return markdown(["types", *found["ours"]], rows)


def _int8(runs: Runs) -> Iterator[Row]:
    """Speed at the shape of Qwen2.5-0.5B, scores and time of the demo."""
    found = runs["int8"]
    for name, row in found["demo"].items():
        yield {
            "name": name,
            "speed": found["qwen2.5-0.5b"][name],
            **row,
        }


TABLES = {
    "costs": Table(
        _costs,
        (
            ("per sentence", "{name}"),
            ("types", "{types}"),
            ("calls", "{calls:,.1f}"),
            ("prompt tokens", "{prompt:,.1f}"),
            ("output tokens", "{output:,.1f}"),
            ("passes", "{passes:,.1f}"),
            ("tokens run", "{run:,.1f}"),
        ),
    ),
    "fusion": Table(
        _fusion,
        (
            ("test", "{name}"),
            ("P", "{p}"),
            ("R", "{r}"),
            ("F1", "{f}"),
            ("sequences per sentence", "{sequences:.2f}"),
        ),
    ),
    "fusion_dev": _fusion_dev,
    # What the threshold that is best on dev gains on test.
    "fusion_gain": Table(
        "fusion:on_test.open_threshold",
        (
            ("F1", "{name}"),
            ("gain on test", "{gain:+.3f}"),
            ("95% interval", "{low:+.3f} to {high:+.3f}"),
        ),
    ),
    "strategies": Table(
        _strategies,
        (
            ("", "{name}"),
            ("coarse", "{acc1}"),
            ("medium", "{acc2}"),
            ("fine", "{acc3}"),
            ("gain in fine (95% interval)", "{gain}"),
            ("sequences", "{sequences:.2f}"),
            ("tokens", "{tokens:.0f}"),
            ("ms (1 core)", "{ms:.1f}"),
        ),
    ),
    "calibration": Table(
        _calibration,
        (
            ("", "{stage}"),
            ("scores", "{n:,}"),
            ("", "{method}"),
            ("expected calibration error", "{ece}"),
            ("Brier score", "{brier}"),
            ("mean score", "{mean_score}"),
            ("share that is right", "{right}"),
        ),
    ),
    # Time per token and memory by length.
    "scaling_document": Across(
        "scaling:document.by_length",
        "tokens of the document",
        "{tokens:,}",
        (
            ("microseconds per token", "{us_per_token:.0f}"),
            ("peak memory of the process, MiB", "{peak_mib:.0f}"),
        ),
    ),
    "scaling_labels": _labels,
    # Time per sentence by number of mentions.
    "scaling_mentions": Across(
        "scaling:mentions",
        "mentions in a sentence of 60 words",
        "{key}",
        (("ms per sentence", "{value:.1f}"),),
    ),
    # Speed by batch size.
    "scaling_batch": Across(
        "scaling:batch",
        "`batch_size`",
        "{key}",
        (("sentences per second", "{value:.0f}"),),
    ),
    "peers": _peers,
    "int8": Table(
        _int8,
        (
            ("", "{name}"),
            ("0.5B: sentences/s, extraction", "{speed[extraction]:.2f}"),
            ("mentions/s, classification", "{speed[classification]:.2f}"),
            ("the demo: extraction F1", "{cascade_extraction_f}"),
            ("coarse F1", "{cascade_coarse_f}"),
            ("medium F1", "{cascade_medium_f}"),
            ("fine F1", "{cascade_fine_f}"),
            ("accuracy", "{cascade_accuracy}"),
            ("processor seconds", "{cpu_seconds:.0f}"),
        ),
    ),
}
