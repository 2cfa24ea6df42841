"""Applies label maps to records, files and directory trees, as a stream."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from spacy_cascade.taxonomy import Taxonomy, TypePath

from ..errors import CorpusError, Errors, check_choice
from ..formats import get_writer
from ..formats.b2nerd import LABELS_FILE, read_labels
from ..issues import Report
from ..jobs import Job, refuse_jobs
from ..outputs import beside, existing, refuse_existing, write_json
from ..records import Mention, Record, Rejected
from ..units import (
    DEFAULT_RUN,
    RunOptions,
    Unit,
    data_set,
    find_units,
    read_job,
)
from .labelmap import LabelMap, arrow_path, check_map, short_name

STYLES = ("name", "path", "local")
REPORT = "standardize.json"


@dataclass
class Tally:
    """What became of the mentions of a data set: mentions = kept + dropped + merged.

    dropped (Counter[str]): By raw name. merged (int): Mentions that became equal to
        another of their record.
    """

    records: int = 0
    mentions: int = 0
    kept: int = 0
    merged: int = 0
    dropped: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Standardizer:
    """Replaces the labels of one data set.

    style (str): How targets are written: "name" ('river'), "path" ('location -> body of
        water -> river'), or "local": the name in `language` where the taxonomy has one.
    RAISES CorpusError: T003 for an unknown style; T050, T051 and T052 as `check_map`.
    """

    map: LabelMap
    taxonomy: Taxonomy
    style: str = "name"
    language: str = ""

    def __post_init__(self) -> None:
        check_choice("--labels", self.style, STYLES)
        check_map(self.map, self.taxonomy)

    @cached_property
    def written(self) -> dict[str, str | None]:
        """Raw name -> label as it is written, None if dropped."""
        return {
            raw: None if t is None else self._write(self.taxonomy.resolve(t))
            for raw, t in self.map.targets.items()
        }

    @property
    def labels(self) -> list[str]:
        """The label set of the standardized data set."""
        labels = [label for label in self.written.values() if label is not None]
        return list(dict.fromkeys(labels))

    def _write(self, path: TypePath) -> str:
        if self.style == "path":
            return arrow_path(path)
        local = ""
        if self.style == "local":
            local = self.taxonomy.localized(path, self.language)
        return local or short_name(path)

    def label(self, raw: str) -> str | None:
        """RAISES CorpusError: T053 for a label that the map lacks."""
        if raw not in self.written:
            raise CorpusError(
                Errors.T053.format(name=self.map.name, n=1, raw=raw, mentions="some")
            )
        return self.written[raw]

    def names(self, raws: Iterable[str]) -> list[str]:
        """A label set or type list, without those dropped, each name once."""
        labels = map(self.label, raws)
        return list(dict.fromkeys(label for label in labels if label is not None))

    def __call__(self, record: Record, tally: Tally) -> Record:
        """The record with standardized mentions, label set and type lists.

        RAISES CorpusError: T053 for a label that the map lacks.
        """
        tally.records += 1
        known = record.entries()
        lists = record.entry_lists()
        entries: list[Mention | Rejected] = []
        type_lists: list[list[str]] = []
        seen: set[Mention] = set()
        for entry, types in zip(known, lists or [[]] * len(known), strict=True):
            if isinstance(entry, Rejected):
                # Nothing is known of a rejected entry for sure; its type may be no label at all.
                type = self.written.get(entry.type) or entry.type
                entries.append(replace(entry, type=type))
                type_lists.append([])
                continue
            tally.mentions += 1
            label = self.label(entry.label)
            if label is None:
                tally.dropped[entry.label] += 1
                continue
            mention = replace(entry, label=label)
            if mention in seen:
                tally.merged += 1
                continue
            tally.kept += 1
            seen.add(mention)
            entries.append(mention)
            type_lists.append(self.names(types))

        stale = ("order", "type_lists", "paths")
        meta = {k: v for k, v in record.meta.items() if k not in stale}
        labels = None if record.labels is None else self.names(record.labels)
        own_lists = None if lists is None else type_lists
        return Record.from_entries(
            record.text, entries, labels=labels, meta=meta, type_lists=own_lists
        )


def map_of(name: str, maps: Mapping[str, LabelMap], folder: Path) -> LabelMap:
    """The map of a data set 'en/wnut17'; of a set without a language, 'wnut17', if only
    one language has it.

    RAISES CorpusError: T058 if there is none.
    """
    found = [m for key, m in maps.items() if key == name or key.split("/")[-1] == name]
    if len(found) != 1:
        known = ", ".join(maps)
        if len(maps) >= 10:
            known = f"{len(maps)}, such as {', '.join(list(maps)[:3])}"
        path = folder / f"{name}.json"
        raise CorpusError(Errors.T058.format(name=name, known=known, path=path))
    return found[0]


def standardize(
    source: Path,
    target: Path,
    maps: Mapping[str, LabelMap] | LabelMap,
    taxonomy: Taxonomy,
    run: RunOptions = DEFAULT_RUN,
    *,
    folder: Path = Path(),
    style: str = "name",
) -> dict[str, Any]:
    """Standardizes a file or a directory tree, record by record.

    Every file is written whole or not at all; the result lies beside them as
    `standardize.json`.

    maps (Mapping[str, LabelMap] | LabelMap): By data set, or one for all.
    run (RunOptions): How the source is read and the target written. A dry run checks the
        maps too.
    folder (Path): Where maps are looked for, for messages.
    style (str): See `Standardizer`.

    RETURNS (dict): "taxonomy", "style"; "datasets": per data set "map", "labels" and
        the counts of `Tally`, with the reason for each label dropped; "rejected". Of a
        dry run only "would_write" and "would_overwrite".
    RAISES CorpusFileNotFoundError, CorpusError: T001, T002, T003, T007, T010 for input
        and output, T050 to T053 and T058 for the maps, T071 for output that exists.
    """
    report = Report()
    units = find_units(source, target, report, run)
    jobs = units.jobs
    refuse_jobs(source, target, jobs)
    chosen = [_standardizer(unit, maps, taxonomy, folder, style) for unit in units]
    summary = beside(units, source, target, REPORT)
    outputs = [*(job.target for job in jobs), summary]
    if run.dry_run:
        return {
            "would_write": [str(path) for path in outputs],
            "would_overwrite": existing(outputs),
        }
    refuse_existing(outputs, overwrite=run.overwrite)

    found: dict[str, Any] = {}
    for unit, apply in zip(units, chosen, strict=True):
        tally = Tally()
        for job in unit.jobs:
            _write_job(job, apply, tally, report, run)
        found[unit.name] = {
            "map": apply.map.name,
            "labels": apply.labels,
            **_describe(tally, apply.map),
        }
    result = {
        "taxonomy": taxonomy.name,
        "style": style,
        "datasets": found,
        "rejected": report.rejected,
    }
    write_json(result, summary)
    return result


def _write_job(
    job: Job, apply: Standardizer, tally: Tally, report: Report, run: RunOptions
) -> None:
    read = read_job(job, report, limit=run.limit)
    records = (apply(record, tally) for record in run.watched(read, job.name))
    options = dict(run.write_options)
    if run.to_format == "b2nerd":
        # in the order of the source, so that its records need no lists of their own
        raws = read_labels(job.source.parent / LABELS_FILE) or apply.map.targets
        options["labels"] = apply.names(raws)
    get_writer(run.to_format).write(records, job.target, report, **options)


def _standardizer(
    unit: Unit,
    maps: Mapping[str, LabelMap] | LabelMap,
    taxonomy: Taxonomy,
    folder: Path,
    style: str,
) -> Standardizer:
    about = unit.jobs[0].about
    if isinstance(maps, LabelMap):
        found = maps
    else:
        parts = [about[key] for key in ("language", "dataset") if key in about]
        # A DocBin says itself which data set its records come from.
        name = _origin(unit) or "/".join(parts) or unit.name
        found = map_of(name, maps, folder)
    language = about.get("language") or found.name.split("/")[0]
    return Standardizer(found, taxonomy, style, language)


def _origin(unit: Unit) -> str:
    job = unit.jobs[0]
    if job.format != "docbin":
        return ""
    first = next(read_job(job, Report(), limit=1), None)
    if first is None or not first.meta.get("dataset"):
        return ""
    return data_set(first, unit)


def _describe(tally: Tally, used: LabelMap) -> dict[str, Any]:
    dropped = {
        raw: {"mentions": n, "reason": used.reasons[raw]}
        for raw, n in tally.dropped.most_common()
    }
    return {
        "records": tally.records,
        "mentions": tally.mentions,
        "kept": tally.kept,
        "merged": tally.merged,
        "dropped": dropped,
    }


def count_labels(units: Iterable[Unit], run: RunOptions) -> dict[str, Counter[str]]:
    """Mentions per raw label of each data set, in one pass.

    Labels of the inventory that no mention has count zero.
    """
    counts: dict[str, Counter[str]] = {}
    for unit in units:
        for job in unit.jobs:
            records = read_job(job, Report(), limit=run.limit)
            for record in run.watched(records, job.name):
                here = counts.setdefault(data_set(record, unit), Counter())
                here.update(mention.label for mention in record.mentions)
    return counts
