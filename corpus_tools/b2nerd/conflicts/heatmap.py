"""Heat maps: the F1 of taggers trained on one data set and scored on another, one map per type."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...files import atomic_path
from ...plotting import pyplot
from .score import Score
from .sets import DataSet
from .similar import Names, Relation

MAX_TYPES = 6
INK = "#1a1a2e"


@dataclass(frozen=True)
class Matrix:
    """F1 of one type.

    rows (list[tuple[str, str]]): Data set and its label for the type, of training
        (rows) and of test (columns).
    f1 (np.ndarray): Shape (sets, sets), in [0, 1]; NaN where there is no score.
    """

    type: str
    rows: list[tuple[str, str]]
    f1: np.ndarray

    def to_dict(self) -> dict[str, Any]:
        """JSON-serializable; null where there is no score."""
        cells = [
            [None if np.isnan(v) else round(float(v), 4) for v in row]
            for row in self.f1
        ]
        return {
            "type": self.type,
            "sets": [list(row) for row in self.rows],
            "f1": cells,
        }


def matrices(
    sets: Sequence[DataSet],
    names: Names,
    scores: Sequence[Score],
    types: Iterable[str] = (),
) -> list[Matrix]:
    """One matrix per type.

    types (Iterable[str]): Default: the types that most sets have by the same name, at
        most MAX_TYPES.
    """
    table = {(s.a, s.b): s for s in scores}
    trained = [s for s in sets if (s.name, s.name) in table]
    found = []
    for kind in list(types) or shared_types(trained, names)[:MAX_TYPES]:
        rows = [
            (s.name, label)
            for s in trained
            if (label := label_for(names("", kind), s, names))
        ]
        rows.sort(
            key=lambda row: (
                names.relation(names("", kind), names(*row)),
                names(*row),
                row[0],
            )
        )
        if len(rows) < 2:
            continue
        f1 = np.full((len(rows), len(rows)), np.nan)
        for i, (a, label) in enumerate(rows):
            for k, (b, other) in enumerate(rows):
                if (a, b) in table:
                    f1[i, k] = table[a, b].prf(label, other)[2]
        found.append(Matrix(kind, rows, f1))
    return found


def shared_types(sets: Sequence[DataSet], names: Names) -> list[str]:
    """Standardized names that at least two sets have, those of most sets first."""
    counts: dict[str, list[int]] = {}
    for s in sets:
        for name in {names(s.name, label) for label in s.used()}:
            counts.setdefault(name, []).append(
                sum(s.labels[x] for x in s.used() if names(s.name, x) == name)
            )
    shared = [name for name, n in counts.items() if len(n) > 1]
    return sorted(
        shared, key=lambda name: (-len(counts[name]), -sum(counts[name]), name)
    )


def label_for(kind: str, dataset: DataSet, names: Names) -> str:
    """The label of a set that is closest to a type by name, the more frequent one of
    equals; '' if none is related.
    """
    best = min(
        (
            (names.relation(kind, names(dataset.name, x)), -dataset.labels[x], x)
            for x in dataset.used()
        ),
        default=(Relation.NONE, 0, ""),
    )
    return best[2] if best[0] != Relation.NONE else ""


def draw(matrix: Matrix, path: Path) -> None:
    """Writes a heat map as PNG, atomically."""
    plt = pyplot()
    n = len(matrix.rows)
    figure, axis = plt.subplots(
        figsize=(3.4 + 0.52 * n, 2.4 + 0.46 * n), layout="constrained"
    )
    image = axis.imshow(
        np.ma.masked_invalid(100 * matrix.f1),
        cmap="YlGnBu",
        vmin=0,
        vmax=100,
        aspect="auto",
    )
    ticks = [
        a if label == matrix.type else f"{a}\n({label})" for a, label in matrix.rows
    ]
    axis.set_xticks(
        range(n), ticks, rotation=50, ha="right", rotation_mode="anchor", fontsize=8
    )
    axis.set_yticks(range(n), ticks, fontsize=8)
    axis.set_xlabel("scored on")
    axis.set_ylabel("trained on")
    for i, k in np.argwhere(~np.isnan(matrix.f1)):
        value = 100 * matrix.f1[i, k]
        color = "white" if value > 55 else INK
        weight = "bold" if i == k else "normal"
        axis.text(
            k,
            i,
            f"{value:.0f}",
            ha="center",
            va="center",
            fontsize=8,
            color=color,
            weight=weight,
        )
    axis.set_title(
        f"{matrix.type}: F1 (%) across data sets; bold: at home", fontsize=10, color=INK
    )
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    bar = figure.colorbar(image, ax=axis, shrink=0.7, pad=0.02)
    bar.outline.set_visible(False)  # type: ignore[operator]
    bar.ax.tick_params(labelsize=8, length=0)
    with atomic_path(path) as temp:
        figure.savefig(temp, format="png", dpi=110)
    plt.close(figure)
