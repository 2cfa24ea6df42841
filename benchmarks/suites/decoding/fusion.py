"""Result fusion against a threshold: precision, recall, F1 and cost of the extractor
(figure 7 of arXiv 2409.11022).

    python benchmarks/run.py decoding.fusion --model training/pipeline
        --dev corpus/dev.spacy --test corpus/test.spacy --plot fusion.png

Fusion unites the mentions of one greedy and k - 1 sampled rounds; `open_threshold` t
opens a mention at probability t, in one round. The better setting is chosen by F1 on
dev and compared with the defaults on test, with the 95% interval of a paired bootstrap.
Cost: sequences and tokens that the model runs per sentence, on a sample of test (rounds
share what they have in common).
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import spacy
from spacy.language import Language
from spacy.tokens import Doc
from tqdm import tqdm

from benchmarks import options
from benchmarks.common import counted, gain, hits, pyplot, read, save_figure, scores
from spacy_cascade.decoding.copy import Job, Sampling
from spacy_cascade.pipeline import extractor

DEFAULT = {"rounds": 1, "temperature": 1.0, "open_threshold": 0.5}
STYLES = (
    ("#1f77b4", "o"),
    ("#d95f02", "s"),
    ("#2a7f3f", "^"),
    ("#555555", "x"),  # all others
)
POINT = (
    "k={rounds} t={open_threshold:<5g} P {p:.3f}  R {r:.3f}  F1 {f:.3f}"
    "  {sequences:.2f} sequences, {tokens:.1f} tokens"
)
Setting = dict[str, Any]
Key = tuple[tuple[str, Any], ...]
# Curve -> its points: settings, scores and costs.
Curves = dict[str, list[dict[str, Any]]]


def run(
    model: options.Model = "training/pipeline",
    dev: Annotated[Path, "gold DocBin to choose on"] = Path("corpus/dev.spacy"),
    test: Annotated[Path, "gold DocBin to report on"] = Path("corpus/test.spacy"),
    rounds: Annotated[int, "most rounds of fusion"] = 5,
    temperatures: Sequence[float] = (0.5, 1.0),
    thresholds: Sequence[float] = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7),
    limit: options.Limit = 0,
    cost_limit: Annotated[
        int, "test sentences to count the model's work on; 0: all"
    ] = 64,
    seed: options.Seed = 0,
    plot: options.Plot = None,
) -> dict[str, Any]:
    """Score all settings on dev and test.

    RETURNS (dict): `dev` and `test` have the curves, each a list of points with setting,
        scores and costs. `on_test` compares what dev has chosen with the defaults.
    """
    nlp = spacy.load(model)
    gold = {
        "dev": read(dev, nlp, limit),
        "test": read(test, nlp, limit),
    }
    curves = settings(rounds, temperatures, thresholds)
    some = read(test, nlp, cost_limit)
    costs = {}
    for key, setting in distinct(curves, "cost"):
        costs[key] = cost(nlp, some, setting)

    results: dict[str, Curves] = {}
    with remembered():
        for split, docs in gold.items():
            results[split] = scored(nlp, docs, curves, costs, split)
        fusion = [name for name in curves if name != "open_threshold"]
        chosen = {
            "fusion": best(results["dev"], *fusion),
            "open_threshold": best(results["dev"], "open_threshold"),
        }
        compared = compare(nlp, gold["test"], chosen, seed)

    for split, found in results.items():
        show(split, found)
    if plot is not None:
        sentences = len(gold["test"])
        title = f"Extractor, {sentences:,} test sentences"
        draw(results["test"], plot, title)
    return {
        **results,
        "chosen_on_dev": chosen,
        "on_test": compared,
        "model": model,
        "dev_sentences": len(gold["dev"]),
        "test_sentences": len(gold["test"]),
        "seed": seed,
    }


def settings(
    rounds: int, temperatures: Sequence[float], thresholds: Sequence[float]
) -> dict[str, list[Setting]]:
    """Curves by name, each a list of the extractor's settings; every curve passes
    through the defaults.
    """
    curves: dict[str, list[Setting]] = {}
    for t in temperatures:
        more = [
            {
                **DEFAULT,
                "rounds": k,
                "temperature": t,
            }
            for k in range(2, rounds + 1)
        ]
        curves[f"fusion, temperature {t:g}"] = [DEFAULT, *more]
    opened = sorted({*thresholds, DEFAULT["open_threshold"]})
    curves["open_threshold"] = [{**DEFAULT, "open_threshold": t} for t in opened]
    return curves


def scored(
    nlp: Language,
    gold: Sequence[Doc],
    curves: dict[str, list[Setting]],
    costs: dict[Key, dict[str, float]],
    split: str,
) -> Curves:
    """Settings with their scores and costs."""
    done = {}
    for key, setting in distinct(curves, split):
        done[key] = {
            **setting,
            **scores(found(nlp, gold, setting)),
            **costs[key],
        }
    out = {}
    for name, points in curves.items():
        keys = [tuple(setting.items()) for setting in points]
        out[name] = [done[key] for key in keys]
    return out


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
        keys = []
        for job, sampling in zip(jobs, samplings, strict=True):
            prompt = tuple(job.prompt)
            keys.append((job.unit.text, prompt, sampling))
        new = {}
        for i, key in enumerate(keys):
            if key not in known:
                new[key] = i
        new_jobs = [jobs[i] for i in new.values()]
        new_samplings = [samplings[i] for i in new.values()]
        real(lm, new_jobs, new_samplings, **options)
        for key, job in zip(new, new_jobs, strict=True):
            known[key] = job.tokens, job.mentions
        for job, key in zip(jobs, keys, strict=True):
            job.tokens, job.mentions = known[key]

    extractor.decode = decode
    try:
        yield
    finally:
        extractor.decode = real


def found(
    nlp: Language, gold: Sequence[Doc], setting: Setting, *, typed: bool = False
) -> np.ndarray:
    """`hits` of the extractor, or with `typed` of the whole pipeline."""
    pipe: Any = nlp.get_pipe("cascade_extractor")
    for option, value in setting.items():
        setattr(pipe, option, value)
    off = [] if typed else ["cascade_classifier"]
    texts = [doc.text for doc in gold]
    docs = nlp.pipe(texts, batch_size=64, disable=off)
    return hits(list(docs), gold, typed=typed)


def cost(
    nlp: Language,
    gold: Sequence[Doc],
    setting: Setting,
) -> dict[str, float]:
    """The model's work per sentence.

    The drafter learns from what is found, and must not profit from the run before.
    """
    pipe: Any = nlp.get_pipe("cascade_extractor")
    drafter = pipe.drafter
    pipe.drafter = copy.deepcopy(drafter)
    with counted(pipe.lm) as work:
        found(nlp, gold, setting)
    pipe.drafter = drafter
    return {
        "sequences": round(work.sequences / len(gold), 3),
        "tokens": round(work.tokens / len(gold), 2),
    }


def distinct(
    curves: dict[str, list[Setting]], name: str
) -> Iterable[tuple[Key, Setting]]:
    """The settings of all curves, each once, with a progress bar."""
    settings = [setting for points in curves.values() for setting in points]
    points = {tuple(setting.items()): setting for setting in settings}
    return tqdm(points.items(), desc=name, disable=None)


def best(curves: Curves, *names: str) -> Setting:
    """The setting of highest F1; of equal ones the first."""
    points = [point for name in names for point in curves[name]]
    chosen = max(points, key=lambda point: point["f"])
    return {k: chosen[k] for k in DEFAULT}


def compare(
    nlp: Language, gold: Sequence[Doc], chosen: dict[str, Setting], seed: int
) -> dict[str, Any]:
    """The chosen settings and the defaults, by boundaries and by the whole pipeline."""
    all_settings = {"default": DEFAULT, **chosen}
    out: dict[str, Any] = {name: {} for name in all_settings}
    for key, typed in (("extraction", False), ("typed", True)):
        default = found(nlp, gold, DEFAULT, typed=typed)
        out["default"][key] = scores(default)
        for name, setting in chosen.items():
            table = found(nlp, gold, setting, typed=typed)
            gained = gain(table, default, seed)
            out[name][key] = {**scores(table), **gained}
    return out


def show(split: str, curves: Curves) -> None:
    """Print all points of all curves."""
    for name, points in curves.items():
        for p in points:
            print(f"{split:5}{name:24}", POINT.format(**p))


def draw(curves: Curves, path: Path, title: str) -> None:
    """Precision against recall, and F1 against cost."""
    figure, axes = pyplot().subplots(
        1,
        2,
        figsize=(9.6, 4.2),
        layout="constrained",
    )
    left, right = axes
    for i, (name, points) in enumerate(curves.items()):
        color, marker = STYLES[min(i, len(STYLES) - 1)]
        p, r, f, cost = (
            [point[k] for point in points] for k in ("p", "r", "f", "sequences")
        )
        look = {
            "color": color,
            "marker": marker,
            "ms": 4.5,
            "lw": 1.3,
            "label": name,
        }
        left.plot(r, p, **look)
        right.plot(cost, f, **look)
        _annotate(left, name, points, color)
    settings = curves["open_threshold"]
    default = next(
        p for p in settings if p["open_threshold"] == DEFAULT["open_threshold"]
    )
    ring = {
        "marker": "o",
        "ms": 11,
        "mfc": "none",
        "mec": "black",
        "lw": 0,
    }
    left.plot(
        default["r"],
        default["p"],
        **ring,
        label="default: k=1, 0.5",
    )
    right.plot(default["sequences"], default["f"], **ring)
    left.set(xlabel="recall", ylabel="precision")
    right.set(xlabel="cost: sequences run per sentence", ylabel="F1")
    _contours(left)
    left.legend(fontsize=8, loc="best")
    for ax in axes:
        ax.grid(alpha=0.25)
    figure.suptitle(title, fontsize=11)
    save_figure(figure, path)


def _annotate(
    ax: Any,
    name: str,
    points: list[dict[str, Any]],
    color: str,
) -> None:
    """Some settings beside their points."""
    threshold = name == "open_threshold"
    between = [2, 5] if threshold else range(1, len(points))
    shown = {0, len(points) - 1, *between}
    offset = (-6, -12) if threshold else (5, 4)
    look = {
        "textcoords": "offset points",
        "xytext": offset,
        "fontsize": 7,
        "color": color,
    }
    text = "{open_threshold:g}" if threshold else "k={rounds}"
    for i, point in enumerate(points):
        if i in shown:
            place = point["r"], point["p"]
            ax.annotate(text.format(**point), place, **look)


def _contours(ax: Any) -> None:
    """Lines of equal F1 behind the curves."""
    recalls = np.linspace(*ax.get_xlim(), 200)
    precisions = np.linspace(*ax.get_ylim(), 200)
    x, y = np.meshgrid(recalls, precisions)
    f1 = 2 * x * y / (x + y)
    look = {"colors": "#bbbbbb", "linewidths": 0.7, "linestyles": "dotted"}
    lines = ax.contour(x, y, f1, **look)
    ax.clabel(lines, fontsize=6.5, fmt="F1 %.2f")
