"""Statistics of corpora of any format, in one pass."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from spacy.language import Language

from spacy_cascade.taxonomy import Taxonomy, TypePath

from ..errors import CorpusError, Errors
from ..formats import read_records
from ..formats.docs import blank_pipeline, in_zones
from ..issues import SKIPPED, UNANNOTATED, Report
from ..jobs import about_file, find_files
from ..records import Record
from .tally import Paths, Tally

Progress = Callable[[Iterable[Record], str], Iterable[Record]]
Seen = Callable[["Group", Record, Sequence[TypePath]], None]
_PART = re.compile(r"-\d{5}$")


@dataclass(frozen=True, order=True)
class Group:
    """What records are counted by. Empty strings: not known."""

    language: str
    dataset: str
    split: str


@dataclass
class Stats:
    """groups (dict[Group, Tally]): Counts per language, data set and split.
    files (int): That were read. report (Report): What went wrong while reading.
        unresolved: See `Paths`.
    """

    groups: dict[Group, Tally] = field(default_factory=dict)
    files: int = 0
    report: Report = field(default_factory=Report)
    paths: Paths = field(default_factory=Paths)

    def add(
        self, record: Record, split: str, starts: np.ndarray, seen: Seen | None = None
    ) -> None:
        """Counts a record. starts: See `token_starts`. seen: See `collect`."""
        group = Group(
            str(record.meta.get("language") or ""),
            str(record.meta.get("dataset") or ""),
            split,
        )
        paths = [self.paths(m.label) for m in record.mentions]
        self.groups.setdefault(group, Tally()).add(record, paths, starts)
        if seen is not None:
            seen(group, record, paths)

    @property
    def total(self) -> Tally:
        return self.by(lambda group: "")[""]

    def by(self, key: Callable[[Group], str]) -> dict[str, Tally]:
        """Tallies added up by a key, sorted by it."""
        found: dict[str, Tally] = {}
        for group in sorted(self.groups):
            found.setdefault(key(group), Tally()).update(self.groups[group])
        return dict(sorted(found.items()))

    def to_dict(self) -> dict[str, Any]:
        """JSON-serializable."""
        return {
            "files": self.files,
            "total": self.total.to_dict(),
            "languages": {
                name: t.to_dict() for name, t in self.by(lambda g: g.language).items()
            },
            "groups": [
                {
                    "language": g.language,
                    "dataset": g.dataset,
                    "split": g.split,
                    **_sizes(self.groups[g]),
                }
                for g in sorted(self.groups)
            ],
            "unresolved_types": dict(self.paths.unresolved.most_common()),
            "rejected": self.report.rejected,
            "unannotated": self.report.total(UNANNOTATED),
            "unread_spans": [
                {"file": file, "group": key, "spans": n}
                for (file, key), n in self.report.unread_spans.items()
            ],
            "skipped_files": self.report.total(SKIPPED),
        }


def _sizes(tally: Tally) -> dict[str, int]:
    names = ("sentences", "mentions", "tokens", "characters", "nested")
    return {
        **{name: getattr(tally, name) for name in names},
        "without_mention": tally.empty,
        "types": len(tally.types),
    }


def collect(
    sources: Sequence[Path],
    *,
    from_format: str = "auto",
    language: str | None = None,
    taxonomy: Taxonomy | None = None,
    limit: int | None = None,
    spans_key: str = "",
    progress: Progress | None = None,
    seen: Seen | None = None,
) -> Stats:
    """Reads files and directory trees once and counts.

    language (str): Of all records. None: by the names of the folders, or what the records say.
    taxonomy (Taxonomy): Resolves types to paths.
    limit (int): At most so many records per file.
    spans_key (str): See `formats.docbin.read`.
    progress (Callable): Wraps the records of each file, for a progress bar.
    seen (Callable): Called with each record, its group and the paths of its mentions.

    RAISES CorpusFileNotFoundError: T001. CorpusError: T002, T003, T007 for the format,
        T080 without any record.
    """
    stats = Stats(paths=Paths(taxonomy))
    nlp = blank_pipeline()
    for source in sources:
        for path, format, name in find_files(
            source, stats.report, from_format=from_format
        ):
            stats.files += 1
            about = {
                **about_file(path, format),
                **({"language": language} if language else {}),
            }
            options: dict[str, Any] = (
                {"spans_key": spans_key} if format == "docbin" else {}
            )
            read = read_records(
                path, stats.report, format=format, source=name, about=about, **options
            )
            records: Iterable[Record] = itertools.islice(read, limit)
            split = _PART.sub("", path.stem)
            try:
                with closing(
                    in_zones(nlp, progress(records, name) if progress else records)
                ) as zoned:
                    for record in zoned:
                        stats.add(record, split, token_starts(nlp, record.text), seen)
            except CorpusError as err:
                stats.report.failed[name] = str(err)
                if source.is_file():
                    raise
    if not stats.groups:
        raise CorpusError(
            Errors.T080.format(
                paths=", ".join(map(str, sources)), n=stats.report.rejected
            )
        )
    return stats


def token_starts(nlp: Language, text: str) -> np.ndarray:
    """Offsets of the first characters of the tokens, shape (tokens,), ascending."""
    lengths = (
        nlp.tokenizer(text)
        .to_array(["LENGTH", "SPACY"])
        .reshape(-1, 2)
        .sum(axis=1)
        .astype(np.int64)
    )
    return np.cumsum(lengths) - lengths
