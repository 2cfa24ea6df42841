"""Pruning of files and directory trees: embeddings on disk, a checkpoint per data set, a report.

The state of an unfinished run lies in the directory `pruning.state` beside its report
and is removed at the end. A run that was killed goes on where its last whole data set
ended and writes the same bytes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache as remember
from pathlib import Path
from typing import Any

import numpy as np

from spacy_cascade import __version__

from ..embedding import Embedder, as_embedder, embedder_name
from ..errors import CorpusError, Errors
from ..issues import Report as Issues
from ..jobs import refuse_jobs
from ..outputs import (
    beside,
    existing,
    type_section,
    write_datasheet,
    write_json,
    write_selected,
)
from ..units import (
    DEFAULT_RUN,
    NO_TYPE,
    Incidence,
    RunOptions,
    Unit,
    data_set,
    find_units,
)
from ..vectors import read_vectors, write_vectors
from .prune_report import describe, mentions_by_type, totals
from .prune_state import State
from .pruning import PruneOptions, select

REPORT = "pruning.json"
Report = dict[str, Any]


def prune(
    source: Path,
    target: Path,
    options: PruneOptions,
    run: RunOptions = DEFAULT_RUN,
    *,
    split: str = "train",
    embedder: str | Embedder = "hash",
    cache: Path | None = None,
    sizes: Mapping[str, int] | None = None,
    compare: int = 0,
) -> Report:
    """Prunes a file or a directory tree.

    run (RunOptions): How the source is read and the target written.
    split (str): Which files of a tree to prune; others are left alone.
    embedder (str | Embedder): 'hash', or a sentence-transformers model by name or
        directory, or a function.
    cache (Path): Directory that keeps the embeddings for further runs.
    sizes (Mapping[str, int]): Samples per data set, for the two random methods; comes
        before `options.size`.
    compare (int): Report the mean nearest-neighbour similarity per type, and that of so
        many random samples of equal size.

    RETURNS (dict): The report, which is also written as `pruning.json`. Of a dry run:
        what would be read and written.
    RAISES CorpusFileNotFoundError, CorpusError: As `find_units`; T071 for existing
        output; T073 for an unfinished run with other options; T074 without a mention in
        the source, or without the sizes that a random method needs; T042 and T072 for
        the embedder.
    """
    units = find_units(source, target, Issues(), run, split=split)
    jobs = units.jobs
    refuse_jobs(source, target, jobs)
    if options.method == "random" and options.size is None and sizes is None:
        why, remedy = (
            "the method 'random' needs the number of samples",
            "--size or --like",
        )
        raise CorpusError(Errors.T074.format(why=why, remedy=remedy))

    about: Report = {
        "options": {
            **asdict(options),
            "sizes": dict(sizes) if sizes is not None else None,
        },
        "embedder": embedder_name(embedder),
        "formats": [run.from_format, run.to_format],
        "split": split,
        "compare": compare,
        "limit": run.limit,
        "versions": {"spacy_cascade": __version__, "numpy": np.__version__},
    }
    report_path = beside(units, source, target, REPORT)
    state = State(report_path.with_suffix(".state"), about, cache)
    outputs = [report_path, *(job.target for job in jobs)]
    if run.dry_run:
        return {
            **about,
            "would_read": units.sources,
            "would_overwrite": existing(outputs),
            "would_resume": state.begun and not run.overwrite,
        }

    state.open(outputs, overwrite=run.overwrite)
    load = remember(lambda: as_embedder(embedder))
    pruner = _Pruner(options, run, load, state, sizes, compare)
    datasets: dict[str, Any] = {}
    rejected = 0
    for unit in units:
        found = state.load(unit)
        if found is None:
            found = pruner(unit, alone=len(units) == 1)
            state.save(unit, found)
        datasets.update(found["datasets"])
        rejected += found["rejected"]

    total = {**totals(datasets), "rejected": rejected}
    report = {**about, "total": total, "datasets": datasets}
    write_json(report, report_path)
    sections = {
        "content": {"source": source.name, "split": split, **total},
        "types": type_section(mentions_by_type(datasets)),
        "method": {
            **about["options"],
            "embedder": about["embedder"],
            "limit": run.limit,
        },
    }
    title = f"{source.name}, pruned"
    write_datasheet(report_path, title, sections, outputs, run.licence)
    state.close()
    return report


@dataclass(frozen=True)
class _Pruner:
    """Prunes one data set after the other."""

    options: PruneOptions
    run: RunOptions
    embedder: Callable[[], Embedder]
    state: State
    sizes: Mapping[str, int] | None
    compare: int

    def __call__(self, unit: Unit, *, alone: bool) -> dict[str, Any]:
        """Writes what is kept of a unit.

        RETURNS (dict): "datasets", statistics; "rejected", a number of entries.
        """
        incidence, vectors, rejected = self._scan(unit)
        if alone and all(label == NO_TYPE for _, label in incidence.keys):
            why, remedy = f"no record of '{unit.name}' has a mention", "another file"
            raise CorpusError(Errors.T074.format(why=why, remedy=remedy))

        selection = select(incidence, vectors, self.options, sizes=self.sizes)
        write_selected(unit, selection.keep, Issues(), self.run)
        found = describe(
            incidence, selection, vectors, compare=self.compare, seed=self.options.seed
        )
        if self.state.cache is None:
            self.state.vectors(unit).unlink(missing_ok=True)
        return {"datasets": found, "rejected": rejected}

    def _scan(self, unit: Unit) -> tuple[Incidence, np.ndarray | None, int]:
        """One pass over the records: their types, their embeddings if these are needed,
        the number of rejections.
        """
        incidence, issues = Incidence(), Issues()
        records = unit.records(issues, limit=self.run.limit)

        def texts() -> Iterator[str]:
            for record in self.run.watched(records, unit.name):
                types = (mention.label for mention in record.mentions)
                incidence.add(data_set(record, unit), types)
                yield record.text

        path = self.state.vectors(unit)
        wanted = self.options.needs_vectors or self.compare > 0
        if wanted and not path.is_file():
            write_vectors(self.embedder(), texts(), path)
        else:
            deque(texts(), maxlen=0)
        incidence.freeze()
        vectors = read_vectors(path) if wanted and incidence.n_records else None
        return incidence, vectors, issues.rejected
