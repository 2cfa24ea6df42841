"""Data sets as units of work, for the tools that choose records: which there are, and
which types stand in which records.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from .errors import CorpusError, Errors
from .formats import read_records
from .issues import Report
from .jobs import Job, language_of, plan
from .records import Record

Progress = Callable[[Iterable[Any], str], Iterable[Any]]
Key = tuple[str, str]  # data set, type
NO_TYPE = ""  # stands for the type of records without a mention


@dataclass(frozen=True)
class RunOptions:
    """How a tool reads its source and writes its target.

    from_format, to_format (str): See `formats.FORMATS`; "auto" finds the format out.
    limit (int): At most so many records per file.
    overwrite (bool): Replace earlier output.
    dry_run (bool): Only say what would be read and written.
    licence (str): Of the source, for the datasheet.
    write_options (Mapping): Options of the writer of `to_format`.
    progress (Callable): Wraps the records of each data set, for a progress bar.
    """

    from_format: str = "auto"
    to_format: str = "docbin"
    limit: int | None = None
    overwrite: bool = False
    dry_run: bool = False
    licence: str = ""
    write_options: Mapping[str, Any] = field(default_factory=dict)
    progress: Progress | None = None

    def watched(self, records: Iterable[Record], name: str) -> Iterable[Record]:
        """The records, behind a progress bar if there is one."""
        return records if self.progress is None else self.progress(records, name)


DEFAULT_RUN = RunOptions()


@dataclass(frozen=True)
class Unit:
    """A data set: the files of one directory that belong to a split, or a single file."""

    name: str
    jobs: tuple[Job, ...]

    @cached_property
    def digest(self) -> str:
        """Hash of the files' names and contents, as they were when it was first asked for."""
        hash = hashlib.blake2b(digest_size=16)
        for job in self.jobs:
            size = job.source.stat().st_size
            start = f"{job.source.name}\0{size}\0"
            hash.update(start.encode("utf8", "surrogateescape"))
            with job.source.open("rb") as file:
                while block := file.read(1 << 20):
                    hash.update(block)
        return hash.hexdigest()

    def records(self, report: Report, *, limit: int | None = None) -> Iterator[Record]:
        """All records, file by file. limit (int): Per file."""
        for job in self.jobs:
            yield from read_job(job, report, limit=limit)


class Units(list[Unit]):
    """The data sets of a corpus."""

    @property
    def jobs(self) -> list[Job]:
        """The files of all data sets."""
        return [job for unit in self for job in unit.jobs]

    @property
    def sources(self) -> dict[str, list[str]]:
        """The files of each data set, for the plan of a run."""
        return {unit.name: [str(job.source) for job in unit.jobs] for unit in self}


def read_job(job: Job, report: Report, *, limit: int | None = None) -> Iterator[Record]:
    """The records of one file."""
    records = read_records(
        job.source, report, format=job.format, source=job.name, about=job.about
    )
    return itertools.islice(records, limit)


def find_units(
    source: Path,
    target: Path,
    report: Report,
    run: RunOptions,
    *,
    split: str = "",
) -> Units:
    """The data sets of a file or a directory tree.

    split (str): In a tree, take only the files `<split>.*` and `<split>-00001.*`. Default: all.
    RAISES CorpusFileNotFoundError, CorpusError: As `convert.plan`, and T070 if the tree
        has no file of the split.
    """
    jobs = plan(
        source,
        target,
        report,
        from_format=run.from_format,
        to_format=run.to_format,
    )
    if source.is_file():
        return Units([Unit(source.stem, tuple(jobs))])
    if split:
        name = re.compile(rf"{re.escape(split)}(-\d{{5}})?")
        jobs = [job for job in jobs if name.fullmatch(job.source.stem)]
        if not jobs:
            raise CorpusError(Errors.T070.format(split=split, path=source))

    units = Units()
    jobs = sorted(jobs, key=lambda job: job.source)
    for folder, group in itertools.groupby(jobs, key=lambda job: job.source.parent):
        parts = [language_of(p) or p for p in folder.relative_to(source).parts]
        units.append(Unit("/".join(parts) or source.resolve().name, tuple(group)))
    return units


def data_set(record: Record, unit: Unit) -> str:
    """'en/conll2003', from what the record says of itself, else the unit's name."""
    parts = [str(record.meta[k]) for k in ("language", "dataset") if record.meta.get(k)]
    return "/".join(parts) if record.meta.get("dataset") else unit.name


class Incidence:
    """Which types stand in which records.

    A record without a mention counts as one of the type `NO_TYPE`.

    keys (list[Key]): Data set and type, in the order of their first record.
    record, key, mentions (ndarray[int64], shape (pairs,)): One entry per record and
        type: their numbers, and how many mentions of the type the record has (0 for
        `NO_TYPE`). Sorted by record.
    """

    def __init__(self) -> None:
        self.keys: list[Key] = []
        self._number: dict[Key, int] = {}
        self._pairs = array("q")
        self._record = self._key = self._mentions = np.empty(0, dtype=np.int64)
        self.n_records = 0

    def add(self, data_set: str, types: Iterable[str]) -> None:
        """Adds the next record. types (Iterable[str]): One per mention."""
        counts: Mapping[str, int] = Counter(types) or {NO_TYPE: 0}
        for name, n in counts.items():
            key = (data_set, name)
            number = self._number.setdefault(key, len(self.keys))
            if number == len(self.keys):
                self.keys.append(key)
            self._pairs.extend((self.n_records, number, n))
        self.n_records += 1

    def freeze(self) -> Incidence:
        """Makes the arrays. Returns itself."""
        pairs = np.array(self._pairs, dtype=np.int64).reshape(-1, 3)
        self.record, self.key, self.mentions = np.ascontiguousarray(pairs.T)
        self._pairs = array("q")
        return self

    def by_key(self) -> list[np.ndarray]:
        """Record numbers of every key, ascending: a list parallel to `keys`."""
        order = np.argsort(self.key, kind="stable")
        bounds = np.searchsorted(self.key[order], np.arange(1, len(self.keys)))
        return np.split(self.record[order], bounds) if self.keys else []

    def groups(self) -> dict[str, np.ndarray]:
        """Record numbers of each data set, ascending."""
        names = [name for name, _ in self.keys]
        number = {name: i for i, name in enumerate(dict.fromkeys(names))}
        group = np.array([number[name] for name in names], dtype=np.int64)[self.key]
        return {name: np.unique(self.record[group == i]) for name, i in number.items()}


def random(seed: int, *names: str) -> np.random.Generator:
    """A generator that depends on the seed and the names alone, so that no data set or
    type changes another's draws.
    """
    return np.random.default_rng([seed, *map(_number, names)])


def _number(name: str) -> int:
    hash = hashlib.blake2b(name.encode("utf8", "surrogatepass"), digest_size=8)
    return int.from_bytes(hash.digest(), "big")
