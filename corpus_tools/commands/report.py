"""`python -m corpus_tools report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from wasabi import msg

from ..errors import CorpusError, Errors
from ..issues import Report
from ..jobs import find_files, refuse_overlap
from ..outputs import refuse_existing, write_text
from ..report.conflicts import load
from ..report.page import render_page
from ..report.samples import Samples
from ..report.stats import collect
from .frame import load_taxonomy, messages, print_json, print_targets, progress
from .options import (
    AnyTaxonomy,
    FromFormat,
    Limit,
    Output,
    RecordLanguage,
    with_groups,
)


@with_groups
def report_cli(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="SOURCE... OUTPUT.html",
            help="Files or directory trees; the page is last",
        ),
    ],
    *,
    from_format: FromFormat = "auto",
    taxonomy: AnyTaxonomy = "",
    conflicts: Annotated[
        Path | None,
        typer.Option(help="A ranked list, as `conflicts` writes it: shown as a table"),
    ] = None,
    samples: Annotated[
        int, typer.Option(min=0, help="Sentences to show, per language")
    ] = 5,
    title: Annotated[
        str, typer.Option(help="Heading (default: the names of the sources)")
    ] = "",
    lang: RecordLanguage = "",
    seed: Annotated[int, typer.Option(help="Of the draw of the samples")] = 0,
    limit: Limit = None,
    output: Output,
) -> None:
    """Show a corpus as one self-contained HTML page: sizes, type tree, balance,
    lengths, conflicts, samples.

    The page loads nothing from elsewhere, and works in light and dark mode and on a
    phone. --taxonomy makes the type tree of corpora whose labels are bare names.
    """
    *sources, target = paths
    with messages():
        if target.suffix.lower() not in (".html", ".htm"):
            raise CorpusError(Errors.T081.format(path=target))
        if not sources:
            raise typer.BadParameter("give at least one source before the page")
        read = [*sources, conflicts] if conflicts else sources
        refuse_overlap(read, [target])
        if output.dry_run:
            _print_plan(sources, target, from_format, output)
            return

        refuse_existing([target], overwrite=output.overwrite)
        types = load_taxonomy(taxonomy)
        ranked = load(conflicts) if conflicts else None
        drawn = Samples(samples, seed)
        stats = collect(
            sources,
            from_format=from_format,
            language=lang or None,
            taxonomy=types,
            limit=limit,
            progress=None if output.silent else progress,
            seen=drawn if samples else None,
        )
        heading = title or ", ".join(source.resolve().name for source in sources)
        page = render_page(stats, drawn, title=heading, taxonomy=types, ranked=ranked)
        write_text(page, target)
    size = target.stat().st_size
    if output.as_json:
        print_json({"page": str(target), "bytes": size, **stats.to_dict()})
    else:
        total = stats.total
        msg.good(
            f"{target}: {total.sentences:,} sentences, {total.mentions:,} mentions,"
            f" {size / 1e3:,.0f} kB"
        )
    if stats.report.failed:
        raise typer.Exit(1)


def _print_plan(
    sources: list[Path], target: Path, from_format: str, output: Output
) -> None:
    targets: dict[str, str] = {}
    for source in sources:
        for path, _, _ in find_files(source, Report(), from_format=from_format):
            targets[str(path)] = str(target)
    print_targets(targets, output.as_json)
