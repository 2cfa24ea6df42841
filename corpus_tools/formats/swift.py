"""SWIFT conversations, the training files of CascadeNER.

Stage 1: the user gives a sentence, the assistant repeats it with `##` around the
    mentions (no types).
Stage 2: the user asks for the type of one mention, the assistant names it. Questions
    about one sentence that follow
each other make one record.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from spacy_cascade.taxonomy import Taxonomy

from ..errors import CorpusError, Errors
from ..files import Item, iter_json
from ..issues import DUPLICATE, NOT_WRITTEN, REJECTED, REPAIRED, FileLog, Report
from ..label_paths import LabelPaths
from ..locate import ABSENT, assign
from ..records import Mention, Record, Rejected
from .base import Format
from .classify import ask, group_questions
from .common import count_record, report_place, show, write_json_list
from .markers import mark, markable, marked_names, unmark
from .questions import LEVELS, Question, parse_question, split_context

EXPECTED = (
    'records like {"conversations": [{"from": "user", "value": "..."}, '
    '{"from": "assistant", "value": "##Lena## ..."}]}'
)
KEYS = ("conversations", "system")
LABEL = "mention"
_ALIKE = (
    0.5  # an answer without marks that is less like the sentence answers something else
)
USERS, ASSISTANTS = ("user", "human"), ("assistant", "gpt")


def fits(value: Any) -> bool:
    """Whether a record has this layout."""
    return isinstance(value, Mapping) and "conversations" in value


def read(
    path: Path,
    report: Report,
    *,
    source: str = "",
    label: str = LABEL,
    encoding: str | None = None,
) -> Iterator[Record]:
    """Reads a file of either stage; which one is seen at each conversation.

    label (str): Label of the mentions of stage 1, which has none.

    YIELDS (Record): Stage 2 has "questions" (for the way back) and "type_lists" in `meta`.
    RAISES CorpusFileNotFoundError: T001.
    """
    log = report.file(source or str(path))
    waiting: list[tuple[int, Question, str]] = []
    for item in iter_json(path, log, record_keys=frozenset(KEYS), encoding=encoding):
        for user, answer in _turns(item, log):
            question = parse_question(user)
            if question is not None and unmark(user, answer) is None:
                if (
                    waiting
                    and split_context(waiting[-1][1])[0] != split_context(question)[0]
                ):
                    yield from group_questions(waiting, log)
                    waiting = []
                waiting.append((item.index, question, answer))
                continue
            yield from group_questions(waiting, log)
            waiting = []
            record = _marked_record(item, user, answer, label, log)
            if record is not None:
                yield count_record(record, log, item.index)
    yield from group_questions(waiting, log)


def _turns(item: Item, log: FileLog) -> list[tuple[str, str]]:
    """The (user, assistant) pairs of a conversation; a system message is passed over."""
    turns = item.value.get("conversations") if isinstance(item.value, Mapping) else None
    if not isinstance(turns, list) or not turns:
        log.add(
            item.index,
            REJECTED,
            f"a record needs a list 'conversations', found {show(item.value)}",
        )
        return []
    said: list[tuple[str, str]] = []
    for turn in turns:
        who = turn.get("from") if isinstance(turn, Mapping) else None
        value = turn.get("value") if isinstance(turn, Mapping) else None
        if not isinstance(value, str) or who not in (*USERS, *ASSISTANTS, "system"):
            log.add(
                item.index,
                REJECTED,
                "a turn needs 'from' (user or assistant) and a string 'value', found"
                f" {show(turn)}",
            )
            return []
        if who != "system":
            said.append(("user" if who in USERS else "assistant", value))
    pairs = list(zip(said[::2], said[1::2], strict=False))
    if (
        len(said) % 2
        or not pairs
        or any((u[0], a[0]) != ("user", "assistant") for u, a in pairs)
    ):
        log.add(
            item.index,
            REJECTED,
            "turns of user and assistant must alternate, found:"
            f" {', '.join(w for w, _ in said)}",
        )
        return []
    return [(user, answer) for (_, user), (_, answer) in pairs]


def _marked_record(
    item: Item, text: str, answer: str, label: str, log: FileLog
) -> Record | None:
    if not text.strip():
        log.add(item.index, REJECTED, "the sentence is empty")
        return None
    meta = {"index": item.index, "id": None}
    spans = unmark(text, answer)
    if spans is not None:
        return Record.from_entries(
            text, [Mention(s, e, label) for s, e in spans], meta=meta
        )
    names = marked_names(answer)
    if (
        not names
        and SequenceMatcher(None, text, answer, autojunk=False).ratio() < _ALIKE
    ):
        reason = (
            f"the answer is neither the sentence with marks nor like it: {show(answer)}"
        )
        log.add(item.index, REJECTED, reason)
        return None
    log.add(
        item.index,
        REPAIRED,
        f"the answer is not the sentence with marks, its {len(names)} marked names are"
        f" searched: {show(answer)}",
    )
    entries: list[Mention | Rejected] = []
    for name, place in zip(names, assign(text, names), strict=True):
        if isinstance(place, str):
            log.add(item.index, REJECTED if place == ABSENT else DUPLICATE, place, name)
            entries.append(Rejected(name, label, place))
        else:
            report_place(place, name, text, log, item.index)
            entries.append(Mention(place.start, place.end, label))
    return Record.from_entries(text, entries, meta=meta)


def write(
    records: Iterable[Record],
    path: Path,
    report: Report | None = None,
    *,
    stage: int = 1,
    level: str | None = None,
    types: Sequence[str] | Taxonomy | None = None,
    style: str = "released",
    unknown: bool = False,
) -> None:
    """Writes conversations atomically.

    What a stage can't hold (overlaps in stage 1, rejected entries) is reported.

    stage (int): 1 for marked sentences, 2 for questions.
    level (str): Stage 2: "none", "first", "second" or "third". None: the questions as
        they were read, where the records come from such a file, else "none".
    types (Sequence[str] | Taxonomy): Stage 2: the type list; with a taxonomy the list
        of the level (below the right type of the level above). None: the mention's own
        list, else the record's label set.
    style (str): Stage 2: "released", "paper" or "bare", see `Question`.
    unknown (bool): Stage 2: offer the answer "unknown".
    RAISES CorpusError: T003 for a wrong option, T011 for a mention without a type list.
    """
    for option, value, choices in (
        ("stage", stage, (1, 2)),
        ("level", level or "none", LEVELS),
        ("style", style, ("released", "paper", "bare")),
    ):
        if value not in choices:
            raise CorpusError(
                Errors.T003.format(
                    option=option, value=value, choices=", ".join(map(str, choices))
                )
            )
    report = report or Report()
    if stage == 1:
        write_json_list(
            (_conversation(*_mark_record(r, i, report)) for i, r in enumerate(records)),
            path,
        )
        return
    lists = LabelPaths(types) if isinstance(types, Taxonomy) else types
    pairs = (
        (question.render(), answer)
        for i, record in enumerate(records)
        for question, answer in ask(
            record, i, report, level=level, types=lists, style=style, unknown=unknown
        )
    )
    write_json_list((_conversation(*pair) for pair in pairs), path)


def _conversation(user: str, answer: str) -> dict[str, Any]:
    return {
        "conversations": [
            {"from": "user", "value": user},
            {"from": "assistant", "value": answer},
        ]
    }


def _mark_record(record: Record, index: int, report: Report) -> tuple[str, str]:
    log = report.file(str(record.meta.get("source") or "records"))
    flat = [(m.start, m.end) for m in record.flat()]
    spans = markable(record.text, flat)
    index = record.meta.get("index", index)
    left_out = [(m.start, m.end) for m in record.mentions]
    for span in spans:
        left_out.remove(span)
    for span in left_out:
        reason = "stage 1 has no marks for overlapping mentions"
        if span in flat:
            reason = (
                "can't be marked, since the sentence itself holds parts of the marker"
                " beside it"
            )
        log.add(index, NOT_WRITTEN, reason, record.text[slice(*span)])
    return record.text, mark(record.text, spans)


FORMAT = Format(
    read, EXPECTED, fits=fits, keys=KEYS, write=write, suffix=".json", by_name=True
)
