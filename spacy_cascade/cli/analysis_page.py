"""The page of `spacy cascade errors`: one file without outside resources, light and
dark, from phone width up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from .. import __version__
from ..pages import html_page
from ..scoring.analysis import (
    BOUNDARY,
    KINDS,
    MISSED,
    RIGHT,
    SPURIOUS,
    TYPE,
    Analysis,
    Sample,
    Tally,
)
from ..scoring.scorers import Item
from ..taxonomy import TypePath, format_path
from .analysis_style import COLORS, CSS

NAMES = {
    "right": ("right", "boundaries and the whole path"),
    "type": ("wrong type", "right boundaries, another path"),
    "long": ("too long", "the prediction holds the mention and more"),
    "short": ("too short", "the prediction is a part of the mention"),
    "overlap": ("crossing", "prediction and mention share a part, and each has more"),
    "missed": ("missed", "no prediction touches the mention"),
    "spurious": ("spurious", "a prediction that touches no mention"),
}
HEAT_TYPES = 16
PAIRS = 60
ENT = '<mark class="{css}" title="{title}">{text}<span class="label">{label}</span></mark>'
Cell = str | int | float | None


def render_page(analysis: Analysis, *, title: str, examples: int = 8) -> str:
    """examples (int): Errors of each kind to show. RETURNS (str): A whole HTML page."""
    total = analysis.total
    sections = {"Overview": _overview(total)}
    for name, by in (("Languages", "language"), ("Data sets", "dataset")):
        if len(analysis.groups[by]) > 1:
            sections[name] = _groups(analysis.groups[by], name)
    sections |= {
        "Types": _types(analysis.groups["type"]),
        "Levels": _levels(total),
        "Confusions": _confusions(analysis),
    }
    if examples:
        sections["Examples"] = _examples(analysis, examples)
    links = "".join(f'<a href="#{_id(name)}">{name}</a>' for name in sections)
    body = "".join(
        f'<section id="{_id(name)}"><h2>{name}</h2>{html}</section>'
        for name, html in sections.items()
    )
    made_by = _note(f"spacy-cascade {__version__}, cascade errors")
    return html_page(
        title=title, css=CSS, body=f"<nav>{links}</nav>{_tiles(total)}{body}{made_by}"
    )


def _id(name: str) -> str:
    return name.lower().replace(" ", "-")


def _share(n: float, of: float) -> str:
    return f"{n / of:.1%}" if of else "–"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _note(text: str) -> str:
    return f'<p class="note">{escape(text)}</p>'


def _tiles(total: Tally) -> str:
    scores = total.scores()
    tiles = {
        "documents": f"{total.docs:,}",
        "gold mentions": f"{total.gold:,}",
        "predictions": f"{total.found:,}",
        "typed F1": _number(scores["typed_f"]),
        "precision": _number(scores["typed_p"]),
        "recall": _number(scores["typed_r"]),
        "F1 of boundaries": _number(scores["span_f"]),
        "accuracy of types": _number(scores["accuracy"]),
    }
    return (
        '<div class="tiles">'
        + "".join(f"<div><b>{v}</b><span>{k}</span></div>" for k, v in tiles.items())
        + "</div>"
    )


def table(
    header: Sequence[str], rows: Iterable[Sequence[Cell]], *, total: bool = False
) -> str:
    """A table that scrolls in its own box; strings are set left. total (bool): The last
    row is one of sums.
    """
    lines = []
    rows = list(rows)
    numeric = [not isinstance(v, str) for v in (rows[0] if rows else header)]
    for row in rows:
        cells = (
            f'<td class="n">{v:,}</td>' if isinstance(v, int) else f"<td>{escape(v)}</td>" if isinstance(v, str)
            else f'<td class="n">{_number(v)}</td>'
            for v in row
        )  # fmt: skip
        lines.append(f"<tr>{''.join(cells)}</tr>")
    if total and lines:
        lines[-1] = lines[-1].replace("<tr>", '<tr class="total">', 1)
    head = "".join(
        f'<th class="n">{h}</th>' if n else f"<th>{h}</th>"
        for h, n in zip(header, numeric, strict=True)
    )
    return (
        "<div"
        f' class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'
    )


def _overview(total: Tally) -> str:
    gains = {k: f"+{gain:.3f}" for k, gain in total.repaired().items()}
    gains[BOUNDARY[0]] = gains.pop("boundary", "")
    rows: list[str] = []
    for kind in KINDS:
        name, text = NAMES[kind]
        cell = f' rowspan="{len(BOUNDARY)}"' if kind == BOUNDARY[0] else ""
        gain = (
            ""
            if kind in BOUNDARY[1:]
            else f'<td class="n"{cell}>{gains.get(kind, "")}</td>'
        )
        typed = f"{total.typed[kind]:,}" if kind in BOUNDARY else ""
        share = _share(
            total.kinds[kind], total.found if kind == SPURIOUS else total.gold
        )
        of = " of predictions" if kind == SPURIOUS else ""
        rows.append(
            f'<tr><td><i class="k {kind}"></i>{name} <small>{text}</small></td><td'
            f' class="n">{total.kinds[kind]:,}</td><td class="n">{share}{of}</td><td'
            f' class="n">{typed}</td>{gain}</tr>'
        )
    header = (
        "<th>judgement</th><th class=n>mentions</th><th class=n>share of gold</th><th"
        " class=n>type right all the same</th><th class=n>gain in F1 if repaired</th>"
    )
    errors = total.gold - total.kinds[RIGHT] + total.kinds[SPURIOUS]
    text = (
        f"Of {errors:,} errors {_share(total.kinds[TYPE], errors)} are of type,"
        f" {_share(total.boundary, errors)} of boundaries,"
        f" {_share(total.kinds[MISSED], errors)} missed and"
        f" {_share(total.kinds[SPURIOUS], errors)} spurious mentions. A gold mention is judged"
        " by the prediction that shares most characters with it. The last column says by how"
        " much typed F1 would rise without the errors of this kind; for the three kinds of"
        " wrong boundaries together."
    )
    return (
        f'{_note(text)}<div class="scroll'
        f' whole"><table><thead><tr>{header}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
    )


def _stack(tally: Tally) -> str:
    """Shares of all judgements by kind."""
    parts = []
    for kind in KINDS:
        n = tally.kinds[kind]
        if n:
            name = f"{NAMES[kind][0]}: {n:,} ({_share(n, tally.gold)})"
            parts.append(
                f'<span class="k {kind}" style="flex:{n}" title="{name}"></span>'
            )
    return f'<div class="stack">{"".join(parts)}</div>'


def _legend() -> str:
    return (
        '<div class="legend">'
        + "".join(f'<span><i class="k {k}"></i>{NAMES[k][0]}</span>' for k in KINDS)
        + "</div>"
    )


def _bars(groups: Mapping[str, Tally]) -> str:
    rows = (
        f'<li><span class="name">{escape(name or "?")}</span>{_stack(t)}<span'
        f' class="n">{t.gold:,}</span></li>'
        for name, t in groups.items()
    )
    return f'{_legend()}<ul class="bars">{"".join(rows)}</ul>'


def _groups(groups: Mapping[str, Tally], what: str) -> str:
    known = dict(sorted(groups.items(), key=lambda pair: (not pair[0], pair[0])))
    rows = []
    for name, t in known.items():
        s = t.scores()
        kinds = [t.kinds[k] for k in KINDS]
        rows.append(
            [
                name or "?",
                t.docs,
                t.gold,
                t.found,
                *kinds,
                s["span_f"],
                s["accuracy"],
                s["typed_f"],
            ]
        )
    header = (
        what.lower().removesuffix("s"),
        "docs",
        "gold",
        "predicted",
        *(NAMES[k][0] for k in KINDS),
        "F1 of boundaries",
        "accuracy",
        "typed F1",
    )
    return f"{_bars(known)}{table(header, rows)}"


def _types(groups: Mapping[str, Tally]) -> str:
    known = dict(sorted(groups.items(), key=lambda pair: (-pair[1].gold, pair[0])))
    rows = []
    for name, t in known.items():
        s = t.scores()
        rows.append(
            [
                name or "(none)",
                t.gold,
                t.found,
                *(t.kinds[k] for k in KINDS),
                s["typed_p"],
                s["typed_r"],
                s["typed_f"],
            ]
        )
    header = (
        "type",
        "gold",
        "predicted",
        *(NAMES[k][0] for k in KINDS),
        "precision",
        "recall",
        "typed F1",
    )
    note = (
        "By the first level of the gold path; spurious predictions by their own. The right type"
        " is that of the whole path."
    )
    return f"{_note(note)}{_bars({k or '(none)': t for k, t in known.items() if t.gold})}{table(header, rows)}"


def _levels(total: Tally) -> str:
    rows = [
        [
            f"level {x['level']}",
            x["mentions"],
            x["right"],
            _ratio(x["right"], x["mentions"]),
            x["part_here"],
        ]
        for x in total.levels()
    ]
    note = (
        "Mentions whose boundaries are right: how many have a gold path that gets to the level,"
        " how many predicted paths are right down to it, and how many wrong ones leave the gold"
        " path there. A path that ends too early or too late leaves it behind its last right"
        " step."
    )
    return _note(note) + table(
        ("", "mentions", "right so far", "share", "go wrong here"), rows
    )


def _ratio(n: int, of: int) -> float | None:
    return n / of if of else None


def _confusions(analysis: Analysis) -> str:
    total = analysis.total
    depth = max((len(p) for pair in total.pairs for p in pair), default=1)
    parts = []
    if depth > 1:
        parts.append(f"<h3>First level</h3>{_whole(analysis)}")
    confused = total.confusions()
    if not confused:
        return "".join(parts) + "<p>No type is confused with another.</p>"
    weight: Counter[TypePath] = Counter()
    for (g, f), n in confused.items():
        weight[g] += n
        weight[f] += n
    # neighbours in the taxonomy stand side by side
    names = sorted(path for path, _ in weight.most_common(HEAT_TYPES))
    cells = {
        (g, f): n for (g, f), n in total.pairs.items() if g in names and f in names
    }
    parts.append(f"<h3>The {len(names)} types that are confused most</h3>")
    parts.append(
        _note(
            "Rows: gold, columns: predicted, of mentions with right boundaries. Shades: share"
            " of the row's mentions. Outlined: right."
        )
    )
    sums = Counter[TypePath]()
    for (g, _), n in total.pairs.items():
        sums[g] += n
    labels = [(p[-1] if p else "(none)", format_path(p)) for p in names]
    parts.append(
        _heat(
            labels,
            labels,
            [[cells.get((g, f), 0) for f in names] for g in names],
            [sums[g] for g in names],
        )
    )
    rows = [
        [_path(g), _path(f), n, _ratio(n, sums[g]), confused[f, g], _level(g, f)]
        for (g, f), n in confused.most_common(PAIRS)
    ]
    more = (
        _note(f"and {len(confused) - PAIRS:,} pairs more")
        if len(confused) > PAIRS
        else ""
    )
    header = (
        "gold",
        "predicted",
        "mentions",
        "share of gold",
        "the other way",
        "paths part at",
    )
    return f"{''.join(parts)}<h3>Most confused pairs</h3>{table(header, rows)}{more}"


def _level(gold: TypePath, found: TypePath) -> str:
    at = next(
        (i for i, (a, b) in enumerate(zip(gold, found, strict=False)) if a != b),
        min(len(gold), len(found)),
    )
    return f"level {at + 1}"


def _path(path: TypePath) -> str:
    return format_path(path) or "(none)"


def _whole(analysis: Analysis) -> str:
    """All gold mentions by first level, and what became of them, whatever their boundaries."""
    cells: Counter[tuple[str, str]] = Counter()
    for (g, f), n in analysis.total.pairs.items():
        cells["".join(g[:1]), "".join(f[:1])] += n
    groups = analysis.groups["type"]
    names = sorted({name for pair in cells for name in pair} | set(groups))
    rows = [
        [*(cells[g, f] for f in names), groups[g].boundary, groups[g].kinds[MISSED]]
        for g in names
        if g in groups and groups[g].gold
    ]
    shown = [n for n in names if n in groups and groups[n].gold]
    labels = [(n or "(none)", n) for n in shown]
    columns = [(n or "(none)", n) for n in names] + [
        ("wrong boundaries", ""),
        ("missed", ""),
    ]
    rows.append(
        [*(groups[f].kinds[SPURIOUS] if f in groups else 0 for f in names), 0, 0]
    )
    sums = [groups[n].gold for n in shown] + [max(1, sum(rows[-1]))]
    note = (
        "Rows: gold, columns: predicted. All mentions; the last row holds spurious predictions."
        " Shades: share of the row. Outlined: right."
    )
    return _note(note) + _heat([*labels, ("spurious", "")], columns, rows, sums)


def _heat(
    rows: Sequence[tuple[str, str]],
    columns: Sequence[tuple[str, str]],
    cells: Sequence[Sequence[int]],
    sums: Sequence[int],
) -> str:
    """rows, columns (Sequence): (label, what is shown when pointed at). sums
    (Sequence[int]): What a row's cells are shares of.
    """
    head = "".join(
        f'<th title="{escape(full, quote=True)}"><span>{escape(name)}</span></th>'
        for name, full in columns
    )
    lines = []
    for (name, full), values, whole in zip(rows, cells, sums, strict=True):
        line = f'<th scope="row" title="{escape(full, quote=True)}">{escape(name)}</th>'
        for (column, other), n in zip(columns, values, strict=True):
            same = ' class="same"' if full and full == other else ""
            title = f"{name} as {column}: {n:,} ({_share(n, whole)})"
            line += (
                f'<td{same} style="--p:{100 * n / max(1, whole):.0f}%"'
                f' title="{escape(title, quote=True)}">{n or ""}</td>'
            )
        lines.append(f"<tr>{line}</tr>")
    return (
        '<div class="scroll'
        f' heat"><table><thead><tr><th></th>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'
    )


def _examples(analysis: Analysis, n: int) -> str:
    coarse = sorted(
        analysis.groups["type"], key=lambda name: -analysis.groups["type"][name].gold
    )
    colors = dict(zip(filter(None, coarse), COLORS, strict=False))
    parts = [_note(f"Drawn at random (seed {analysis.seed}) from every language in turn. Gold stands above what was predicted; the mention that is "
                   "judged is outlined. Point at a mention for its path.")]  # fmt: skip
    parts.append(
        '<div class="legend">'
        + "".join(
            f'<span><i class="{css}"></i>{escape(name)}</span>'
            for name, css in colors.items()
        )
        + "</div>"
    )
    for kind in KINDS[1:]:
        drawn = analysis.samples(kind, n)
        if drawn:
            name, text = NAMES[kind]
            parts.append(
                f'<h3><i class="k {kind}"></i>{name} <small>{text}; {len(drawn)} of'
                f" {analysis.total.kinds[kind]:,}</small></h3>"
            )
            parts += [_sample(s, colors) for s in drawn]
    return "".join(parts)


def _sample(sample: Sample, colors: Mapping[str, str]) -> str:
    gold, found = (_marks(sample.text, items, focus, colors) for items, focus in (
        (sample.gold, sample.judged.gold), (sample.found, sample.judged.found)))  # fmt: skip
    lang = escape(sample.language or "und", quote=True)
    where = f"<b>{escape(sample.language or '?')}</b> {escape(sample.dataset)}"
    return (
        f'<div class="sample"><small>{where}</small><div class="pair" lang="{lang}"><span'
        f' class="side">gold</span><div dir="auto">{gold}</div><span'
        f' class="side">predicted</span><div dir="auto">{found}</div></div></div>'
    )


def _marks(
    text: str, items: Sequence[Item], focus: Item | None, colors: Mapping[str, str]
) -> str:
    from spacy import displacy

    ents: list[dict[str, Any]] = []
    for item in sorted(items):
        start, end, path = item
        css = colors.get("".join(path[:1]), "cx") + (" focus" if item == focus else "")
        label = escape(path[-1] if path else "no type")
        ents.append(
            {
                "start": start,
                "end": end,
                "label": label,
                "params": {"css": css, "title": escape(_path(path), quote=True)},
            }
        )
    manual = {"text": text, "ents": ents}
    return displacy.render(
        manual, style="ent", manual=True, jupyter=False, options={"template": ENT}
    )
