"""Prodigy's JSON lines: `{"text": str, "spans": [{"start", "end", "label"}], "answer": "accept"}`.
Only read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..files import iter_json
from ..issues import IGNORED, REJECTED, Report
from ..records import Record
from .base import Format
from .common import get_list, get_text, show
from .spans import are_spans, to_record

EXPECTED = (
    'records like {"text": "...", "spans": [{"start": 0, "end": 4, "label": "PER"}], '
    '"answer": "accept"}'
)
ACCEPT = "accept"
KEYS = ("text", "spans", "answer", "meta", "tokens", "_input_hash", "_task_hash")


_OTHER_TASKS = ("label", "options")  # of a record without spans


def fits(value: Any) -> bool:
    """Whether a record has this layout."""
    if not isinstance(value, Mapping) or not isinstance(value.get("text"), str):
        return False
    if "spans" in value:
        return are_spans(value["spans"])
    return "answer" in value and "_input_hash" in value and not _other_task(value)


def _other_task(value: Mapping[str, Any]) -> bool:
    """Whether texts were annotated, not spans."""
    return "spans" not in value and any(key in value for key in _OTHER_TASKS)


def read(
    path: Path, report: Report, *, source: str = "", encoding: str | None = None
) -> Iterator[Record]:
    """Reads an export. Records that were rejected or ignored are left out and counted; accepted
    ones without spans have none.

    YIELDS (Record): With "index" in `meta`. Spans that don't fit the text are in `rejected`.
    RAISES CorpusFileNotFoundError: T001. CorpusError: T008 and T084 for the encoding.
    """
    log = report.file(source or str(path))
    for item in iter_json(path, log, record_keys=frozenset(KEYS), encoding=encoding):
        value: Mapping[str, Any] = item.value if isinstance(item.value, Mapping) else {}
        text = get_text(item, "text", log)
        if text is None:
            continue
        answer = value.get("answer", ACCEPT)
        if answer != ACCEPT:
            log.add(item.index, IGNORED, f"the record's answer is '{answer}'")
            continue
        if _other_task(value):
            reason = f"a record without 'spans', of another task: {show(value)}"
            log.add(item.index, REJECTED, reason)
            continue
        spans = (
            []
            if "spans" not in value and "answer" in value
            else get_list(item, "spans", log)
        )
        yield to_record(item, text, spans, log)


FORMAT = Format(read, EXPECTED, fits=fits, keys=KEYS)
