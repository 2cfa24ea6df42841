"""doccano's JSON lines: `{"text": str, "label": [[start, end, type]]}`, or with relations
`{"text": str, "entities": [{"label", "start_offset", "end_offset"}], "relations": []}`. Only
    read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..files import iter_json
from ..issues import IGNORED, Report
from ..records import Record
from .base import Format
from .common import get_list, get_text
from .spans import are_spans, to_record

EXPECTED = (
    'records like {"text": "...", "label": [[0, 4, "PER"]]} or {"text": "...", "entities": '
    '[{"label": "PER", "start_offset": 0, "end_offset": 4}]}'
)
TEXTS = ("text", "data")
SPANS = ("entities", "label", "labels", "annotations")
KEYS = (*TEXTS, *SPANS, "id", "relations", "Comments", "comments", "meta")


def fits(value: Any) -> bool:
    """Whether a record has this layout."""
    return (
        isinstance(value, Mapping)
        and any(isinstance(value.get(key), str) for key in TEXTS)
        and any(are_spans(value.get(key)) for key in SPANS)
    )


def read(
    path: Path, report: Report, *, source: str = "", encoding: str | None = None
) -> Iterator[Record]:
    """Reads an export. Relations are left out and counted.

    YIELDS (Record): With "index" and "id" in `meta`. Spans that don't fit the text are in
        `rejected`.
    RAISES CorpusFileNotFoundError: T001. CorpusError: T008 and T084 for the encoding.
    """
    log = report.file(source or str(path))
    for item in iter_json(path, log, record_keys=frozenset(KEYS), encoding=encoding):
        value: Mapping[str, Any] = item.value if isinstance(item.value, Mapping) else {}
        text = get_text(
            item, next((key for key in TEXTS if key in value), TEXTS[0]), log
        )
        if text is None:
            continue
        spans = get_list(
            item, next((key for key in SPANS if key in value), SPANS[0]), log
        )
        if value.get("relations"):
            log.add(item.index, IGNORED, "relations are not read")
        yield to_record(item, text, spans, log, id=value.get("id"))


FORMAT = Format(read, EXPECTED, fits=fits, keys=KEYS)
