"""Samples and splits of files and directory trees, each data set below a directory of its own."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from spacy_cascade import __version__
from spacy_cascade.taxonomy import Taxonomy

from .errors import CorpusError, Errors
from .formats import get_writer
from .outputs import (
    existing,
    refuse_existing,
    type_section,
    write_datasheet,
    write_records,
    write_text,
)
from .overlap import refuse_overlap
from .records import Record, Report
from .sampling import (
    SPLITS,
    CoarseTypes,
    SampleOptions,
    Scan,
    few_shot,
    masked,
    partition,
    split_by_ratio,
    split_disjoint,
)
from .units import Progress, Unit, find_units

REPORT = "sampling.json"


def sample(
    source: Path,
    target: Path,
    options: SampleOptions,
    *,
    from_format: str = "auto",
    to_format: str = "docbin",
    split: str | None = None,
    taxonomy: Taxonomy | None = None,
    limit: int | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
    licence: str = "",
    write_options: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Samples or splits a file or a directory tree.

    Writes `train`, and for splits `dev` and `test`, to `target/<data set>` (to `target`
    for a single file).

    split (str): Which files of a tree to take. Default: train for few-shot samples, else all.
    taxonomy (Taxonomy): Tells the coarse types. Without it, that is the first part of
        labels like 'a->b'.
    limit (int): At most so many records per file.
    licence (str): Of the source, for the datasheet.

    RETURNS (dict): The report, which is also written as `sampling.json`. Of a dry run:
        what would be read and written.
    RAISES CorpusFileNotFoundError, CorpusError: As `find_units`; T071 for existing
        output; T078 and T079 as the functions of `sampling`; T008 if the output is a
        file.
    """
    if target.is_file():
        raise CorpusError(
            Errors.T008.format(option="OUTPUT", rule="a directory", value=str(target))
        )
    part = ("train" if options.mode == "few-shot" else "") if split is None else split
    units = find_units(
        source,
        target,
        Report(),
        from_format=from_format,
        to_format=to_format,
        split=part,
    )
    names = SPLITS[:1] if options.mode == "few-shot" else SPLITS
    suffix = get_writer(to_format).suffix
    folders = {u.name: target / u.name if source.is_dir() else target for u in units}
    outputs = [folders[u.name] / f"{n}{suffix}" for u in units for n in names]
    read = [j.source for u in units for j in u.jobs]
    refuse_overlap([source, *read], [target, target / REPORT, *outputs])
    run: dict[str, Any] = {
        "options": {
            **asdict(options),
            "types": {k: list(v) for k, v in options.types.items()},
        },
        "limit": limit,
    }
    run["taxonomy"] = taxonomy.name if taxonomy is not None else None
    run["versions"] = {"spacy_cascade": __version__, "numpy": np.__version__}
    if dry_run:
        files = {u.name: [str(j.source) for j in u.jobs] for u in units}
        return {
            **run,
            "would_read": files,
            "would_write": list(map(str, outputs)),
            "would_overwrite": existing(outputs),
        }
    refuse_existing([target / REPORT, *outputs], overwrite=overwrite)
    coarse = CoarseTypes(taxonomy)
    # all plans first: a data set that can't be split should not leave half of the output
    plans = []
    for unit in units:
        issues = Report()
        records: Iterable[Record] = unit.records(issues, limit=limit)
        scan = Scan(
            unit.name, progress(records, unit.name) if progress else records, coarse
        )
        plans.append((unit, issues.rejected, *_plan(scan, options)))
    datasets: dict[str, Any] = {}
    for unit, rejected, place, split_of in plans:
        found: dict[str, Any] = {
            "records": len(place),
            "left_out": int((place < 0).sum()),
            "rejected": rejected,
        }
        if split_of is not None:
            found["coarse_types"] = {
                n: sorted(k for k, v in split_of.items() if SPLITS[v] == n)
                for n in names
            }
        found["splits"] = {}
        for number, name in enumerate(names):
            counts: Counter[str] = Counter()
            chosen = _records(
                unit, limit, place == number, number, split_of, coarse, counts
            )
            path = folders[unit.name] / f"{name}{suffix}"
            write_records(
                chosen,
                path,
                Report(),
                unit,
                to_format=to_format,
                options=write_options or {},
            )
            found["splits"][name] = _figures(counts)
        datasets[unit.name] = found
    report = {**run, "datasets": datasets}
    write_text(json.dumps(report, ensure_ascii=False, indent=1), target / REPORT)
    labels: Counter[str] = Counter()
    for one in datasets.values():
        for figures in one["splits"].values():
            labels.update(figures["types"])
    sizes = {
        n: sum(d["splits"][n]["records"] for d in datasets.values()) for n in names
    }
    sections = {
        "content": {"source": source.name, "datasets": len(datasets), "records": sizes},
        "types": type_section(labels),
        "method": {k: v for k, v in run.items() if k != "versions"},
    }
    write_datasheet(
        target / REPORT, f"{source.name}, {options.mode}", sections, outputs, licence
    )
    return report


def _plan(
    scan: Scan, options: SampleOptions
) -> tuple[np.ndarray, dict[str, int] | None]:
    """The split of each record, -1 for none, and for disjoint splits that of each coarse type."""
    if options.mode == "few-shot":
        return np.where(few_shot(scan, options), 0, -1), None
    if options.mode == "splits":
        return split_by_ratio(scan, options), None
    split_of = partition(scan, options)
    return split_disjoint(scan, split_of, options), split_of


def _records(
    unit: Unit,
    limit: int | None,
    keep: np.ndarray,
    number: int,
    split_of: Mapping[str, int] | None,
    coarse: CoarseTypes,
    counts: Counter[str],
) -> Iterator[Record]:
    """The records of one split, counted."""
    for record in itertools.compress(unit.records(Report(), limit=limit), keep):
        counts["removed mentions"] += len(record.mentions)
        if split_of is not None:
            record = masked(record, number, split_of, coarse)
        counts["removed mentions"] -= len(record.mentions)
        counts["records"] += 1
        counts.update(f"type {m.label}" for m in record.mentions)
        yield record


def _figures(counts: Counter[str]) -> dict[str, Any]:
    types = {
        k.removeprefix("type "): n for k, n in counts.items() if k.startswith("type ")
    }
    found = {
        "records": counts["records"],
        "mentions": sum(types.values()),
        "removed_mentions": counts["removed mentions"],
    }
    return {**found, "types": dict(sorted(types.items()))}
