"""What the readers and writers share."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..files import Item, atomic_path
from ..issues import NESTED, REJECTED, REPAIRED, UNANNOTATED, FileLog
from ..locate import INSIDE, Place, is_word
from ..records import Record

SHOWN = 60


def show(value: Any) -> str:
    """A value for a message, shortened."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= SHOWN else text[:SHOWN] + "..."


def get_text(item: Item, key: str, log: FileLog) -> str | None:
    """The sentence of a record, or None with the reason reported."""
    if not isinstance(item.value, Mapping):
        reason = f"a record must be a JSON object, found {show(item.value)}"
    elif key not in item.value:
        reason = f"the key '{key}' is missing; found: {', '.join(map(str, item.value)) or 'none'}"
    elif not isinstance(item.value[key], str):
        reason = f"'{key}' must be a string, found {show(item.value[key])}"
    elif not item.value[key].strip():
        reason = f"'{key}' is empty"
    else:
        return item.value[key]
    log.add(item.index, REJECTED, reason)
    return None


def get_list(item: Item, key: str, log: FileLog) -> list[Any]:
    """A list of a record. A missing or wrong one is reported and read as empty."""
    value = item.value.get(key)
    if isinstance(value, list):
        return value
    reason = (
        f"'{key}' must be a list, found {show(value)}"
        if key in item.value
        else f"the key '{key}' is missing"
    )
    log.add(
        item.index,
        REJECTED,
        f"{reason}; read as a record without mentions",
        show(value),
    )
    return []


def extras(value: Mapping[str, Any], known: Iterable[str]) -> dict[str, Any]:
    """Keys that the format doesn't define, for `meta`; empty if there are none."""
    extra = {k: v for k, v in value.items() if k not in set(known)}
    return {"extra": extra} if extra else {}


def report_place(place: Place, name: str, text: str, log: FileLog, index: int) -> None:
    """Says so if a mention that was searched for was found inside a word only."""
    if not is_word(text, place.start, place.end):
        log.add(index, REPAIRED, INSIDE, name)


def count_record(record: Record, log: FileLog, index: int) -> Record:
    """Counts a record that was read and reports mentions that overlap longer ones.

    Returns the record.
    """
    log.counts["records"] += 1
    log.counts["mentions"] += len(record.mentions) + len(record.rejected)
    log.counts[UNANNOTATED] += not record.annotated
    flat = record.flat()
    if len(flat) < len(record.mentions):
        left = list(flat)
        for mention in record.mentions:
            if mention in left:
                left.remove(mention)
                continue
            cover = next(
                f for f in flat if f.start < mention.end and mention.start < f.end
            )
            inside = cover.start <= mention.start and mention.end <= cover.end
            log.add(
                index,
                NESTED,
                f"{'inside' if inside else 'overlaps'} '{record.name(cover)}'",
                record.name(mention),
            )
    return record


def write_json_list(values: Iterable[Any], path: Path) -> None:
    """A JSON list, one record per line, written atomically."""
    with (
        atomic_path(path) as temp,
        temp.open("w", encoding="utf8", newline="\n") as file,
    ):
        file.write("[")
        for i, value in enumerate(values):
            file.write(",\n" if i else "\n")
            file.write(json.dumps(value, ensure_ascii=False))
        file.write("\n]\n")
