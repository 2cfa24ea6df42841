"""Small charts as SVG and HTML; colours come from the page's style."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
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
    low, high = int(figures["min"]), int(figures["max"])
    cut = int(figures["p99"]) if figures["max"] > 1.5 * figures["p99"] else high
    step = -(-(cut - low + 1) // BINS)
    bars: Counter[int] = Counter()
    for value, n in counts.items():
        bars[(min(value, cut) - low) // step] += n
    total, top, slots = sum(bars.values()), max(bars.values()), (cut - low) // step + 1
    wide = WIDTH / slots
    body = []
    for i, n in sorted(bars.items()):
        first, last = low + i * step, low + (i + 1) * step - 1
        name = (
            f"{first:,} and more"
            if last >= cut < high
            else f"{first:,}"
            if step == 1
            else f"{first:,} to {last:,}"
        )
        tall = max(n / top * (BASE - 6), 0.7)
        body.append(
            f'<g><title>{name}: {n:,} ({n / total:.1%})</title><rect x="{i * wide:.1f}"'
            f' y="{BASE - tall:.1f}" width="{max(wide - 1, 0.8):.1f}" height="{tall:.1f}"/></g>'
        )
    for i in sorted({0, slots // 2, slots - 1}):
        anchor = "start" if i == 0 else "end" if i == slots - 1 else "middle"
        x = {"start": 0.0, "end": WIDTH}.get(anchor, (i + 0.5) * wide)
        mark = (
            f"{low + i * step:,}"
            if i < slots - 1
            else f"{cut:,}+"
            if cut < high
            else f"{high:,}"
        )
        body.append(
            f'<text x="{x:.0f}" y="{HEIGHT - 8:.0f}" text-anchor="{anchor}">{mark}</text>'
        )
    note = f"mean {figures['mean']:.1f}, median {figures['median']:,}, at most {high:,}"
    return (
        f"<figure><figcaption><b>{escape(title)}</b><br><small>{note}</small></figcaption>"
        f'<svg class="hist" viewBox="0 0 {WIDTH:g} {HEIGHT:g}" role="img"'
        f' aria-label="{escape(title)}">'
        f'<line x1="0" x2="{WIDTH:g}" y1="{BASE:g}"'
        f' y2="{BASE:g}"/>{"".join(body)}</svg></figure>'
    )


def bars(
    types: Sequence[tuple[TypePath, int]], total: int, colors: Mapping[str, str]
) -> str:
    """A bar per type, in the given order. total (int): Mentions in all, for the shares."""
    top = max((n for _, n in types), default=1)
    names = Counter(path[-1] for path, _ in types)
    rows = "".join(
        '<li><span class="name"'
        f' title="{escape(" > ".join(path))}">{_name(path, names)}</span><span'
        f' class="track"><span class="bar {colors.get(path[0], "cx")}"'
        f' style="width:{n / top:.1%}"></span></span><span class="n">{n:,}'
        f" <small>{n / total:.1%}</small></span></li>"
        for path, n in types
    )
    return f'<ol class="bars">{rows}</ol>'


def _name(path: TypePath, names: Mapping[str, int]) -> str:
    """The last name of a path, with the one above it where others have the same last name."""
    above = (
        f" <small>{escape(path[-2])}</small>"
        if names[path[-1]] > 1 and len(path) > 1
        else ""
    )
    return escape(path[-1]) + above


def lorenz(counts: Sequence[int]) -> str:
    """Share of the mentions that the rarest types have together, against the share of
    types; even is the diagonal.
    """
    shares = np.concatenate([[0.0], np.cumsum(np.sort(counts)) / sum(counts)])
    at = np.linspace(0, 1, len(shares))
    keep = np.unique(np.linspace(0, len(shares) - 1, min(len(shares), 120)).astype(int))
    points = " ".join(
        f"{20 + 200 * at[i]:.1f},{210 - 200 * shares[i]:.1f}" for i in keep
    )
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
        coarse = tally.at_level(1)
        known = [(path[0], n) for path, n in coarse.most_common() if path[0] in colors]
        other = sum(n for path, n in coarse.items() if path[0] not in colors)
        known.sort(key=lambda pair: list(colors).index(pair[0]))
        parts = "".join(
            f'<span class="{colors.get(label, "cx")}" style="width:{n / tally.mentions:.2%}" '
            f'title="{escape(label)}: {n:,} ({n / tally.mentions:.1%})"></span>'
            for label, n in [*known, *([("other types", other)] if other else [])]
        )
        rows.append(
            f'<li><span class="name">{escape(name or "?")}</span><span'
            f' class="stack">{parts}</span></li>'
        )
    return f'<ol class="bars mixture">{"".join(rows)}</ol>'
