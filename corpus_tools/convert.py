"""Conversion of files and of whole directory trees."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import CorpusError, CorpusFileNotFoundError, Errors
from .formats import (
    FORMATS,
    JSON_SUFFIXES,
    SUFFIXES,
    TEXT_SUFFIXES,
    brat,
    detect,
    get_format,
    get_writer,
    huggingface,
    read_records,
    refuse_empty,
    refuse_misread,
)
from .overlap import refuse_jobs
from .records import KEPT, REJECTED, SKIPPED, Record, Report

Progress = Callable[[Iterable[Record], str], Iterable[Record]]
SEEN = 5  # files that a message names
_LANGUAGE = re.compile(r"(?:NER_([a-z]{2,3})|([a-z]{2}))")


@dataclass(frozen=True)
class Job:
    """One file to convert. name: as it stands in reports; group: its row in tables."""

    source: Path
    target: Path
    format: str
    name: str
    group: str
    about: Mapping[str, Any]


def language_of(folder: str) -> str:
    """'en' and 'NER_en' -> 'en'; '' if the folder's name is no language."""
    match = _LANGUAGE.fullmatch(folder)
    return (match[1] or match[2]) if match else ""


def about_file(path: Path, format: str) -> dict[str, str]:
    """Language and data set by the layouts `<lang>/<dataset>/<split>` and
    `<dataset>/<lang>/<split>`.
    """
    parent, above = path.resolve().parent.name, path.resolve().parent.parent.name
    if format == "b2nerd":
        about = {"language": language_of(above), "dataset": parent}
    elif language_of(parent):
        about = {"language": language_of(parent), "dataset": above}
    else:
        about = {"language": "", "dataset": parent}
    return {k: v for k, v in about.items() if v}


def plan(
    source: Path,
    target: Path,
    report: Report,
    *,
    from_format: str = "auto",
    to_format: str = "docbin",
    encoding: str | None = None,
) -> list[Job]:
    """The files to convert.

    A tree is mirrored below `target` (`NER_en` becomes `en`); its files of no known
    format are listed in the report.

    encoding (str): Of text files. None: see `find_encoding`.
    RAISES CorpusFileNotFoundError: T001. CorpusError: T002 and T003 for formats, T007
        for a tree without usable files, T010 if two files have one target, T084 and
        T008 for the encoding of a single file.
    """
    suffix = get_writer(to_format).suffix
    files = find_files(source, report, from_format=from_format, encoding=encoding)
    if source.is_file():
        ((path, format, name),) = files
        is_file = bool(target.suffix) and not target.is_dir()
        into = target if is_file else target / f"{source.stem}{suffix}"
        return [Job(path, into, format, name, name, about_file(path, format))]
    jobs: dict[Path, Job] = {}
    for path, format, name in files:
        inner = path.relative_to(source)
        folders = [language_of(p) or p for p in inner.parent.parts]
        into = target.joinpath(*folders, f"{path.stem}{suffix}")
        if into in jobs:
            raise CorpusError(
                Errors.T010.format(a=jobs[into].source, b=path, target=into)
            )
        about = about_file(path, format)
        jobs[into] = Job(path, into, format, name, about.get("language") or name, about)
    return list(jobs.values())


def find_files(
    source: Path,
    report: Report,
    *,
    from_format: str = "auto",
    encoding: str | None = None,
) -> list[tuple[Path, str, str]]:
    """The corpus files of a file or directory tree: path, format and the name that they
    bear in reports. Files of a tree that are of no known format are listed in the
    report.

    encoding (str): Of text files. None: see `find_encoding`.
    RAISES CorpusFileNotFoundError: T001. CorpusError: T002 and T003 for formats, T007 for a tree
        without usable files, T084 and T008 for the encoding of a single file.
    """
    if from_format != "auto":
        get_format(from_format)
    if source.is_file():
        format = detect(source, encoding) if from_format == "auto" else from_format
        return [(source, format, str(source))]
    if not source.is_dir():
        raise CorpusFileNotFoundError(Errors.T001.format(path=source, cwd=Path.cwd()))
    found = _files(source, report, from_format, encoding)
    files = [(path, format, str(path.relative_to(source))) for path, format in found]
    if not files:
        endings = " ".join([*JSON_SUFFIXES, *SUFFIXES, *TEXT_SUFFIXES])
        seen = "".join(
            f" {issue.file}: {issue.reason}" for issue in report.of_kind(SKIPPED)[:SEEN]
        )
        message = Errors.T007.format(
            path=source, formats=", ".join(FORMATS), endings=endings
        )
        raise CorpusError(message + seen)
    return files


def _files(
    root: Path, report: Report, from_format: str, encoding: str | None
) -> Iterator[tuple[Path, str]]:
    for path in sorted(root.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
        if not path.is_file() or hidden or _is_beside(path):
            continue
        log = report.file(str(path.relative_to(root)))
        known = path.suffix.lower() in (*JSON_SUFFIXES, *SUFFIXES, *TEXT_SUFFIXES)
        if from_format != "auto" and not known:
            log.add(-1, SKIPPED, f"unknown ending '{path.suffix}'")
            continue
        try:
            yield path, detect(path, encoding) if from_format == "auto" else from_format
        except CorpusError as err:
            log.add(-1, SKIPPED, str(err))


def _is_beside(path: Path) -> bool:
    """Label lists, descriptions and README.txt lie beside the data, and BRAT's texts beside their
    annotation."""
    labels = path.name.startswith("labels") and path.suffix.lower() in JSON_SUFFIXES
    known = path.name == huggingface.INFO or path.stem.upper() in ("README", "LICENSE")
    return labels or known or brat.is_annotated(path)


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
