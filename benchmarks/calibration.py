"""Are scores probabilities? Reliability and expected calibration error of both stages,
before and after calibration.

    python benchmarks/calibration.py --model training/pipeline --dev corpus/dev.spacy
    --test corpus/test.spacy --plot calibration.png

Maps are fitted on dev (`pipe.calibrate`) and shown on test. Extractor: the score of
every candidate, right if a gold mention has its boundaries. Classifier: the score of
the path that each gold mention gets, right if it is the gold path. Prints one JSON
object as its last line.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import spacy
from measure import read
from spacy.training import Example

from spacy_cascade.pipeline.calibration import METHODS, expected_calibration_error

BINS = 10
# A share of fewer scores is not drawn.
FEWEST = 10
STAGES = ("cascade_extractor", "cascade_classifier")
COLORS = {"as it is": "#b5532b", "temperature": "#2a7f3f", "isotonic": "#1f5f9e"}


def reliability(scores: np.ndarray, right: np.ndarray) -> dict[str, Any]:
    """Calibration error, Brier score, and for each bin of equal width its size, mean
    score and share of right ones.
    """
    which = np.minimum((scores * BINS).astype(int), BINS - 1)
    n = np.bincount(which, minlength=BINS)
    means = [
        np.bincount(which, weights=x, minlength=BINS) / np.maximum(n, 1)
        for x in (scores, right)
    ]
    return {
        "ece": round(expected_calibration_error(scores, right), 4),
        "brier": round(float(np.square(scores - right).mean()), 4),
        "mean_score": round(float(scores.mean()), 4),
        "bins": [
            [int(k), round(float(s), 4), round(float(r), 4)]
            for k, s, r in zip(n, *means, strict=True)
        ],
    }


def measure(pipe: Any, dev: list[Example], test: list[Example]) -> dict[str, Any]:
    """A stage's scores on test, as they are and through the maps that are fitted on dev."""
    pipe.calibration = None
    found, hits = pipe.scored(test)
    scores, right = np.array(found), np.array(hits, dtype=float)
    out: dict[str, Any] = {
        "n": len(scores),
        "right": round(float(right.mean()), 4),
        "as it is": reliability(scores, right),
    }
    for method in METHODS:
        fitted = pipe.calibrate(dev, method=method)
        out[method] = reliability(np.array(pipe.calibrated(found)), right) | {
            "dev_n": fitted["n"]
        }
        if method == "temperature":
            out[method]["temperature"] = round(pipe.calibration.values[0], 3)
    return out


def plot(results: dict[str, dict[str, Any]], path: Path) -> None:
    """A reliability diagram for each stage, with the number of scores in each bin below."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(
        2,
        len(results),
        figsize=(4.4 * len(results), 5),
        height_ratios=(4, 1),
        sharex=True,
        squeeze=False,
        layout="constrained",
    )
    for (name, result), ax, below in zip(results.items(), *axes, strict=True):
        ax.plot([0, 1], [0, 1], color="#999999", lw=1, ls="dashed")
        for i, (method, color) in enumerate(COLORS.items()):
            n, score, share = np.array(result[method]["bins"]).T
            seen = n >= FEWEST
            ax.plot(
                score[seen],
                share[seen],
                color=color,
                lw=1.2,
                label=f"{method}: error {result[method]['ece']:.3f}",
            )
            ax.scatter(
                score[seen], share[seen], color=color, s=8 + 90 * n[seen] / n.max()
            )
            width = 0.8 / BINS / len(COLORS)
            below.bar(
                (np.arange(BINS) + 0.1) / BINS + (i + 0.5) * width,
                n,
                width,
                color=color,
            )
        ax.set(
            title=f"{name} ({result['n']:,} scores)",
            xlim=(0, 1),
            ylim=(0, 1),
            ylabel="share that is right",
        )
        ax.legend(fontsize=8, loc="upper left")
        ax.grid(alpha=0.25)
        below.set(xlabel="score", ylabel="scores")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main() -> None:
    ap = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ap.add_argument(
        "--model",
        default="training/pipeline",
        help="a pipeline with both stages, or one of them",
    )
    ap.add_argument(
        "--dev",
        type=Path,
        default=Path("corpus/dev.spacy"),
        help="gold DocBin to fit on",
    )
    ap.add_argument(
        "--test",
        type=Path,
        default=Path("corpus/test.spacy"),
        help="gold DocBin to report on",
    )
    ap.add_argument(
        "--limit", type=int, default=0, help="most sentences of each file; 0: all"
    )
    ap.add_argument("--plot", type=Path, help="figure of the test split (.png, .svg)")
    args = ap.parse_args()
    nlp = spacy.load(args.model)
    dev, test = (
        [Example(nlp.make_doc(d.text), d) for d in read(path, nlp, args.limit)]
        for path in (args.dev, args.test)
    )
    results = {
        name.removeprefix("cascade_"): measure(nlp.get_pipe(name), dev, test)
        for name in STAGES
        if name in nlp.pipe_names
    }
    for stage, result in results.items():
        for method in COLORS:
            r = result[method]
            print(
                f"{stage:12}{method:14}error {r['ece']:.4f}  Brier {r['brier']:.4f}  mean score"
                f" {r['mean_score']:.3f}  right {result['right']:.3f}"
            )
    if args.plot is not None:
        plot(results, args.plot)
    print(
        json.dumps(
            {
                **results,
                "model": str(args.model),
                "dev_sentences": len(dev),
                "test_sentences": len(test),
            }
        )
    )


if __name__ == "__main__":
    main()
