"""Writing results to a Doc, fusing candidates, and the attributes that read them back."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from spacy.attrs import ENT_IOB, ENT_TYPE
from spacy.tokens import Doc, Span, SpanGroup

from ..errors import CascadeError, Errors
from ..taxonomy import Taxonomy
from .retokenized import boundaries, token_spans

SPANS_KEY = "cascade"
MENTION = "MENTION"
LABELS_KEY = "cascade_labels"
COVERAGE_KEY = (
    "cascade_coverage"  # Docs that earlier versions saved have the ranges there
)
PATH, SCORE, STATUS = "cascade_path", "cascade_score", "cascade_status"
# ENT_IOB of a token that begins an entity, or, without a type, of one that must not be in any.
_BEGIN = 3


def fuse(candidates: Iterable[tuple[int, int, float]]) -> list[int]:
    """Result fusion, length first: of candidates that overlap the longest stays, of
    equally long ones the likelier, then the first (CascadeNER, arXiv 2409.11022).

    candidates (Iterable): (start, end, score). RETURNS (list[int]): Indices of those
        that stay, in text order.
    """
    items = list(candidates)
    # Those that stay do not overlap, so both lists are sorted.
    starts: list[int] = []
    ends: list[int] = []
    kept = []
    for i in sorted(
        range(len(items)),
        key=lambda i: (items[i][0] - items[i][1], -items[i][2], items[i][0]),
    ):
        start, end, _ = items[i]
        at = bisect_right(ends, start)
        if bisect_left(starts, end) == at:
            starts.insert(at, start)
            ends.insert(at, end)
            kept.append(i)
    return sorted(kept, key=lambda i: items[i][0])


def set_candidates(
    doc: Doc,
    key: str,
    spans: Sequence[Span],
    *,
    untyped: Collection[Span] = (),
    **attrs: list[Any],
) -> None:
    """Store candidates in `doc.spans[key]`; every attr is a list parallel to the spans
    (as spancat's scores are). Two more are `offsets`, their characters, since spaCy's
    retokenizer (merge_entities ...) leaves span groups with token indices that are
    wrong, or that the Doc no longer has; and `placeholders`, which of them stand in
    `doc.ents` until they have a type. `tokens` is a checksum of the tokens they were
    found in.

    untyped (Collection[Span]): Those that do.

    Paths and scores of `doc.spans["cascade"]` stand in `doc.user_data` too, as
    attributes of spans do: Span.as_doc and Doc.from_docs move those along, and leave
    what belongs to a group behind.
    """
    offsets = [(s.start_char, s.end_char) for s in spans]
    waiting = {(s.start, s.end) for s in untyped}
    marked = [(s.start, s.end) in waiting for s in spans]
    marks = {"offsets": offsets, "placeholders": marked, "tokens": boundaries(doc)}
    doc.spans[key] = SpanGroup(
        doc, name=key, attrs={**marks, **attrs}, spans=list(spans)
    )
    if key == SPANS_KEY:
        for name, read in ((PATH, _path), (SCORE, _score)):
            _store(
                doc,
                name,
                [(*at, read(span)) for at, span in zip(offsets, spans, strict=True)],
            )


def set_coverage(doc: Doc, ranges: Iterable[tuple[int, int, str]]) -> None:
    """Store what `doc._.cascade_coverage` gives. ranges (Iterable): (start_char,
    end_char, status), apart from each other.
    """
    doc.user_data.pop(COVERAGE_KEY, None)
    _store(doc, STATUS, ranges)


def _key(name: str, start: int, end: int) -> Any:
    """Where spaCy keeps `span._.<name>`. start, end (int): Characters."""
    return "._.", name, start, end


def _store(doc: Doc, name: str, values: Iterable[tuple[int, int, Any]]) -> None:
    """Values of character ranges, in place of those that are there. None is no value."""
    for start, end, _ in list(_stored(doc, name)):
        del doc.user_data[_key(name, start, end)]
    doc.user_data.update(
        {
            _key(name, start, end): value
            for start, end, value in values
            if value is not None
        }
    )


def _stored(doc: Doc, name: str) -> Iterator[tuple[int, int, Any]]:
    key: Any
    for key, value in doc.user_data.items():
        if isinstance(key, tuple) and len(key) == 4 and key[:2] == ("._.", name):
            yield key[2], key[3], value


def set_ents(doc: Doc, spans: Sequence[Span], *, overwrite: bool) -> list[Span]:
    """Write flat entities, before the candidates.

    Entities of other components stay, unless `overwrite`, and so do blocked tokens; all
    others that are in no entity are outside then, as with spaCy's `ner`. Mentions
    without a type are always replaced, and what other components have told of them
    (ids) goes to what takes their place.

    RETURNS (list[Span]): Those that were written.
    """
    waiting = {(e.start, e.end): e for e in placeholders(doc)}
    told = {at: e for at, e in waiting.items() if e.kb_id or e.id}
    kept = [] if overwrite else [e for e in doc.ents if (e.start, e.end) not in waiting]
    blocked = _blocked(doc)
    taken = {i for e in (*kept, *blocked) for i in range(e.start, e.end)}
    new = [s for s in spans if taken.isdisjoint(range(s.start, s.end))]
    new = [
        relabelled(told[s.start, s.end], s.label) if (s.start, s.end) in told else s
        for s in new
    ]
    doc.set_ents([*kept, *new], blocked=blocked)
    return new


def relabelled(ent: Span, label: int) -> Span:
    """The same entity with another label."""
    return Span(
        ent.doc, ent.start, ent.end, label=label, kb_id=ent.kb_id, span_id=ent.id
    )


def relabel_ents(doc: Doc, labels: Mapping[tuple[int, int], int]) -> None:
    """Change labels of entities, by token indices, and nothing else."""
    ents = [relabelled(e, labels.get((e.start, e.end), e.label)) for e in doc.ents]
    doc.set_ents(ents, default="unmodified")


def _blocked(doc: Doc) -> list[Span]:
    """The tokens that must not be in an entity."""
    table = doc.to_array([ENT_IOB, ENT_TYPE])
    return [
        doc[i : i + 1]
        for i in ((table[:, 0] == _BEGIN) & (table[:, 1] == 0)).nonzero()[0].tolist()
    ]


def candidates(doc: Doc, key: str = SPANS_KEY) -> list[tuple[int, int]] | None:
    """Characters of the candidates in `doc.spans[key]`; None if there is no such group."""
    group = doc.spans.get(key)
    if group is None:
        return None
    offsets = group.attrs.get("offsets")
    # through bytes tuples become lists; a group that came as JSON has no attributes
    return (
        [(s.start_char, s.end_char) for s in group]
        if offsets is None
        else [(s, e) for s, e in offsets]
    )


def placeholders(doc: Doc) -> list[Span]:
    """The entities that are mentions without a type yet.

    Another component's label may be MENTION, too.
    """
    found = [e for e in doc.ents if e.label_ == MENTION]
    offsets = candidates(doc) if found else None
    if not offsets:
        return []
    attrs = doc.spans[SPANS_KEY].attrs
    # Docs that earlier versions saved, or that came as JSON, don't tell
    marks = attrs.get("placeholders") or [
        not path for path in attrs.get("paths") or [""] * len(offsets)
    ]
    waiting = [at for at, marked in zip(offsets, marks, strict=True) if marked]
    # a retokenizer may have left but a part of an entity that it merged with a neighbour
    tokens = {i for start, end in token_spans(doc, waiting) for i in range(start, end)}
    return [e for e in found if tokens.issuperset(range(e.start, e.end))]


@lru_cache(maxsize=1024)
def _taxonomy_of(labels: tuple[str, ...]) -> Taxonomy:
    return Taxonomy.from_labels(labels)


def labels_of(doc: Doc) -> Taxonomy | None:
    """The label set of this Doc alone: a Taxonomy, a list of names or a nested dict in
    `doc.user_data["cascade_labels"]`, else in the context that `nlp.pipe(...,
    as_tuples=True)` was given, if that is a dict with the key "cascade_labels".

    RAISES CascadeError: C024 for anything else, C003 for an empty list.
    """
    found = doc.user_data.get(LABELS_KEY)
    if found is None and isinstance(doc._context, Mapping):
        found = doc._context.get(LABELS_KEY)
    if found is None or isinstance(found, Taxonomy):
        return found
    unknown = Errors.C024.format(key=LABELS_KEY, found=repr(found)[:80])
    if isinstance(found, dict):
        try:
            return Taxonomy.from_object(found)
        except CascadeError as err:
            raise (CascadeError(unknown) if err.code == "C004" else err) from None
    if not isinstance(found, (list, tuple)) or not all(
        isinstance(x, str) for x in found
    ):
        raise CascadeError(unknown)
    return _taxonomy_of(tuple(found))


def _lookup(span: Span, attr: str) -> Any:
    group = span.doc.spans.get(SPANS_KEY)
    values = group.attrs.get(attr) if group is not None else None
    if group is None or not values:
        return None
    offsets = group.attrs.get("offsets") or candidates(span.doc) or []
    wanted = (span.start_char, span.end_char)
    # as the components write them: in order; through bytes tuples become lists
    at = bisect_left(offsets, wanted, key=tuple)
    if at < len(offsets) and tuple(offsets[at]) == wanted:
        return values[at]
    return next(
        (
            value
            for value, other in zip(values, offsets, strict=False)
            if tuple(other) == wanted
        ),
        None,
    )


def _path(span: Span) -> str | None:
    return _lookup(span, "paths") or None


def _score(span: Span) -> float | None:
    boundary, path = _lookup(span, "scores"), _lookup(span, "path_scores")
    if boundary is None:
        return path
    return boundary if path is None else boundary * path


def get_path(span: Span) -> str:
    """'location > geo-political entity > city', or '' if the cascade gave this span no type."""
    return _path(span) or span.doc.user_data.get(
        _key(PATH, span.start_char, span.end_char), ""
    )


def get_score(span: Span) -> float | None:
    """Probability of the boundaries times that of the label path, or None if the span
    is not of the cascade.
    """
    score = _score(span)
    return (
        span.doc.user_data.get(_key(SCORE, span.start_char, span.end_char))
        if score is None
        else score
    )


def get_entities(doc: Doc) -> list[dict[str, Any]]:
    """The entities with path and score, ready for JSON:
    `doc.to_json(underscore=["cascade_entities"])`.
    """
    return [
        {
            "start": e.start_char,
            "end": e.end_char,
            "label": e.label_,
            "path": get_path(e),
            "score": get_score(e),
        }
        for e in doc.ents
    ]


def set_entities(doc: Doc, entities: Sequence[Mapping[str, Any]]) -> None:
    """Take over paths and scores as `get_entities` gives them, which is how
    `Doc.from_json` reads them back.

    RAISES CascadeError: C075 for anything else.
    """
    if not isinstance(entities, (list, tuple)) or not all(map(_is_entity, entities)):
        raise CascadeError(Errors.C075.format(found=repr(entities)[:80]))
    for name, key, none in ((PATH, "path", ""), (SCORE, "score", None)):
        values = [(e["start"], e["end"], e.get(key)) for e in entities]
        _store(
            doc,
            name,
            [
                (start, end, None if value == none else value)
                for start, end, value in values
            ],
        )


def _is_entity(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and all(isinstance(value.get(k), int) for k in ("start", "end"))
        and isinstance(value.get("path", ""), str)
        and isinstance(value.get("score"), (int, float, type(None)))
    )


def get_coverage(doc: Doc) -> list[tuple[int, int, str]]:
    """(start_char, end_char, 'processed' | 'split' | 'shortened' | 'skipped' |
    'failed') ranges that were accounted for.
    """
    found, at, size = [], 0, len(doc.text)
    for start, end, status in sorted(_stored(doc, STATUS)) or doc.user_data.get(
        COVERAGE_KEY, ()
    ):
        # Span.as_doc keeps the ranges of the whole document, moved: they begin before
        # the text and end behind it
        start, end = max(start, at), min(end, size)
        if start < end:
            found.append((start, end, status))
            at = end
    return found


def get_labels(doc: Doc) -> Any:
    """The label set that this Doc brings, as it was set; None if it has none."""
    return doc.user_data.get(LABELS_KEY)


def set_labels(doc: Doc, value: Any) -> None:
    # user_data must survive Doc.to_bytes
    doc.user_data[LABELS_KEY] = (
        value.to_dict() if isinstance(value, Taxonomy) else value
    )


def register_extensions() -> None:
    """`span._.cascade_path`, `span._.cascade_score`, `doc._.cascade_entities`,
    `doc._.cascade_coverage`, `doc._.cascade_labels`. Functions that can be imported:
    spaCy pickles them for its worker processes, also for those of pipelines without a
    component of ours.
    """
    Span.set_extension(PATH, getter=get_path, force=True)
    Span.set_extension(SCORE, getter=get_score, force=True)
    Doc.set_extension(
        "cascade_entities", getter=get_entities, setter=set_entities, force=True
    )
    Doc.set_extension(
        "cascade_coverage", getter=get_coverage, setter=set_coverage, force=True
    )
    Doc.set_extension(
        "cascade_labels", getter=get_labels, setter=set_labels, force=True
    )


register_extensions()
