"""Examples of every kind of error, on the page of errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from ..pages import CLASSES, OTHER, note
from ..scoring.analysis import Analysis, Sample
from ..scoring.judging import KINDS
from ..scoring.scorers import Item
from .analysis_confusions import path_name
from .analysis_kinds import NAMES, mark

ENT = '<mark class="{css}" title="{title}">{text}<span class="label">{label}</span></mark>'


def show_examples(analysis: Analysis, n: int) -> str:
    """n (int): Examples of each kind."""
    types = analysis.groups["type"]
    frequent = sorted(types, key=lambda name: -types[name].gold)
    named = filter(None, frequent)
    colors = dict(zip(named, CLASSES, strict=False))

    text = (
        f"Drawn at random (seed {analysis.seed}) from every language in turn. Gold stands above"
        " what was predicted; the mention that is judged is outlined. Point at a mention for its"
        " path."
    )
    legend = [
        f'<span><i class="{css}"></i>{escape(name)}</span>'
        for name, css in colors.items()
    ]
    parts = [note(text), f'<div class="legend">{"".join(legend)}</div>']
    for kind in KINDS[1:]:
        drawn = analysis.samples(kind, n)
        if not drawn:
            continue
        name, meaning = NAMES[kind]
        count = f"{len(drawn)} of {analysis.total.kinds[kind]:,}"
        heading = f"{mark(kind)}{name} <small>{meaning}; {count}</small>"
        parts.append(f"<h3>{heading}</h3>")
        parts += [_sample(sample, colors) for sample in drawn]
    return "".join(parts)


def _sample(sample: Sample, colors: Mapping[str, str]) -> str:
    judged = sample.judged
    gold = _marked(sample.text, sample.gold, judged.gold, colors)
    found = _marked(sample.text, sample.found, judged.found, colors)
    lang = escape(sample.language or "und", quote=True)
    language = escape(sample.language or "?")
    where = f"<b>{language}</b> {escape(sample.dataset)}"
    return (
        f'<div class="sample"><small>{where}</small><div class="pair" lang="{lang}">'
        f'<span class="side">gold</span><div dir="auto">{gold}</div>'
        f'<span class="side">predicted</span><div dir="auto">{found}</div></div></div>'
    )


def _marked(
    text: str,
    items: Sequence[Item],
    focus: Item | None,
    colors: Mapping[str, str],
) -> str:
    """focus (Optional[Item]): The item that is judged."""
    from spacy import displacy

    ents = []
    for item in sorted(items):
        start, end, path = item
        css = colors.get("".join(path[:1]), OTHER)
        if item == focus:
            css += " focus"
        title = escape(path_name(path), quote=True)
        ent = {
            "start": start,
            "end": end,
            "label": escape(path[-1] if path else "no type"),
            "params": {"css": css, "title": title},
        }
        ents.append(ent)
    return displacy.render(
        {"text": text, "ents": ents},
        style="ent",
        manual=True,
        jupyter=False,
        options={"template": ENT},
    )
