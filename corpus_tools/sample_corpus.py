"""Samples and splits of files and directory trees, each data set below a directory of its own."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from spacy_cascade import __version__
from spacy_cascade.taxonomy import Taxonomy

from .errors import CorpusError, Errors
from .formats import get_writer
from .issues import Report
from .jobs import refuse_overlap
from .outputs import (
    existing,
    refuse_existing,
    type_section,
    write_datasheet,
    write_json,
    write_records,
)
from .records import Record
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
from .units import DEFAULT_RUN, RunOptions, Unit, find_units

REPORT = "sampling.json"


def sample(
    source: Path,
    target: Path,
    options: SampleOptions,
    run: RunOptions = DEFAULT_RUN,
    *,
    split: str | None = None,
    taxonomy: Taxonomy | None = None,
) -> dict[str, Any]:
    """Samples or splits a file or a directory tree.

    Writes `train`, and for splits `dev` and `test`, to `target/<data set>` (to `target`
    for a single file).

    run (RunOptions): How the source is read and the target written.
    split (str): Which files of a tree to take. Default: train for few-shot samples, else all.
    taxonomy (Taxonomy): Tells the coarse types. Without it, that is the first part of
        labels like 'a->b'.

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
    units = find_units(source, target, Report(), run, split=part)
    names = SPLITS[:1] if options.mode == "few-shot" else SPLITS
    suffix = get_writer(run.to_format).suffix
    folders = {u.name: target / u.name if source.is_dir() else target for u in units}
    outputs = [folders[u.name] / f"{n}{suffix}" for u in units for n in names]
    read = [job.source for job in units.jobs]
    refuse_overlap([source, *read], [target, target / REPORT, *outputs])

    types = {coarse: list(chosen) for coarse, chosen in options.types.items()}
    about: dict[str, Any] = {
        "options": {**asdict(options), "types": types},
        "limit": run.limit,
        "taxonomy": taxonomy.name if taxonomy is not None else None,
        "versions": {"spacy_cascade": __version__, "numpy": np.__version__},
    }
    if run.dry_run:
        return {
            **about,
            "would_read": units.sources,
            "would_write": list(map(str, outputs)),
            "would_overwrite": existing(outputs),
        }
    refuse_existing([target / REPORT, *outputs], overwrite=run.overwrite)

    coarse_types = CoarseTypes(taxonomy)
    # all plans first: a data set that can't be split should not leave half of the output
    plans = [_plan(unit, options, run, coarse_types) for unit in units]
    datasets = {}
    for plan in plans:
        paths = [folders[plan.unit.name] / f"{name}{suffix}" for name in names]
        datasets[plan.unit.name] = _write(plan, paths, names, run, coarse_types)

    report = {**about, "datasets": datasets}
    write_json(report, target / REPORT)
    labels: Counter[str] = Counter()
    sizes: Counter[str] = Counter(dict.fromkeys(names, 0))
    for one in datasets.values():
        for name, figures in one["splits"].items():
            labels.update(figures["types"])
            sizes[name] += figures["records"]
    sections = {
        "content": {
            "source": source.name,
            "datasets": len(datasets),
            "records": dict(sizes),
        },
        "types": type_section(labels),
        "method": {k: v for k, v in about.items() if k != "versions"},
    }
    title = f"{source.name}, {options.mode}"
    write_datasheet(target / REPORT, title, sections, outputs, run.licence)
    return report


class _Plan(NamedTuple):
    """Which record of a data set goes where.

    place (ndarray[int], shape (records,)): The split of each record, -1 for none.
    split_of (dict[str, int]): The split of each coarse type, if splits are disjoint.
    """

    unit: Unit
    rejected: int
    place: np.ndarray
    split_of: dict[str, int] | None


def _plan(
    unit: Unit, options: SampleOptions, run: RunOptions, coarse: CoarseTypes
) -> _Plan:
    issues = Report()
    records = unit.records(issues, limit=run.limit)
    scan = Scan(unit.name, run.watched(records, unit.name), coarse)
    split_of = None
    if options.mode == "few-shot":
        place = np.where(few_shot(scan, options), 0, -1)
    elif options.mode == "splits":
        place = split_by_ratio(scan, options)
    else:
        split_of = partition(scan, options)
        place = split_disjoint(scan, split_of, options)
    return _Plan(unit, issues.rejected, place, split_of)


def _write(
    plan: _Plan,
    paths: Sequence[Path],
    names: Sequence[str],
    run: RunOptions,
    coarse: CoarseTypes,
) -> dict[str, Any]:
    """Writes the splits of a data set. RETURNS (dict): Its part of the report."""
    found: dict[str, Any] = {
        "records": len(plan.place),
        "left_out": int((plan.place < 0).sum()),
        "rejected": plan.rejected,
    }
    if plan.split_of is not None:
        types: dict[str, list[str]] = {name: [] for name in names}
        for coarse_type, number in sorted(plan.split_of.items()):
            types[SPLITS[number]].append(coarse_type)
        found["coarse_types"] = types

    found["splits"] = {}
    for number, (name, path) in enumerate(zip(names, paths, strict=True)):
        counts: Counter[str] = Counter()
        chosen = _records(plan, number, run.limit, coarse, counts)
        write_records(chosen, path, Report(), plan.unit, run)
        found["splits"][name] = _figures(counts)
    return found


def _records(
    plan: _Plan,
    number: int,
    limit: int | None,
    coarse: CoarseTypes,
    counts: Counter[str],
) -> Iterator[Record]:
    """The records of one split, counted."""
    records = plan.unit.records(Report(), limit=limit)
    for record in itertools.compress(records, plan.place == number):
        counts["removed mentions"] += len(record.mentions)
        if plan.split_of is not None:
            record = masked(record, number, plan.split_of, coarse)
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
