"""Refuses files that were read with the wrong expectations: most of what they hold was rejected, or
nothing was found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from ..errors import CorpusError, Errors
from ..issues import IGNORED, REJECTED, REJECTED_RECORDS, FileLog
from ..records import Record

RECORDS, MENTIONS = "records", "mentions"


def refuse_misread(
    records: Iterable[Record], log: FileLog, expected: str, *, by_name: bool = False
) -> Iterator[Record]:
    """Passes the records of a file on, and raises at the end if most were rejected, or most
    mentions.

    expected (str): What a file of the format holds.
    by_name (bool): Mentions are looked up by their names: some that are not found are no sign of
        another layout, only if none is.
    RAISES CorpusError: T087.
    """
    before = Counter(log.counts)
    yield from records
    now = log.counts - before
    lost = now[REJECTED_RECORDS]
    for n, total, what in (
        (lost, lost + now[RECORDS], "records or lines"),
        (now[REJECTED], max(now[MENTIONS], now[REJECTED]), MENTIONS),
    ):
        needed = total if by_name and what == MENTIONS else total // 2 + 1
        if total and n >= needed:
            reason = next(
                (i.reason for i in log.report.of_kind(REJECTED) if i.file == log.name),
                "",
            )
            raise CorpusError(
                Errors.T087.format(
                    n=n,
                    total=total,
                    what=what,
                    path=log.name,
                    expected=expected,
                    reason=reason,
                )
            )


def refuse_empty(
    records: Iterable[Record], log: FileLog, expected: str
) -> Iterator[Record]:
    """Passes the records of a file on, and raises at the end if there was none.

    expected (str): What a file of the format holds.
    RAISES CorpusError: T086.
    """
    record = None
    for record in records:
        yield record
    if record is None:
        issues = log.report.of_kind(REJECTED, IGNORED)
        found = next((i.reason for i in issues if i.file == log.name), "no record")
        raise CorpusError(
            Errors.T086.format(
                path=log.name, what="record", expected=expected, found=found
            )
        )
