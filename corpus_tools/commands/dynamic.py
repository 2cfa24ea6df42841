"""`python -m corpus_tools dynamic`: base, random and dynamic version of a corpus."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from wasabi import msg

from ..dynamic import pipeline
from ..dynamic.figure import as_table, draw
from ..dynamic.versions import Source as Corpus
from ..dynamic.versions import measure_source
from ..embedding import get_embedder
from .frame import Result, messages, print_json, progress
from .options import (
    Embedder,
    FromFormat,
    Licence,
    Limit,
    Output,
    split_names,
    with_groups,
)


@with_groups
def dynamic_cli(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SOURCE", help="Corpus of any format: a file or a directory tree"
        ),
    ],
    target: Annotated[
        Path | None,
        typer.Argument(metavar="OUTPUT", help="Directory; not with --measure"),
    ] = None,
    *,
    measure: Annotated[
        bool,
        typer.Option(
            "--measure", help="Only measure SOURCE as it is labelled; writes nothing"
        ),
    ] = False,
    from_format: FromFormat = "auto",
    to_formats: Annotated[
        str, typer.Option("--to", help="Formats of the versions")
    ] = "docbin,geic,swift",
    each: Annotated[
        bool,
        typer.Option(
            "--each", help="Each sub-directory of SOURCE is a corpus of its own"
        ),
    ] = False,
    lang: Annotated[
        str,
        typer.Option(help="Of synonyms and DocBins; auto: the folder's name, else en"),
    ] = "auto",
    taxonomy: Annotated[
        str,
        typer.Option(
            help="'dynamicner', a taxonomy file, 'labels': the corpus's own types"
        ),
    ] = "dynamicner",
    synonyms: Annotated[
        str,
        typer.Option(
            help="Synonym table: auto (by language), none, a language, a JSON file"
        ),
    ] = "auto",
    embedder: Embedder = "hash",
    seed: Annotated[
        int, typer.Option(min=0, help="The same seed gives the same versions")
    ] = 0,
    budget: Annotated[
        int, typer.Option(min=1, help="Parameter sets tried per round")
    ] = 48,
    variety: Annotated[
        float,
        typer.Option(min=0, help="Weight of variety beside the gain of the metrics"),
    ] = 0.1,
    seeds: Annotated[
        int, typer.Option(min=1, help="Random versions to compare with")
    ] = 5,
    licence: Licence = "",
    limit: Limit = None,
    output: Output,
) -> None:
    """Give every mention a type list of its own (dynamic categorization, DynamicNER).

    Four rounds (mix granularities, rename by synonyms, narrow the lists, merge into
    "other") with parameters searched so that cohesion, normalized entropy, Gini and
    variation coefficient do not get worse. Writes the versions base, random and dynamic
    with datasheets, versions.json (figures), search.jsonl (every step of the search)
    and versions.png.
    """
    if measure:
        with messages():
            corpus = Corpus.open(source, format=from_format, limit=limit)
            found = measure_source(corpus, get_embedder(embedder))
            _print_metrics(found, as_json=output.as_json)
        return
    if target is None:
        raise typer.BadParameter("give an OUTPUT directory, or --measure")
    settings = pipeline.Settings(
        lang=lang,
        taxonomy=taxonomy,
        synonyms=synonyms,
        embedder=embedder,
        seed=seed,
        budget=budget,
        variety=variety,
        seeds=seeds,
        limit=limit,
        licence=licence,
        from_format=from_format,
        formats=tuple(split_names(to_formats)),
    )
    with messages():
        replace = output.overwrite or output.dry_run
        corpora = pipeline.targets(source, target, each=each, overwrite=replace)
        if output.dry_run:
            _print_plan(corpora, settings.formats, as_json=output.as_json)
            return
        embed = get_embedder(embedder)
        bars = None if output.quiet else partial(progress, unit="it")
        results = {
            into.name: pipeline.make(one, into, embed, settings, bars)
            for one, into in corpora.items()
        }
        if each:
            draw(results, target / pipeline.FIGURE)
    if output.as_json:
        print_json(results if each else next(iter(results.values())))
        return
    for name, result in results.items():
        typer.echo(f"\n{name}\n{as_table(result)}" if each else as_table(result))
        _warn(result)
    msg.good(f"Versions, datasheets and figures are in {target}")


def _warn(result: Result) -> None:
    for round in result["dynamic"]["skipped_rounds"]:
        msg.warn(
            f"Round '{round}' skipped: no parameters without a loss were found"
            " (search.jsonl; a larger --budget may help)"
        )
    broken = [promise for promise, kept in result["verdict"].items() if not kept]
    if broken:
        msg.warn(f"The dynamic version falls short: {', '.join(broken)}")


def _print_metrics(found: Result, *, as_json: bool) -> None:
    """The four metrics of a corpus, a DocBin of one of the versions for example."""
    if as_json:
        print_json(found)
        return
    for name, value in found["metrics"].items():
        figure = f"{value:.4f}" if isinstance(value, float) else value
        typer.echo(f"{name:>10} {figure}")
    typer.echo(f"{'lists':>10} {found['distinct_lists']}")


def _print_plan(
    corpora: dict[Path, Path], formats: Iterable[str], *, as_json: bool
) -> None:
    """What a run would do."""
    rows = [
        {
            "corpus": str(one),
            "output": str(into),
            "formats": list(formats),
            "replaces": into.is_dir() and any(into.iterdir()),
        }
        for one, into in corpora.items()
    ]
    if as_json:
        print_json({"plan": rows})
        return
    for row in rows:
        typer.echo(
            f"{row['corpus']} -> {row['output']}/{{base,random,dynamic}} ({', '.join(formats)})"
        )
        if row["replaces"]:
            msg.warn(
                f"{row['output']} is not empty: files of the same names would be replaced"
                " (--overwrite)"
            )
