"""Removes from a corpus what stands, in the same or other words, in reference corpora
(DynamicNER's contamination filter).

A sentence goes if its embedding's cosine to a reference sentence is above 0.8, or if it
is an exact or near duplicate of one.
"""

from __future__ import annotations

import itertools
import json
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spacy_cascade import __version__

from .duplicates import DuplicateIndex
from .embedding import CHUNK, Embedder, get_embedder, hash_embedder
from .errors import CorpusError, Errors
from .outputs import (
    beside,
    existing,
    refuse_existing,
    write_datasheet,
    write_records,
    write_text,
)
from .overlap import refuse_jobs
from .records import Record, Report
from .units import Progress, Unit, data_set, find_units, read_job
from .vectors import checked, nearest_in, read_vectors, write_vectors

REPORT = "decontamination.json"
SEMANTIC = "semantic"
REPEATED = "repeated"
REASONS = ("exact", "near", SEMANTIC, REPEATED)
# Of the nearest cosines of the sentences that were embedded.
BINS = np.linspace(0, 1, 21)


@dataclass(frozen=True)
class FilterOptions:
    """What counts as contamination.

    cosine (float): A sentence goes if its highest cosine to a reference sentence is
        above. None: don't embed.
    jaccard (float): A sentence goes if it shares this part of its character 5-grams
        with a reference sentence. None: only exact duplicates.
    repeated (bool): Also remove exact and near duplicates of earlier sentences of the
        corpus itself.
    seed (int): Of the MinHash permutations.
    RAISES CorpusError: T008 for a number out of range.
    """

    cosine: float | None = 0.8
    jaccard: float | None = 0.8
    repeated: bool = False
    seed: int = 1

    def __post_init__(self) -> None:
        if self.cosine is not None and not -1 < self.cosine <= 1:
            raise CorpusError(
                Errors.T008.format(
                    option="cosine", rule="above -1 and at most 1", value=self.cosine
                )
            )
        if self.jaccard is not None and not 0 < self.jaccard <= 1:
            raise CorpusError(
                Errors.T008.format(
                    option="jaccard", rule="above 0 and at most 1", value=self.jaccard
                )
            )


def get_filter_embedder(name: str) -> Embedder:
    """'hash', or a sentence-transformers model.

    The hash is of 3- to 5-grams: single characters alone make any two long sentences of
    a language similar (0.74 on average in English news), and 0.8 would mean nothing.
    """
    return (
        hash_embedder(dim=1024, min_n=3, max_n=5)
        if name == "hash"
        else get_embedder(name)
    )


@dataclass(frozen=True)
class _Place:
    source: str
    index: int
    text: str


class References:
    """Reference sentences, with an index of duplicates and embeddings on disk.

    units (Iterable[Unit]): Their files. folder (Path): For the embeddings.
    RAISES CorpusError: T075 if there is no sentence; T042 and T072 for the embedder.
    """

    def __init__(
        self,
        units: Iterable[Unit],
        options: FilterOptions,
        embedder: Embedder | None,
        folder: Path,
    ):
        records = (r for u in units for r in u.records(Report()))
        self.places = [
            _Place(str(r.meta["source"]), int(r.meta.get("index") or 0), r.text)
            for r in records
        ]
        if not self.places:
            raise CorpusError(Errors.T075)
        self.duplicates = DuplicateIndex(options.jaccard, seed=options.seed)
        for start in range(0, len(self.places), CHUNK):
            self.duplicates.add([p.text for p in self.places[start : start + CHUNK]])
        self.vectors: np.ndarray | None = None
        if embedder is not None:
            write_vectors(
                embedder, (p.text for p in self.places), folder / "references.npy"
            )
            self.vectors = read_vectors(folder / "references.npy")


class Filter:
    """Passes on what is not contaminated and remembers what was not.

    removed (list[dict]): "dataset", "source", "record" (from 1), "reason",
        "similarity", "text", and the same of what it is like under "like".
    counts (dict[str, Counter]): "records" and each reason, by data set.
    histogram (ndarray[int], shape (20,)): Highest cosines to a reference, in bins from 0 to 1.
    """

    def __init__(
        self, references: References, options: FilterOptions, embedder: Embedder | None
    ):
        self.references = references
        self.options = options
        self.embedder = embedder
        self.removed: list[dict[str, Any]] = []
        self.counts: dict[str, Counter[str]] = {}
        self.histogram = np.zeros(len(BINS) - 1, dtype=np.int64)
        self._own = DuplicateIndex(options.jaccard, seed=options.seed)
        self._own_places: list[_Place] = []

    def __call__(self, records: Iterable[Record], unit: Unit) -> Iterator[Record]:
        """YIELDS (Record): Those that stay."""
        records = iter(records)
        while chunk := list(itertools.islice(records, CHUNK)):
            found = self._find([r.text for r in chunk])
            if self.options.repeated:
                self._find_repeated(chunk, found)
            for record, why in zip(chunk, found, strict=True):
                name = data_set(record, unit)
                counts = self.counts.setdefault(name, Counter())
                counts["records"] += 1
                if why is None:
                    yield record
                    continue
                reason, similarity, like = why
                counts[reason] += 1
                place = _place(record)
                self.removed.append(
                    {
                        "dataset": name,
                        **_show(place),
                        "reason": reason,
                        "similarity": round(similarity, 4),
                        "like": _show(like),
                    }
                )

    def _find(self, texts: Sequence[str]) -> list[tuple[str, float, _Place] | None]:
        places = self.references.places
        found: list[tuple[str, float, _Place] | None] = [
            (m.reason, m.similarity, places[m.number]) if m else None
            for m in self.references.duplicates.find(texts)
        ]
        left = [i for i, why in enumerate(found) if why is None]
        if self.embedder is None or self.references.vectors is None or not left:
            return found
        numbers, cosines = nearest_in(
            checked(self.embedder, [texts[i] for i in left]), self.references.vectors
        )
        self.histogram += np.histogram(np.clip(cosines, 0, 1), bins=BINS)[0]
        for i, number, cosine in zip(
            left, numbers.tolist(), cosines.tolist(), strict=True
        ):
            if cosine > self.options.cosine:
                found[i] = (SEMANTIC, cosine, places[number])
        return found

    def _find_repeated(
        self, chunk: Sequence[Record], found: list[tuple[str, float, _Place] | None]
    ) -> None:
        for i, record in enumerate(chunk):
            if found[i] is not None:
                continue
            match = self._own.find([record.text])[0]
            if match:
                found[i] = (REPEATED, match.similarity, self._own_places[match.number])
            else:
                self._own.add([record.text])
                self._own_places.append(_place(record))


def _place(record: Record) -> _Place:
    return _Place(
        str(record.meta.get("source", "")),
        int(record.meta.get("index") or 0),
        record.text,
    )


def _show(place: _Place) -> dict[str, Any]:
    return {"source": place.source, "record": place.index + 1, "text": place.text}


def decontaminate(
    source: Path,
    target: Path,
    against: Sequence[Path],
    options: FilterOptions,
    *,
    from_format: str = "auto",
    to_format: str = "docbin",
    split: str = "train",
    against_split: str = "",
    embedder: str | Embedder = "hash",
    limit: int | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
    licence: str = "",
    write_options: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Filters a file or a directory tree, a chunk of records at a time.

    against (Sequence[Path]): Reference files or trees. split, against_split (str):
        Which files of a tree to take.
    embedder (str | Embedder): 'hash', or a sentence-transformers model by name or
        directory, or a function.
    limit (int): At most so many records per file; references are read whole.
    licence (str): Of the source, for the datasheet.

    RETURNS (dict): The report, which is also written as `decontamination.json`. Of a
        dry run: what would be read and written.
    RAISES CorpusFileNotFoundError, CorpusError: As `find_units`; T071 for existing
        output; T075 without a reference sentence; T076 for a file that is input and
        reference; T042 and T072 for the embedder; T077 without datasketch.
    """
    units = find_units(
        source,
        target,
        Report(),
        from_format=from_format,
        to_format=to_format,
        split=split,
    )
    reference_units = [
        u for p in against for u in find_units(p, target, Report(), split=against_split)
    ]
    refuse_jobs(source, target, [j for u in units for j in u.jobs], against)
    read = {j.source.resolve() for u in units for j in u.jobs}
    both = sorted(read & {j.source.resolve() for u in reference_units for j in u.jobs})
    if both:
        raise CorpusError(Errors.T076.format(path=both[0], n=len(both)))
    report_path = beside(units, source, target, REPORT)
    outputs = [report_path, *(j.target for u in units for j in u.jobs)]
    name = (
        embedder
        if isinstance(embedder, str)
        else getattr(embedder, "__qualname__", "function")
    )
    run = {
        "options": asdict(options),
        "embedder": name,
        "split": [split, against_split],
        "limit": limit,
    }
    run["versions"] = {"spacy_cascade": __version__, "numpy": np.__version__}
    if dry_run:
        files = {u.name: [str(j.source) for j in u.jobs] for u in units}
        known = {u.name: [str(j.source) for j in u.jobs] for u in reference_units}
        return {
            **run,
            "would_read": files,
            "references": known,
            "would_overwrite": existing(outputs),
        }
    refuse_existing(outputs, overwrite=overwrite)
    embed: Embedder | None = None
    if options.cosine is not None:
        embed = get_filter_embedder(embedder) if isinstance(embedder, str) else embedder
    issues = Report()
    with tempfile.TemporaryDirectory() as folder:
        references = References(reference_units, options, embed, Path(folder))
        filter = Filter(references, options, embed)
        for unit in units:
            for job in unit.jobs:
                records: Iterable[Record] = read_job(job, issues, limit=limit)
                if progress is not None:
                    records = progress(records, job.name)
                chosen = filter(records, unit)
                write_records(
                    chosen,
                    job.target,
                    Report(),
                    unit,
                    to_format=to_format,
                    options=write_options or {},
                )
    report = {**run, **_figures(filter, issues)}
    write_text(json.dumps(report, ensure_ascii=False, indent=1), report_path)
    sections = {
        "content": {
            "source": source.name,
            "references": [p.name for p in against],
            **report["total"],
        },
        "method": {k: v for k, v in run.items() if k != "versions"},
    }
    write_datasheet(
        report_path, f"{source.name}, decontaminated", sections, outputs, licence
    )
    return report


def _figures(filter: Filter, issues: Report) -> dict[str, Any]:
    counts = {
        name: {c: one[c] for c in ("records", *REASONS)}
        for name, one in filter.counts.items()
    }
    for one in counts.values():
        one["kept"] = one["records"] - sum(one[r] for r in REASONS)
    total = {
        c: sum(one[c] for one in counts.values()) for c in ("records", *REASONS, "kept")
    }
    return {
        "total": {
            **total,
            "references": len(filter.references.places),
            "rejected": issues.rejected,
        },
        "nearest_cosine": {
            "bins": BINS.round(2).tolist(),
            "records": filter.histogram.tolist(),
        },
        "datasets": counts,
        "removed": filter.removed,
    }
