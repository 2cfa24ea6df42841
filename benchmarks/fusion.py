"""Result fusion against a threshold: precision, recall, F1 and cost of the extractor (figure 7 of arXiv 2409.11022).

    python benchmarks/fusion.py --model training/pipeline --dev corpus/dev.spacy --test corpus/test.spacy --plot fusion.png

Fusion unites the mentions of one greedy and k - 1 sampled rounds; `open_threshold` t opens a mention at probability t, in
one round. The better setting is chosen by F1 on dev and compared with the defaults on test, with the 95% interval of a
paired bootstrap. Cost: sequences that the model runs, per sentence (rounds share what they have in common). Prints one JSON
object as its last line.
"""

from __future__ import annotations

import argparse
import copy
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import spacy
from measure import counted, gain, hits, read, scores
from spacy.language import Language
from spacy.tokens import Doc
from tqdm import tqdm

THRESHOLDS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
TEMPERATURES = (0.5, 1.0)
DEFAULT = {"rounds": 1, "temperature": 1.0, "open_threshold": 0.5}
Setting = dict[str, Any]


def settings(rounds: int, temperatures: Sequence[float], thresholds: Sequence[float]) -> dict[str, list[Setting]]:
    """Curves by name, each a list of the extractor's settings; every curve passes through the defaults."""
    curves = {
        f"fusion, temperature {t:g}": [DEFAULT, *({**DEFAULT, "rounds": k, "temperature": t} for k in range(2, rounds + 1))]
        for t in temperatures
    }
    return {**curves, "open_threshold": [{**DEFAULT, "open_threshold": t} for t in sorted({*thresholds, 0.5})]}


def run(nlp: Language, gold: Sequence[Doc], setting: Setting, *, typed: bool = False) -> tuple[np.ndarray, dict[str, float]]:
    """`hits` of the extractor, or with `typed` of the whole pipeline, and the cost per sentence."""
    pipe: Any = nlp.get_pipe("cascade_extractor")
    for option, value in setting.items():
        setattr(pipe, option, value)
    drafter = copy.deepcopy(pipe.drafter)  # it learns from what is found: no run may profit from the one before
    with counted(pipe.lm) as work:
        found = list(nlp.pipe([doc.text for doc in gold], batch_size=64, disable=[] if typed else ["cascade_classifier"]))
    pipe.drafter = drafter
    cost = {"sequences": work.sequences, "tokens": work.tokens}
    return hits(found, gold, typed=typed), {k: round(v / len(gold), 3) for k, v in cost.items()}


def measure(nlp: Language, gold: Sequence[Doc], curves: dict[str, list[Setting]], name: str) -> dict[str, list[dict[str, Any]]]:
    """Scores and cost at every point of every curve."""
    points = {tuple(setting.items()): setting for points in curves.values() for setting in points}
    done = {}
    for key, setting in tqdm(points.items(), desc=name, disable=None):
        table, cost = run(nlp, gold, setting)
        done[key] = {**setting, **scores(table), **cost}
    return {curve: [done[tuple(setting.items())] for setting in points] for curve, points in curves.items()}


def best(curves: dict[str, list[dict[str, Any]]], *names: str) -> Setting:
    """The setting of highest F1; of equal ones the cheapest."""
    points = [p for name in names for p in curves[name]]
    chosen = max(points, key=lambda p: (p["f"], -p["sequences"]))
    return {k: chosen[k] for k in DEFAULT}


def compare(nlp: Language, gold: Sequence[Doc], chosen: dict[str, Setting], seed: int) -> dict[str, Any]:
    """The chosen settings and the defaults, by boundaries and by the whole pipeline."""
    out: dict[str, Any] = {}
    for kind in (False, True):
        tables = {name: run(nlp, gold, setting, typed=kind)[0] for name, setting in {"default": DEFAULT, **chosen}.items()}
        for name, table in tables.items():
            entry = out.setdefault(name, {})
            key = "typed" if kind else "extraction"
            entry[key] = scores(table) if name == "default" else {**scores(table), **gain(table, tables["default"], seed)}
    return out


def plot(curves: dict[str, list[dict[str, Any]]], path: Path, title: str) -> None:
    """Precision against recall, and F1 against cost."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 4.2), layout="constrained")
    styles = dict(zip(curves, (("#1f77b4", "o"), ("#d95f02", "s"), ("#2a7f3f", "^")), strict=False))
    for name, points in curves.items():
        color, marker = styles.get(name, ("#555555", "x"))
        p, r, f, cost = (np.array([point[k] for point in points]) for k in ("p", "r", "f", "sequences"))
        left.plot(r, p, color=color, marker=marker, ms=4.5, lw=1.3, label=name)
        right.plot(cost, f, color=color, marker=marker, ms=4.5, lw=1.3, label=name)
        threshold = name == "open_threshold"
        texts = [f"{x['open_threshold']:g}" if threshold else f"k={x['rounds']}" for x in points]
        shown = {0, len(points) - 1, *([2, 5] if threshold else range(1, len(points)))}
        for i in shown:
            offset = (-6, -12) if threshold else (5, 4)
            left.annotate(texts[i], (r[i], p[i]), textcoords="offset points", xytext=offset, fontsize=7, color=color)
    default = next(p for p in curves["open_threshold"] if p["open_threshold"] == DEFAULT["open_threshold"])
    left.plot(default["r"], default["p"], marker="o", ms=11, mfc="none", mec="black", lw=0, label="default: k=1, 0.5")
    right.plot(default["sequences"], default["f"], marker="o", ms=11, mfc="none", mec="black", lw=0)
    left.set(xlabel="recall", ylabel="precision")
    right.set(xlabel="cost: sequences run per sentence", ylabel="F1")
    _contours(left)
    left.legend(fontsize=8, loc="best")
    for ax in (left, right):
        ax.grid(alpha=0.25)
    figure.suptitle(title, fontsize=11)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _contours(ax: Any) -> None:
    """Lines of equal F1 behind the curves."""
    (x0, x1), (y0, y1) = ax.get_xlim(), ax.get_ylim()
    x, y = np.meshgrid(np.linspace(x0, x1, 200), np.linspace(y0, y1, 200))
    lines = ax.contour(x, y, 2 * x * y / (x + y), colors="#bbbbbb", linewidths=0.7, linestyles="dotted")
    ax.clabel(lines, fontsize=6.5, fmt="F1 %.2f")


def main() -> None:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--model", default="training/pipeline", help="a pipeline with a cascade_extractor")
    ap.add_argument("--dev", type=Path, default=Path("corpus/dev.spacy"), help="gold DocBin to choose on")
    ap.add_argument("--test", type=Path, default=Path("corpus/test.spacy"), help="gold DocBin to report on")
    ap.add_argument("--rounds", type=int, default=5, help="most rounds of fusion")
    ap.add_argument("--temperatures", type=float, nargs="+", default=TEMPERATURES)
    ap.add_argument("--thresholds", type=float, nargs="+", default=THRESHOLDS)
    ap.add_argument("--limit", type=int, default=0, help="most sentences of each file; 0: all")
    ap.add_argument("--seed", type=int, default=0, help="of the bootstrap")
    ap.add_argument("--plot", type=Path, help="figure of the test split (.png, .svg)")
    args = ap.parse_args()
    nlp = spacy.load(args.model)
    dev, test = (read(path, nlp, args.limit) for path in (args.dev, args.test))
    curves = settings(args.rounds, args.temperatures, args.thresholds)
    results = {"dev": measure(nlp, dev, curves, "dev"), "test": measure(nlp, test, curves, "test")}
    fusion = [name for name in curves if name != "open_threshold"]
    chosen = {"fusion": best(results["dev"], *fusion), "open_threshold": best(results["dev"], "open_threshold")}
    for split, found in results.items():
        for name, points in found.items():
            for p in points:
                print(
                    f"{split:5}{name:24} k={p['rounds']} t={p['open_threshold']:<5g} P {p['p']:.3f}  R {p['r']:.3f}  "
                    f"F1 {p['f']:.3f}  {p['sequences']:.2f} sequences, {p['tokens']:.1f} tokens"
                )
    if args.plot is not None:
        plot(results["test"], args.plot, f"Extractor, {len(test):,} test sentences")
    about = {"model": str(args.model), "dev_sentences": len(dev), "test_sentences": len(test), "seed": args.seed}
    print(json.dumps({**results, "chosen_on_dev": chosen, "on_test": compare(nlp, test, chosen, args.seed), **about}))


if __name__ == "__main__":
    main()
