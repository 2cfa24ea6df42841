"""`python -m corpus_tools sample`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from wasabi import msg, table

from ._shared import FROM_HELP

ALIGNS: Any = ("l", "l", "r", "r", "r", "l")


def sample_cli(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="INPUT", help="File or directory tree of data sets, of any format"
        ),
    ],
    target: Annotated[Path, typer.Argument(metavar="OUTPUT", help="Directory")],
    mode: Annotated[
        str, typer.Option(help="few-shot, splits or disjoint")
    ] = "few-shot",
    size: Annotated[
        int | None, typer.Option(help="few-shot: records per data set at most")
    ] = None,
    ratio: Annotated[
        str, typer.Option(help="splits, disjoint: of train, dev and test")
    ] = "1:1:3",
    coarse: Annotated[
        bool, typer.Option("--coarse", help="few-shot: stratify by coarse types")
    ] = False,
    mixed: Annotated[
        str,
        typer.Option(
            help="disjoint: mask the mentions of other splits, or drop such records"
        ),
    ] = "mask",
    train_types: Annotated[
        str, typer.Option(help="disjoint: coarse types for train, comma-separated")
    ] = "",
    dev_types: Annotated[str, typer.Option(help="disjoint: coarse types for dev")] = "",
    test_types: Annotated[
        str, typer.Option(help="disjoint: coarse types for test")
    ] = "",
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
        typer.Option(help="'dynamicner' or a taxonomy file: tells the coarse types"),
    ] = "",
    split: Annotated[
        str | None,
        typer.Option(
            help="Files to take from a tree; default: train for few-shot, else all"
        ),
    ] = None,
    licence: Annotated[
        str, typer.Option(help="Licence of the corpus, for the datasheet")
    ] = "",
    seed: Annotated[int, typer.Option(help="The same seed gives the same output")] = 0,
    limit: Annotated[int | None, typer.Option(min=1, help="Records per file")] = None,
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
    """Few-shot samples, random splits, or splits with disjoint coarse types, for each data set.

    few-shot: of at most S records for m types, each type gets min(floor(S / m), n) of
    the n records that it stands in. splits: train, dev and test by ratio, every type in
    its share. disjoint: train, dev and test have no coarse type in common. Equal
    sentences come to the same split. Beside the output: sampling.json and a datasheet.
    """
    from ..cli import _load_taxonomy, _messages, _progress
    from ..errors import CorpusError, Errors
    from ..sample_corpus import sample
    from ..sampling import SampleOptions
    from ._shared import write_options

    with _messages():
        parts = ratio.split(":")
        if not all(p.isdecimal() for p in parts):
            raise CorpusError(
                Errors.T008.format(
                    option="ratio",
                    rule="three whole numbers of at least 1",
                    value=ratio,
                )
            )
        given = {"train": train_types, "dev": dev_types, "test": test_types}
        types = {
            name: [t.strip() for t in text.split(",") if t.strip()]
            for name, text in given.items()
        }
        report = sample(
            source,
            target,
            SampleOptions(
                mode=mode,
                size=size,
                ratio=tuple(map(int, parts)),
                coarse=coarse,
                mixed=mixed,
                types=types,
                seed=seed,
            ),
            from_format=from_format,
            to_format=to_format,
            split=split,
            taxonomy=_load_taxonomy(taxonomy),
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
        typer.echo("\n".join(report["would_write"]))
        msg.info(f"{len(report['would_overwrite'])} existing file(s) in the way")
    else:
        _print(report, target)


def _print(report: Mapping[str, Any], target: Path) -> None:
    rows: list[tuple[Any, ...]] = [
        (
            name,
            split,
            f["records"],
            f["mentions"],
            len(f["types"]),
            ", ".join(one.get("coarse_types", {}).get(split, ())),
        )
        for name, one in report["datasets"].items()
        for split, f in one["splits"].items()
    ]
    header = ("", "split", "records", "mentions", "types", "coarse types")
    width = 6 if any(row[-1] for row in rows) else 5
    rows = [row[:width] for row in rows]
    typer.echo(
        table(
            rows, header=header[:width], divider=True, aligns=ALIGNS[:width], max_col=60
        )
    )
    removed = sum(
        f["removed_mentions"]
        for one in report["datasets"].values()
        for f in one["splits"].values()
    )
    if removed:
        msg.info(
            f"{removed} mention(s) of other splits' coarse types removed from their records"
        )
    left = sum(one["left_out"] for one in report["datasets"].values())
    written = sum(
        f["records"]
        for one in report["datasets"].values()
        for f in one["splits"].values()
    )
    msg.good(f"{written} records written to {target}, {left} left out")
    rejected = sum(one["rejected"] for one in report["datasets"].values())
    if rejected:
        msg.warn(
            f"{rejected} mention(s) or record(s) could not be read; `convert` lists them"
        )
