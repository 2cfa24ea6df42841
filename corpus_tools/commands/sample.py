"""`python -m corpus_tools sample`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from wasabi import msg

from ..errors import check_rule
from ..sample_corpus import sample
from ..sampling import SampleOptions
from . import frame, options

HEADER = ("", "split", "records", "mentions", "types", "coarse types")
ALIGNS: tuple[frame.Align, ...] = ("l", "l", "r", "r", "r", "l")


@options.with_groups
def sample_cli(
    source: options.Source,
    target: Annotated[Path, typer.Argument(metavar="OUTPUT", help="Directory")],
    *,
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
    formats: options.Formats,
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
    licence: options.Licence = "",
    seed: Annotated[int, typer.Option(help="The same seed gives the same output")] = 0,
    limit: options.Limit = None,
    output: options.Output,
) -> None:
    """Few-shot samples, random splits, or splits with disjoint coarse types, for each data set.

    few-shot: of at most S records for m types, each type gets min(floor(S / m), n) of
    the n records that it stands in. splits: train, dev and test by ratio, every type in
    its share. disjoint: train, dev and test have no coarse type in common. Equal
    sentences come to the same split. Beside the output: sampling.json and a datasheet.
    """
    with frame.messages():
        settings = SampleOptions(
            mode=mode,
            size=size,
            ratio=_ratio(ratio),
            coarse=coarse,
            mixed=mixed,
            types={
                "train": options.split_names(train_types),
                "dev": options.split_names(dev_types),
                "test": options.split_names(test_types),
            },
            seed=seed,
        )
        types = frame.load_taxonomy(taxonomy)
        run = frame.run_options(formats, output, types, limit, licence)
        report = sample(source, target, settings, run, split=split, taxonomy=types)

    def print_summary(report: frame.Result) -> None:
        _print(report, target)

    frame.show(report, output, plan=_print_plan, summary=print_summary)


def _ratio(text: str) -> tuple[int, ...]:
    parts = text.split(":")
    decimal = all(part.isdecimal() for part in parts)
    check_rule("ratio", "three whole numbers of at least 1", text, kept=decimal)
    return tuple(map(int, parts))


def _print_plan(report: frame.Result) -> None:
    typer.echo("\n".join(report["would_write"]))
    msg.info(f"{len(report['would_overwrite'])} existing file(s) in the way")


def _print(report: frame.Result, target: Path) -> None:
    rows: list[tuple[Any, ...]] = []
    removed = written = 0
    for name, one in report["datasets"].items():
        for split, figures in one["splits"].items():
            counts = (figures["records"], figures["mentions"], len(figures["types"]))
            coarse_types = one.get("coarse_types", {}).get(split, ())
            rows.append((name, split, *counts, ", ".join(coarse_types)))
            removed += figures["removed_mentions"]
            written += figures["records"]
    width = 6 if any(row[-1] for row in rows) else 5
    frame.print_table([row[:width] for row in rows], HEADER[:width], ALIGNS[:width])

    if removed:
        msg.info(
            f"{removed} mention(s) of other splits' coarse types removed from their records"
        )
    left = sum(one["left_out"] for one in report["datasets"].values())
    msg.good(f"{written} records written to {target}, {left} left out")
    frame.warn_rejected(sum(one["rejected"] for one in report["datasets"].values()))
