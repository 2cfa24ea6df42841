"""Base, random and dynamic version of a corpus, side by side."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from spacy_cascade.taxonomy import Taxonomy

from ..embedding import Embedder, embed_chunks, unit_rows
from ..errors import CorpusError, Errors
from ..formats import read_records
from ..issues import Report
from ..jobs import Job, plan
from ..records import Record
from .lists import Lists, Types, base, check, resolve
from .metrics import DIRECTIONS, METRICS, Metrics, Vectors, measure_stream
from .rounds import Corpus, describe
from .search import BUDGET, SLACK, VARIETY, Found, Progress, random_version, search

SEEDS = 5


@dataclass(frozen=True)
class Source:
    """A file or a directory tree of any format.

    jobs (Sequence[Job]): Its files. limit (int): Records per file. report (Report):
        What reading found.
    """

    path: Path
    jobs: Sequence[Job]
    report: Report
    limit: int | None = None

    @classmethod
    def open(
        cls, path: Path, *, format: str = "auto", limit: int | None = None
    ) -> Source:
        """RAISES: As `convert.plan`."""
        report = Report()
        return cls(
            path, plan(path, Path("."), report, from_format=format), report, limit
        )

    def records(self, job: Job, report: Report | None = None) -> Iterator[Record]:
        """Reads one file, record by record."""
        found = read_records(
            job.source,
            report or Report(),
            format=job.format,
            source=job.name,
            about=job.about,
        )
        return itertools.islice(found, self.limit)


@dataclass(frozen=True)
class Mentions:
    """The mentions of a corpus, in order.

    texts, labels (list[str]): By mention. counts (list[int]): Mentions by file. records
        (int): All records.
    rejected (int): Mentions without a place, which can't have a list.
    """

    texts: list[str]
    labels: list[str]
    counts: list[int]
    records: int
    rejected: int


def read(
    source: Source, progress: Callable[..., Iterable[Record]] | None = None
) -> Mentions:
    """RAISES CorpusError: T033 without a mention, T035 for mentions of one type only,
    and what the readers raise.
    """
    texts: list[str] = []
    labels: list[str] = []
    counts, records, rejected = [], 0, 0
    for job in source.jobs:
        before = len(texts)
        found: Iterable[Record] = source.records(job, source.report)
        for record in progress(found, job.name) if progress else found:
            texts += [record.name(m) for m in record.mentions]
            labels += [m.label for m in record.mentions]
            records += 1
            rejected += len(record.rejected)
        counts.append(len(texts) - before)
    if not texts:
        raise CorpusError(
            Errors.T033.format(path=source.path, records=records, rejected=rejected)
        )
    if len(set(labels)) == 1:
        raise CorpusError(
            Errors.T035.format(path=source.path, name=labels[0], mentions=len(labels))
        )
    return Mentions(texts, labels, counts, records, rejected)


def embed(texts: Sequence[str], embedder: Embedder) -> Vectors:
    """Embeds each distinct text once. RAISES CorpusError: T042, T030 for unusable vectors."""
    rows: dict[str, int] = {}
    of = np.array([rows.setdefault(text, len(rows)) for text in texts])
    return Vectors(
        unit_rows(np.concatenate(list(embed_chunks(embedder, rows))), list(rows)), of
    )


def measure_source(source: Source, embedder: Embedder) -> dict[str, Any]:
    """The metrics of a corpus as it is labelled, read once, in memory that does not grow with it.

    RETURNS (dict): "metrics", and where mentions have type lists of their own "distinct_lists".
    RAISES CorpusError: T030 for no mention, T042 for a text without a usable vector.
    """
    lists: set[int] = set()

    def mentions() -> Iterator[tuple[str, str, str]]:
        for job in source.jobs:
            for record in source.records(job, source.report):
                paths = record.meta.get("paths") or [m.label for m in record.mentions]
                lists.update(
                    hash(frozenset(one)) for one in record.meta.get("type_lists") or ()
                )
                for mention, path in zip(record.mentions, paths, strict=True):
                    yield record.name(mention), mention.label, path

    metrics = measure_stream(mentions(), embedder).to_dict()
    return {"metrics": metrics, "distinct_lists": len(lists)}


def own_taxonomy(labels: Iterable[str]) -> Taxonomy:
    """The types of a corpus; names like "parent->child" make levels."""
    return Taxonomy.from_labels(sorted(set(labels)), name="labels")


@dataclass(frozen=True)
class Version:
    """One categorization.

    metrics (Metrics): Of the answers. offers (Metrics): Of the types offered. by_type
        (Metrics): Of the answers with synonyms
    counted as their type. distinct (int): Different lists. lengths (Mapping[int, int]):
    Number of lists by length.
    """

    name: str
    lists: Lists
    metrics: Metrics
    by_type: Metrics
    offers: Metrics
    distinct: int
    lengths: Mapping[int, int]
    params: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        name: str,
        lists: Lists,
        corpus: Corpus,
        params: Mapping[str, Mapping[str, float]] | None = None,
    ) -> Version:
        """Checks and measures. RAISES CorpusError: T038 if a list breaks a rule."""
        check(lists, corpus.gold)
        sizes, counts = np.unique(lists.lengths(), return_counts=True)
        return cls(
            name,
            lists,
            metrics=lists.metrics(corpus.vectors),
            by_type=lists.metrics(corpus.vectors, by_name=False),
            offers=lists.offers(corpus.vectors),
            distinct=lists.distinct(),
            lengths=dict(zip(sizes.tolist(), counts.tolist(), strict=True)),
            params=params or {},
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-serializable, without the lists."""
        return {
            "metrics": self.metrics.to_dict(),
            "metrics_by_type": self.by_type.to_dict(),
            "metrics_of_offers": self.offers.to_dict(),
            "distinct_lists": self.distinct,
            "list_lengths": {str(k): v for k, v in self.lengths.items()},
            "params": {k: dict(v) for k, v in self.params.items()},
        }


@dataclass(frozen=True)
class Comparison:
    """The three versions.

    random (Version): That of the first seed. random_seeds (Sequence[Mapping]): Figures
        of all seeds, see `Version.to_dict`.
    found (Found): The search for the dynamic version.
    """

    base: Version
    random: Version
    random_seeds: Sequence[Mapping[str, Any]]
    dynamic: Version
    found: Found

    @property
    def versions(self) -> tuple[Version, ...]:
        """Those that are exported."""
        return self.base, self.random, self.dynamic

    def random_mean(self, metric: str) -> tuple[float, float]:
        """Mean and population standard deviation over the seeds."""
        values = [float(r["metrics"][metric]) for r in self.random_seeds]
        return float(np.mean(values)), float(np.std(values))

    def verdict(self) -> dict[str, bool]:
        """What dynamic categorization promises, by metric."""
        out = {}
        for m in METRICS:
            above_random = DIRECTIONS[m] * (
                getattr(self.dynamic.metrics, m) - self.random_mean(m)[0]
            )
            out[f"{m} not worse than base"] = (
                self.dynamic.metrics.gain(m, self.base.metrics) >= -SLACK
            )
            out[f"{m} better than random mean"] = above_random > 0
        return out

    def to_dict(self) -> dict[str, Any]:
        """JSON-serializable."""
        mean = {
            m: dict(zip(("mean", "std"), self.random_mean(m), strict=True))
            for m in METRICS
        }
        return {
            "base": self.base.to_dict(),
            "random": {"metrics": mean, "seeds": list(self.random_seeds)},
            "dynamic": {
                **self.dynamic.to_dict(),
                "after_round": {k: m.to_dict() for k, m in self.found.after.items()},
                "skipped_rounds": [
                    k for k in self.found.after if k not in self.found.accepted
                ],
            },
            "verdict": self.verdict(),
        }


def compare(
    labels: Sequence[str],
    vectors: Vectors,
    taxonomy: Taxonomy,
    *,
    synonyms: Mapping[tuple[str, ...], Sequence[str]] | None = None,
    seed: int = 0,
    budget: int = BUDGET,
    variety: float = VARIETY,
    seeds: int = SEEDS,
    progress: Progress | None = None,
) -> Comparison:
    """Makes the versions of a corpus.

    labels (Sequence[str]): Type of each mention. vectors (Vectors): Embedding of each.
        synonyms: See `synonyms.load`.
    seed (int), budget (int), variety (float): Of the search. seeds (int): Random
        versions; their seeds follow from `seed`.
    RAISES CorpusError: T034 for types that the taxonomy lacks, T036 if it is too small.
    """
    types = Types(taxonomy, synonyms)
    gold = resolve(labels, types)
    fixed = base(gold, types)
    corpus = describe(gold, fixed, vectors)
    found = search(
        fixed, corpus, seed=seed, budget=budget, variety=variety, progress=progress
    )
    random: list[Version] = []
    figures = []
    for one in range(seed * 1000 + 1, seed * 1000 + 1 + seeds):
        outcome = random_version(fixed, corpus, seed=one)
        version = Version.of("random", outcome.lists, corpus, outcome.accepted)
        figures.append({"seed": one, **version.to_dict()})
        random = random or [version]  # the lists of one are enough
    dynamic = Version.of("dynamic", found.lists, corpus, found.accepted)
    return Comparison(
        Version.of("base", fixed, corpus), random[0], figures, dynamic, found
    )
