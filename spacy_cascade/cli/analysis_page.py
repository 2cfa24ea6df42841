"""The page of `spacy cascade errors`: one file without outside resources, light and
dark, from phone width up.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..pages import (
    errors_css,
    format_number,
    format_share,
    note,
    scrolling_table,
    sectioned_page,
    table,
    tiles,
)
from ..pages.frame import Cell
from ..scoring.analysis import Analysis
from ..scoring.judging import (
    BOUNDARY,
    KINDS,
    MISSED,
    RIGHT,
    SPURIOUS,
    TYPE,
    Tally,
)
from .analysis_confusions import NO_TYPE, ratio, show_confusions
from .analysis_examples import show_examples
from .analysis_kinds import NAMES, SHORT_NAMES, bars, mark


def render_page(
    analysis: Analysis,
    *,
    title: str,
    examples: int = 8,
) -> str:
    """examples (int): Errors of each kind to show. RETURNS (str): A whole HTML page."""
    total = analysis.total
    sections = {"Overview": _overview(total)}
    for name, by in (("Languages", "language"), ("Data sets", "dataset")):
        if len(analysis.groups[by]) > 1:
            sections[name] = _groups(analysis.groups[by], name)
    sections["Types"] = _types(analysis.groups["type"])
    sections["Levels"] = _levels(total)
    sections["Confusions"] = show_confusions(analysis)
    if examples:
        sections["Examples"] = show_examples(analysis, examples)
    return sectioned_page(
        sections,
        title=title,
        css=errors_css(),
        above=_tiles(total),
        command="cascade errors",
    )


def _tiles(total: Tally) -> str:
    scores = total.scores()
    return tiles(
        {
            "documents": f"{total.docs:,}",
            "gold mentions": f"{total.gold:,}",
            "predictions": f"{total.found:,}",
            "typed F1": format_number(scores["typed_f"]),
            "precision": format_number(scores["typed_p"]),
            "recall": format_number(scores["typed_r"]),
            "F1 of boundaries": format_number(scores["span_f"]),
            "accuracy of types": format_number(scores["accuracy"]),
        }
    )


def _overview(total: Tally) -> str:
    errors = total.gold - total.kinds[RIGHT] + total.kinds[SPURIOUS]
    text = (
        f"Of {errors:,} errors {format_share(total.kinds[TYPE], errors)} are of type,"
        f" {format_share(total.boundary, errors)} of boundaries,"
        f" {format_share(total.kinds[MISSED], errors)} missed and"
        f" {format_share(total.kinds[SPURIOUS], errors)} spurious mentions. A gold mention is"
        " judged by the prediction that shares most characters with it. The last column says by"
        " how much typed F1 would rise without the errors of this kind; for the three kinds of"
        " wrong boundaries together."
    )
    header = (
        "<th>judgement</th><th class=n>mentions</th><th class=n>share of gold</th>"
        "<th class=n>type right all the same</th>"
        "<th class=n>gain in F1 if repaired</th>"
    )
    gains = {kind: f"+{gain:.3f}" for kind, gain in total.repaired().items()}
    rows = [_judgement(total, kind, gains) for kind in KINDS]
    return note(text) + scrolling_table(header, rows, kind="whole")


def _judgement(
    total: Tally,
    kind: str,
    gains: Mapping[str, str],
) -> str:
    """A row of the table of judgements. The kinds of wrong boundaries share one gain."""
    name, meaning = NAMES[kind]
    n = total.kinds[kind]
    if kind == SPURIOUS:
        share = f"{format_share(n, total.found)} of predictions"
    else:
        share = format_share(n, total.gold)
    typed = f"{total.typed[kind]:,}" if kind in BOUNDARY else ""
    cells = [
        f"<td>{mark(kind)}{name} <small>{meaning}</small></td>",
        f'<td class="n">{n:,}</td>',
        f'<td class="n">{share}</td>',
        f'<td class="n">{typed}</td>',
    ]
    if kind == BOUNDARY[0]:
        gain = gains.get("boundary", "")
        cells.append(f'<td class="n" rowspan="{len(BOUNDARY)}">{gain}</td>')
    elif kind not in BOUNDARY:
        cells.append(f'<td class="n">{gains.get(kind, "")}</td>')
    return f"<tr>{''.join(cells)}</tr>"


def _groups(groups: Mapping[str, Tally], what: str) -> str:
    """what (str): The heading, in the plural."""
    # groups without a name come last
    names = sorted(groups, key=lambda name: (not name, name))
    known = {name: groups[name] for name in names}
    rows: list[list[Cell]] = []
    for name, tally in known.items():
        scores = tally.scores()
        rows.append(
            [
                name or "?",
                tally.docs,
                tally.gold,
                tally.found,
                *(tally.kinds[kind] for kind in KINDS),
                scores["span_f"],
                scores["accuracy"],
                scores["typed_f"],
            ]
        )
    header = (
        what.lower().removesuffix("s"),
        "docs",
        "gold",
        "predicted",
        *SHORT_NAMES,
        "F1 of boundaries",
        "accuracy",
        "typed F1",
    )
    return bars(known) + table(header, rows)


def _types(groups: Mapping[str, Tally]) -> str:
    names = sorted(groups, key=lambda name: (-groups[name].gold, name))
    known = {name or NO_TYPE: groups[name] for name in names}
    rows: list[list[Cell]] = []
    for name, tally in known.items():
        scores = tally.scores()
        rows.append(
            [
                name,
                tally.gold,
                tally.found,
                *(tally.kinds[kind] for kind in KINDS),
                scores["typed_p"],
                scores["typed_r"],
                scores["typed_f"],
            ]
        )
    header = (
        "type",
        "gold",
        "predicted",
        *SHORT_NAMES,
        "precision",
        "recall",
        "typed F1",
    )
    text = (
        "By the first level of the gold path; spurious predictions by their own. The right type"
        " is that of the whole path."
    )
    with_gold = {name: tally for name, tally in known.items() if tally.gold}
    return note(text) + bars(with_gold) + table(header, rows)


def _levels(total: Tally) -> str:
    rows: list[list[Cell]] = []
    for level in total.levels():
        rows.append(
            [
                f"level {level['level']}",
                level["mentions"],
                level["right"],
                ratio(level["right"], level["mentions"]),
                level["part_here"],
            ]
        )
    header = (
        "",
        "mentions",
        "right so far",
        "share",
        "go wrong here",
    )
    text = (
        "Mentions whose boundaries are right: how many have a gold path that gets to the level,"
        " how many predicted paths are right down to it, and how many wrong ones leave the gold"
        " path there. A path that ends too early or too late leaves it behind its last right"
        " step."
    )
    return note(text) + table(header, rows)
