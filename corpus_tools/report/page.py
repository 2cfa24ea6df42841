"""The HTML page: everything in one file, without outside resources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from spacy_cascade.pages import (
    CLASSES,
    note,
    read_asset,
    report_css,
    sectioned_page,
    table,
    tiles,
)
from spacy_cascade.pages.frame import Cell
from spacy_cascade.taxonomy import Taxonomy, format_path

from ..dynamic.metrics import THRESHOLDS
from . import charts, conflicts, samples, treemap
from .stats import Stats
from .tally import Tally, balance

BARS = 30
CONFLICTS = 30
TYPES = 1000
GOOD = {
    "entropy": f"even is 1, adjust below {THRESHOLDS['entropy']}",
    "gini": f"even is 0, adjust above {THRESHOLDS['gini']}",
}
GOOD["variation"] = f"even is 0, adjust above {THRESHOLDS['variation']}"


def render_page(
    stats: Stats,
    drawn: samples.Samples,
    *,
    title: str,
    taxonomy: Taxonomy | None = None,
    ranked: Sequence[Mapping[str, Any]] | None = None,
) -> str:
    """drawn (Samples): Sentences to show. ranked (Sequence): Conflicts, highest first.

    RETURNS (str): A whole HTML page.
    """
    total = stats.total
    coarse = [path[0] for path, _ in total.at_level(1).most_common()]
    colors = dict(zip(coarse, CLASSES, strict=False))
    sections = {"Sizes": _sizes(stats)}
    if total.mentions:
        sections |= {
            "Types": _types(total, colors, taxonomy),
            "Balance": _balance(stats, total, colors),
        }
    sections["Lengths"] = _lengths(total)
    if ranked is not None:
        sections["Conflicts"] = _conflicts(ranked)
    if drawn.drawn:
        sections["Samples"] = _samples(drawn, colors)
    return sectioned_page(
        sections,
        title=title,
        css=report_css(),
        above=_tiles(stats, total) + "".join(_notes(stats)),
        command="corpus_tools report",
        script=read_asset("report.js"),
    )


def _tiles(stats: Stats, total: Tally) -> str:
    per_sentence = total.mentions / total.sentences
    figures = {
        "sentences": _short(total.sentences),
        "mentions": _short(total.mentions),
        "types": f"{len(total.types):,}",
        "languages": len({g.language for g in stats.groups if g.language}) or "?",
        "data sets": len({(g.language, g.dataset) for g in stats.groups}),
        "tokens": _short(total.tokens),
        "mentions per sentence": f"{per_sentence:.2f}",
        "without a mention": f"{total.empty / total.sentences:.1%}",
        "nested mentions": f"{total.nested:,}",
    }
    if total.list_lengths:
        figures["distinct type lists"] = f"{len(total.lists):,}"
    return tiles(figures)


def _short(n: int) -> str:
    return f"{n / 1e6:.2f} M" if n >= 1e6 else f"{n:,}"


def _notes(stats: Stats) -> Iterator[str]:
    unresolved = stats.paths.unresolved
    if unresolved:
        names = ", ".join(name for name, _ in unresolved.most_common(8))
        more = ", ..." if len(unresolved) > 8 else ""
        yield note(
            f"{sum(unresolved.values()):,} mentions of {len(unresolved):,} types are not in the"
            f" taxonomy: {names}{more}."
        )
    if stats.report.rejected:
        yield note(
            f"{stats.report.rejected:,} mentions or records could not be read and are not"
            " counted."
        )
    for message in stats.report.failed.values():
        yield note(f"Not read: {message}")


def _sizes(stats: Stats) -> str:
    splits = list(stats.by(lambda g: g.split))
    order = [s for s in ("train", "dev", "test") if s in splits]
    splits = order + [s for s in splits if s not in order]
    splits = splits if 1 < len(splits) <= 5 else []
    names = sorted({(g.language, g.dataset) for g in stats.groups})
    rows: list[list[Cell]] = []
    for language, dataset in names:
        parts = {
            g.split: t
            for g, t in stats.groups.items()
            if (g.language, g.dataset) == (language, dataset)
        }
        whole = Tally()
        for tally in parts.values():
            whole.update(tally)
        rows.append(
            [
                language or "?",
                dataset,
                *(parts[s].sentences if s in parts else 0 for s in splits),
                *_row(whole),
            ]
        )
    if len(rows) > 1:
        by_split = stats.by(lambda g: g.split)
        rows.append(
            ["all", "", *(by_split[s].sentences for s in splits), *_row(stats.total)]
        )
    header = (
        "language",
        "data set",
        *splits,
        "sentences",
        "mentions",
        "per sentence",
        "no mention",
        "nested",
        "types",
        "tokens",
    )
    above = ""
    if splits:
        *first, last = splits
        above = note(f"{', '.join(first)} and {last}: sentences of each split.")
    return above + table(header, rows, total=len(rows) > 1)


def _row(tally: Tally) -> list[Cell]:
    return [
        tally.sentences,
        tally.mentions,
        round(tally.mentions / tally.sentences, 3),
        tally.empty,
        tally.nested,
        len(tally.types),
        tally.tokens,
    ]


def _types(total: Tally, colors: Mapping[str, str], taxonomy: Taxonomy | None) -> str:
    root = treemap.tree(total.types)
    pictures = treemap.draw(root, colors, width=1040, height=620, name="wide")
    pictures += treemap.draw(
        root, colors, width=360, height=560, name="narrow", depth=2
    )
    counts = total.types.most_common()
    rows: list[list[Cell]] = [
        [format_path(path), n, f"{n / total.mentions:.2%}"]
        for path, n in counts[:TYPES]
    ]
    more = note(f"and {len(counts) - TYPES:,} more") if len(counts) > TYPES else ""
    text = "Areas are numbers of mentions. Point at a box or tap it for its path and count."
    if taxonomy is not None:
        seen = sum(path in total.types for path in taxonomy.leaves)
        text += (
            f" {seen:,} of the {len(taxonomy.leaves):,} finest types of the taxonomy"
            f" '{taxonomy.name}' occur."
        )
    return (
        f"{note(text)}{_legend(colors, total)}{pictures}"
        '<p id="picked"></p><details><summary>All types with counts</summary>'
        f"{table(('type', 'mentions', 'share'), rows)}{more}</details>"
    )


def _legend(colors: Mapping[str, str], total: Tally) -> str:
    coarse = total.at_level(1)
    parts = [
        f'<span><i class="{css}"></i>{escape(name)} <small>{coarse[(name,)]:,}</small></span>'
        for name, css in colors.items()
    ]
    other = sum(n for path, n in coarse.items() if path[0] not in colors)
    if other:
        parts.append(
            f'<span><i class="cx"></i>other types <small>{other:,}</small></span>'
        )
    return f'<div class="legend">{"".join(parts)}</div>'


def _balance(stats: Stats, total: Tally, colors: Mapping[str, str]) -> str:
    depth = max(map(len, total.types))
    levels = [("all", total.types)] + [
        (f"level {k}", total.at_level(k)) for k in range(1, depth)
    ]
    rows: list[list[Cell]] = [
        [name, len(types), *balance(types).values()] for name, types in levels
    ]
    languages = {
        name: t for name, t in stats.by(lambda g: g.language).items() if t.mentions
    }
    if len(languages) > 1:
        rows += [
            [name or "?", len(t.types), *balance(t.types).values()]
            for name, t in languages.items()
        ]
    header = ("", "types", "normalized entropy", "Gini", "variation")
    bounds = "; ".join(f"{name}: {bound}" for name, bound in GOOD.items())
    shown = total.types.most_common(BARS)
    name = (
        f"The {len(shown)} most frequent of {len(total.types):,} types"
        if len(total.types) > BARS
        else "Mentions by type"
    )
    mix = (
        f"<h3>Coarse types by language</h3>{charts.mixture(languages, colors)}"
        if len(languages) > 1
        else ""
    )
    bars = charts.bars(shown, total.mentions, colors)
    lorenz = charts.lorenz(list(total.types.values()))
    measures = note(f"{bounds} (the bounds of DynamicNER)")
    return (
        f'<div class="two"><div><h3>{name}</h3>{bars}</div>'
        f"<div>{lorenz}{mix}</div></div>"
        f"<h3>Measures</h3>{measures}{table(header, rows)}"
    )


def _lengths(total: Tally) -> str:
    figures = {
        "Tokens of a sentence": total.sentence_tokens,
        "Mentions of a sentence": total.per_sentence,
        "Tokens of a mention": total.mention_tokens,
        "Characters of a mention": total.mention_characters,
        "Types of a type list": total.list_lengths,
    }
    drawn = "".join(charts.histogram(counts, name) for name, counts in figures.items())
    lists = sum(total.list_lengths.values())
    below = ""
    if lists:
        below = note(f"{len(total.lists):,} distinct type lists in {lists:,}.")
    return f'<div class="four">{drawn}</div>{below}'


def _conflicts(ranked: Sequence[Mapping[str, Any]]) -> str:
    if not ranked:
        return "<p>None was found.</p>"
    text = (
        "Mentions that some data sets annotate as the label and others not, most serious first."
        " F1: of taggers on their own set → on the others."
    )
    return note(text) + conflicts.render(ranked, CONFLICTS)


def _samples(drawn: samples.Samples, colors: Mapping[str, str]) -> str:
    text = (
        f"Drawn at random (seed {drawn.seed}) from sentences with a mention and at most"
        f" {samples.MAX_CHARACTERS} characters."
    )
    text += " Colours show the coarse type, labels the deepest one."
    parts = [note(text)]
    for language, found in sorted(drawn.drawn.items()):
        parts.append(f"<h3>{escape(language or 'unknown language')}</h3>")
        parts += [samples.render(sample, colors) for sample in found]
    return "".join(parts)
