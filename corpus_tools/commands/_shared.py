"""Options that several commands share."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from wasabi import msg

from spacy_cascade.doc.missing import name_groups

from ..formats import FORMATS
from ..records import UNANNOTATED, Report

FROM_HELP = "auto, or " + ", ".join(FORMATS)

# They mean the same everywhere.
Seed = Annotated[
    int, typer.Option(help="As other commands have; nothing here is drawn at random")
]
Limit = Annotated[int | None, typer.Option(min=1, help="Records per file")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Only say what would be read and written")
]
Json = Annotated[
    bool, typer.Option("--json", help="The result as one JSON object on stdout")
]
SpansKey = Annotated[
    str,
    typer.Option(
        "--spans-key",
        help=(
            "docbin: read doc.spans[NAME], such as spancat's 'sc', instead of gold spans or"
            " entities"
        ),
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress bar")]


def write_options(to_format: str, lang: str, taxonomy: str) -> dict[str, Any]:
    """Options of a format's writer. RAISES CorpusError: T009 for a taxonomy that can't be read."""
    from ..cli import _load_taxonomy

    types = _load_taxonomy(taxonomy)
    options: dict[str, dict[str, Any]] = {
        "docbin": {"lang": lang, "taxonomy": types},
        "swift": {"types": types},
    }
    return options.get(to_format, {})


def warn_unread(report: Report) -> None:
    """Say what of DocBins was not read: Docs without annotation, and spans of other groups."""
    n = report.total(UNANNOTATED)
    if n:
        msg.warn(
            f"{n} Doc(s) have no entity annotation, which is not the same as no entity: they"
            " count as texts without mention"
        )
    groups: Counter[str] = Counter()
    for (_, key), spans in report.unread_spans.items():
        groups[key] += spans
    if groups:
        msg.warn(
            f"Spans that are not read: doc.spans {name_groups(groups)}; --spans-key takes one"
            " of them"
        )


def say(targets: Mapping[str, str], as_json: bool) -> None:
    """What a command would read and write. targets (Mapping): By source."""
    existing = sorted({target for target in targets.values() if Path(target).exists()})
    if as_json:
        typer.echo(
            json.dumps(
                {"would_write": targets, "would_replace": existing}, ensure_ascii=False
            )
        )
        return
    for source, target in targets.items():
        typer.echo(f"{source} -> {target}{' (exists)' if target in existing else ''}")
