"""Reading gold annotation from Examples: all mentions with their paths, aligned to the
predicted Doc's tokens.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example

from ..errors import CascadeError, Warnings
from ..taxonomy import Taxonomy, TypePath, format_path, parse_path
from .annotations import LABELS_KEY, fuse, labels_of
from .missing import GOLD_KEY, is_annotated, missing_ranges, trim

logger = logging.getLogger("spacy_cascade")


class LabeledSpan(NamedTuple):
    """A mention and its type.

    start, end (int): Token indices or characters, end exclusive.
    path (TypePath): The label path. Empty: without a type.
    """

    start: int
    end: int
    path: TypePath


# A gold mention as tokens.
GoldMention = LabeledSpan


class MentionList(NamedTuple):
    """The type list that a gold mention brings.

    answer (str): The right name.
    names (list[str]): All names of the list.
    """

    answer: str
    names: list[str]


def label_set(nlp: Language) -> Taxonomy | None:
    """The labels that a pipeline's entities have: those of its last component that has any.

    nlp (Language): The pipeline.
    RETURNS (Taxonomy | None): None if no component has labels.
    """
    for _, pipe in reversed(nlp.components):
        taxonomy = getattr(pipe, "taxonomy", None)
        if isinstance(taxonomy, Taxonomy):
            return taxonomy
    return None


def unannotated(nlp: Language, gold: Doc) -> Doc:
    """The text of a gold Doc, to run a pipeline on, with the label set that it brings.

    nlp (Language): Its tokenizer is taken.
    gold (Doc): The reference.
    RETURNS (Doc): A new one.
    """
    doc = nlp.make_doc(gold.text)
    if LABELS_KEY in gold.user_data:
        doc.user_data[LABELS_KEY] = gold.user_data[LABELS_KEY]
    return doc


def gold_spans(doc: Doc) -> tuple[list[Span], list[str]]:
    """The gold mentions of a reference Doc, and their paths as text.

    They are `doc.spans["gold"]` with its paths if it is there (nested ones included),
    else `doc.ents` with their labels as one-step paths.
    """
    group = doc.spans.get(GOLD_KEY)
    if group is None:
        spans = list(doc.ents)
        paths = None
    else:
        spans = list(group)
        paths = group.attrs.get("paths")
    return spans, paths or [span.label_ for span in spans]


def gold_chars(doc: Doc) -> list[LabeledSpan]:
    """All gold mentions of a reference Doc as characters. See `gold_spans`.

    White space at their edges is left out.
    """
    text = doc.text
    out = []
    for span, path in zip(*gold_spans(doc), strict=True):
        start, end = trim(text, span.start_char, span.end_char)
        if start < end:
            out.append(LabeledSpan(start, end, parse_path(path)))
    return out


def _aligned(example: Example, start: int, end: int) -> Span | None:
    """The tokens of `example.predicted` that hold these characters of the reference.

    example (Example): The texts.
    start, end (int): Characters of the reference.
    RETURNS (Span | None): None if there is no such token.
    """
    span = example.predicted.char_span(start, end, alignment_mode="expand")
    return span if span is not None and len(span) else None


def gold_mentions(example: Example) -> list[GoldMention]:
    """Gold mentions as tokens of `example.predicted`.

    One that does not align is widened to whole tokens.

    example (Example): The reference and the predicted Doc.
    RETURNS (list[GoldMention]): In the order of the annotation.
    """
    out = []
    for start, end, path in gold_chars(example.reference):
        span = _aligned(example, start, end)
        if span is not None:
            out.append(GoldMention(span.start, span.end, path))
    return out


def missing_tokens(example: Example) -> set[int]:
    """Tokens of `example.predicted` of which the gold annotation says nothing.

    example (Example): The reference and the predicted Doc.
    RETURNS (set[int]): Token indices.
    """
    out: set[int] = set()
    for start, end in missing_ranges(example.reference):
        span = _aligned(example, start, end)
        if span is not None:
            out.update(range(span.start, span.end))
    return out


def report_missing(examples: Iterable[Example]) -> None:
    """Warn, once and with counts, of Docs without entity annotation, or with only some.

    What is missing counts for nothing.
    """
    n = none = some = 0
    for example in examples:
        n += 1
        if not is_annotated(example.reference):
            none += 1
        elif missing_ranges(example.reference):
            some += 1
    if none or some:
        logger.warning(Warnings.W015.format(none=none, some=some, n=n))


def mention_lists(example: Example) -> dict[tuple[int, int, TypePath], MentionList]:
    """Answer and type list of every gold mention that brings its own list.

    `corpus_tools dynamic` writes such lists.

    example (Example): The reference and the predicted Doc.
    RETURNS (dict): By gold mention, as tokens.
    """
    group = example.reference.spans.get(GOLD_KEY)
    lists = group.attrs.get("type_lists") if group is not None else None
    if not lists:
        return {}

    out: dict[tuple[int, int, TypePath], MentionList] = {}
    spans, paths = gold_spans(example.reference)
    for span, path, names in zip(spans, paths, lists, strict=True):
        found = _aligned(example, span.start_char, span.end_char)
        if found is not None and span.label_ in names:
            mention = GoldMention(found.start, found.end, parse_path(path))
            out[mention] = MentionList(span.label_, list(names))
    return out


def report_gold(
    examples: Iterable[Example],
    *,
    marks: bool,
    taxonomy: Taxonomy | None = None,
) -> None:
    """Warn, once and with counts, of gold annotation that training can't use as it stands.

    examples (Iterable[Example]): The gold annotation.
    marks (bool): For the extractor. Of overlapping mentions only the longest can be
        marked.
    taxonomy (Taxonomy): For the classifier. Types that are not in it are reported.
    """
    examples = list(examples)
    report_missing(examples)

    misaligned: list[str] = []
    padded: list[str] = []
    nested: list[str] = []
    unknown: Counter[str] = Counter()
    for example in examples:
        misaligned += _misaligned(example)
        padded += _padded(example.reference)
        if marks:
            nested += _nested(example)
        if taxonomy is not None:
            unknown.update(unknown_types(example.reference, taxonomy))

    for names, message in (
        (misaligned, Warnings.W001),
        (padded, Warnings.W016),
        (nested, Warnings.W002),
    ):
        if names:
            logger.warning(message.format(n=len(names), first=names[0]))
    if unknown:
        counts = [f"{name} ({n})" for name, n in unknown.most_common(10)]
        n = sum(unknown.values())
        logger.warning(Warnings.W003.format(n=n, names=", ".join(counts)))


def _misaligned(example: Example) -> list[str]:
    """Gold mentions that do not begin and end at tokens of the predicted Doc."""
    text = example.reference.text
    out = []
    for start, end, _ in gold_chars(example.reference):
        if example.predicted.char_span(start, end) is None:
            out.append(text[start:end])
    return out


def _padded(doc: Doc) -> list[str]:
    """Entities with white space at their edges."""
    return [ent.text for ent in doc.ents if ent.text != ent.text.strip()]


def _nested(example: Example) -> list[str]:
    """Gold mentions that a marked copy can't hold."""
    flat = set(flat_gold(example))
    out = []
    for start, end, _ in gold_mentions(example):
        if (start, end) not in flat:
            out.append(example.predicted[start:end].text)
    return out


def unknown_types(doc: Doc, taxonomy: Taxonomy) -> list[str]:
    """Paths of gold mentions that the text's label set lacks, or the taxonomy.

    doc (Doc): The reference.
    taxonomy (Taxonomy): For texts without labels of their own.
    RETURNS (list[str]): One for each mention.
    """
    known = labels_of(doc) or taxonomy
    out = []
    for mention in gold_chars(doc):
        if known_path(known, mention.path) is None:
            out.append(format_path(mention.path))
    return out


def known_path(taxonomy: Taxonomy, path: TypePath) -> TypePath | None:
    """A gold path in this taxonomy, as it is spelled there, or None.

    A label set may name types without their ancestors: for 'organization > company'
    also 'company' will do.

    taxonomy (Taxonomy): The label set.
    path (TypePath): As the gold annotation spells it.
    """
    for level in range(len(path)):
        found = taxonomy.find(path[level:])
        if found is not None:
            return found
    try:
        return taxonomy.resolve(format_path(path))
    except CascadeError:
        return None


def known_mentions(example: Example, taxonomy: Taxonomy) -> list[GoldMention]:
    """The gold mentions whose types are known.

    Their paths are those of the text's own label set, or of this taxonomy if it brings
    none.

    example (Example): The reference and the predicted Doc.
    taxonomy (Taxonomy): For texts without labels of their own.
    """
    known = labels_of(example.reference) or taxonomy
    out = []
    for mention in gold_mentions(example):
        path = known_path(known, mention.path)
        if path:
            out.append(mention._replace(path=path))
    return out


def flat_gold(example: Example) -> list[tuple[int, int]]:
    """What one marked copy can hold: of overlapping mentions the longest.

    example (Example): The reference and the predicted Doc.
    RETURNS (list): (start, end) in tokens.
    """
    mentions = gold_mentions(example)
    spans = sorted({(mention.start, mention.end) for mention in mentions})
    return longest(spans)


def longest(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Of overlapping spans the longest, in text order.

    spans (Sequence): (start, end).
    RETURNS (list): Those that do not overlap.
    """
    kept = fuse((start, end, 1.0) for start, end in spans)
    return [spans[i] for i in kept]
