"""What the tools that choose records write: the records, a report, a datasheet."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .dynamic import datasheet
from .dynamic.metrics import gini, normalized_entropy, variation
from .errors import CorpusError, Errors
from .files import atomic_path
from .formats import get_writer
from .formats.b2nerd import LABELS_FILE, read_labels
from .issues import Report
from .records import Record
from .units import RunOptions, Unit, read_job

SHOWN = 15


def write_selected(
    unit: Unit, keep: np.ndarray, report: Report, run: RunOptions
) -> None:
    """Writes the chosen records of each file to the file's target.

    keep (ndarray[bool], shape (records of the unit,)): Which records to write.
    run (RunOptions): With the limit as it was when they were counted.
    """
    flags = iter(keep)
    for job in unit.jobs:
        records = read_job(job, Report(), limit=run.limit)
        # records first: zip takes from its first argument before it finds the second at its end
        chosen = (r for r, kept in zip(records, flags, strict=False) if kept)
        write_records(chosen, job.target, report, unit, run)


def write_records(
    records: Iterable[Record], path: Path, report: Report, unit: Unit, run: RunOptions
) -> None:
    """Writes a file of a data set; b2nerd with the label set of the data set beside it."""
    for stale in path.parent.glob(f".{path.name}.*.tmp"):  # of a run that was killed
        stale.unlink()
    options: dict[str, Any] = dict(run.write_options)
    if run.to_format == "b2nerd":
        options["labels"] = read_labels(unit.jobs[0].source.parent / LABELS_FILE)
    get_writer(run.to_format).write(records, path, report, **options)


def write_text(text: str, path: Path) -> None:
    """Writes a small text file atomically."""
    with atomic_path(path) as temp:
        temp.write_text(text, encoding="utf8")


def write_json(value: object, path: Path) -> None:
    """Writes a small JSON file atomically."""
    write_text(json.dumps(value, ensure_ascii=False, indent=1), path)


def write_datasheet(
    report_path: Path,
    title: str,
    sections: Mapping[str, Mapping[str, Any]],
    outputs: Sequence[Path],
    licence: str = "",
) -> None:
    """A datasheet beside a report, with the sizes and checksums of the outputs.

    report_path (Path): `x.pruning.json` gets `x.datasheet.json`, `pruning.json` gets
        `datasheet.json`.
    """
    folder, name = report_path.parent, datasheet.NAME
    if "." in report_path.stem:
        name = f"{report_path.stem.rpartition('.')[0]}.{name}"
    files = datasheet.files(folder, sorted(p for p in outputs if p.is_file()))
    terms = {"licence": {"licence": licence or datasheet.NO_LICENCE}}
    datasheet.write(folder, title, {**sections, **terms, "files": files}, name=name)


def type_section(mentions: Mapping[str, int]) -> dict[str, Any]:
    """Figures on a distribution of types, for a datasheet.

    mentions (Mapping[str, int]): Number of mentions by type.
    """
    counts = Counter({name: n for name, n in mentions.items() if n})
    if not counts:
        return {"types": 0}
    numbers = list(counts.values())
    return {
        "types": len(counts),
        "most_frequent": dict(counts.most_common(SHOWN)),
        "least_frequent": dict(counts.most_common()[: -SHOWN - 1 : -1]),
        "normalized_entropy": normalized_entropy(numbers),
        "gini": gini(numbers),
        "variation": variation(numbers),
    }


def beside(units: Sequence[Unit], source: Path, target: Path, name: str) -> Path:
    """Where something about an output lies: in the output directory of a tree, beside
    the output of a single file.
    """
    if not source.is_file():
        return target / name
    written = units[0].jobs[0].target
    return written.with_name(f"{written.stem}.{name}")


def existing(paths: Iterable[Path]) -> list[str]:
    """Those of the paths that exist."""
    return [str(p) for p in paths if p.exists()]


def refuse_existing(paths: Iterable[Path], *, overwrite: bool) -> None:
    """RAISES CorpusError: T071 if one of the files exists and may not be overwritten."""
    found = [] if overwrite else existing(paths)
    if found:
        raise CorpusError(Errors.T071.format(n=len(found), path=found[0]))
