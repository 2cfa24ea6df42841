"""The files that a tool reads, and the files that it writes for them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from spacy_cascade.files import find_overlap

from .errors import CorpusError, CorpusFileNotFoundError, Errors
from .formats import (
    FORMATS,
    JSON_SUFFIXES,
    detect,
    get_format,
    get_writer,
    is_beside,
    known_endings,
)
from .issues import SKIPPED, Report

SEEN = 5  # files that a message names
_LANGUAGE = re.compile(r"(?:NER_([a-z]{2,3})|([a-z]{2}))")


@dataclass(frozen=True)
class Job:
    """One file to convert.

    name (str): As it stands in reports. group (str): Its row in tables.
    about (Mapping): "language" and "dataset" of its records, where the folders tell them.
    """

    source: Path
    target: Path
    format: str
    name: str
    group: str
    about: Mapping[str, str]


def language_of(folder: str) -> str:
    """'en' and 'NER_en' -> 'en'; '' if the folder's name is no language."""
    match = _LANGUAGE.fullmatch(folder)
    return (match[1] or match[2]) if match else ""


def about_file(path: Path, format: str) -> dict[str, str]:
    """Language and data set by the layouts `<lang>/<dataset>/<split>` and
    `<dataset>/<lang>/<split>`.
    """
    folder = path.resolve().parent
    parent, above = folder.name, folder.parent.name
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
            other = jobs[into].source
            raise CorpusError(Errors.T010.format(a=other, b=path, target=into))
        about = about_file(path, format)
        group = about.get("language") or name
        jobs[into] = Job(path, into, format, name, group, about)
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
        formats = ", ".join(FORMATS)
        endings = " ".join(known_endings())
        message = Errors.T007.format(path=source, formats=formats, endings=endings)
        skipped = report.of_kind(SKIPPED)[:SEEN]
        seen = "".join(f" {issue.file}: {issue.reason}" for issue in skipped)
        raise CorpusError(message + seen)
    return files


def _files(
    root: Path, report: Report, from_format: str, encoding: str | None
) -> Iterator[tuple[Path, str]]:
    endings = known_endings()
    for path in sorted(root.rglob("*")):
        inner = path.relative_to(root)
        hidden = any(part.startswith(".") for part in inner.parts)
        if not path.is_file() or hidden or _is_beside(path):
            continue
        log = report.file(str(inner))
        if from_format != "auto":
            if path.suffix.lower() in endings:
                yield path, from_format
            else:
                log.add(-1, SKIPPED, f"unknown ending '{path.suffix}'")
            continue
        try:
            yield path, detect(path, encoding)
        except CorpusError as err:
            log.add(-1, SKIPPED, str(err))


def _is_beside(path: Path) -> bool:
    """Label lists and README.txt lie beside the data, and what single formats have there."""
    labels = path.name.startswith("labels") and path.suffix.lower() in JSON_SUFFIXES
    prose = path.stem.upper() in ("README", "LICENSE")
    return labels or prose or is_beside(path)


def refuse_overlap(sources: Iterable[Path], targets: Iterable[Path]) -> None:
    """RAISES CorpusError: T111 if an output is an input, lies in one or holds one."""
    found = find_overlap(sources, targets)
    if found:
        raise CorpusError(Errors.T111.format(source=found.source, target=found.target))


def refuse_jobs(
    source: Path, target: Path, jobs: Iterable[Job], others: Iterable[Path] = ()
) -> None:
    """The same for a file or tree that is read job by job.

    others (Iterable[Path]): More inputs.
    RAISES CorpusError: T111.
    """
    jobs = list(jobs)
    read = [source, *others, *(job.source for job in jobs)]
    written = [target, *(job.target for job in jobs)]
    refuse_overlap(read, written)
