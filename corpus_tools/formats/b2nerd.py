"""B2NERD: a list of `{"sentence": str, "entities": [{"name", "type", "pos": [start,
end]}]}`, end exclusive.

The label set is that of `labels.json` beside the file; a record's own "labels" replaces it. Instead
of "pos", an entity may have "start" and "end" (or "start_offset" and "end_offset", "start_char" and
"end_char").
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import CorpusError, Errors
from ..files import Item, atomic_path, iter_json, read_json
from ..issues import DUPLICATE, REJECTED, REPAIRED, FileLog, Report
from ..locate import Nearest, Span, as_in_text, is_word, nfc, occurrences
from ..records import Mention, Record, Rejected
from .base import Format
from .common import count_record, extras, get_list, get_text, show, write_json_list

EXPECTED = (
    'records like {"sentence": "...", "entities": [{"name": "Lena", "type": "PER", "pos": [0,'
    " 4]}]}"
)
KEYS = ("sentence", "entities", "labels", "id")
LABELS_FILE = "labels.json"
POSITION_KEYS = (
    ("start", "end"),
    ("start_offset", "end_offset"),
    ("start_char", "end_char"),
)


def read_labels(path: Path) -> tuple[str, ...] | None:
    """The label names of a `labels.json`: the values of a mapping (raw label -> name)
    or a list. None without a file.

    RAISES CorpusError: T005 if it holds anything else.
    """
    if not path.is_file():
        return None
    data = read_json(path, "a label list")
    names = list(data.values()) if isinstance(data, Mapping) else data
    if not isinstance(names, list) or not all(
        isinstance(n, str) and n.strip() for n in names
    ):
        why = f"neither a list of names nor a mapping to names, found {show(data)}"
        raise CorpusError(Errors.T005.format(path=path, format="a label list", why=why))
    return tuple(dict.fromkeys(names))


def fits(value: Any) -> bool:
    """Whether a record has this layout."""
    return isinstance(value, Mapping) and "entities" in value and "sentence" in value


def read(
    path: Path, report: Report, *, source: str = "", encoding: str | None = None
) -> Iterator[Record]:
    """Reads a split: a JSON list or JSON lines.

    A position that is missing, out of range or elsewhere than its name is repaired by search: the
    nearest unused occurrence of the name as a word. Inside of words it is not looked for ("on" in
    "environment"): such mentions need a position.

    YIELDS (Record): With "index" and "id" in `meta`. What can't be located is in `rejected`.
    RAISES CorpusFileNotFoundError: T001. CorpusError: T005 for a damaged labels.json.
    """
    log = report.file(source or str(path))
    shared = read_labels(path.parent / LABELS_FILE)
    for item in iter_json(path, log, record_keys=frozenset(KEYS), encoding=encoding):
        text = get_text(item, "sentence", log)
        if text is not None:
            entries = _entries(item, text, log)
            meta = {
                "index": item.index,
                "id": item.value.get("id"),
                **extras(item.value, KEYS),
            }
            labels = _own_labels(item, log, shared)
            yield count_record(
                Record.from_entries(text, entries, labels=labels, meta=meta),
                log,
                item.index,
            )


def _own_labels(
    item: Item, log: FileLog, shared: tuple[str, ...] | None
) -> tuple[str, ...] | None:
    own = item.value.get("labels")
    if own is None:
        return shared
    if isinstance(own, list) and all(isinstance(n, str) and n.strip() for n in own):
        return tuple(own)
    log.add(
        item.index,
        REJECTED,
        "'labels' must be a list of names; that of the data set is used instead",
        show(own),
    )
    return shared


def _entries(item: Item, text: str, log: FileLog) -> list[Mention | Rejected]:
    """Entities with a right position first, since they say which occurrences are taken; then the
    longest names first."""
    entities = get_list(item, "entities", log)
    result: list[Mention | Rejected | None] = [None] * len(entities)
    used: set[Span] = set()
    seen: set[Mention] = set()
    open_places: list[int] = []
    for i, entity in enumerate(entities):
        why = _fault(entity)
        if why:
            result[i] = _reject(entity, why, log, item.index)
            continue
        pos = _position(entity)
        if pos is None or not _holds(text, pos, entity["name"]):
            open_places.append(i)
            continue
        mention = Mention(*pos, entity["type"])
        if mention in seen:
            why = "the same name, type and position stand in the record twice"
            result[i] = _reject(entity, why, log, item.index, kind=DUPLICATE)
            continue
        result[i] = mention
        seen.add(mention)
        used.add(pos)
    search = Nearest(text, used)
    open_places.sort(key=lambda i: -len(entities[i]["name"]))
    for i in open_places:
        result[i] = _repaired(entities[i], text, search, log, item.index)
    return [entry for entry in result if entry is not None]


def _repaired(
    entity: Mapping[str, Any], text: str, search: Nearest, log: FileLog, index: int
) -> Mention | Rejected:
    """An entity whose position does not hold its name, where the name is found."""
    name, pos = entity["name"], _position(entity)
    why = _position_fault(entity, pos, text)
    counted = _from_utf16(text, pos) if pos else None
    place: Span | None
    if counted and _holds(text, counted, name) and not search.is_used(counted):
        place = counted
        search.take(counted)
        why += " (counted in UTF-16 units)"
    else:
        start, _ = counted or pos or (0, 0)
        place = search(name, start)
    if place is None:
        why += f", and the name {_unfound(text, name)}"
        return _reject(entity, why, log, index)
    log.add(index, REPAIRED, f"{why}; found at {list(place)}", name)
    return Mention(*place, entity["type"])


def _unfound(text: str, name: str) -> str:
    """Why a name is not found."""
    name = as_in_text(text, name)
    if any(is_word(text, *p) for p in occurrences(text, name)):
        return "has no unused occurrence left"
    if name not in text:
        return "does not occur in the sentence"
    return "occurs only inside of other words: give its position"


def _fault(entity: Any) -> str:
    """What is wrong with the name or the type of an entity, '' if nothing is."""
    if not isinstance(entity, Mapping):
        return f"an entity must be a JSON object, found {show(entity)}"
    for key in ("name", "type"):
        value = entity.get(key)
        if not isinstance(value, str) or not value.strip():
            return f"'{key}' must be a non-empty string, found {show(value)}"
    return ""


def _position(entity: Mapping[str, Any]) -> Span | None:
    """From "pos", else from two keys of their own. None without two whole numbers."""
    pos = entity.get("pos")
    if pos is None:
        pairs = (pair for pair in POSITION_KEYS if entity.keys() >= set(pair))
        pos = next(([entity[start], entity[end]] for start, end in pairs), None)
    whole = isinstance(pos, list) and len(pos) == 2 and all(type(p) is int for p in pos)
    return (pos[0], pos[1]) if whole and pos else None


def _holds(text: str, pos: Span | None, name: str) -> bool:
    """Whether a position is that of the name, composed in whichever way."""
    if pos is None or not 0 <= pos[0] < pos[1] <= len(text):
        return False
    held = text[slice(*pos)]
    return held == name or nfc(held) == nfc(name)


def _from_utf16(text: str, pos: Span) -> Span | None:
    """A position that was counted as JavaScript and Java count, in which an emoji has two units.
    None if it cuts one."""
    offsets = [0, *itertools.accumulate(1 + (ch > "\uffff") for ch in text)]
    at = {units: i for i, units in enumerate(offsets)}
    start, end = at.get(pos[0]), at.get(pos[1])
    return None if start is None or end is None else (start, end)


def _position_fault(entity: Mapping[str, Any], pos: Span | None, text: str) -> str:
    """What is wrong with a position."""
    key = "'pos'"
    if entity.get("pos") is None:
        for start, end in POSITION_KEYS:
            if start in entity and end in entity:
                key = f"'{start}', '{end}'"
                break
    if pos is None:
        if key != "'pos'":
            return f"{key} must be two whole numbers"
        if "pos" in entity:
            return f"'pos' must be [start, end], found {show(entity['pos'])}"
        return "'pos' is missing"
    given = f"{key} {list(pos)}"
    if not 0 <= pos[0] < pos[1] <= len(text):
        return f"{given} is out of range in a sentence of {len(text)} characters"
    return f"{given} holds {show(text[slice(*pos)])}"


def _reject(
    entity: Any, why: str, log: FileLog, index: int, *, kind: str = REJECTED
) -> Rejected:
    """An entity that can't be used, reported."""
    fields = entity if isinstance(entity, Mapping) else {"name": entity}
    name, label = fields.get("name", ""), fields.get("type", "")
    name = name if isinstance(name, str) else show(name)
    label = label if isinstance(label, str) else show(label)
    log.add(index, kind, why, name)
    return Rejected(name, label, why, _position(fields))


def write(
    records: Iterable[Record],
    path: Path,
    report: Report | None = None,
    *,
    labels: Sequence[str] | None = None,
) -> None:
    """Writes a split atomically, one record per line.

    Rejected entries are written too, at their old place.

    labels (Sequence[str]): Label set of the data set, written to `labels.json`. Without
        it, an existing `labels.json` beside the file counts. A record whose labels
        differ from it gets a "labels" list of its own.
    RAISES CorpusError: T005 for a damaged labels.json.
    """
    if labels is not None:
        write_json_object({name: name for name in labels}, path.parent / LABELS_FILE)
    shared = read_labels(path.parent / LABELS_FILE)
    write_json_list((_to_json(record, shared) for record in records), path)


def write_json_object(data: Mapping[str, str], path: Path) -> None:
    """A small JSON object, written atomically."""
    with atomic_path(path) as temp:
        temp.write_text(json.dumps(data, ensure_ascii=False, indent=1), encoding="utf8")


def _to_json(record: Record, shared: tuple[str, ...] | None) -> dict[str, Any]:
    entities = []
    for entry in record.entries():
        if isinstance(entry, Mention):
            pos = [entry.start, entry.end]
            entities.append(
                {"name": record.name(entry), "type": entry.label, "pos": pos}
            )
        else:
            where = {"pos": list(entry.pos)} if entry.pos else {}
            entities.append({"name": entry.name, "type": entry.type, **where})
    value: dict[str, Any] = {"sentence": record.text, "entities": entities}
    if record.labels is not None and record.labels != shared:
        value["labels"] = list(record.labels)
    if record.meta.get("id") is not None:
        value["id"] = record.meta["id"]
    return {**value, **record.meta.get("extra", {})}


FORMAT = Format(
    read, EXPECTED, fits=fits, keys=KEYS, write=write, suffix=".json", by_name=True
)
