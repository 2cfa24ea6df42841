"""Spans with offsets, as annotation tools write them: `[0, 4, "PER"]` or `{"start": 0, "end": 4,
"label": "PER"}`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import accumulate
from typing import Any

from ..files import Item
from ..issues import DUPLICATE, REJECTED, REPAIRED, FileLog
from ..locate import is_word
from ..records import Mention, Record, Rejected
from .common import count_record, show

_STARTS, _ENDS, _LABELS = (
    ("start_offset", "start"),
    ("end_offset", "end"),
    ("label", "type"),
)


def is_span(value: Any) -> bool:
    """Whether it has the layout of a span; its values may be wrong."""
    if isinstance(value, Mapping):
        return all(any(key in value for key in keys) for keys in (_STARTS, _ENDS))
    return (
        isinstance(value, list)
        and len(value) == 3
        and all(type(v) is int for v in value[:2])
    )


def are_spans(value: Any) -> bool:
    """Whether it is a list of spans, which may be empty."""
    return isinstance(value, list) and all(map(is_span, value))


def to_record(
    item: Item, text: str, spans: Iterable[Any], log: FileLog, *, id: Any = None
) -> Record:
    """A record of a text and its spans. Offsets are characters, ends exclusive; or UTF-16 units, as
    JavaScript counts an emoji as two, if only these are at the edges of words, which is reported.
    What does not fit is in `rejected`."""
    spans = list(spans)
    read = [_entry(span, text) for span in spans]
    counted = utf16_offsets(text)
    if counted is not None and not all(_is_clean(entry, text) for entry in read):
        moved = [_moved(entry, text, counted) for entry in read]
        if all(_is_clean(entry, text) for entry in moved):
            log.add(item.index, REPAIRED, "offsets count UTF-16 units", show(spans))
            read = moved
    entries: list[Mention | Rejected] = []
    for entry in read:
        if isinstance(entry, Rejected):
            log.add(item.index, REJECTED, entry.reason, entry.name)
        elif entry in entries:
            name = text[entry.start : entry.end]
            log.add(
                item.index, DUPLICATE, "the same span stands in the record twice", name
            )
            continue
        entries.append(entry)
    meta = {"index": item.index, "id": id}
    return count_record(Record.from_entries(text, entries, meta=meta), log, item.index)


def utf16_offsets(text: str) -> dict[int, int] | None:
    """Offset in UTF-16 units -> offset in characters, without those that part a character. None if
    all are the same."""
    if text.isascii() or max(text) <= "\uffff":
        return None
    units = accumulate((1 + (char > "\uffff") for char in text), initial=0)
    return {unit: at for at, unit in enumerate(units)}


def _is_clean(entry: Mention | Rejected, text: str) -> bool:
    """Whether a mention begins and ends with characters of words, and parts none."""
    if isinstance(entry, Rejected):
        return False
    name = text[entry.start : entry.end]
    return name == name.strip() and is_word(text, entry.start, entry.end)


def _moved(
    entry: Mention | Rejected, text: str, counted: Mapping[int, int]
) -> Mention | Rejected:
    """An entry whose offsets count UTF-16 units."""
    pos = (entry.start, entry.end) if isinstance(entry, Mention) else entry.pos
    label = entry.label if isinstance(entry, Mention) else entry.type
    if (
        pos is None
        or pos[0] not in counted
        or pos[1] not in counted
        or pos[0] >= pos[1]
    ):
        return entry
    return Mention(counted[pos[0]], counted[pos[1]], label)


def _entry(span: Any, text: str) -> Mention | Rejected:
    if not is_span(span):
        return Rejected(
            show(span),
            "",
            f"a span must have a start, an end and a label, found {show(span)}",
        )
    start, end, label = _values(span)
    if not isinstance(label, str) or not label.strip():
        return Rejected(
            show(span),
            show(label),
            f"a label must be a non-empty string, found {show(label)}",
        )
    whole = type(start) is int and type(end) is int
    if whole and 0 <= start < end <= len(text):
        return Mention(start, end, label)
    size = f"a text of {len(text)} characters"
    reason = f"offsets {show([start, end])} are out of range in {size}"
    return Rejected(show(span), label, reason, (start, end) if whole else None)


def _values(span: Any) -> tuple[Any, Any, Any]:
    if not isinstance(span, Mapping):
        return span[0], span[1], span[2]
    start, end, label = (
        next((span[k] for k in keys if k in span), None)
        for keys in (_STARTS, _ENDS, _LABELS)
    )
    return start, end, label
