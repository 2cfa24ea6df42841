"""Stage 2 of the SWIFT files: questions about mentions to records, and back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from spacy_cascade.taxonomy import Taxonomy

from ..errors import CorpusError, Errors
from ..issues import DUPLICATE, NOT_WRITTEN, OFF_LIST, REJECTED, FileLog, Report
from ..label_paths import LabelPaths
from ..locate import ABSENT, assign, occurrences
from ..records import Mention, Record, Rejected
from .common import count_record, report_place
from .questions import LEVELS, Question, split_context

Asked = tuple[int, Question, str]


def group_questions(asked: Sequence[Asked], log: FileLog) -> Iterator[Record]:
    """Questions about one sentence, as records: more than one where the sentence stands
    in the corpus repeatedly, which shows in a mention asked about again after all its
    occurrences are used up.
    """
    rest = list(asked)
    while rest:
        chunk = rest[: _length(rest)]
        rest = rest[len(chunk) :]
        record = _record(chunk, log)
        if record is not None:
            yield count_record(record, log, chunk[0][0])


def _length(asked: Sequence[Asked]) -> int:
    """How many of the questions belong to one record."""
    text = split_context(asked[0][1])[0]
    seen: dict[tuple[str, str, str], int] = {}
    for i, (_, question, _) in enumerate(asked):
        if split_context(question)[0] != text or (
            question.style == "bare" and i and question.level in ("none", "first")
        ):
            return i
        key = (question.name, question.level, question.sentence)
        seen[key] = seen.get(key, 0) + 1
        if seen[key] > max(1, len(list(occurrences(text, question.name)))):
            return i
    return len(asked)


def _by_mention(asked: Sequence[Asked]) -> list[list[Asked]]:
    """Questions about one mention on several levels, together: a deeper level continues
    the first open one.
    """
    groups: list[list[Asked]] = []
    for item in asked:
        question = item[1]
        depth = LEVELS.index(question.level)
        before = next(
            (
                g
                for g in groups
                if g[-1][1].name == question.name
                and g[-1][1].sentence == question.sentence
                and 1 <= LEVELS.index(g[-1][1].level) == depth - 1
            ),
            None,
        )
        if before is None:
            groups.append([item])
        else:
            before.append(item)
    return groups


def _record(asked: Sequence[Asked], log: FileLog) -> Record | None:
    text = split_context(asked[0][1])[0]
    if not text.strip():
        log.add(asked[0][0], REJECTED, "the sentence of the question is empty")
        return None
    groups = _by_mention(asked)
    fixed = [split_context(group[0][1])[1] for group in groups]
    # A mention that is marked in its sentence has its place; the others are assigned.
    places = assign(
        text,
        [
            g[0][1].name if at is None else ""
            for g, at in zip(groups, fixed, strict=True)
        ],
    )
    entries: list[Mention | Rejected] = []
    for group, at, place in zip(groups, fixed, places, strict=True):
        index, question, _ = group[0]
        answer = group[-1][2]
        for number, one, said in group:
            if said.casefold() not in {t.casefold() for t in one.types} and not (
                one.unknown and said == "unknown"
            ):
                log.add(
                    number,
                    OFF_LIST,
                    f"the answer '{said}' is not in the list: {', '.join(one.types)}",
                    one.name,
                )
        if at is not None:
            entries.append(Mention(at, at + len(question.name), answer))
        elif isinstance(place, str):
            log.add(
                index, REJECTED if place == ABSENT else DUPLICATE, place, question.name
            )
            entries.append(Rejected(question.name, answer, place))
        else:
            report_place(place, question.name, text, log, index)
            entries.append(Mention(place.start, place.end, answer))
    lists = [list(group[-1][1].types) for group in groups]
    meta = {
        "index": asked[0][0],
        "id": None,
        "questions": [
            [_to_meta(q, answer) for _, q, answer in group] for group in groups
        ],
    }
    labels = lists[0] if all(one == lists[0] for one in lists) else None
    return Record.from_entries(
        text, entries, labels=labels, meta=meta, type_lists=lists
    )


def _to_meta(question: Question, answer: str) -> dict[str, Any]:
    return {
        "level": question.level,
        "types": list(question.types),
        "answer": answer,
        "style": question.style,
        "verb": question.verb,
        "unknown": question.unknown,
    }


def ask(
    record: Record,
    index: int,
    report: Report,
    *,
    level: str | None = None,
    types: Sequence[str] | LabelPaths | None = None,
    style: str = "released",
    unknown: bool = False,
) -> Iterator[tuple[Question, str]]:
    """The questions about a record and their answers; see `swift.write` for the options.

    RAISES CorpusError: T011 for a mention without a type list.
    """
    entries = record.entries()
    kept = record.meta.get("questions")
    if level is None and types is None and kept and len(kept) == len(entries):
        for entry, asked in zip(entries, kept, strict=True):
            for one in asked:
                context = _context(record, entry, one["style"])
                question = Question(
                    record.name(entry),
                    context,
                    tuple(one["types"]),
                    one["level"],
                    one["style"],
                    one["verb"],
                    one["unknown"],
                )
                yield question, one["answer"]
        return
    log = report.file(str(record.meta.get("source") or "records"))
    number = record.meta.get("index", index)
    level = level or "none"
    lists = record.entry_lists() or [[] for _ in entries]
    for entry, own in zip(entries, lists, strict=True):
        if isinstance(entry, Rejected):
            log.add(
                number,
                NOT_WRITTEN,
                "there is no question about a mention without a place",
                entry.name,
            )
            continue
        answer = entry.label
        if isinstance(types, LabelPaths):
            path, why = _path(types, entry.label, level)
            if path is None:
                log.add(number, NOT_WRITTEN, why, record.name(entry))
                continue
            answer, choices = path[-1], _choices(types.taxonomy, path, level)
        else:
            choices = list(types or own or record.labels or ())
        if not choices:
            raise CorpusError(
                Errors.T011.format(
                    level=level,
                    depth=max(1, LEVELS.index(level)),
                    record=number + 1,
                    path=log.name,
                )
            )
        yield (
            Question(
                record.name(entry),
                _context(record, entry, style),
                tuple(choices),
                level,
                style,
                unknown=unknown,
            ),
            answer,
        )


def _context(record: Record, entry: Mention | Rejected, style: str) -> str:
    if style == "paper" and isinstance(entry, Mention):
        return f"{record.text[: entry.start]}##{record.name(entry)}##{record.text[entry.end :]}"
    return "" if style == "bare" else record.text


def _path(
    paths: LabelPaths, label: str, level: str
) -> tuple[tuple[str, ...] | None, str]:
    try:
        path = paths(label)
    except ValueError as err:
        return None, str(err)
    depth = LEVELS.index(level)
    if depth > len(path):
        return (
            None,
            f"'{label}' has no {level} level in taxonomy '{paths.taxonomy.name}'",
        )
    return (path[:depth] if depth else path), ""


def _choices(taxonomy: Taxonomy, path: tuple[str, ...], level: str) -> list[str]:
    siblings = (
        taxonomy.children(path[:-1]) if level != "none" else taxonomy.paths(len(path))
    )
    return list(dict.fromkeys(p[-1] for p in siblings))
