"""`python -m corpus_tools decontaminate`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from wasabi import msg, table

from ._shared import FROM_HELP

SHOWN = 3
WIDTH = 100


def decontaminate_cli(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="INPUT", help="File or directory tree of data sets, of any format"
        ),
    ],
    target: Annotated[
        Path,
        typer.Argument(
            metavar="OUTPUT", help="File, or directory that mirrors the tree"
        ),
    ],
    against: Annotated[
        list[Path],
        typer.Option(
            "--against", metavar="REF", help="Reference file or tree; may be repeated"
        ),
    ],
    from_format: Annotated[str, typer.Option("--from", help=FROM_HELP)] = "auto",
    to_format: Annotated[
        str, typer.Option("--to", help="docbin, geic, swift, b2nerd or bio")
    ] = "docbin",
    lang: Annotated[
        str,
        typer.Option(help="docbin: language of the pipeline that tokenizes; xx: any"),
    ] = "xx",
    taxonomy: Annotated[
        str,
        typer.Option(
            help="docbin: 'dynamicner' or a taxonomy file: resolves types to paths"
        ),
    ] = "",
    split: Annotated[
        str,
        typer.Option(help="Files to take from an input tree: <split>.*; '' for all"),
    ] = "train",
    against_split: Annotated[
        str, typer.Option(help="Files to take from a reference tree; '' for all")
    ] = "test",
    cosine: Annotated[
        float,
        typer.Option(
            help="A sentence goes if its cosine to a reference sentence is above"
        ),
    ] = 0.8,
    jaccard: Annotated[
        float,
        typer.Option(
            help="A sentence goes if it shares this part of its character 5-grams"
        ),
    ] = 0.8,
    semantic: Annotated[
        bool, typer.Option("--semantic/--no-semantic", help="Compare embeddings")
    ] = True,
    near: Annotated[
        bool,
        typer.Option(
            "--near/--no-near", help="Search near duplicates, not only exact ones"
        ),
    ] = True,
    repeated: Annotated[
        bool, typer.Option("--repeated", help="Also remove what repeats earlier input")
    ] = False,
    embedder: Annotated[
        str,
        typer.Option(
            help="'hash', or a sentence-transformers model by name or directory"
        ),
    ] = "hash",
    licence: Annotated[
        str, typer.Option(help="Licence of the corpus, for the datasheet")
    ] = "",
    seed: Annotated[int, typer.Option(min=0, help="Of the MinHash permutations")] = 1,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Records per input file")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace earlier output")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be read and written")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="The report as JSON on stdout")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar")] = False,
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
    from ..cli import _messages, _progress
    from ..contamination import FilterOptions, decontaminate
    from ._shared import write_options

    with _messages():
        options = FilterOptions(
            cosine=cosine if semantic else None,
            jaccard=jaccard if near else None,
            repeated=repeated,
            seed=seed,
        )
        report = decontaminate(
            source,
            target,
            against,
            options,
            from_format=from_format,
            to_format=to_format,
            split=split,
            against_split=against_split,
            embedder=embedder,
            limit=limit,
            overwrite=overwrite,
            dry_run=dry_run,
            licence=licence,
            write_options=write_options(to_format, lang, taxonomy),
            progress=None if quiet or as_json else _progress,
        )
    if as_json:
        typer.echo(json.dumps(report, ensure_ascii=False))
    elif dry_run:
        for title, files in (
            ("input", report["would_read"]),
            ("reference", report["references"]),
        ):
            for name, paths in files.items():
                typer.echo(f"{title} {name}: {', '.join(paths)}")
        msg.info(f"{len(report['would_overwrite'])} existing file(s) in the way")
    else:
        _print(report)


def _print(report: Mapping[str, Any]) -> None:
    from ..contamination import REASONS

    columns = ("records", *REASONS, "kept")
    total = report["total"]
    rows = [
        (name, *(one[c] for c in columns)) for name, one in report["datasets"].items()
    ]
    rows.append(("all", *(total[c] for c in columns)))
    typer.echo(
        table(
            rows,
            header=("", *columns),
            divider=True,
            aligns=("l", *"rrrrrr"),
            max_col=60,
        )
    )
    for reason in REASONS:
        for one in [r for r in report["removed"] if r["reason"] == reason][:SHOWN]:
            like = one["like"]
            typer.echo(
                f"{reason} {one['similarity']:.2f}: {one['source']}:{one['record']} ~"
                f" {like['source']}:{like['record']}"
            )
            typer.echo(f"  {one['text'][:WIDTH]}\n  {like['text'][:WIDTH]}")
    removed = total["records"] - total["kept"]
    share = removed / total["records"] if total["records"] else 0.0
    msg.good(
        f"{removed} of {total['records']} records removed ({share:.1%}), against"
        f" {total['references']} references"
    )
    if share > 0.5:
        msg.warn(
            "More than half is gone: the embedder may not tell sentences of this language"
            " apart, or the cosine is too low"
        )
    if total["rejected"]:
        msg.warn(
            f"{total['rejected']} mention(s) or record(s) could not be read; `convert` lists"
            " them"
        )
