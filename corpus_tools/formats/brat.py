"""BRAT's standoff: a text in `x.txt`, and in `x.ann` lines like `T1<tab>PER 0 4<tab>Lena`. Only
read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from ..errors import CorpusFileNotFoundError, Errors
from ..files import clean_item, open_text
from ..issues import DUPLICATE, IGNORED, REJECTED, REPAIRED, FileLog, Report
from ..locate import is_word, nfc
from ..records import Mention, Record, Rejected
from .base import Format
from .columns import iter_lines
from .common import count_record, show
from .spans import utf16_offsets

EXPECTED = (
    "lines like T1<tab>PER 0 4<tab>Lena in an .ann file, beside its text in a .txt file"
)
TEXT, ANNOTATION = ".txt", ".ann"
_LINE = re.compile(r"(T\d+)\t(\S.*?) (\d+ \d+(?:;\d+ \d+)*)(?:\t(.*))?")
_OTHER = re.compile(
    r"[REAMN*#]\S*\t"
)  # relations, events, attributes, normalizations, equivalences, notes

Spans = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class _Annotation:
    id: str
    label: str
    spans: Spans
    name: str | None


def is_annotated(path: Path) -> bool:
    """Whether a text has an annotation file beside it."""
    return path.suffix.lower() == TEXT and path.with_suffix(ANNOTATION).is_file()


def read(
    path: Path, report: Report, *, source: str = "", encoding: str | None = None
) -> Iterator[Record]:
    """Reads a document, given by either of its two files, as one record. Offsets are characters of
    the text; where they don't spell the mentions, they may count UTF-16 units, or Windows line ends
    as one.

    A mention in pieces is read as one if only white space is between them, and rejected if there is
    more. Relations, events, attributes and notes are left out and counted.

    YIELDS (Record): One, with "id" (the file's name) in `meta`.
    RAISES CorpusFileNotFoundError: T001, T088 if one of the files is missing. CorpusError: T008 and
        T084 for the encoding.
    """
    log = report.file(source or str(path))
    for suffix in (TEXT, ANNOTATION):
        if not path.with_suffix(suffix).is_file():
            found = path if path.is_file() else path.with_suffix(TEXT)
            raise CorpusFileNotFoundError(
                Errors.T088.format(path=found, beside=path.with_suffix(suffix).name)
            )
    with open_text(path.with_suffix(TEXT), encoding) as file:
        text = clean_item(file.read(), log, 0)
    annotations = list(_annotations(path.with_suffix(ANNOTATION), log, encoding))
    text, place = _offsets(text, annotations)
    entries: list[Mention | Rejected] = []
    for one in annotations:
        entry = _entry(one, text, place, log)
        if entry in entries:
            reason = f"{one.id}: the same mention stands in the file twice"
            log.add(0, DUPLICATE, reason, one.name or one.id)
            continue
        entries.append(entry)
    meta = {"index": 0, "id": path.stem}
    yield count_record(Record.from_entries(text, entries, meta=meta), log, 0)


def _annotations(
    path: Path, log: FileLog, encoding: str | None
) -> Iterator[_Annotation]:
    for number, line in iter_lines(path, encoding):
        match = _LINE.fullmatch(line)
        if match:
            spans = tuple(
                tuple(map(int, piece.split())) for piece in match[3].split(";")
            )
            yield _Annotation(match[1], match[2], spans, match[4])  # type: ignore[arg-type]
        elif _OTHER.match(line):
            log.add(
                0,
                IGNORED,
                f"line {number}: only text-bound annotations are read",
                show(line),
            )
        elif line.strip():
            log.add(0, REJECTED, f"line {number} is no annotation of BRAT", show(line))


def _offsets(
    text: str, annotations: Sequence[_Annotation]
) -> tuple[str, Callable[[int], int]]:
    """The text, and what turns offsets of the file into its own: the reading in which most mentions
    are spelled as they should be."""
    units = utf16_offsets(text) or {}
    readings: list[tuple[str, Callable[[int], int]]] = [
        (text, lambda at: at),
        (text.replace("\r\n", "\n"), lambda at: at),
    ]
    if units:
        readings.append((text, lambda at: units.get(at, -1)))
    return max(
        readings, key=lambda reading: sum(_fits(one, *reading) for one in annotations)
    )


def _spelled(one: _Annotation, text: str, place: Callable[[int], int]) -> bool:
    found = " ".join(text[place(start) : place(end)] for start, end in one.spans)
    return one.name is not None and nfc(found).split() == nfc(one.name).split()


def _fits(one: _Annotation, text: str, place: Callable[[int], int]) -> bool:
    """Whether a mention is spelled as it should be; without a name, whether it is made of words."""
    if one.name is not None:
        return _spelled(one, text, place)
    pieces = [(place(start), place(end)) for start, end in one.spans]
    return all(0 <= s < e <= len(text) and is_word(text, s, e) for s, e in pieces)


def _entry(
    one: _Annotation, text: str, place: Callable[[int], int], log: FileLog
) -> Mention | Rejected:
    name = one.name if one.name is not None else one.id
    spans = [(place(start), place(end)) for start, end in one.spans]
    start, end = spans[0][0], spans[-1][1]
    reason = ""
    if not all(0 <= s < e <= len(text) for s, e in spans):
        reason = (
            f"{one.id}: offsets are out of range in a text of {len(text)} characters"
        )
    elif any(text[a[1] : b[0]].strip() or b[0] < a[1] for a, b in pairwise(spans)):
        reason = (
            f"{one.id}: a mention in pieces with other words between them can't be held"
        )
    elif one.name is not None and not _spelled(one, text, place):
        reason = f"{one.id}: the offsets hold {show(text[start:end])}"
    if reason:
        log.add(0, REJECTED, reason, name)
        return Rejected(name, one.label, reason, (start, end))
    if len(spans) > 1:
        log.add(
            0,
            REPAIRED,
            f"{one.id}: its pieces have only white space between them; read as one",
            name,
        )
    return Mention(start, end, one.label)


FORMAT = Format(read, EXPECTED, (ANNOTATION,), beside=is_annotated)
