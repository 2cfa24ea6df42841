"""`python -m corpus_tools decontaminate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from wasabi import msg

from ..contamination import REASONS, FilterOptions, decontaminate
from . import frame, options

SHOWN = 3
WIDTH = 100


@options.with_groups
def decontaminate_cli(
    source: options.Source,
    target: options.Target,
    *,
    against: Annotated[
        list[Path],
        typer.Option(
            "--against", metavar="REF", help="Reference file or tree; may be repeated"
        ),
    ],
    formats: options.Formats,
    taxonomy: options.PathTaxonomy = "",
    split: options.Split = "train",
    against_split: Annotated[
        str, typer.Option(help="Files to take from a reference tree; '' for all")
    ] = "test",
    semantic: Annotated[
        bool, typer.Option("--semantic/--no-semantic", help="Compare embeddings")
    ] = True,
    cosine: Annotated[
        float,
        typer.Option(
            help="A sentence goes if its cosine to a reference sentence is above"
        ),
    ] = 0.8,
    near: Annotated[
        bool,
        typer.Option(
            "--near/--no-near", help="Search near duplicates, not only exact ones"
        ),
    ] = True,
    jaccard: Annotated[
        float,
        typer.Option(
            help="A sentence goes if it shares this part of its character 5-grams"
        ),
    ] = 0.8,
    repeated: Annotated[
        bool, typer.Option("--repeated", help="Also remove what repeats earlier input")
    ] = False,
    embedder: options.Embedder = "hash",
    licence: options.Licence = "",
    seed: Annotated[int, typer.Option(min=0, help="Of the MinHash permutations")] = 1,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Records per input file")
    ] = None,
    output: options.Output,
) -> None:
    """Remove sentences that also stand in reference data, such as test sets, in the
    same or other words.

    A sentence goes if it is an exact duplicate (letters and digits, case ignored), a
    near duplicate (MinHash LSH) or its embedding's cosine to a reference is above 0.8.
    The embedder 'hash' knows spelling only: it finds edited sentences, and a
    sentence-transformers model of the right language finds paraphrases too. Beside the
    output: decontamination.json, which lists every removed sentence with the one that
    it is like, and a datasheet.
    """
    with frame.messages():
        settings = FilterOptions(
            cosine=cosine if semantic else None,
            jaccard=jaccard if near else None,
            repeated=repeated,
            seed=seed,
        )
        types = frame.load_taxonomy(taxonomy)
        run = frame.run_options(formats, output, types, limit, licence)
        report = decontaminate(
            source,
            target,
            against,
            settings,
            run,
            split=split,
            against_split=against_split,
            embedder=embedder,
        )
    frame.show(report, output, plan=_print_plan, summary=_print)


def _print_plan(report: frame.Result) -> None:
    for name, paths in report["would_read"].items():
        typer.echo(f"input {name}: {', '.join(paths)}")
    for name, paths in report["references"].items():
        typer.echo(f"reference {name}: {', '.join(paths)}")
    msg.info(f"{len(report['would_overwrite'])} existing file(s) in the way")


def _print(report: frame.Result) -> None:
    columns = ("records", *REASONS, "kept")
    total = report["total"]
    groups = [*report["datasets"].items(), ("all", total)]
    rows = [(name, *(one[column] for column in columns)) for name, one in groups]
    frame.print_table(rows, ("", *columns))
    for reason in REASONS:
        removed = [one for one in report["removed"] if one["reason"] == reason]
        for one in removed[:SHOWN]:
            _print_removed(one)

    n = total["records"] - total["kept"]
    share = n / total["records"] if total["records"] else 0.0
    msg.good(
        f"{n} of {total['records']} records removed ({share:.1%}), against"
        f" {total['references']} references"
    )
    if share > 0.5:
        msg.warn(
            "More than half is gone: the embedder may not tell sentences of this language"
            " apart, or the cosine is too low"
        )
    frame.warn_rejected(total["rejected"])


def _print_removed(one: frame.Result) -> None:
    like = one["like"]
    places = [f"{place['source']}:{place['record']}" for place in (one, like)]
    typer.echo(f"{one['reason']} {one['similarity']:.2f}: {places[0]} ~ {places[1]}")
    typer.echo(f"  {one['text'][:WIDTH]}\n  {like['text'][:WIDTH]}")
