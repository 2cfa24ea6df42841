"""Data sets as conflict detection sees them: named, split, with their label inventory."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ...errors import CorpusError, CorpusFileNotFoundError, Errors
from ...formats import known_endings, read_records
from ...issues import Report
from ...records import Record
from .evidence import NAME, form_of

SPLITS = ("train", "dev", "test")


@dataclass(frozen=True)
class DataSet:
    """A data set.

    splits (Mapping[str, Sequence[Record]]): "train" and, if there are any, "dev" and "test".
    language (str): Two-letter code if the directory above says so ("en", "NER_en"), else "".
    """

    name: str
    splits: Mapping[str, Sequence[Record]]
    language: str = ""

    def records(self) -> Iterator[Record]:
        for split in SPLITS:
            yield from self.splits.get(split, ())

    @cached_property
    def labels(self) -> Counter[str]:
        """Mentions per label; labels of the inventory that no mention has count zero."""
        counts: Counter[str] = Counter()
        for record in self.records():
            counts.update(dict.fromkeys(record.labels or (), 0))
            counts.update(m.label for m in record.mentions)
        return counts

    @cached_property
    def named(self) -> list[str]:
        """The labels whose mentions are names, most of them with a capital letter."""
        names = Counter(
            m.label
            for r in self.records()
            for m in r.mentions
            if form_of(r.text[m.start : m.end]) == NAME
        )
        return [label for label, n in names.items() if 2 * n > self.labels[label]]

    def used(self) -> list[str]:
        """The labels that at least one mention has."""
        return [label for label, n in self.labels.items() if n]


# Wraps what is gone through, and is told what for.
Progress = Callable[[Sequence[DataSet], str], Iterable[DataSet]]


def load_sets(
    paths: Iterable[Path],
    *,
    limit: int | None = None,
    seed: int = 0,
    report: Report | None = None,
) -> list[DataSet]:
    """Reads data sets: a directory with train/dev/test files is one, a file is one, a
    directory of such directories is many. Sets without any mention are left out and
    reported as "skipped".

    limit (int): Records per split, a seeded sample in the original order.
    RAISES CorpusFileNotFoundError: T001. CorpusError: T060 if fewer than two sets with
        mentions are left.
    """
    report = Report() if report is None else report
    places = list(
        dict.fromkeys(place.resolve() for path in paths for place in _places(path))
    )
    names = _names(places)
    sets, empty = [], []
    for place in places:
        files = {place.stem: place} if place.is_file() else _split_files(place)
        if place.is_file():
            files = {"train": place}
        splits = {
            s: _sample(read_records(f, report), limit, f"{names[place]}/{s}/{seed}")
            for s, f in files.items()
        }
        language = place.parent.name.removeprefix("NER_")
        one = DataSet(names[place], splits, language if len(language) == 2 else "")
        if one.used():
            sets.append(one)
        else:
            empty.append(one.name)
            report.file(str(place)).add(-1, "skipped", "no mention")
    if len(sets) < 2:
        why = (
            f", because no record of {', '.join(empty)} has a mention" if empty else ""
        )
        raise CorpusError(
            Errors.T060.format(n=len(sets), paths=", ".join(map(str, paths)), why=why)
        )
    return sets


def content_hash(records: Iterable[Record]) -> str:
    """Of texts and mentions; meta data does not count."""
    digest = hashlib.sha256()
    for record in records:
        digest.update(
            repr(
                (record.text, [(m.start, m.end, m.label) for m in record.mentions])
            ).encode("utf8", "replace")
        )
    return digest.hexdigest()


def _places(path: Path) -> list[Path]:
    if path.is_file() or (path.is_dir() and _split_files(path)):
        return [path]
    if not path.is_dir():
        raise CorpusFileNotFoundError(Errors.T001.format(path=path, cwd=Path.cwd()))
    return [
        folder
        for folder in sorted(path.rglob("*"))
        if folder.is_dir() and _split_files(folder)
    ]


def _split_files(folder: Path) -> dict[str, Path]:
    known = known_endings()
    found: dict[str, Path] = {}
    for file in sorted(folder.iterdir()):
        if file.stem in SPLITS and file.suffix.lower() in known:
            found.setdefault(file.stem, file)
    return found


def _names(places: Sequence[Path]) -> dict[Path, str]:
    """As few parts of the path as tell the sets apart."""
    for depth in (1, 2, 3):
        names = {p: "/".join(p.with_suffix("").parts[-depth:]) for p in places}
        if len(set(names.values())) == len(places):
            return names
    return {p: str(p) for p in places}


def _sample(records: Iterable[Record], limit: int | None, seed: str) -> list[Record]:
    found = list(records)
    if limit is None or len(found) <= limit:
        return found
    return [
        found[i] for i in sorted(random.Random(seed).sample(range(len(found)), limit))
    ]
