"""GEIC, the layout of DynamicNER: `{"sentence1": {"sentence": str, "entity": [str],
"category": [str]}, ...}`.

Mentions are strings without offsets. Each gets an occurrence of its own, longest first, from left
to right: a word, or, which is reported, a piece of one if there is no such word ("Berlin" in
"Berliner"). Where mentions have type lists of their own, a key `"types": [[str]]` holds them,
parallel to the mentions.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any

from ..files import Item, atomic_path, iter_json
from ..issues import DUPLICATE, REJECTED, FileLog, Report
from ..locate import ABSENT, assign
from ..records import Mention, Record, Rejected
from .base import Format
from .common import count_record, extras, get_list, get_text, report_place, show

EXPECTED = 'records like "sentence1": {"sentence": "...", "entity": ["Lena"], "category": ["PER"]}'
KEYS = ("sentence", "entity", "category")
TYPES = "types"
_MISSING = object()


def fits(value: Any) -> bool:
    """Whether a record has this layout."""
    return isinstance(value, Mapping) and "entity" in value


def read(
    path: Path, report: Report, *, source: str = "", encoding: str | None = None
) -> Iterator[Record]:
    """Reads an object of records, a list of records or JSON lines.

    YIELDS (Record): With "id" (the key, "sentence1") and "index" in `meta`. What can't
        be located is in `rejected`.
    RAISES CorpusFileNotFoundError: T001.
    """
    log = report.file(source or str(path))
    for item in iter_json(path, log, record_keys=frozenset(KEYS), encoding=encoding):
        text = get_text(item, "sentence", log)
        if text is not None:
            entries = _entries(item, text, log)
            lists = _type_lists(item.value.get(TYPES), len(entries))
            meta = {"index": item.index, "id": item.key or None}
            meta |= extras(item.value, KEYS if lists is None else (*KEYS, TYPES))
            yield count_record(
                Record.from_entries(text, entries, meta=meta, type_lists=lists),
                log,
                item.index,
            )


def _type_lists(value: Any, entries: int) -> list[list[str]] | None:
    """Anything else under that key is no part of the layout."""
    if not isinstance(value, list) or len(value) != entries or not entries:
        return None
    fits = all(
        isinstance(one, list) and all(isinstance(name, str) for name in one)
        for one in value
    )
    return value if fits else None


def _entries(item: Item, text: str, log: FileLog) -> list[Mention | Rejected]:
    names, types = get_list(item, "entity", log), get_list(item, "category", log)
    pairs: list[tuple[Any, Any]] = list(zip_longest(names, types, fillvalue=_MISSING))
    wrong = [_fault(name, label) for name, label in pairs]
    places = assign(
        text, ["" if why else name for (name, _), why in zip(pairs, wrong, strict=True)]
    )
    entries: list[Mention | Rejected] = []
    for (name, label), why, place in zip(pairs, wrong, places, strict=True):
        if not why and not isinstance(place, str):
            report_place(place, name, text, log, item.index)
            entries.append(Mention(place.start, place.end, label))
            continue
        entry = Rejected(_string(name), _string(label), why or str(place))
        kind = REJECTED if why or place == ABSENT else DUPLICATE
        log.add(item.index, kind, entry.reason, entry.name)
        entries.append(entry)
    return entries


def _fault(name: Any, label: Any) -> str:
    if name is _MISSING:
        return "'category' is longer than 'entity': no mention for this type"
    if label is _MISSING:
        return "'entity' is longer than 'category': no type for this mention"
    if not isinstance(name, str) or not name.strip():
        return f"a mention must be a non-empty string, found {show(name)}"
    if not isinstance(label, str) or not label.strip():
        return f"a type must be a non-empty string, found {show(label)}"
    return ""


def _string(value: Any) -> str:
    if value is _MISSING:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def write(records: Iterable[Record], path: Path, report: Report | None = None) -> None:
    """Writes an object of records, indented like the published files, atomically.

    Rejected entries are written too, at their old place. A record without an id, or
    with one that was written before, is named by its number.
    """
    used: set[str] = set()
    with (
        atomic_path(path) as temp,
        temp.open("w", encoding="utf8", newline="\n") as file,
    ):
        file.write("{")
        for number, record in enumerate(records, 1):
            key = str(record.meta.get("id") or "")
            while not key or key in used:
                key = (
                    f"sentence{number}"
                    if f"sentence{number}" not in used
                    else f"sentence{number}_{len(used)}"
                )
            used.add(key)
            entries, lists = record.entries(), record.entry_lists()
            value: dict[str, Any] = {
                "sentence": record.text,
                "entity": [record.name(e) for e in entries],
                "category": [
                    e.label if isinstance(e, Mention) else e.type for e in entries
                ],
                **({} if lists is None else {TYPES: lists}),
                **record.meta.get("extra", {}),
            }
            body = json.dumps({key: value}, ensure_ascii=False, indent=4)
            file.write("," if number > 1 else "")
            file.write("\n" + body.removeprefix("{\n").removesuffix("\n}"))
        file.write("\n}")


FORMAT = Format(
    read, EXPECTED, fits=fits, keys=KEYS, write=write, suffix=".json", by_name=True
)
