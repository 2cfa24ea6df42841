"""Writing results to a Doc, fusing candidates, and the attributes that read them back."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from spacy.tokens import Doc, Span, SpanGroup

from ..errors import CascadeError, Errors
from ..taxonomy import Taxonomy

SPANS_KEY = "cascade"
MENTION = "MENTION"
LABELS_KEY = "cascade_labels"
COVERAGE_KEY = "cascade_coverage"  # Docs that earlier versions saved have the ranges there
PATH, SCORE, STATUS = "cascade_path", "cascade_score", "cascade_status"


def fuse(candidates: Iterable[tuple[int, int, float]]) -> list[int]:
    """Result fusion, length first: of candidates that overlap the longest stays, of equally long ones the likelier,
    then the first (CascadeNER, arXiv 2409.11022).

    candidates (Iterable): (start, end, score). RETURNS (list[int]): Indices of those that stay, in text order.
    """
    items = list(candidates)
    # Those that stay do not overlap, so both lists are sorted.
    starts: list[int] = []
    ends: list[int] = []
    kept = []
    for i in sorted(range(len(items)), key=lambda i: (items[i][0] - items[i][1], -items[i][2], items[i][0])):
        start, end, _ = items[i]
        at = bisect_right(ends, start)
        if bisect_left(starts, end) == at:
            starts.insert(at, start)
            ends.insert(at, end)
            kept.append(i)
    return sorted(kept, key=lambda i: items[i][0])


def set_candidates(doc: Doc, key: str, spans: Sequence[Span], **attrs: list[Any]) -> None:
    """Store candidates in `doc.spans[key]`; every attr is a list parallel to the spans (as spancat's scores are). One more is
    `offsets`, their characters: spaCy's retokenizer (merge_entities ...) leaves span groups with token indices that are wrong,
    or that the Doc no longer has.

    Paths and scores of `doc.spans["cascade"]` stand in `doc.user_data` too, as attributes of spans do: Span.as_doc and
    Doc.from_docs move those along, and leave what belongs to a group behind."""
    offsets = [(s.start_char, s.end_char) for s in spans]
    doc.spans[key] = SpanGroup(doc, name=key, attrs={"offsets": offsets, **attrs}, spans=list(spans))
    if key == SPANS_KEY:
        for name, read in ((PATH, _path), (SCORE, _score)):
            _store(doc, name, [(*at, read(span)) for at, span in zip(offsets, spans, strict=True)])


def set_coverage(doc: Doc, ranges: Iterable[tuple[int, int, str]]) -> None:
    """Store what `doc._.cascade_coverage` gives. ranges (Iterable): (start_char, end_char, status), apart from each other."""
    doc.user_data.pop(COVERAGE_KEY, None)
    _store(doc, STATUS, ranges)


def _key(name: str, start: int, end: int) -> Any:
    """Where spaCy keeps `span._.<name>`. start, end (int): Characters."""
    return "._.", name, start, end


def _store(doc: Doc, name: str, values: Iterable[tuple[int, int, Any]]) -> None:
    """Values of character ranges, in place of those that are there. None is no value."""
    for start, end, _ in list(_stored(doc, name)):
        del doc.user_data[_key(name, start, end)]
    doc.user_data.update({_key(name, start, end): value for start, end, value in values if value is not None})


def _stored(doc: Doc, name: str) -> Iterator[tuple[int, int, Any]]:
    key: Any
    for key, value in doc.user_data.items():
        if isinstance(key, tuple) and len(key) == 4 and key[:2] == ("._.", name):
            yield key[2], key[3], value


def set_ents(doc: Doc, spans: Sequence[Span], *, overwrite: bool) -> None:
    """Write flat entities. Entities of earlier components stay unless `overwrite`; mentions that have no type yet
    are always replaced."""
    kept = [] if overwrite else [e for e in doc.ents if e.label_ != MENTION]
    taken = {i for e in kept for i in range(e.start, e.end)}
    doc.set_ents([*kept, *(s for s in spans if not any(i in taken for i in range(s.start, s.end)))])


@lru_cache(maxsize=1024)
def _taxonomy_of(labels: tuple[str, ...]) -> Taxonomy:
    return Taxonomy.from_labels(labels)


def labels_of(doc: Doc) -> Taxonomy | None:
    """The label set of this Doc alone: a Taxonomy or a list of names in `doc.user_data["cascade_labels"]`, else in the
    context that `nlp.pipe(..., as_tuples=True)` was given, if that is a dict with the key "cascade_labels".

    RAISES CascadeError: C024 for anything else, C003 for an empty list.
    """
    found = doc.user_data.get(LABELS_KEY)
    if found is None and isinstance(doc._context, Mapping):
        found = doc._context.get(LABELS_KEY)
    if found is None or isinstance(found, Taxonomy):
        return found
    if isinstance(found, dict) and "tree" in found:
        return Taxonomy.from_object(found)
    if not isinstance(found, (list, tuple)) or not all(isinstance(x, str) for x in found):
        raise CascadeError(Errors.C024.format(key=LABELS_KEY, found=repr(found)[:80]))
    return _taxonomy_of(tuple(found))


def _lookup(span: Span, attr: str) -> Any:
    group = span.doc.spans.get(SPANS_KEY)
    values = group.attrs.get(attr) if group is not None else None
    if group is None or not values:
        return None
    offsets = group.attrs.get("offsets")
    if offsets is None:
        offsets = [(s.start_char, s.end_char) for s in group]
    wanted = (span.start_char, span.end_char)
    # as the components write them: in order; through bytes tuples become lists
    at = bisect_left(offsets, wanted, key=tuple)
    if at < len(offsets) and tuple(offsets[at]) == wanted:
        return values[at]
    return next((value for value, other in zip(values, offsets, strict=False) if tuple(other) == wanted), None)


def _path(span: Span) -> str | None:
    return _lookup(span, "paths") or None


def _score(span: Span) -> float | None:
    boundary, path = _lookup(span, "scores"), _lookup(span, "path_scores")
    if boundary is None:
        return path
    return boundary if path is None else boundary * path


def get_path(span: Span) -> str:
    """'location > geo-political entity > city', or '' if the cascade gave this span no type."""
    return _path(span) or span.doc.user_data.get(_key(PATH, span.start_char, span.end_char), "")


def get_score(span: Span) -> float | None:
    """Probability of the boundaries times that of the label path, or None if the span is not of the cascade."""
    score = _score(span)
    return span.doc.user_data.get(_key(SCORE, span.start_char, span.end_char)) if score is None else score


def get_entities(doc: Doc) -> list[dict[str, Any]]:
    """The entities with path and score, ready for JSON: `doc.to_json(underscore=["cascade_entities"])`."""
    return [
        {"start": e.start_char, "end": e.end_char, "label": e.label_, "path": get_path(e), "score": get_score(e)} for e in doc.ents
    ]


def get_coverage(doc: Doc) -> list[tuple[int, int, str]]:
    """(start_char, end_char, 'processed' | 'split' | 'shortened' | 'skipped' | 'failed') ranges that were accounted for."""
    found, at, size = [], 0, len(doc.text)
    for start, end, status in sorted(_stored(doc, STATUS)) or doc.user_data.get(COVERAGE_KEY, ()):
        # Span.as_doc keeps the ranges of the whole document, moved: they begin before the text and end behind it
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
    doc.user_data[LABELS_KEY] = value.to_dict() if isinstance(value, Taxonomy) else value


def register_extensions() -> None:
    """`span._.cascade_path`, `span._.cascade_score`, `doc._.cascade_entities`, `doc._.cascade_coverage`,
    `doc._.cascade_labels`. Functions that can be imported: spaCy pickles them for its worker processes, also for those of
    pipelines without a component of ours."""
    Span.set_extension(PATH, getter=get_path, force=True)
    Span.set_extension(SCORE, getter=get_score, force=True)
    Doc.set_extension("cascade_entities", getter=get_entities, force=True)
    Doc.set_extension("cascade_coverage", getter=get_coverage, force=True)
    Doc.set_extension("cascade_labels", getter=get_labels, setter=set_labels, force=True)


register_extensions()
