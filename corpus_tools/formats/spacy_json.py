"""Training data as spaCy's guides and annotators write it: `[text, {"entities": [[start, end,
type]]}]` in a list, alone or under "annotations", or in JSON lines; and what `Doc.to_json` gives,
`{"text": str, "ents": [{"start", "end", "label"}]}`. Only read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..files import Item, iter_json
from ..issues import IGNORED, REJECTED, FileLog, Report
from ..records import Record
from .base import Format
from .common import show
from .spans import are_spans, to_record

EXPECTED = (
    'records like ["...", {"entities": [[0, 4, "PER"]]}] or {"text": "...", "ents": '
    '[{"start": 0, "end": 4, "label": "PER"}]}'
)
KEYS = ("classes", "annotations", "text", "ents")


def fits(value: Any) -> bool:
    """Whether a record has this layout."""
    if isinstance(value, Mapping):
        pairs = value.get("annotations")
        return (isinstance(pairs, list) and any(map(_is_pair, pairs))) or _is_doc(value)
    return _is_pair(value)


def _is_doc(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and isinstance(value.get("text"), str)
        and are_spans(value.get("ents"))
    )


def _is_pair(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and isinstance(value[0], str)
        and isinstance(value[1], Mapping)
        and isinstance(value[1].get("entities"), list)
    )


def read(
    path: Path, report: Report, *, source: str = "", encoding: str | None = None
) -> Iterator[Record]:
    """Reads a list of pairs, or an object that holds one.

    YIELDS (Record): With "index" in `meta`. Spans that don't fit the text are in `rejected`.
    RAISES CorpusFileNotFoundError: T001. CorpusError: T008 and T084 for the encoding.
    """
    log = report.file(source or str(path))
    for item in _pairs(path, log, encoding):
        if _is_doc(item.value):
            yield from _records(item, log)
            continue
        if not _is_pair(item.value):
            log.add(
                item.index,
                REJECTED,
                "a record must be a text and an object with 'entities', or an object with 'text' "
                f"and 'ents', found {show(item.value)}",
            )
            continue
        text, annotation = item.value
        yield to_record(item, text, annotation["entities"], log)


def _records(item: Item, log: FileLog) -> Iterator[Record]:
    """The record of a Doc. Its groups of spans are left out; a Doc that has only these is
    rejected."""
    text, ents, groups = (item.value.get(key) for key in ("text", "ents", "spans"))
    if not isinstance(groups, Mapping) or not any(groups.values()):
        groups = {}
    if groups:
        kind = IGNORED if ents else REJECTED
        log.add(
            item.index,
            kind,
            f"only 'ents' are read, not the span groups: {', '.join(groups)}",
        )
    if ents or not groups:
        yield to_record(item, text, ents, log)


def _pairs(path: Path, log: FileLog, encoding: str | None) -> Iterator[Item]:
    index = 0
    for item in iter_json(path, log, record_keys=frozenset(KEYS), encoding=encoding):
        inner = (
            item.value.get("annotations") if isinstance(item.value, Mapping) else None
        )
        for value in inner if isinstance(inner, list) else [item.value]:
            if value is not None:  # the annotator writes null behind the last one
                yield Item(index, "", value)
                index += 1


FORMAT = Format(read, EXPECTED, fits=fits, keys=KEYS)
