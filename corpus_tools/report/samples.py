"""Sentences drawn at random in every language, rendered with displaCy."""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

from spacy import displacy

from spacy_cascade.taxonomy import TypePath

from ..records import Mention, Record
from .stats import Group

MAX_CHARACTERS = 400
END = (  # displaCy puts a space behind every token outside of spans; this marks those to take away
    "\ue000"
)
ENT = '<mark class="{color}" title="{title}">{text}<span class="label">{label}</span></mark>'
SPAN = {
    "span": (
        '<span class="token"'
        ' style="height:{total_height}px">{text}{span_slices}{span_starts}</span>'
    ),
    "slice": '<span class="slice" style="background:{bg};top:{top_offset}px"></span>',
    "start": (
        '<span class="slice start" style="background:{bg};top:{top_offset}px"><span class="tag"'
        ' style="background:{bg}">{label}</span></span>'
    ),
}


@dataclass(frozen=True)
class Sample:
    """A drawn record, its group and the paths of its mentions."""

    group: Group
    record: Record
    paths: Sequence[TypePath]


@dataclass
class Samples:
    """Draws evenly from a stream: `size` records per language that have a mention and
    are not too long to show.

    drawn (dict[str, list[Sample]]): By language.
    """

    size: int
    seed: int = 0
    drawn: dict[str, list[Sample]] = field(default_factory=dict)
    _seen: dict[str, int] = field(default_factory=dict)
    _random: dict[str, random.Random] = field(default_factory=dict)

    def __call__(self, group: Group, record: Record, paths: Sequence[TypePath]) -> None:
        """Offers a record."""
        if not record.mentions or len(record.text) > MAX_CHARACTERS:
            return
        name = group.language
        chance = self._random.setdefault(name, random.Random(f"{self.seed} {name}"))
        seen = self._seen[name] = self._seen.get(name, 0) + 1
        kept = self.drawn.setdefault(name, [])
        sample = Sample(group, record, paths)
        if len(kept) < self.size:
            kept.append(sample)
        elif (at := chance.randrange(seen)) < self.size:
            kept[at] = sample


def render(sample: Sample, colors: Mapping[str, str]) -> str:
    """HTML of one sample.

    Mentions that overlap are shown as lines below the text, others as marks.
    """
    record = sample.record
    paths = dict(zip(record.mentions, sample.paths, strict=True))
    lists = dict(
        zip(record.mentions, record.meta.get("type_lists") or (), strict=False)
    )
    nested = len(record.flat()) < len(record.mentions)
    body = (
        _lines(record, paths, colors)
        if nested
        else _marks(record, paths, lists, colors)
    )
    where = "/".join(
        part for part in (sample.group.dataset, sample.group.split) if part
    )
    lang = escape(sample.group.language or "und", quote=True)
    kind = "sample nested" if nested else "sample"
    return (
        f'<div class="{kind}" lang="{lang}"'
        f' dir="auto">{body}<small>{escape(where)}</small></div>'
    )


def _marks(
    record: Record,
    paths: Mapping[Mention, TypePath],
    lists: Mapping[Mention, Sequence[str]],
    colors: Mapping[str, str],
) -> str:
    ents: list[dict[str, Any]] = []
    for mention in record.mentions:
        path = paths[mention]
        title = " > ".join(path) + (
            f"\nout of: {', '.join(lists[mention])}" if mention in lists else ""
        )
        params = {"title": escape(title), "color": colors.get(path[0], "cx")}
        ents.append(
            {
                "start": mention.start,
                "end": mention.end,
                "label": escape(path[-1]),
                "params": params,
            }
        )
    manual = {"text": record.text, "ents": ents}
    return displacy.render(
        manual, style="ent", manual=True, jupyter=False, options={"template": ENT}
    )


def _lines(
    record: Record, paths: Mapping[Mention, TypePath], colors: Mapping[str, str]
) -> str:
    # displaCy's tokens are here the pieces between the ends of mentions: exact, and no
    # space is lost or added
    cuts = sorted(
        {0, len(record.text), *(at for m in record.mentions for at in (m.start, m.end))}
    )
    place = {at: i for i, at in enumerate(cuts)}
    spans = [
        {
            "start_token": place[m.start],
            "end_token": place[m.end],
            "label": escape(paths[m][-1]),
        }
        for m in record.mentions
    ]
    shades = {
        escape(path[-1]).upper(): f"var(--{colors.get(path[0], 'cx')})"
        for path in paths.values()
    }
    options = {
        "colors": shades,
        "template": SPAN,
        "top_offset": 30,
        "span_label_offset": 10,
        "top_offset_step": 18,
    }
    pieces = [record.text[start:end] for start, end in itertools.pairwise(cuts)]
    pieces = [
        p + END if not any(m.start <= at < m.end for m in record.mentions) else p
        for p, at in zip(pieces, cuts, strict=False)
    ]
    manual = {"text": record.text, "spans": spans, "tokens": pieces}
    html = displacy.render(
        manual, style="span", manual=True, jupyter=False, options=options
    )
    return html.replace(f"{END} ", "")
