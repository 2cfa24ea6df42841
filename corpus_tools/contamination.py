"""Removes from a corpus what stands, in the same or other words, in reference corpora
(DynamicNER's contamination filter).

A sentence goes if its embedding's cosine to a reference sentence is above 0.8, or if it
is an exact or near duplicate of one.
"""

from __future__ import annotations

import itertools
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from spacy_cascade import __version__

from .duplicates import DuplicateIndex
from .embedding import CHUNK, Embedder, embedder_name, get_embedder, hash_embedder
from .errors import CorpusError, Errors, check_rule
from .issues import Report
from .jobs import refuse_jobs
from .outputs import (
    beside,
    existing,
    refuse_existing,
    write_datasheet,
    write_json,
    write_records,
)
from .records import Record
from .units import (
    DEFAULT_RUN,
    RunOptions,
    Unit,
    Units,
    data_set,
    find_units,
    read_job,
)
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
        cosine, jaccard = self.cosine, self.jaccard
        near = cosine is None or -1 < cosine <= 1
        check_rule("cosine", "above -1 and at most 1", cosine, kept=near)
        shared = jaccard is None or 0 < jaccard <= 1
        check_rule("jaccard", "above 0 and at most 1", jaccard, kept=shared)


def get_filter_embedder(name: str) -> Embedder:
    """'hash', or a sentence-transformers model.

    The hash is of 3- to 5-grams: single characters alone make any two long sentences of
    a language similar (0.74 on average in English news), and 0.8 would mean nothing.
    """
    if name == "hash":
        return hash_embedder(dim=1024, min_n=3, max_n=5)
    return get_embedder(name)


class _Place(NamedTuple):
    """Where a sentence stands. record (int): Number of its record, from 1."""

    source: str
    record: int
    text: str

    def to_dict(self) -> dict[str, object]:
        """For the report."""
        return self._asdict()


class _Match(NamedTuple):
    """Why a sentence goes. like (_Place): The sentence that it is like."""

    reason: str
    similarity: float
    like: _Place


class References:
    """Reference sentences, with an index of duplicates and embeddings on disk.

    units (Iterable[Unit]): Their files.
    folder (Path): For the embeddings.
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
        self.places = list(map(_place, records))
        if not self.places:
            raise CorpusError(Errors.T075)

        texts = [place.text for place in self.places]
        self.duplicates = DuplicateIndex(options.jaccard, seed=options.seed)
        for start in range(0, len(texts), CHUNK):
            self.duplicates.add(texts[start : start + CHUNK])
        self.vectors: np.ndarray | None = None
        if embedder is not None:
            path = folder / "references.npy"
            write_vectors(embedder, texts, path)
            self.vectors = read_vectors(path)


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
                counts[why.reason] += 1
                self.removed.append(
                    {
                        "dataset": name,
                        **_place(record).to_dict(),
                        "reason": why.reason,
                        "similarity": round(why.similarity, 4),
                        "like": why.like.to_dict(),
                    }
                )

    def _find(self, texts: Sequence[str]) -> list[_Match | None]:
        places = self.references.places
        found: list[_Match | None] = []
        for match in self.references.duplicates.find(texts):
            if match is None:
                found.append(None)
            else:
                place = places[match.number]
                found.append(_Match(match.reason, match.similarity, place))

        left = [i for i, why in enumerate(found) if why is None]
        vectors, most = self.references.vectors, self.options.cosine
        if self.embedder is None or vectors is None or most is None or not left:
            return found
        embedded = checked(self.embedder, [texts[i] for i in left])
        numbers, cosines = nearest_in(embedded, vectors)
        self.histogram += np.histogram(np.clip(cosines, 0, 1), bins=BINS)[0]
        nearest = zip(left, numbers.tolist(), cosines.tolist(), strict=True)
        for i, number, cosine in nearest:
            if cosine > most:
                found[i] = _Match(SEMANTIC, cosine, places[number])
        return found

    def _find_repeated(
        self, chunk: Sequence[Record], found: list[_Match | None]
    ) -> None:
        for i, record in enumerate(chunk):
            if found[i] is not None:
                continue
            match = self._own.find([record.text])[0]
            if match:
                place = self._own_places[match.number]
                found[i] = _Match(REPEATED, match.similarity, place)
            else:
                self._own.add([record.text])
                self._own_places.append(_place(record))


def _place(record: Record) -> _Place:
    source, index = record.meta.get("source", ""), record.meta.get("index")
    return _Place(str(source), int(index or 0) + 1, record.text)


def decontaminate(
    source: Path,
    target: Path,
    against: Sequence[Path],
    options: FilterOptions,
    run: RunOptions = DEFAULT_RUN,
    *,
    split: str = "train",
    against_split: str = "",
    embedder: str | Embedder = "hash",
) -> dict[str, Any]:
    """Filters a file or a directory tree, a chunk of records at a time.

    against (Sequence[Path]): Reference files or trees, which are read whole.
    run (RunOptions): How the source is read and the target written.
    split (str): Which files of a source tree to take.
    against_split (str): Which files of a reference tree to take.
    embedder (str | Embedder): 'hash', or a sentence-transformers model by name or
        directory, or a function.

    RETURNS (dict): The report, which is also written as `decontamination.json`. Of a
        dry run: what would be read and written.
    RAISES CorpusFileNotFoundError, CorpusError: As `find_units`; T071 for existing
        output; T075 without a reference sentence; T076 for a file that is input and
        reference; T042 and T072 for the embedder; T077 without datasketch.
    """
    units = find_units(source, target, Report(), run, split=split)
    reference_units = Units()
    for path in against:
        found = find_units(path, target, Report(), DEFAULT_RUN, split=against_split)
        reference_units += found
    jobs = units.jobs
    refuse_jobs(source, target, jobs, against)
    read = {job.source.resolve() for job in jobs}
    references = {job.source.resolve() for job in reference_units.jobs}
    both = sorted(read & references)
    if both:
        raise CorpusError(Errors.T076.format(path=both[0], n=len(both)))

    about = {
        "options": asdict(options),
        "embedder": embedder_name(embedder),
        "split": [split, against_split],
        "limit": run.limit,
        "versions": {"spacy_cascade": __version__, "numpy": np.__version__},
    }
    report_path = beside(units, source, target, REPORT)
    outputs = [report_path, *(job.target for job in jobs)]
    if run.dry_run:
        return {
            **about,
            "would_read": units.sources,
            "references": reference_units.sources,
            "would_overwrite": existing(outputs),
        }
    refuse_existing(outputs, overwrite=run.overwrite)

    embed: Embedder | None = None
    if options.cosine is not None:
        embed = get_filter_embedder(embedder) if isinstance(embedder, str) else embedder
    issues = Report()
    with tempfile.TemporaryDirectory() as folder:
        known = References(reference_units, options, embed, Path(folder))
        filter = Filter(known, options, embed)
        for unit in units:
            for job in unit.jobs:
                records = read_job(job, issues, limit=run.limit)
                chosen = filter(run.watched(records, job.name), unit)
                write_records(chosen, job.target, Report(), unit, run)

    report = {**about, **_figures(filter, issues)}
    write_json(report, report_path)
    sections = {
        "content": {
            "source": source.name,
            "references": [path.name for path in against],
            **report["total"],
        },
        "method": {k: v for k, v in about.items() if k != "versions"},
    }
    title = f"{source.name}, decontaminated"
    write_datasheet(report_path, title, sections, outputs, run.licence)
    return report


def _figures(filter: Filter, issues: Report) -> dict[str, Any]:
    total: Counter[str] = Counter()
    datasets: dict[str, dict[str, int]] = {}
    for name, counts in filter.counts.items():
        one = {c: counts[c] for c in ("records", *REASONS)}
        one["kept"] = one["records"] - sum(one[reason] for reason in REASONS)
        datasets[name] = one
        total.update(one)
    return {
        "total": {
            **{c: total[c] for c in ("records", *REASONS, "kept")},
            "references": len(filter.references.places),
            "rejected": issues.rejected,
        },
        "nearest_cosine": {
            "bins": BINS.round(2).tolist(),
            "records": filter.histogram.tolist(),
        },
        "datasets": datasets,
        "removed": filter.removed,
    }
