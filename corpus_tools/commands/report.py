"""`python -m corpus_tools report`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from wasabi import msg

from ._shared import FROM_HELP, DryRun, Json, Limit, Quiet, say


def report_cli(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="SOURCE... OUTPUT.html",
            help="Files or directory trees; the page is last",
        ),
    ],
    from_format: Annotated[str, typer.Option("--from", help=FROM_HELP)] = "auto",
    taxonomy: Annotated[
        str,
        typer.Option(
            help="'dynamicner', 'universal' or a taxonomy file: resolves types to paths"
        ),
    ] = "",
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
    lang: Annotated[
        str, typer.Option(help="Language of all records (default: by their folders)")
    ] = "",
    seed: Annotated[int, typer.Option(help="Of the draw of the samples")] = 0,
    limit: Limit = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an earlier page")
    ] = False,
    dry_run: DryRun = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show a corpus as one self-contained HTML page: sizes, type tree, balance,
    lengths, conflicts, samples.

    The page loads nothing from elsewhere, and works in light and dark mode and on a
    phone. --taxonomy makes the type tree of corpora whose labels are bare names.
    """
    from ..cli import _load_taxonomy, _messages, _progress
    from ..convert import find_files
    from ..errors import CorpusError, Errors
    from ..files import atomic_path
    from ..overlap import refuse_overlap
    from ..records import Report
    from ..report.conflicts import load
    from ..report.page import render_page
    from ..report.samples import Samples
    from ..report.stats import collect

    *sources, target = paths
    with _messages():
        if target.suffix.lower() not in (".html", ".htm"):
            raise CorpusError(Errors.T081.format(path=target))
        if not sources:
            raise typer.BadParameter("give at least one source before the page")
        refuse_overlap([*sources, *([conflicts] if conflicts else [])], [target])
        if dry_run:
            found = [
                f
                for source in sources
                for f in find_files(source, Report(), from_format=from_format)
            ]
            say({str(path): str(target) for path, _, _ in found}, as_json)
            return
        if target.exists() and not overwrite:
            raise CorpusError(Errors.T071.format(n=1, path=target))
        types = _load_taxonomy(taxonomy)
        ranked = load(conflicts) if conflicts else None
        drawn = Samples(samples, seed)
        stats = collect(
            sources,
            from_format=from_format,
            language=lang or None,
            taxonomy=types,
            limit=limit,
            progress=None if quiet or as_json else _progress,
            seen=drawn if samples else None,
        )
        heading = title or ", ".join(source.resolve().name for source in sources)
        page = render_page(stats, drawn, title=heading, taxonomy=types, ranked=ranked)
        with atomic_path(target) as temp:
            temp.write_text(page, encoding="utf8")
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "page": str(target),
                    "bytes": target.stat().st_size,
                    **stats.to_dict(),
                },
                ensure_ascii=False,
            )
        )
    else:
        total = stats.total
        msg.good(
            f"{target}: {total.sentences:,} sentences, {total.mentions:,} mentions,"
            f" {target.stat().st_size / 1e3:,.0f} kB"
        )
    if stats.report.failed:
        raise typer.Exit(1)
