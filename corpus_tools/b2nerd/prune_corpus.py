"""Pruning of files and directory trees: embeddings on disk, a checkpoint per data set, a report.

The state of an unfinished run lies in the directory `pruning.state` beside its report
and is removed at the end. A run that was killed goes on where its last whole data set
ended and writes the same bytes.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache as remember
from pathlib import Path
from typing import Any

import numpy as np

from spacy_cascade import __version__

from ..embedding import Embedder, get_embedder
from ..errors import CorpusError, Errors
from ..outputs import (
    beside,
    existing,
    type_section,
    write_datasheet,
    write_selected,
    write_text,
)
from ..overlap import refuse_jobs
from ..records import Record, Report
from ..units import NO_TYPE, Incidence, Progress, Unit, data_set, find_units
from ..vectors import read_vectors, write_vectors
from .prune_report import describe, mentions_by_type, totals
from .prune_state import State
from .pruning import PruneOptions, select

REPORT = "pruning.json"


def prune(
    source: Path,
    target: Path,
    options: PruneOptions,
    *,
    from_format: str = "auto",
    to_format: str = "docbin",
    split: str = "train",
    embedder: str | Embedder = "hash",
    cache: Path | None = None,
    sizes: Mapping[str, int] | None = None,
    compare: int = 0,
    limit: int | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
    licence: str = "",
    write_options: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Prunes a file or a directory tree.

    split (str): Which files of a tree to prune; others are left alone.
    embedder (str | Embedder): 'hash', or a sentence-transformers model by name or
        directory, or a function.
    cache (Path): Directory that keeps the embeddings for further runs.
    sizes (Mapping[str, int]): Samples per data set, for the two random methods; comes
        before `options.size`.
    compare (int): Report the mean nearest-neighbour similarity per type, and that of so
        many random samples of equal size.
    limit (int): At most so many records per file.
    licence (str): Of the source, for the datasheet.
    write_options (Mapping): Options of the writer of `to_format`.
    progress (Callable): Wraps the records of each data set, for a progress bar.

    RETURNS (dict): The report, which is also written as `pruning.json`. Of a dry run:
        what would be read and written.
    RAISES CorpusFileNotFoundError, CorpusError: As `find_units`; T071 for existing
        output; T073 for an unfinished run with other options; T074 without a mention in
        the source, or without the sizes that a random method needs; T042 and T072 for
        the embedder.
    """
    units = find_units(
        source,
        target,
        Report(),
        from_format=from_format,
        to_format=to_format,
        split=split,
    )
    refuse_jobs(source, target, [j for u in units for j in u.jobs])
    if options.method == "random" and options.size is None and sizes is None:
        raise CorpusError(
            Errors.T074.format(
                why="the method 'random' needs the number of samples",
                remedy="--size or --like",
            )
        )
    run: dict[str, Any] = {
        "options": {
            **asdict(options),
            "sizes": dict(sizes) if sizes is not None else None,
        },
        "embedder": embedder
        if isinstance(embedder, str)
        else getattr(embedder, "__qualname__", "function"),
        "formats": [from_format, to_format],
        "split": split,
        "compare": compare,
        "limit": limit,
        "versions": {"spacy_cascade": __version__, "numpy": np.__version__},
    }
    report_path = beside(units, source, target, REPORT)
    state = State(report_path.with_suffix(".state"), run, cache)
    outputs = [report_path, *(j.target for u in units for j in u.jobs)]
    if dry_run:
        files = {u.name: [str(j.source) for j in u.jobs] for u in units}
        resume = state.begun and not overwrite
        return {
            **run,
            "would_read": files,
            "would_overwrite": existing(outputs),
            "would_resume": resume,
        }
    state.open(outputs, overwrite=overwrite)
    load = remember(
        lambda: get_embedder(embedder) if isinstance(embedder, str) else embedder
    )
    pruner = _Pruner(
        options,
        load,
        state,
        sizes,
        compare,
        limit,
        to_format,
        dict(write_options or {}),
        progress,
    )
    datasets: dict[str, Any] = {}
    rejected = 0
    for unit in units:
        found = state.load(unit)
        if found is None:
            found = pruner(unit, alone=len(units) == 1)
            state.save(unit, found)
        datasets.update(found["datasets"])
        rejected += found["rejected"]
    report = {
        **run,
        "total": {**totals(datasets), "rejected": rejected},
        "datasets": datasets,
    }
    write_text(json.dumps(report, ensure_ascii=False, indent=1), report_path)
    sections = {
        "content": {"source": source.name, "split": split, **report["total"]},
        "types": type_section(mentions_by_type(datasets)),
        "method": {**run["options"], "embedder": run["embedder"], "limit": limit},
    }
    write_datasheet(report_path, f"{source.name}, pruned", sections, outputs, licence)
    state.close()
    return report


@dataclass(frozen=True)
class _Pruner:
    """Prunes one data set after the other."""

    options: PruneOptions
    embedder: Callable[[], Embedder]
    state: State
    sizes: Mapping[str, int] | None
    compare: int
    limit: int | None
    to_format: str
    write_options: Mapping[str, Any]
    progress: Progress | None

    def __call__(self, unit: Unit, *, alone: bool) -> dict[str, Any]:
        """Writes what is kept of a unit.

        RETURNS (dict): "datasets", statistics; "rejected", a number of entries.
        """
        incidence, vectors, rejected = self._scan(unit)
        if alone and all(label == NO_TYPE for _, label in incidence.keys):
            raise CorpusError(
                Errors.T074.format(
                    why=f"no record of '{unit.name}' has a mention",
                    remedy="another file",
                )
            )
        selection = select(incidence, vectors, self.options, sizes=self.sizes)
        options = self.write_options
        write_selected(
            unit,
            selection.keep,
            Report(),
            to_format=self.to_format,
            options=options,
            limit=self.limit,
        )
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
        incidence, report = Incidence(), Report()
        records: Iterable[Record] = unit.records(report, limit=self.limit)

        def texts() -> Iterator[str]:
            for record in (
                self.progress(records, unit.name) if self.progress else records
            ):
                incidence.add(
                    data_set(record, unit), (m.label for m in record.mentions)
                )
                yield record.text

        path = self.state.vectors(unit)
        wanted = self.options.needs_vectors or self.compare > 0
        if wanted and not path.is_file():
            write_vectors(self.embedder(), texts(), path)
        else:
            deque(texts(), maxlen=0)
        incidence.freeze()
        vectors = read_vectors(path) if wanted and incidence.n_records else None
        return incidence, vectors, report.rejected
