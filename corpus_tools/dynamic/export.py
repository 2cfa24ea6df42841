"""Versions as files: DocBin, GEIC and SWIFT with a type list per mention, each beside
its datasheet.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import CorpusError, Errors
from ..formats import docbin, geic, swift
from ..issues import Report
from ..records import Mention, Record
from . import datasheet
from .lists import Lists
from .versions import Comparison, Mentions, Source, Version

# Ending by format.
FORMATS = {"docbin": ".spacy", "geic": ".geic.json", "swift": ".swift.json"}
# What would bring back the source's own questions, lists and order of entries.
_STALE = ("questions", "type_lists", "paths", "order", "answers")


def check_formats(names: Iterable[str]) -> list[str]:
    """RAISES CorpusError: T003."""
    found = list(dict.fromkeys(names))
    for name in found:
        if name not in FORMATS:
            raise CorpusError(
                Errors.T003.format(
                    option="--to", value=name, choices=", ".join(FORMATS)
                )
            )
    return found


def labelled(records: Iterable[Record], lists: Lists, start: int) -> Iterator[Record]:
    """Records as a version labels them: each mention with its answer, list and path
    (`meta["type_lists"]`, `meta["paths"]`); the label set of the record is the list
    where all mentions share it. Mentions without a place are left out.

    start (int): Number of the first mention in `lists`.
    """
    for record in records:
        numbers = range(start, start + len(record.mentions))
        start += len(record.mentions)
        own = [lists.names(i) for i in numbers]
        meta = {k: v for k, v in record.meta.items() if k not in _STALE}
        meta |= {"type_lists": own, "paths": [lists.path(i) for i in numbers]}
        yield replace(
            record,
            mentions=tuple(
                Mention(m.start, m.end, lists.label(i))
                for m, i in zip(record.mentions, numbers, strict=True)
            ),
            labels=tuple(own[0]) if own and all(one == own[0] for one in own) else None,
            meta=meta,
            rejected=(),
        )


def write(
    comparison: Comparison,
    source: Source,
    mentions: Mentions,
    output: Path,
    about: Mapping[str, Any],
    *,
    formats: Iterable[str] = tuple(FORMATS),
    lang: str = "xx",
    progress: Callable[..., Iterable[Record]] | None = None,
) -> list[Path]:
    """Writes each version below `output/<version>`, one file per source file and
    format, and a datasheet.

    about (Mapping): How the versions were made, for the datasheets. RETURNS
        (list[Path]): The files, without datasheets.
    RAISES CorpusError: T003 for an unknown format, and what the writers raise.
    """
    names = check_formats(formats)
    written: list[Path] = []
    for version in comparison.versions:
        folder = output / version.name
        paths = []
        start = 0
        for job, count in zip(source.jobs, mentions.counts, strict=True):
            for format in names:
                path = (
                    folder / job.target.parent / f"{job.target.stem}{FORMATS[format]}"
                )
                records: Iterable[Record] = labelled(
                    source.records(job), version.lists, start
                )
                if progress:
                    records = progress(records, f"{version.name} {path.name}")
                _write(format, records, path, lang)
                paths.append(path)
            start += count
        sections = {
            **_sections(version, source, mentions),
            **about,
            "files": datasheet.files(folder, paths),
        }
        datasheet.write(folder, f"{source.path.name}, {version.name} version", sections)
        written += paths
    return written


def _write(format: str, records: Iterable[Record], path: Path, lang: str) -> None:
    if format == "docbin":
        docbin.write(records, path, Report(), lang=lang)
    elif format == "geic":
        geic.write(records, path)
    else:
        swift.write(records, path, Report(), stage=2)


def _sections(
    version: Version, source: Source, mentions: Mentions
) -> dict[str, dict[str, Any]]:
    lists = version.lists
    answers = Counter(lists.label(i) for i in range(len(lists)))
    depths = Counter(len(lists.types.paths[c]) for c in lists.answer)
    return {
        "content": {
            "version": version.name,
            "source": source.path.name,
            "source_files": [
                job.name if job.name != str(source.path) else source.path.name
                for job in source.jobs
            ],
            "records": mentions.records,
            "mentions": len(lists),
            "mentions_without_a_place_left_out": mentions.rejected,
        },
        "types": {
            "distinct_answers": len(answers),
            "mentions_by_level": {str(k): depths[k] for k in sorted(depths)},
            "most_frequent": dict(answers.most_common(15)),
            "least_frequent": dict(answers.most_common()[:-16:-1]),
        },
        "balance": {
            k: v
            for k, v in version.metrics.to_dict().items()
            if k not in ("types", "mentions")
        },
        "lists": {
            "distinct": version.distinct,
            "shortest": min(version.lengths),
            "mean_length": sum(k * n for k, n in version.lengths.items()) / len(lists),
            "longest": max(version.lengths),
        },
        "parameters": {k: dict(v) for k, v in version.params.items()},
    }
