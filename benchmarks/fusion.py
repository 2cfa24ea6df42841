"""Result fusion against a threshold: precision, recall, F1 and cost of the extractor
(figure 7 of arXiv 2409.11022).

    python benchmarks/fusion.py --model training/pipeline --dev corpus/dev.spacy --test
    corpus/test.spacy --plot fusion.png

Fusion unites the mentions of one greedy and k - 1 sampled rounds; `open_threshold` t
opens a mention at probability t, in one round. The better setting is chosen by F1 on
dev and compared with the defaults on test, with the 95% interval of a paired bootstrap.
Cost: sequences and tokens that the model runs per sentence, on a sample of test (rounds
share what they have in common). Prints one JSON object as its last line.
"""

from __future__ import annotations

import argparse
import copy
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import spacy
from measure import counted, gain, hits, read, scores
from spacy.language import Language
from spacy.tokens import Doc
from tqdm import tqdm

from spacy_cascade.decoding.copy import Job, Sampling
from spacy_cascade.pipeline import extractor

THRESHOLDS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
TEMPERATURES = (0.5, 1.0)
DEFAULT = {"rounds": 1, "temperature": 1.0, "open_threshold": 0.5}
Setting = dict[str, Any]
Key = tuple[tuple[str, Any], ...]


def settings(
    rounds: int, temperatures: Sequence[float], thresholds: Sequence[float]
) -> dict[str, list[Setting]]:
    """Curves by name, each a list of the extractor's settings; every curve passes
    through the defaults.
    """
    curves = {
        f"fusion, temperature {t:g}": [
            DEFAULT,
            *({**DEFAULT, "rounds": k, "temperature": t} for k in range(2, rounds + 1)),
        ]
        for t in temperatures
    }
    return {
        **curves,
        "open_threshold": [
            {**DEFAULT, "open_threshold": t} for t in sorted({*thresholds, 0.5})
        ],
    }


@contextmanager
def remembered() -> Iterator[None]:
    """Within the block, no text is decoded twice in the same way.

    Rounds don't depend on each other, so k + 1 rounds then take one more than k.
    """
    known: dict[Any, Any] = {}
    real = extractor.decode

    def decode(
        lm: Any, jobs: Sequence[Job], samplings: Sequence[Sampling], **options: Any
    ) -> None:
        keys = [
            (job.unit.text, tuple(job.prompt), sampling)
            for job, sampling in zip(jobs, samplings, strict=True)
        ]
        new = {key: i for i, key in enumerate(keys) if key not in known}
        real(
            lm,
            [jobs[i] for i in new.values()],
            [samplings[i] for i in new.values()],
            **options,
        )
        known.update(
            (key, (jobs[i].tokens, jobs[i].mentions)) for key, i in new.items()
        )
        for job, key in zip(jobs, keys, strict=True):
            job.tokens, job.mentions = known[key]

    extractor.decode = decode
    try:
        yield
    finally:
        extractor.decode = real


def run(
    nlp: Language, gold: Sequence[Doc], setting: Setting, *, typed: bool = False
) -> np.ndarray:
    """`hits` of the extractor, or with `typed` of the whole pipeline."""
    pipe: Any = nlp.get_pipe("cascade_extractor")
    for option, value in setting.items():
        setattr(pipe, option, value)
    off = [] if typed else ["cascade_classifier"]
    return hits(
        list(nlp.pipe([doc.text for doc in gold], batch_size=64, disable=off)),
        gold,
        typed=typed,
    )


def cost(nlp: Language, gold: Sequence[Doc], setting: Setting) -> dict[str, float]:
    """The model's work per sentence.

    The drafter learns from what is found, and must not profit from the run before.
    """
    pipe: Any = nlp.get_pipe("cascade_extractor")
    drafter, pipe.drafter = pipe.drafter, copy.deepcopy(pipe.drafter)
    with counted(pipe.lm) as work:
        run(nlp, gold, setting)
    pipe.drafter = drafter
    return {
        "sequences": round(work.sequences / len(gold), 3),
        "tokens": round(work.tokens / len(gold), 2),
    }


def distinct(
    curves: dict[str, list[Setting]], name: str
) -> Iterable[tuple[Key, Setting]]:
    """The settings of all curves, each once, with a progress bar."""
    points = {
        tuple(setting.items()): setting
        for points in curves.values()
        for setting in points
    }
    return tqdm(points.items(), desc=name, disable=None)


def best(curves: dict[str, list[dict[str, Any]]], *names: str) -> Setting:
    """The setting of highest F1; of equal ones the first."""
    chosen = max((p for name in names for p in curves[name]), key=lambda p: p["f"])
    return {k: chosen[k] for k in DEFAULT}


def compare(
    nlp: Language, gold: Sequence[Doc], chosen: dict[str, Setting], seed: int
) -> dict[str, Any]:
    """The chosen settings and the defaults, by boundaries and by the whole pipeline."""
    out: dict[str, Any] = {}
    for kind in (False, True):
        tables = {
            name: run(nlp, gold, setting, typed=kind)
            for name, setting in {"default": DEFAULT, **chosen}.items()
        }
        for name, table in tables.items():
            entry = out.setdefault(name, {})
            key = "typed" if kind else "extraction"
            entry[key] = (
                scores(table)
                if name == "default"
                else {**scores(table), **gain(table, tables["default"], seed)}
            )
    return out


def plot(curves: dict[str, list[dict[str, Any]]], path: Path, title: str) -> None:
    """Precision against recall, and F1 against cost."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 4.2), layout="constrained")
    styles = dict(
        zip(
            curves, (("#1f77b4", "o"), ("#d95f02", "s"), ("#2a7f3f", "^")), strict=False
        )
    )
    for name, points in curves.items():
        color, marker = styles.get(name, ("#555555", "x"))
        p, r, f, cost = (
            np.array([point[k] for point in points])
            for k in ("p", "r", "f", "sequences")
        )
        left.plot(r, p, color=color, marker=marker, ms=4.5, lw=1.3, label=name)
        right.plot(cost, f, color=color, marker=marker, ms=4.5, lw=1.3, label=name)
        threshold = name == "open_threshold"
        texts = [
            f"{x['open_threshold']:g}" if threshold else f"k={x['rounds']}"
            for x in points
        ]
        shown = {0, len(points) - 1, *([2, 5] if threshold else range(1, len(points)))}
        for i in sorted(i for i in shown if i < len(points)):
            offset = (-6, -12) if threshold else (5, 4)
            left.annotate(
                texts[i],
                (r[i], p[i]),
                textcoords="offset points",
                xytext=offset,
                fontsize=7,
                color=color,
            )
    default = next(
        p
        for p in curves["open_threshold"]
        if p["open_threshold"] == DEFAULT["open_threshold"]
    )
    left.plot(
        default["r"],
        default["p"],
        marker="o",
        ms=11,
        mfc="none",
        mec="black",
        lw=0,
        label="default: k=1, 0.5",
    )
    right.plot(
        default["sequences"],
        default["f"],
        marker="o",
        ms=11,
        mfc="none",
        mec="black",
        lw=0,
    )
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
    lines = ax.contour(
        x, y, 2 * x * y / (x + y), colors="#bbbbbb", linewidths=0.7, linestyles="dotted"
    )
    ax.clabel(lines, fontsize=6.5, fmt="F1 %.2f")


def main() -> None:
    ap = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ap.add_argument(
        "--model",
        default="training/pipeline",
        help="a pipeline with a cascade_extractor",
    )
    ap.add_argument(
        "--dev",
        type=Path,
        default=Path("corpus/dev.spacy"),
        help="gold DocBin to choose on",
    )
    ap.add_argument(
        "--test",
        type=Path,
        default=Path("corpus/test.spacy"),
        help="gold DocBin to report on",
    )
    ap.add_argument("--rounds", type=int, default=5, help="most rounds of fusion")
    ap.add_argument("--temperatures", type=float, nargs="+", default=TEMPERATURES)
    ap.add_argument("--thresholds", type=float, nargs="+", default=THRESHOLDS)
    ap.add_argument(
        "--limit", type=int, default=0, help="most sentences of each file; 0: all"
    )
    ap.add_argument(
        "--cost-limit",
        type=int,
        default=64,
        help="test sentences to count the model's work on; 0: all",
    )
    ap.add_argument("--seed", type=int, default=0, help="of the bootstrap")
    ap.add_argument("--plot", type=Path, help="figure of the test split (.png, .svg)")
    args = ap.parse_args()
    nlp = spacy.load(args.model)
    dev, test = (read(path, nlp, args.limit) for path in (args.dev, args.test))
    curves = settings(args.rounds, args.temperatures, args.thresholds)
    costs = {
        key: cost(nlp, read(args.test, nlp, args.cost_limit), setting)
        for key, setting in distinct(curves, "cost")
    }
    results: dict[str, dict[str, list[dict[str, Any]]]] = {}
    with remembered():
        for split, gold in (("dev", dev), ("test", test)):
            done = {
                key: {**setting, **scores(run(nlp, gold, setting)), **costs[key]}
                for key, setting in distinct(curves, split)
            }
            results[split] = {
                name: [done[tuple(setting.items())] for setting in points]
                for name, points in curves.items()
            }
        fusion = [name for name in curves if name != "open_threshold"]
        chosen = {
            "fusion": best(results["dev"], *fusion),
            "open_threshold": best(results["dev"], "open_threshold"),
        }
        compared = compare(nlp, test, chosen, args.seed)
    for split, found in results.items():
        for name, points in found.items():
            for p in points:
                print(
                    f"{split:5}{name:24} k={p['rounds']} t={p['open_threshold']:<5g} P"
                    f" {p['p']:.3f}  R {p['r']:.3f}  F1 {p['f']:.3f}  {p['sequences']:.2f}"
                    f" sequences, {p['tokens']:.1f} tokens"
                )
    if args.plot is not None:
        plot(results["test"], args.plot, f"Extractor, {len(test):,} test sentences")
    for name, entry in compared.items():
        print(f"{name:16}{entry}")
    about = {
        "model": str(args.model),
        "dev_sentences": len(dev),
        "test_sentences": len(test),
        "seed": args.seed,
    }
    print(
        json.dumps({**results, "chosen_on_dev": chosen, "on_test": compared, **about})
    )


if __name__ == "__main__":
    main()
