"""`python -m corpus_tools dynamic`: base, random and dynamic version of a corpus."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer
from tqdm import tqdm
from wasabi import msg

from ._shared import FROM_HELP


def dynamic_cli(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SOURCE", help="Corpus of any format: a file or a directory tree"
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Argument(metavar="OUTPUT", help="Directory; not with --measure"),
    ] = None,
    measure: Annotated[
        bool,
        typer.Option(
            "--measure", help="Only measure SOURCE as it is labelled; writes nothing"
        ),
    ] = False,
    from_format: Annotated[str, typer.Option("--from", help=FROM_HELP)] = "auto",
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
    embedder: Annotated[
        str,
        typer.Option(help="'hash' (no model needed), or a sentence-transformers model"),
    ] = "hash",
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
    licence: Annotated[
        str, typer.Option(help="Licence of the corpus, for the datasheets")
    ] = "",
    limit: Annotated[int | None, typer.Option(min=1, help="Records per file")] = None,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Write into a directory that is not empty"),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be written, and stop")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the result as one JSON object")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bars")] = False,
) -> None:
    """Give every mention a type list of its own (dynamic categorization, DynamicNER).

    Four rounds (mix granularities, rename by synonyms, narrow the lists, merge into
    "other") with parameters searched so that cohesion, normalized entropy, Gini and
    variation coefficient do not get worse. Writes the versions base, random and dynamic
    with datasheets, versions.json (figures), search.jsonl (every step of the search)
    and versions.png.
    """
    from ..cli import _messages
    from ..dynamic import pipeline
    from ..dynamic.figure import as_table, draw
    from ..embedding import get_embedder

    if measure:
        with _messages():
            _measure(source, embedder, from_format, limit, as_json=as_json)
        return
    if output is None:
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
        formats=tuple(name.strip() for name in to_formats.split(",") if name.strip()),
    )
    with _messages():
        corpora = pipeline.targets(
            source, output, each=each, overwrite=overwrite or dry_run
        )
        if dry_run:
            _plan(corpora, settings.formats, as_json=as_json)
            return
        embed = get_embedder(embedder)
        bars = None if quiet else _bar
        results = {
            into.name: pipeline.make(one, into, embed, settings, bars)
            for one, into in corpora.items()
        }
        if each:
            draw(results, output / pipeline.FIGURE)
    if as_json:
        typer.echo(
            json.dumps(
                results if each else next(iter(results.values())), ensure_ascii=False
            )
        )
        return
    for name, result in results.items():
        typer.echo(f"\n{name}\n{as_table(result)}" if each else as_table(result))
        for round in result["dynamic"]["skipped_rounds"]:
            msg.warn(
                f"Round '{round}' skipped: no parameters without a loss were found"
                " (search.jsonl; a larger --budget may help)"
            )
        broken = [promise for promise, kept in result["verdict"].items() if not kept]
        if broken:
            msg.warn(f"The dynamic version falls short: {', '.join(broken)}")
    msg.good(f"Versions, datasheets and figures are in {output}")


def _measure(
    source: Path, embedder: str, format: str, limit: int | None, *, as_json: bool
) -> None:
    """The four metrics of a corpus, a DocBin of one of the versions for example."""
    from ..dynamic.versions import Source, measure_source
    from ..embedding import get_embedder

    found = measure_source(
        Source.open(source, format=format, limit=limit), get_embedder(embedder)
    )
    if as_json:
        typer.echo(json.dumps(found))
        return
    for name, value in found["metrics"].items():
        typer.echo(
            f"{name:>10} {value:.4f}"
            if isinstance(value, float)
            else f"{name:>10} {value}"
        )
    typer.echo(f"{'lists':>10} {found['distinct_lists']}")


def _plan(corpora: dict[Path, Path], formats: Iterable[str], *, as_json: bool) -> None:
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
        typer.echo(json.dumps({"plan": rows}, ensure_ascii=False))
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


def _bar(items: Iterable[Any], name: str) -> Iterable[Any]:
    # disable=None: no bar where stderr is not a terminal
    return tqdm(items, desc=name, leave=False, disable=None)
