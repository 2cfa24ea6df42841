"""Writing results to a Doc, and fusing candidates."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence

from spacy.attrs import ENT_IOB, ENT_TYPE
from spacy.tokens import Doc, Span, SpanGroup

from .attributes import (
    COVERAGE_KEY,
    LABELS_KEY,
    PATH,
    SCORE,
    SPANS_KEY,
    candidate_path,
    candidate_score,
    candidates,
    get_path,
    get_score,
    labels_of,
    set_coverage,
    store,
)
from .retokenized import boundaries, token_spans

__all__ = [
    "COVERAGE_KEY",
    "LABELS_KEY",
    "MENTION",
    "SPANS_KEY",
    "at_least",
    "candidates",
    "fuse",
    "get_path",
    "get_score",
    "labels_of",
    "placeholders",
    "relabel_ents",
    "relabelled",
    "set_candidates",
    "set_coverage",
    "set_ents",
]

# The label of entities that have no type yet.
MENTION = "MENTION"
# ENT_IOB of a token that begins an entity, or, without a type, of one that must not be
# in any.
_BEGIN = 3


def fuse(candidates: Iterable[tuple[int, int, float]]) -> list[int]:
    """Result fusion, length first (CascadeNER, arXiv 2409.11022).

    Of candidates that overlap the longest stays, of equally long ones the likelier,
    then the first.

    candidates (Iterable): (start, end, score).
    RETURNS (list[int]): Indices of those that stay, in text order.
    """
    items = list(candidates)
    order = []
    for i, (start, end, score) in enumerate(items):
        order.append((start - end, -score, start, i))
    order.sort()

    # Those that stay do not overlap, so both lists are sorted.
    starts: list[int] = []
    ends: list[int] = []
    kept = []
    for _, _, start, i in order:
        end = items[i][1]
        at = bisect_right(ends, start)
        if bisect_left(starts, end) == at:
            starts.insert(at, start)
            ends.insert(at, end)
            kept.append(i)
    return sorted(kept, key=lambda i: items[i][0])


def at_least(threshold: float, scores: Sequence[float]) -> list[int]:
    """Indices of the candidates that may enter `doc.ents`.

    threshold (float): Least score. scores (Sequence[float]): As users see them.
    """
    return [k for k, score in enumerate(scores) if score >= threshold]


def set_candidates(
    doc: Doc,
    key: str,
    spans: Sequence[Span],
    *,
    untyped: Collection[Span] = (),
    **attrs: Sequence[object],
) -> None:
    """Store candidates in `doc.spans[key]`.

    Paths and scores of `doc.spans["cascade"]` stand in `doc.user_data` too, as
    attributes of spans do: Span.as_doc and Doc.from_docs move those along, and leave
    what belongs to a group behind.

    doc (Doc): The text.
    key (str): The group.
    spans (Sequence[Span]): The candidates.
    untyped (Collection[Span]): Those that stand in `doc.ents` until they have a type.
    **attrs (Sequence): Lists parallel to the spans, as spancat's scores are. Three
        attributes are added:
        offsets: Characters of the spans, since spaCy's retokenizer (merge_entities ...)
            leaves span groups with token indices that are wrong, or that the Doc no
            longer has.
        placeholders: Which spans are untyped.
        tokens: A checksum of the tokens they were found in.
        A fourth, others, is there if entities of other components stand in the place of
            typed candidates: their characters and labels. They have no path.
    """
    offsets = [(span.start_char, span.end_char) for span in spans]
    waiting = {(span.start, span.end) for span in untyped}
    all_attrs = {
        "offsets": offsets,
        "placeholders": [(span.start, span.end) in waiting for span in spans],
        "tokens": boundaries(doc),
        **attrs,
    }
    others = _others(doc, spans) if "paths" in attrs else []
    if others:
        all_attrs["others"] = others
    doc.spans[key] = SpanGroup(doc, name=key, attrs=all_attrs, spans=list(spans))

    if key == SPANS_KEY:
        paths = []
        scores = []
        kept = {(start, end) for start, end, _ in others}
        for (start, end), span in zip(offsets, spans, strict=True):
            if (start, end) in kept:
                continue
            paths.append((start, end, candidate_path(span)))
            scores.append((start, end, candidate_score(span)))
        store(doc, PATH, paths)
        store(doc, SCORE, scores)


def _others(doc: Doc, spans: Sequence[Span]) -> list[tuple[int, int, str]]:
    """Entities of other components that stand where candidates of another type do.

    doc (Doc): The text.
    spans (Sequence[Span]): The candidates, typed.
    RETURNS (list): (start_char, end_char, label).
    """
    ents = {(ent.start, ent.end): ent for ent in doc.ents}
    out = []
    for span in spans:
        ent = ents.get((span.start, span.end))
        if ent is not None and ent.label != span.label:
            out.append((ent.start_char, ent.end_char, ent.label_))
    return out


def set_ents(doc: Doc, spans: Sequence[Span], *, overwrite: bool) -> list[Span]:
    """Write flat entities, before the candidates.

    Entities of other components stay, unless `overwrite`, and so do blocked tokens. All
    others that are in no entity are outside then, as with spaCy's `ner`. Mentions
    without a type are always replaced, and what other components have told of them
    (ids) goes to what takes their place.

    doc (Doc): The text.
    spans (Sequence[Span]): The entities.
    overwrite (bool): Replace those of other components.
    RETURNS (list[Span]): Those that were written.
    """
    waiting = {(ent.start, ent.end): ent for ent in placeholders(doc)}
    kept: list[Span] = []
    if not overwrite:
        kept = [ent for ent in doc.ents if (ent.start, ent.end) not in waiting]

    blocked = _blocked(doc)
    taken: set[int] = set()
    for ent in (*kept, *blocked):
        taken.update(range(ent.start, ent.end))

    new = []
    for span in spans:
        if not taken.isdisjoint(range(span.start, span.end)):
            continue
        before = waiting.get((span.start, span.end))
        if before is not None and (before.kb_id or before.id):
            span = relabelled(before, span.label)
        new.append(span)
    doc.set_ents([*kept, *new], blocked=blocked)
    return new


def relabelled(ent: Span, label: int) -> Span:
    """The same entity with another label. label (int): In the StringStore."""
    return Span(
        ent.doc,
        ent.start,
        ent.end,
        label=label,
        kb_id=ent.kb_id,
        span_id=ent.id,
    )


def relabel_ents(doc: Doc, labels: Mapping[tuple[int, int], int]) -> None:
    """Change labels of entities, and nothing else.

    labels (Mapping): Labels by (start, end) tokens.
    """
    ents = []
    for ent in doc.ents:
        label = labels.get((ent.start, ent.end), ent.label)
        ents.append(relabelled(ent, label))
    doc.set_ents(ents, default="unmodified")


def _blocked(doc: Doc) -> list[Span]:
    """The tokens that must not be in an entity."""
    # (tokens, 2)
    table = doc.to_array([ENT_IOB, ENT_TYPE])
    is_blocked = (table[:, 0] == _BEGIN) & (table[:, 1] == 0)
    return [doc[i : i + 1] for i in is_blocked.nonzero()[0].tolist()]


def placeholders(doc: Doc) -> list[Span]:
    """The entities that are mentions without a type yet.

    Another component's label may be MENTION, too.
    """
    found = [ent for ent in doc.ents if ent.label_ == MENTION]
    offsets = candidates(doc) if found else None
    if not offsets:
        return []

    attrs = doc.spans[SPANS_KEY].attrs
    marks = attrs.get("placeholders")
    if not marks:
        # Docs that earlier versions saved, or that came as JSON, don't tell
        paths = attrs.get("paths") or [""] * len(offsets)
        marks = [not path for path in paths]
    waiting = [at for at, marked in zip(offsets, marks, strict=True) if marked]

    # a retokenizer may have left but a part of an entity that it merged with a neighbour
    tokens: set[int] = set()
    for start, end in token_spans(doc, waiting):
        tokens.update(range(start, end))
    return [ent for ent in found if tokens.issuperset(range(ent.start, ent.end))]
