"""Table and figures of the versions, like figures 6 and 10 of the DynamicNER paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wasabi import table

from ..files import atomic_path
from ..plotting import pyplot
from .metrics import DIRECTIONS, METRICS

LABELS = {
    "cohesion": "Cohesion",
    "entropy": "Normalized entropy",
    "gini": "Gini coefficient",
    "variation": "Variation coefficient",
}
COLORS = {"base": "#9aa5b1", "random": "#e3a857", "dynamic": "#2f6f9f"}
ALIGNS: Any = ("l", *"rrrrrrrr")


def as_table(result: Mapping[str, Any]) -> str:
    """result (Mapping): `Comparison.to_dict()`."""
    rows = []
    for name in ("base", "random", "dynamic"):
        one = result["random"]["seeds"][0] if name == "random" else result[name]
        if name == "random":
            means = result["random"]["metrics"]
            figures = [
                f"{means[m]['mean']:.4f} ±{means[m]['std']:.4f}" for m in METRICS
            ]
        else:
            figures = [f"{one['metrics'][m]:.4f}" for m in METRICS]
        lengths = _lengths(one)
        spread = f"{lengths[0]} / {lengths[len(lengths) // 2]} / {lengths[-1]}"
        rows.append(
            (name, *figures, one["metrics"]["types"], one["distinct_lists"], spread)
        )
    arrows = [f"{m} {'↑' if DIRECTIONS[m] > 0 else '↓'}" for m in METRICS]
    header = ("", *arrows, "names", "lists", "shortest / median / longest")
    return str(table(rows, header=header, divider=True, aligns=ALIGNS))


def draw(results: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """One panel per metric with a group of bars per corpus, and the list lengths; PNG
    or SVG by the path's ending.

    results (Mapping): `Comparison.to_dict()` by the corpus' name.
    """
    plt = pyplot()
    with plt.rc_context(
        {
            "font.size": 9,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "svg.hashsalt": "dynamic",
        }
    ):
        wide = max(9.0, 1.1 * len(results) + 5)
        fig, axes = plt.subplots(2, 3, figsize=(wide, 5.4), layout="constrained")
        panels = [axes[0, 0], axes[0, 1], axes[1, 0], axes[1, 1]]
        for axis, metric in zip(panels, METRICS, strict=True):
            _bars(axis, results, metric)
        _lists(axes[0, 2], results)
        _boxes(axes[1, 2], results)
        handles, names = axes[0, 0].get_legend_handles_labels()
        fig.legend(handles, names, loc="outside upper center", ncols=3, frameon=False)
        with atomic_path(path) as temp:
            kind = path.suffix.lstrip(".")
            plain: dict[str, Any] = (
                {"Date": None} if kind == "svg" else {"Software": None}
            )
            fig.savefig(temp, format=kind, dpi=110, metadata=plain)
        plt.close(fig)


def _bars(axis: Any, results: Mapping[str, Mapping[str, Any]], metric: str) -> None:
    for shift, name in enumerate(COLORS):
        heights, errors = [], []
        for one in results.values():
            found = one[name]["metrics"][metric]
            heights.append(found["mean"] if name == "random" else found)
            errors.append(found["std"] if name == "random" else 0.0)
        places = [x + (shift - 1) * 0.27 for x in range(len(results))]
        label = {"random": "random parameters (mean and deviation of the seeds)"}.get(
            name, name
        )
        axis.bar(places, heights, 0.25, color=COLORS[name], label=label)
        if name == "random":
            axis.errorbar(
                places,
                heights,
                errors,
                fmt="none",
                ecolor="#5f4517",
                elinewidth=1,
                capsize=2,
            )
        if len(results) == 1:
            # above the error bar
            axis.annotate(
                f"{heights[0]:.3f}",
                (places[0], heights[0] + errors[0]),
                (0, 4),
                textcoords="offset points",
                ha="center",
                fontsize=8,
            )
    axis.margins(y=0.15)
    axis.set_xticks(range(len(results)), results if len(results) > 1 else [""])
    axis.set_title(
        f"{LABELS[metric]} ({'higher' if DIRECTIONS[metric] > 0 else 'lower'} is better)",
        fontsize=9,
    )


def _lists(axis: Any, results: Mapping[str, Mapping[str, Any]]) -> None:
    for shift, name in enumerate(COLORS):
        found = [_seed(one, name)["distinct_lists"] for one in results.values()]
        bars = axis.bar(
            [x + (shift - 1) * 0.27 for x in range(len(results))],
            found,
            0.25,
            color=COLORS[name],
        )
        if len(results) == 1:
            axis.bar_label(bars, padding=2, fontsize=8)
    axis.margins(y=0.15)
    axis.set_xticks(range(len(results)), results if len(results) > 1 else [""])
    axis.set_title("Distinct type lists", fontsize=9)


def _boxes(axis: Any, results: Mapping[str, Mapping[str, Any]]) -> None:
    if len(results) == 1:
        (one,) = results.values()
        for name in ("random", "dynamic"):
            axis.hist(
                _lengths(_seed(one, name)),
                bins=range(0, 200, 5),
                color=COLORS[name],
                alpha=0.6,
            )
        axis.set_xlim(
            0, 5 + max(max(_lengths(_seed(one, n))) for n in ("random", "dynamic"))
        )
        fixed = max(_lengths(one["base"]))
        axis.set_title(f"Types per list, mentions (base: always {fixed})", fontsize=9)
        return
    boxes = axis.boxplot(
        [_lengths(one["dynamic"]) for one in results.values()],
        showfliers=False,
        patch_artist=True,
        widths=0.5,
    )
    for box in boxes["boxes"]:
        box.set_facecolor(COLORS["dynamic"])
    for median in boxes["medians"]:
        median.set_color("white")
    axis.set_xticks(range(1, len(results) + 1), results)
    axis.set_title("Types per list, dynamic version", fontsize=9)


def _seed(result: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The random version stands for the first seed where a mean makes no sense."""
    return result["random"]["seeds"][0] if name == "random" else result[name]


def _lengths(version: Mapping[str, Any]) -> Sequence[int]:
    return sorted(
        int(length) for length, n in version["list_lengths"].items() for _ in range(n)
    )
