"""Conversion of files and of whole directory trees."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from .errors import CorpusError, Errors
from .formats import (
    get_format,
    get_writer,
    read_records,
    refuse_empty,
    refuse_misread,
)
from .issues import KEPT, REJECTED, Report
from .jobs import Job, plan, refuse_jobs
from .records import Record

Progress = Callable[[Iterable[Record], str], Iterable[Record]]


def convert(
    source: Path,
    target: Path,
    *,
    from_format: str = "auto",
    to_format: str = "docbin",
    language: str | None = None,
    strict: bool = False,
    force: bool = False,
    encoding: str | None = None,
    limit: int | None = None,
    read_options: Mapping[str, Mapping[str, Any]] | None = None,
    write_options: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    keep_issues: int | None = KEPT,
) -> Report:
    """Converts a file or a directory tree.

    target (Path): For a single file: a directory, or a file if it has an ending. For a
        tree: a directory.
    language (str): Of all records. None: by the names of the folders.
    strict (bool): A file with a rejected mention or record is not written and stands in
        `report.failed`.
    force (bool): Convert also a file most of which is not understood, or that holds no record.
    encoding (str): Of text files. None: see `find_encoding`.
    limit (int): At most so many records per file.
    read_options (Mapping): Options of readers by format: {"bio": {"scheme": "iob1"}}.
    write_options (Mapping): Options of the writer.
    progress (Callable): Wraps the records of each file, for a progress bar.
    keep_issues (int): See `Report`.

    RETURNS (Report): In a tree, a file that can't be read at all stands in
        `report.failed` and the rest is converted.
    RAISES CorpusFileNotFoundError, CorpusError: As `plan`, T111 if an input would be overwritten,
        and for a single file what its reader and writer raise.
    """
    report = Report(keep_issues)
    formats = {"from_format": from_format, "to_format": to_format}
    jobs = plan(source, target, report, **formats, encoding=encoding)
    refuse_jobs(source, target, jobs)
    write = get_writer(to_format).write
    for job in jobs:
        report.groups[job.name] = job.group
        log = report.file(job.name)
        options = (read_options or {}).get(job.format, {})
        about = {**job.about, "language": language} if language else job.about
        records: Iterable[Record] = read_records(
            job.source,
            report,
            format=job.format,
            source=job.name,
            about=about,
            encoding=encoding,
            force=force,
            **options,
        )
        if limit is not None:
            records = itertools.islice(records, limit)
        if progress is not None:
            records = progress(records, job.name)
        if strict:
            records = _refuse(records, report, job)
        if not force:
            form = get_format(job.format)
            records = refuse_empty(records, log, form.expected)
            records = refuse_misread(records, log, form.expected, by_name=form.by_name)
        try:
            write(records, job.target, report, **(write_options or {}))
        except CorpusError as err:
            if err.code != "T006":
                if len(jobs) == 1:
                    raise
                report.file(job.name).add(-1, REJECTED, str(err))
            report.failed[job.name] = str(err)
        for name in (
            report.counts
        ):  # a DocBin's records may stand under the files they first came from
            report.groups.setdefault(name, job.group)
    return report


def _refuse(records: Iterable[Record], report: Report, job: Job) -> Iterator[Record]:
    """Passes records on; at the end, when the writer has reported its own too, fails if
    any was rejected.
    """
    before = report.rejected
    yield from records
    n = report.rejected - before
    if n:
        raise CorpusError(Errors.T006.format(n=n, path=job.name, target=job.target))
