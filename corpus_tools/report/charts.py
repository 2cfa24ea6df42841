"""Small charts as SVG and HTML; colours come from the page's style."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from spacy_cascade.taxonomy import TypePath

from .tally import Tally, summary

BINS = 30
WIDTH, HEIGHT, BASE = 320.0, 120.0, 96.0


def histogram(counts: Mapping[int, int], title: str) -> str:
    """A histogram of whole numbers; the last bar takes all that lies above the 99 %
    quantile if that is far away.
    """
    figures = summary(counts)
    if not figures:
        return ""
    bins = _Bins.of(counts, figures)
    wide = WIDTH / bins.slots
    total, top = sum(bins.bars.values()), max(bins.bars.values())
    body = []
    for i, n in sorted(bins.bars.items()):
        tall = max(n / top * (BASE - 6), 0.7)
        body.append(
            f"<g><title>{bins.name(i)}: {n:,} ({n / total:.1%})</title>"
            f'<rect x="{i * wide:.1f}" y="{BASE - tall:.1f}"'
            f' width="{max(wide - 1, 0.8):.1f}" height="{tall:.1f}"/></g>'
        )

    last = bins.slots - 1
    for i in sorted({0, bins.slots // 2, last}):
        anchor, x = "middle", (i + 0.5) * wide
        if i == 0:
            anchor, x = "start", 0.0
        elif i == last:
            anchor, x = "end", WIDTH
        body.append(
            f'<text x="{x:.0f}" y="{HEIGHT - 8:.0f}" text-anchor="{anchor}">{bins.mark(i)}</text>'
        )

    note = f"mean {figures['mean']:.1f}, median {figures['median']:,}, at most {bins.high:,}"
    return (
        f"<figure><figcaption><b>{escape(title)}</b><br><small>{note}</small></figcaption>"
        f'<svg class="hist" viewBox="0 0 {WIDTH:g} {HEIGHT:g}" role="img"'
        f' aria-label="{escape(title)}">'
        f'<line x1="0" x2="{WIDTH:g}" y1="{BASE:g}"'
        f' y2="{BASE:g}"/>{"".join(body)}</svg></figure>'
    )


@dataclass(frozen=True)
class _Bins:
    """The bars of a histogram.

    bars (Counter[int]): Number of values by bar.
    low, high (int): The values are from here to there.
    cut (int): The last bar takes all from its start on, if this is less than `high`.
    step (int): Values of a bar.
    """

    bars: Counter[int]
    low: int
    high: int
    cut: int
    step: int

    @classmethod
    def of(cls, counts: Mapping[int, int], figures: Mapping[str, float]) -> _Bins:
        low, high = int(figures["min"]), int(figures["max"])
        far = figures["max"] > 1.5 * figures["p99"]
        cut = int(figures["p99"]) if far else high
        step = -(-(cut - low + 1) // BINS)
        bars: Counter[int] = Counter()
        for value, n in counts.items():
            bars[(min(value, cut) - low) // step] += n
        return cls(bars, low, high, cut, step)

    @property
    def slots(self) -> int:
        """Number of bars, the empty ones included."""
        return (self.cut - self.low) // self.step + 1

    def name(self, i: int) -> str:
        """The values of a bar, in words."""
        first = self.low + i * self.step
        last = first + self.step - 1
        if last >= self.cut < self.high:
            return f"{first:,} and more"
        return f"{first:,}" if self.step == 1 else f"{first:,} to {last:,}"

    def mark(self, i: int) -> str:
        """What stands below a bar."""
        if i < self.slots - 1:
            return f"{self.low + i * self.step:,}"
        return f"{self.cut:,}+" if self.cut < self.high else f"{self.high:,}"


def bars(
    types: Sequence[tuple[TypePath, int]], total: int, colors: Mapping[str, str]
) -> str:
    """A bar per type, in the given order.

    total (int): Mentions in all, for the shares.
    """
    top = max((n for _, n in types), default=1)
    names = Counter(path[-1] for path, _ in types)
    rows = []
    for path, n in types:
        title = escape(" > ".join(path))
        color = colors.get(path[0], "cx")
        rows.append(
            f'<li><span class="name" title="{title}">{_name(path, names)}</span>'
            f'<span class="track"><span class="bar {color}"'
            f' style="width:{n / top:.1%}"></span></span><span class="n">{n:,}'
            f" <small>{n / total:.1%}</small></span></li>"
        )
    return f'<ol class="bars">{"".join(rows)}</ol>'


def _name(path: TypePath, names: Mapping[str, int]) -> str:
    """The last name of a path, with the one above it where others have the same last name."""
    name = escape(path[-1])
    if names[path[-1]] == 1 or len(path) == 1:
        return name
    return f"{name} <small>{escape(path[-2])}</small>"


def lorenz(counts: Sequence[int]) -> str:
    """Share of the mentions that the rarest types have together, against the share of
    types; even is the diagonal.
    """
    sums = np.cumsum(np.sort(counts))
    shares = np.concatenate([[0.0], sums / sum(counts)])
    n = len(shares)
    at = np.linspace(0, 1, n)
    drawn = np.linspace(0, n - 1, min(n, 120))
    places = []
    for i in np.unique(drawn.astype(int)):
        x, y = 20 + 200 * at[i], 210 - 200 * shares[i]
        places.append(f"{x:.1f},{y:.1f}")
    points = " ".join(places)
    half = float(np.interp(0.5, at, shares))
    return (
        "<figure><figcaption><b>Lorenz curve</b><br><small>the rarer half of the types has "
        f"{half:.1%} of the mentions</small></figcaption>"
        '<svg class="lorenz" viewBox="0 0 230 232" role="img" aria-label="Lorenz curve of the'
        ' types">'
        '<rect x="20" y="10" width="200" height="200"/><line x1="20" y1="210" x2="220"'
        ' y2="10"/>'
        f'<polyline points="{points}"/><text x="120" y="227" text-anchor="middle">types, rarest'
        " first</text>"
        '<text x="12" y="110" text-anchor="middle" transform="rotate(-90 12'
        ' 110)">mentions</text></svg></figure>'
    )


def mixture(languages: Mapping[str, Tally], colors: Mapping[str, str]) -> str:
    """A bar per language, made of the shares of its coarse types."""
    rows = []
    for name, tally in languages.items():
        counts = {path[0]: n for path, n in tally.at_level(1).items()}
        shown = {label: counts[label] for label in colors if label in counts}
        other = sum(counts.values()) - sum(shown.values())
        if other:
            shown["other types"] = other
        parts = []
        for label, n in shown.items():
            share = n / tally.mentions
            parts.append(
                f'<span class="{colors.get(label, "cx")}" style="width:{share:.2%}" '
                f'title="{escape(label)}: {n:,} ({share:.1%})"></span>'
            )
        rows.append(
            f'<li><span class="name">{escape(name or "?")}</span>'
            f'<span class="stack">{"".join(parts)}</span></li>'
        )
    return f'<ol class="bars mixture">{"".join(rows)}</ol>'
