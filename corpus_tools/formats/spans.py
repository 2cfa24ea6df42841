"""Spans with offsets, as annotation tools write them: `[0, 4, "PER"]` or `{"start": 0, "end": 4,
"label": "PER"}`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..files import Item
from ..records import DUPLICATE, REJECTED, FileLog, Mention, Record, Rejected
from .common import count_record, show

_STARTS, _ENDS, _LABELS = ("start_offset", "start"), ("end_offset", "end"), ("label", "type")


def is_span(value: Any) -> bool:
    """Whether it has the layout of a span; its values may be wrong."""
    if isinstance(value, Mapping):
        return all(any(key in value for key in keys) for keys in (_STARTS, _ENDS))
    return isinstance(value, list) and len(value) == 3 and all(type(v) is int for v in value[:2])


def are_spans(value: Any) -> bool:
    """Whether it is a list of spans, which may be empty."""
    return isinstance(value, list) and all(map(is_span, value))


def to_record(
    item: Item, text: str, spans: Iterable[Any], log: FileLog, *, id: Any = None
) -> Record:
    """A record of a text and its spans. Offsets are characters, ends exclusive. What does not fit
    is in `rejected`."""
    entries: list[Mention | Rejected] = []
    for span in spans:
        entry = _entry(span, text)
        if isinstance(entry, Rejected):
            log.add(item.index, REJECTED, entry.reason, entry.name)
        elif entry in entries:
            name = text[entry.start : entry.end]
            log.add(item.index, DUPLICATE, "the same span stands in the record twice", name)
            continue
        entries.append(entry)
    meta = {"index": item.index, "id": id}
    return count_record(Record.from_entries(text, entries, meta=meta), log, item.index)


def _entry(span: Any, text: str) -> Mention | Rejected:
    if not is_span(span):
        return Rejected(
            show(span), "", f"a span must have a start, an end and a label, found {show(span)}"
        )
    start, end, label = _values(span)
    if not isinstance(label, str) or not label.strip():
        return Rejected(
            show(span), show(label), f"a label must be a non-empty string, found {show(label)}"
        )
    if type(start) is not int or type(end) is not int or not 0 <= start < end <= len(text):
        reason = (
            f"offsets {show([start, end])} are out of range in a text of {len(text)} characters"
        )
        return Rejected(show(span), label, reason)
    return Mention(start, end, label)


def _values(span: Any) -> tuple[Any, Any, Any]:
    if not isinstance(span, Mapping):
        return span[0], span[1], span[2]
    start, end, label = (
        next((span[k] for k in keys if k in span), None) for keys in (_STARTS, _ENDS, _LABELS)
    )
    return start, end, label
