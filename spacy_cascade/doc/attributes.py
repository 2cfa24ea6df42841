"""What the components leave in a Doc, and the attributes that read it back."""

from __future__ import annotations

import difflib
import logging
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypedDict

from spacy.tokens import Doc, Span

from ..errors import CascadeError, Errors, Warnings
from ..taxonomy import SEP, Taxonomy

logger = logging.getLogger("spacy_cascade")

SPANS_KEY = "cascade"
LABELS_KEY = "cascade_labels"
# Docs that earlier versions saved have the ranges there.
COVERAGE_KEY = "cascade_coverage"
PATH = "cascade_path"
COARSE = "cascade_coarse"
SCORE = "cascade_score"
STATUS = "cascade_status"

# (start, end, status) in characters
Coverage = tuple[int, int, str]


class Entity(TypedDict):
    """An entity, ready for JSON.

    start, end (int): Characters, end exclusive.
    """

    start: int
    end: int
    label: str
    path: str
    score: float | None


# -- Values of character ranges


def _key(name: str, start: int, end: int) -> Any:
    """Where spaCy keeps `span._.<name>`.

    Its type of `Doc.user_data` knows nothing but strings as keys.

    name (str): The attribute.
    start, end (int): Characters of the span.
    """
    return "._.", name, start, end


def store(doc: Doc, name: str, values: Iterable[tuple[int, int, object]]) -> None:
    """Set an attribute of character ranges, in place of all values that are there.

    values (Iterable): (start, end, value). None is no value.
    doc (Doc): The text.
    name (str): The attribute.
    """
    for start, end, _ in list(_stored(doc, name)):
        del doc.user_data[_key(name, start, end)]
    for start, end, value in values:
        if value is not None:
            doc.user_data[_key(name, start, end)] = value


def _stored(doc: Doc, name: str) -> Iterator[tuple[int, int, Any]]:
    """All values of an attribute, with their character ranges.

    doc (Doc): The text.
    name (str): The attribute.
    YIELDS (tuple): (start, end, value).
    """
    key: object
    for key, value in doc.user_data.items():
        if isinstance(key, tuple) and len(key) == 4 and key[:2] == ("._.", name):
            _, _, start, end = key
            yield start, end, value


# -- Candidates


def candidates(doc: Doc, key: str = SPANS_KEY) -> list[tuple[int, int]] | None:
    """Characters of the candidates in `doc.spans[key]`. None if there is no such group.

    doc (Doc): The text.
    key (str): The group.
    RETURNS (list | None): (start, end) in the order of the group.
    """
    group = doc.spans.get(key)
    if group is None:
        return None
    offsets = group.attrs.get("offsets")
    if offsets is None:
        # a group that came as JSON has no attributes
        return [(span.start_char, span.end_char) for span in group]
    # through bytes tuples become lists
    return [(start, end) for start, end in offsets]


def _lookup(span: Span, attr: str) -> Any:
    """The value of a candidate, from a list that its group has. None if there is none.

    span (Span): A span of the Doc, not of its group.
    attr (str): The name of the list.
    """
    group = span.doc.spans.get(SPANS_KEY)
    values = group.attrs.get(attr) if group is not None else None
    if group is None or not values:
        return None

    offsets = group.attrs.get("offsets") or candidates(span.doc) or []
    wanted = (span.start_char, span.end_char)
    # As the components write them: in order. Through bytes tuples become lists.
    at = bisect_left(offsets, wanted, key=tuple)
    if at < len(offsets) and tuple(offsets[at]) == wanted:
        return values[at]
    for value, other in zip(values, offsets, strict=False):
        if tuple(other) == wanted:
            return value
    return None


def candidate_path(span: Span) -> str | None:
    """The label path of a candidate."""
    path: str | None = _lookup(span, "paths")
    return path or None


def candidate_score(span: Span) -> float | None:
    """Probability of a candidate's boundaries times that of its path, as far as known."""
    boundary: float | None = _lookup(span, "scores")
    path: float | None = _lookup(span, "path_scores")
    if boundary is None:
        return path
    return boundary if path is None else boundary * path


# -- Attributes of spans


def get_path(span: Span) -> str:
    """'location > geo-political entity > city', or '' if the cascade gave this span no type."""
    if is_other(span):
        return ""
    path = candidate_path(span)
    if path is not None:
        return path
    stored: str = span.doc.user_data.get(_key(PATH, span.start_char, span.end_char), "")
    return stored


def get_coarse(span: Span) -> str:
    """The first level of `cascade_path`: 'location', or ''."""
    return get_path(span).split(SEP)[0]


def is_other(span: Span) -> bool:
    """Whether a span is the entity of another component, which kept its label although
    the cascade gives these characters another type.
    """
    group = span.doc.spans.get(SPANS_KEY)
    others = group.attrs.get("others") if group is not None else None
    if not others:
        return False
    wanted = [span.start_char, span.end_char, span.label_]
    return any(list(other) == wanted for other in others)


def get_score(span: Span) -> float | None:
    """Probability of the boundaries times that of the label path.

    None if the span is not of the cascade.

    span (Span): A span of the Doc, not of its group.
    RETURNS (float | None): In [0, 1].
    """
    if is_other(span):
        return None
    score = candidate_score(span)
    if score is not None:
        return score
    stored: float | None = span.doc.user_data.get(
        _key(SCORE, span.start_char, span.end_char)
    )
    return stored


# -- Attributes of Docs


@lru_cache(maxsize=1024)
def _taxonomy_of(labels: tuple[str, ...]) -> Taxonomy:
    return Taxonomy.from_labels(labels)


def labels_of(doc: Doc) -> Taxonomy | None:
    """The label set of this Doc alone: a Taxonomy, a list of names or a nested dict.

    It is that in `doc.user_data["cascade_labels"]`, else that in the context that
    `nlp.pipe(..., as_tuples=True)` was given, if that is a dict with the key
    "cascade_labels".

    doc (Doc): The text.
    RETURNS (Taxonomy | None): None if it brings no labels.
    RAISES CascadeError: C024 for anything else, C003 for an empty list.
    """
    found = doc.user_data.get(LABELS_KEY)
    if found is None and isinstance(doc._context, Mapping):
        found = doc._context.get(LABELS_KEY)
        if found is None:
            _check_keys(doc._context)
    if found is None or isinstance(found, Taxonomy):
        return found

    if isinstance(found, dict):
        try:
            return Taxonomy.from_object(found)
        except CascadeError as err:
            if err.code == "C004":
                raise _unknown_labels(found) from None
            raise err from None

    is_list = isinstance(found, (list, tuple))
    if not is_list or not all(isinstance(name, str) for name in found):
        raise _unknown_labels(found)
    return _taxonomy_of(tuple(found))


def _check_keys(context: Mapping[object, object]) -> None:
    """Warn of keys that are meant for "cascade_labels"."""
    for key in context:
        if isinstance(key, str):
            _check_key(key)


@lru_cache(maxsize=1024)
def _check_key(key: str) -> None:
    """Warn (CW22) of a misspelled key. Once for each, since the cache keeps what was seen."""
    if key == LABELS_KEY:
        return
    spelled = key.lower().replace("-", "_").replace(" ", "_")
    if difflib.get_close_matches(spelled, [LABELS_KEY], cutoff=0.85):
        logger.warning(Warnings.W022.format(key=key, right=LABELS_KEY))


def _unknown_labels(found: object) -> CascadeError:
    message = Errors.C024.format(key=LABELS_KEY, found=repr(found)[:80])
    return CascadeError(message)


def get_labels(doc: Doc) -> object:
    """The label set that this Doc brings, as it was set. None if it has none."""
    return doc.user_data.get(LABELS_KEY)


def set_labels(doc: Doc, value: object) -> None:
    """Set the label set of this Doc.

    value (object): A Taxonomy, a list of names or a nested dict.
    """
    # user_data must survive Doc.to_bytes
    if isinstance(value, Taxonomy):
        value = value.to_dict()
    doc.user_data[LABELS_KEY] = value


def get_entities(doc: Doc) -> list[Entity]:
    """The entities with path and score, ready for JSON:
    `doc.to_json(underscore=["cascade_entities"])`.
    """
    out = []
    for ent in doc.ents:
        entity = Entity(
            start=ent.start_char,
            end=ent.end_char,
            label=ent.label_,
            path=get_path(ent),
            score=get_score(ent),
        )
        out.append(entity)
    return out


def set_entities(doc: Doc, entities: Sequence[Entity]) -> None:
    """Take over paths and scores as `get_entities` gives them.

    That is how `Doc.from_json` reads them back.

    doc (Doc): The text.
    entities (Sequence[Entity]): The entities, with their characters.
    RAISES CascadeError: C075 for anything else.
    """
    is_list = isinstance(entities, (list, tuple))
    if not is_list or not all(map(_is_entity, entities)):
        raise CascadeError(Errors.C075.format(found=repr(entities)[:80]))

    paths = []
    scores = []
    for entity in entities:
        start, end = entity["start"], entity["end"]
        paths.append((start, end, entity.get("path") or None))
        scores.append((start, end, entity.get("score")))
    store(doc, PATH, paths)
    store(doc, SCORE, scores)


def _is_entity(value: object) -> bool:
    """Whether a value has the keys of `Entity`, as far as they are needed."""
    if not isinstance(value, Mapping):
        return False
    return (
        isinstance(value.get("start"), int)
        and isinstance(value.get("end"), int)
        and isinstance(value.get("path", ""), str)
        and isinstance(value.get("score"), (int, float, type(None)))
    )


def get_coverage(doc: Doc) -> list[Coverage]:
    """The ranges of the text that were accounted for.

    RETURNS (list): (start_char, end_char, status). The status is 'processed', 'split',
        'shortened', 'skipped' or 'failed'.
    """
    ranges = sorted(_stored(doc, STATUS)) or doc.user_data.get(COVERAGE_KEY, ())
    size = len(doc.text)
    at = 0
    found = []
    for start, end, status in ranges:
        # Span.as_doc keeps the ranges of the whole document, moved: they begin before
        # the text and end behind it
        start = max(start, at)
        end = min(end, size)
        if start < end:
            found.append((start, end, status))
            at = end
    return found


def set_coverage(doc: Doc, ranges: Iterable[Coverage]) -> None:
    """Store what `doc._.cascade_coverage` gives.

    ranges (Iterable): (start_char, end_char, status), apart from each other.
    """
    doc.user_data.pop(COVERAGE_KEY, None)
    store(doc, STATUS, ranges)


def register_extensions() -> None:
    """Register the attributes of Docs and spans.

    They are `span._.cascade_path`, `span._.cascade_coarse`, `span._.cascade_score`,
    `doc._.cascade_entities`, `doc._.cascade_coverage` and `doc._.cascade_labels`. Their
    functions can be imported: spaCy pickles them for its worker processes, also for
    those of pipelines without a component of ours.
    """
    Span.set_extension(PATH, getter=get_path, force=True)
    Span.set_extension(COARSE, getter=get_coarse, force=True)
    Span.set_extension(SCORE, getter=get_score, force=True)
    for name, getter, setter in (
        ("cascade_entities", get_entities, set_entities),
        ("cascade_coverage", get_coverage, set_coverage),
        ("cascade_labels", get_labels, set_labels),
    ):
        Doc.set_extension(name, getter=getter, setter=setter, force=True)


register_extensions()
