"""Reading gold annotation from Examples: all mentions with their paths, aligned to the
predicted Doc's tokens.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from ..errors import CascadeError, Warnings
from ..taxonomy import Taxonomy, TypePath, format_path, parse_path
from .annotations import LABELS_KEY, fuse, labels_of
from .missing import GOLD_KEY, is_annotated, missing_ranges, trim

logger = logging.getLogger("spacy_cascade")

# (start token, end token, label path)
GoldMention = tuple[int, int, TypePath]


def label_set(nlp: Language) -> Taxonomy | None:
    """The labels that a pipeline's entities have: those of its last component that has any."""
    taxonomies = [getattr(pipe, "taxonomy", None) for _, pipe in nlp.components]
    return next((t for t in reversed(taxonomies) if isinstance(t, Taxonomy)), None)


def unannotated(nlp: Language, gold: Doc) -> Doc:
    """The text of a gold Doc, to run a pipeline on, with the label set that it brings."""
    doc = nlp.make_doc(gold.text)
    if LABELS_KEY in gold.user_data:
        doc.user_data[LABELS_KEY] = gold.user_data[LABELS_KEY]
    return doc


def gold_chars(doc: Doc) -> list[tuple[int, int, TypePath]]:
    """All gold mentions of a reference Doc as character spans: `doc.spans["gold"]` with
    its paths if it is there (nested ones included), else `doc.ents` with their labels
    as one-step paths. White space at their edges is left out.
    """
    group = doc.spans.get(GOLD_KEY)
    spans = list(doc.ents if group is None else group)
    paths = (group.attrs.get("paths") if group is not None else None) or [
        s.label_ for s in spans
    ]
    text = doc.text
    found = [
        (*trim(text, s.start_char, s.end_char), parse_path(p))
        for s, p in zip(spans, paths, strict=True)
    ]
    return [(start, end, path) for start, end, path in found if start < end]


def gold_mentions(example: Example) -> list[GoldMention]:
    """Gold mentions as tokens of `example.predicted`; one that does not align is
    widened to whole tokens.
    """
    out = []
    for start, end, path in gold_chars(example.reference):
        span = example.predicted.char_span(start, end, alignment_mode="expand")
        if span is not None and len(span):
            out.append((span.start, span.end, path))
    return out


def missing_tokens(example: Example) -> set[int]:
    """Tokens of `example.predicted` of which the gold annotation says nothing."""
    out: set[int] = set()
    for start, end in missing_ranges(example.reference):
        span = example.predicted.char_span(start, end, alignment_mode="expand")
        if span is not None:
            out.update(range(span.start, span.end))
    return out


def report_missing(examples: Iterable[Example]) -> None:
    """Warn, once and with counts, of Docs that have no entity annotation or only some: what is
    missing counts for nothing."""
    n = none = some = 0
    for example in examples:
        n += 1
        if not is_annotated(example.reference):
            none += 1
        elif missing_ranges(example.reference):
            some += 1
    if none or some:
        logger.warning(Warnings.W015.format(none=none, some=some, n=n))


def mention_lists(example: Example) -> dict[GoldMention, tuple[str, list[str]]]:
    """Answer and type list of every gold mention that brings its own list, as
    `corpus_tools dynamic` writes them.
    """
    group = example.reference.spans.get(GOLD_KEY)
    lists = group.attrs.get("type_lists") if group is not None else None
    if group is None or not lists:
        return {}
    out = {}
    for span, path, types in zip(
        group, group.attrs.get("paths") or [s.label_ for s in group], lists, strict=True
    ):
        found = example.predicted.char_span(
            span.start_char, span.end_char, alignment_mode="expand"
        )
        if found is not None and len(found) and span.label_ in types:
            out[found.start, found.end, parse_path(path)] = (span.label_, list(types))
    return out


def report_gold(
    examples: Iterable[Example], *, marks: bool, taxonomy: Taxonomy | None = None
) -> None:
    """Warn, once and with counts, of gold annotation that training can't use as it stands.

    marks (bool): For the extractor: of overlapping mentions only the longest can be marked.
    taxonomy (Taxonomy): For the classifier: types that are not in it.
    """
    misaligned, nested, padded, unknown = [], [], [], Counter[str]()
    examples = list(examples)
    report_missing(examples)
    for example in examples:
        text = example.reference.text
        padded += [e.text for e in example.reference.ents if e.text != e.text.strip()]
        for start, end, path in gold_chars(example.reference):
            if example.predicted.char_span(start, end) is None:
                misaligned.append(text[start:end])
            if (
                taxonomy is not None
                and known_path(labels_of(example.reference) or taxonomy, path) is None
            ):
                unknown[format_path(path)] += 1
        flat = set(flat_gold(example)) if marks else set()
        nested += [
            example.predicted[s:e].text
            for s, e, _ in gold_mentions(example)
            if marks and (s, e) not in flat
        ]
    if misaligned:
        logger.warning(Warnings.W001.format(n=len(misaligned), first=misaligned[0]))
    if padded:
        logger.warning(Warnings.W016.format(n=len(padded), first=padded[0]))
    if nested:
        logger.warning(Warnings.W002.format(n=len(nested), first=nested[0]))
    if unknown:
        names = ", ".join(f"{k} ({n})" for k, n in unknown.most_common(10))
        logger.warning(Warnings.W003.format(n=sum(unknown.values()), names=names))


def known_path(taxonomy: Taxonomy, path: TypePath) -> TypePath | None:
    """The path in this taxonomy, as it is spelled there, of a gold path, or None.

    A label set may name types without their ancestors: for 'organization > company'
    also 'company' will do.
    """
    for k in range(len(path)):
        found = taxonomy.find(path[k:])
        if found is not None:
            return found
    try:
        return taxonomy.resolve(format_path(path))
    except CascadeError:
        return None


def known_mentions(example: Example, taxonomy: Taxonomy) -> list[GoldMention]:
    """The gold mentions whose types are known, with their paths in the text's own label
    set, or in this taxonomy if it brings none.
    """
    known = labels_of(example.reference) or taxonomy
    found = [
        (start, end, known_path(known, path))
        for start, end, path in gold_mentions(example)
    ]
    return [(start, end, path) for start, end, path in found if path]


def flat_gold(example: Example) -> list[tuple[int, int]]:
    """What one marked copy can hold: of overlapping mentions the longest."""
    spans = sorted({(s, e) for s, e, _ in gold_mentions(example)})
    return [spans[i] for i in fuse((s, e, 1.0) for s, e in spans)]
