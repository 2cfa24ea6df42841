"""Are scores probabilities? Reliability and expected calibration error of both stages,
before and after calibration.

    python benchmarks/run.py decoding.calibration --model training/pipeline
        --dev corpus/dev.spacy --test corpus/test.spacy --plot calibration.png

Maps are fitted on dev (`pipe.calibrate`) and shown on test. Extractor: the score of
every candidate, right if a gold mention has its boundaries. Classifier: the score of
the path that each gold mention gets, right if it is the gold path.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import spacy
from spacy.training import Example

from benchmarks import options
from benchmarks.common import examples, pyplot, read, save_figure
from spacy_cascade.pipeline.calibration import METHODS, expected_calibration_error

BINS = 10
# A share of fewer scores is not drawn.
FEWEST = 10
STAGES = ("cascade_extractor", "cascade_classifier")
COLORS = {"as it is": "#b5532b", "temperature": "#2a7f3f", "isotonic": "#1f5f9e"}


def run(
    model: options.Model = "training/pipeline",
    dev: options.Gold = Path("corpus/dev.spacy"),
    test: options.Gold = Path("corpus/test.spacy"),
    limit: options.Limit = 0,
    plot: options.Plot = None,
) -> dict[str, Any]:
    """Fit all maps of both stages.

    RETURNS (dict): For each stage the number of scores, the share that is right, and what
        `reliability` says of the scores as they are and through each map.
    """
    nlp = spacy.load(model)
    fitted_on, shown_on = (
        examples(read(path, nlp, limit), nlp) for path in (dev, test)
    )
    results = {}
    for name in STAGES:
        if name in nlp.pipe_names:
            found = measure(nlp.get_pipe(name), fitted_on, shown_on)
            results[name.removeprefix("cascade_")] = found
    for stage, result in results.items():
        for method in COLORS:
            figures = dict(result[method])
            del figures["bins"]
            print(f"{stage:12}{method:14}{figures}")
    if plot is not None:
        draw(results, plot)
    sizes = {"dev_sentences": len(fitted_on), "test_sentences": len(shown_on)}
    return {**results, "model": model, **sizes}


def measure(
    pipe: Any,
    dev: list[Example],
    test: list[Example],
) -> dict[str, Any]:
    """A stage's scores on test, as they are and through the maps that are fitted on dev."""
    pipe.calibration = None
    found, hits = pipe.scored(test)
    scores = np.array(found)
    right = np.array(hits, dtype=float)
    out: dict[str, Any] = {
        "n": len(scores),
        "right": round(float(right.mean()), 4),
        "as it is": reliability(scores, right),
    }
    for method in METHODS:
        fitted = pipe.calibrate(dev, method=method)
        calibrated = np.array(pipe.calibrated(found))
        out[method] = reliability(calibrated, right)
        out[method]["dev_n"] = fitted["n"]
        if method == "temperature":
            temperature = pipe.calibration.values[0]
            out[method]["temperature"] = round(temperature, 3)
    return out


def reliability(scores: np.ndarray, right: np.ndarray) -> dict[str, Any]:
    """Calibration error, Brier score, and for each bin of equal width its size, mean
    score and share of right ones.
    """
    bins = (scores * BINS).astype(int)
    which = np.minimum(bins, BINS - 1)
    sizes = np.bincount(which, minlength=BINS)
    means = []
    for values in (scores, right):
        sums = np.bincount(which, weights=values, minlength=BINS)
        means.append(sums / np.maximum(sizes, 1))
    rows = []
    for size, *two in zip(sizes, *means, strict=True):
        rounded = [round(float(mean), 4) for mean in two]
        rows.append([int(size), *rounded])
    errors = np.square(scores - right)
    return {
        "ece": round(expected_calibration_error(scores, right), 4),
        "brier": round(float(errors.mean()), 4),
        "mean_score": round(float(scores.mean()), 4),
        "bins": rows,
    }


def draw(results: dict[str, dict[str, Any]], path: Path) -> None:
    """A reliability diagram for each stage, with the number of scores in each bin below."""
    figure, axes = pyplot().subplots(
        2,
        len(results),
        figsize=(4.4 * len(results), 5),
        height_ratios=(4, 1),
        sharex=True,
        squeeze=False,
        layout="constrained",
    )
    for (name, result), ax, below in zip(results.items(), *axes, strict=True):
        ax.plot(
            [0, 1],
            [0, 1],
            color="#999999",
            lw=1,
            ls="dashed",
        )
        for i, method in enumerate(COLORS):
            _draw_method(ax, below, i, method, result[method])
        ax.set_title(f"{name} ({result['n']:,} scores)")
        ax.set(xlim=(0, 1), ylim=(0, 1))
        ax.set(ylabel="share that is right")
        ax.legend(fontsize=8, loc="upper left")
        ax.grid(alpha=0.25)
        below.set(xlabel="score", ylabel="scores")
    save_figure(figure, path)


def _draw_method(
    ax: Any, below: Any, i: int, method: str, found: dict[str, Any]
) -> None:
    """A curve, and its bars below.

    below (Axes): Where the numbers of scores stand.
    i (int): Which of the bars of a bin it is.
    """
    n, score, share = np.array(found["bins"]).T
    seen = n >= FEWEST
    color = COLORS[method]
    label = f"{method}: error {found['ece']:.3f}"
    ax.plot(
        score[seen],
        share[seen],
        color=color,
        lw=1.2,
        label=label,
    )
    ax.scatter(
        score[seen],
        share[seen],
        color=color,
        s=8 + 90 * n[seen] / n.max(),
    )
    width = 0.8 / BINS / len(COLORS)
    begins = (np.arange(BINS) + 0.1) / BINS
    left = begins + (i + 0.5) * width
    below.bar(left, n, width, color=color)
