"""Records as spaCy Docs, and back. A record is stored as follows:

* `doc.ents`: the mentions without overlaps (longest first), label = type.
* `doc.spans["gold"]`: all mentions, with `attrs["paths"]` (a path string for each) and,
  if mentions have type lists of their own, `attrs["type_lists"]`.
* `doc.user_data`: "cascade_record" (source, index, id, language, dataset),
  "cascade_labels" (label set of the record), "cascade_rejected" (entries without a
  place), "cascade_order" (source order), "cascade_offsets" (exact offsets of mentions
  that are not at token boundaries), "cascade_meta" (what other formats need for the way
  back, as JSON).

Where a record's annotation is missing (meta "missing", character ranges), the Doc's tokens have
none, which spaCy tells apart
from "no entity"; where it is missing altogether, there is no `doc.spans["gold"]` either.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Generator, Iterable
from contextlib import nullcontext
from functools import cache
from typing import Any, TypeVar

import numpy as np
import spacy
from spacy.attrs import IDX, LENGTH
from spacy.language import Language
from spacy.tokens import Doc, Span, SpanGroup

import spacy_cascade.doc.tokenizer  # noqa: F401  (registers the tokenizer)
from spacy_cascade.doc.missing import missing_ranges, trim
from spacy_cascade.taxonomy import Taxonomy, format_path

from ..errors import CorpusError, Errors
from ..issues import MISALIGNED, REJECTED, FileLog, Report
from ..label_paths import LabelPaths
from ..records import MISSING, Mention, Record, Rejected

T = TypeVar("T")
GOLD = "gold"
ALIGNMENTS = ("strict", "contract", "expand")
LEARNED = 50_000
ZONE = 2000
RECORD_KEYS = ("source", "index", "id", "language", "dataset")
TOKENIZER = {
    "nlp": {"tokenizer": {"@tokenizers": "spacy-cascade.MultilingualTokenizer.v1"}}
}


@cache
def blank_pipeline(lang: str = "xx") -> Language:
    """A pipeline with nothing but the multilingual tokenizer.

    RAISES CorpusError: T003 for a language that spaCy doesn't know.
    """
    try:
        return spacy.blank(lang, config=TOKENIZER)
    except ImportError as err:
        raise CorpusError(
            Errors.T003.format(
                option="--lang", value=lang, choices=f"spaCy's language codes ({err})"
            )
        ) from err


def in_zones(nlp: Language, items: Iterable[T]) -> Generator[T, None, None]:
    """Passes items on.

    A pipeline remembers every word that it ever saw; once these are `LEARNED`, it
    forgets those that came with every `ZONE` items, so that memory does not grow. A Doc
    must not be used after the next item was asked for, and the generator must be
    closed.
    """
    items = iter(items)
    n = ZONE
    while n == ZONE:
        n = 0
        with nlp.memory_zone() if len(nlp.vocab) > LEARNED else nullcontext():
            for item in itertools.islice(items, ZONE):
                n += 1
                yield item


class DocMaker:
    """Makes Docs of records.

    nlp (Language): Its tokenizer is used.
    taxonomy (Taxonomy): Resolves types to paths. Without it a type is its own path.
    alignment (str): What to do with mentions that are not at token boundaries: "strict"
        leaves them out of the spans, "contract" and "expand" move them. Either way the
        exact offsets are kept in "cascade_offsets".
    RAISES CorpusError: T003 for an unknown alignment.
    """

    def __init__(
        self,
        nlp: Language,
        *,
        taxonomy: Taxonomy | None = None,
        alignment: str = "expand",
    ):
        if alignment not in ALIGNMENTS:
            choices = ", ".join(ALIGNMENTS)
            raise CorpusError(
                Errors.T003.format(
                    option="--alignment", value=alignment, choices=choices
                )
            )
        self.nlp = nlp
        self._resolve = LabelPaths(taxonomy) if taxonomy is not None else None
        self.alignment = alignment
        self._paths: dict[str, tuple[str, str]] = {}

    def __call__(self, record: Record, report: Report | None = None) -> Doc:
        """Makes a Doc.

        Misaligned mentions and unknown types are reported under the record's source.

        RAISES CorpusError: T012 if the tokenizer does not keep the text.
        """
        log = (report or Report()).file(str(record.meta.get("source") or "records"))
        index = int(record.meta.get("index") or 0)
        doc = self.nlp.tokenizer(record.text)
        if doc.text != record.text:
            raise CorpusError(
                Errors.T012.format(
                    lang=self.nlp.lang, record=index + 1, path=log.name, found=doc.text
                )
            )
        spans: list[Span] = []
        kept: list[int] = []
        offsets: list[dict[str, Any]] = []
        lists = record.meta.get("type_lists") or []
        lists = lists if len(lists) == len(record.mentions) else []
        for i, mention in enumerate(record.mentions):
            span = doc.char_span(
                mention.start,
                mention.end,
                label=mention.label,
                alignment_mode=self.alignment,
            )
            if span is not None:
                spans.append(span)
                kept.append(i)
            if span is not None and (span.start_char, span.end_char) == (
                mention.start,
                mention.end,
            ):
                log.counts["aligned"] += 1
                continue
            entry: dict[str, Any] = {
                "start": mention.start,
                "end": mention.end,
                "label": mention.label,
            }
            entry["span"] = None if span is None else [span.start_char, span.end_char]
            if span is None and lists:
                entry["types"] = list(lists[i])
            offsets.append(entry)
            self._report_offset(record, mention, span, log, index)
        missing = [
            doc.char_span(start, end, alignment_mode="contract")
            for start, end in record.meta.get(MISSING) or ()
        ]
        flat = _flat(spans, [record.mentions[i] for i in kept])
        doc.set_ents(
            flat, missing=[span for span in missing if span is not None and len(span)]
        )
        paths = record.meta.get("paths") or []
        known = len(paths) == len(record.mentions)
        attrs: dict[str, Any] = {
            "paths": [
                str(paths[i]) if known else self._path(span, log, index)
                for i, span in zip(kept, spans, strict=True)
            ]
        }
        if lists:
            attrs["type_lists"] = [list(lists[i]) for i in kept]
        if doc.has_annotation("ENT_IOB"):
            doc.spans[GOLD] = SpanGroup(doc, name=GOLD, spans=spans, attrs=attrs)
        _store(doc, record, offsets)
        return doc

    def _report_offset(
        self,
        record: Record,
        mention: Mention,
        span: Span | None,
        log: FileLog,
        index: int,
    ) -> None:
        where = f"[{mention.start}, {mention.end}] is not at token boundaries"
        if span is None:
            reason = (
                f"{where}; left out (alignment {self.alignment}), kept in user_data"
            )
            log.add(index, REJECTED, reason, record.name(mention))
        else:
            log.add(
                index,
                MISALIGNED,
                f"{where}; annotated as '{span.text}'",
                record.name(mention),
            )

    def _path(self, span: Span, log: FileLog, index: int) -> str:
        label = span.label_
        if self._resolve is None:
            return label
        if label not in self._paths:
            try:
                self._paths[label] = format_path(self._resolve(label)), ""
            except ValueError as err:  # unknown or ambiguous
                self._paths[label] = label, str(err)
        path, problem = self._paths[label]
        if problem:
            log.unknown_type(index, label, problem, span.text)
        return path


def _flat(spans: Iterable[Span], mentions: Iterable[Mention]) -> list[Span]:
    """Longest first, by the original offsets, so that it agrees with `Record.flat`."""
    pairs = sorted(
        zip(spans, mentions, strict=True),
        key=lambda p: (p[1].start - p[1].end, p[1].start),
    )
    taken: set[int] = set()
    flat = []
    for span, _ in pairs:
        tokens = range(span.start, span.end)
        if taken.isdisjoint(tokens):
            taken.update(tokens)
            flat.append(span)
    return flat


def _store(doc: Doc, record: Record, offsets: list[dict[str, Any]]) -> None:
    meta = dict(record.meta)
    for key in ("type_lists", "order", MISSING):
        meta.pop(key, None)
    about = {key: meta.pop(key, None) for key in RECORD_KEYS}
    # msgpack has no integers of more than 64 bits.
    if isinstance(about["id"], int) and about["id"].bit_length() > 63:
        about["id"] = str(about["id"])
    doc.user_data["cascade_record"] = about
    if record.labels is not None:
        doc.user_data["cascade_labels"] = list(record.labels)
    if record.rejected:
        doc.user_data["cascade_rejected"] = [
            {
                "name": r.name,
                "type": r.type,
                "reason": r.reason,
                "pos": None if r.pos is None else list(r.pos),
            }
            for r in record.rejected
        ]
    if "order" in record.meta:
        doc.user_data["cascade_order"] = list(record.meta["order"])
    if offsets:
        doc.user_data["cascade_offsets"] = offsets
    if meta:
        doc.user_data["cascade_meta"] = json.dumps(meta, ensure_ascii=False)


def to_record(doc: Doc) -> Record:
    """The record of a Doc; exact, also where mentions are not at token boundaries.

    A Doc without gold spans gives its entities. White space at the edges of a mention
    is left out, unless the Doc was made of a record that had it there.
    """
    group = doc.spans.get(GOLD)
    spans = list(doc.ents) if group is None else list(group)
    lists = list(group.attrs.get("type_lists") or ()) if group is not None else []
    lists = lists if len(lists) == len(spans) else []
    data = doc.user_data
    made_here = "cascade_record" in data
    offsets = list(data.get("cascade_offsets") or ())
    found: list[tuple[Mention, list[str]]] = []
    for i, span in enumerate(spans):
        start, end = _take(offsets, span) or (span.start_char, span.end_char)
        if not made_here:
            start, end = trim(doc.text, start, end)
            if start == end:
                continue
        mention = Mention(start, end, span.label_)
        found.append((mention, list(lists[i]) if lists else []))
    for entry in offsets:
        if entry["span"] is None:
            found.append(
                (
                    Mention(entry["start"], entry["end"], entry["label"]),
                    list(entry.get("types") or ()),
                )
            )
    found.sort(key=lambda pair: (pair[0].start, -pair[0].end))
    meta: dict[str, Any] = {
        k: v for k, v in (data.get("cascade_record") or {}).items() if v is not None
    }
    meta.update(json.loads(data.get("cascade_meta") or "{}"))
    if data.get("cascade_order"):
        meta["order"] = list(data["cascade_order"])
    if lists:
        meta["type_lists"] = [one for _, one in found]
    missing = missing_ranges(doc)
    if missing:
        meta[MISSING] = list(map(list, missing))
    labels = data.get("cascade_labels")
    return Record(
        doc.text,
        tuple(m for m, _ in found),
        labels=None if labels is None else tuple(map(str, labels)),
        meta=meta,
        rejected=tuple(
            Rejected(
                r["name"],
                r["type"],
                r.get("reason", ""),
                tuple(r["pos"]) if r.get("pos") else None,
            )
            for r in data.get("cascade_rejected") or ()
        ),
        tokens=_token_offsets(doc),
    )


def _token_offsets(doc: Doc) -> np.ndarray:
    """Start and end characters of the tokens, shape (tokens, 2)."""
    offsets = doc.to_array([IDX, LENGTH]).astype(np.int64)
    offsets[:, 1] += offsets[:, 0]
    return offsets


def _take(offsets: list[dict[str, Any]], span: Span) -> tuple[int, int] | None:
    """Exact offsets of a span that was moved; each entry serves once."""
    bounds = (span.start_char, span.end_char)
    fitting = (
        e for e in offsets if e["span"] is not None and tuple(e["span"]) == bounds
    )
    entry = next((e for e in fitting if e["label"] == span.label_), None)
    if entry is None:
        return None
    offsets.remove(entry)
    return entry["start"], entry["end"]
