"""Reading gold annotation from Examples: all mentions with their paths, aligned to the predicted Doc's tokens."""

from __future__ import annotations

from spacy.tokens import Doc
from spacy.training import Example

from ..taxonomy import TypePath, parse_path
from .annotate import fuse

GOLD_KEY = "gold"
# (start token, end token, label path)
GoldMention = tuple[int, int, TypePath]


def gold_chars(doc: Doc) -> list[tuple[int, int, TypePath]]:
    """All gold mentions of a reference Doc as character spans: `doc.spans["gold"]` with its paths if it is there
    (nested ones included), else `doc.ents` with their labels as one-step paths."""
    group = doc.spans.get(GOLD_KEY)
    if group is None:
        return [(e.start_char, e.end_char, parse_path(e.label_)) for e in doc.ents]
    paths = group.attrs.get("paths") or [s.label_ for s in group]
    return [(s.start_char, s.end_char, parse_path(p)) for s, p in zip(group, paths, strict=True)]


def gold_mentions(example: Example) -> list[GoldMention]:
    """Gold mentions as tokens of `example.predicted`; one that does not align is widened to whole tokens."""
    out = []
    for start, end, path in gold_chars(example.reference):
        span = example.predicted.char_span(start, end, alignment_mode="expand")
        if span is not None and len(span):
            out.append((span.start, span.end, path))
    return out


def flat_gold(example: Example) -> list[tuple[int, int]]:
    """What one marked copy can hold: of overlapping mentions the longest."""
    spans = sorted({(s, e) for s, e, _ in gold_mentions(example)})
    return [spans[i] for i in fuse((s, e, 1.0) for s, e in spans)]
