"""`python -m corpus_tools standardize`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from wasabi import msg

from ..b2nerd.labelmap import PACKAGED, load_map, load_maps
from ..b2nerd.standardize import standardize
from ..label_paths import read_taxonomy
from . import frame, options
from .standardize_modes import Maps, print_lint, print_overview, print_suggestions

HEADER = ("", "records", "mentions", "kept", "dropped", "merged")


@options.with_groups
def standardize_cli(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="INPUT OUTPUT",
            help="Files or directory trees; with a mode: inputs only",
        ),
    ] = None,
    *,
    lint: Annotated[
        bool,
        typer.Option(
            "--lint",
            help="Mode: check taxonomy and maps, and the maps against INPUT if given",
        ),
    ] = False,
    suggest: Annotated[
        bool,
        typer.Option(
            "--suggest",
            help="Mode: propose targets for labels of INPUT without an entry",
        ),
    ] = False,
    overview: Annotated[
        Path | None,
        typer.Option(
            metavar="PAGE",
            help="Mode: write the taxonomy, with the counts of INPUT, to .md or .json",
        ),
    ] = None,
    maps: Annotated[
        Path | None,
        typer.Option(
            help="Label maps <lang>/<set>.json; default: those that come along"
        ),
    ] = None,
    map_path: Annotated[
        Path | None, typer.Option("--map", help="One label map for all of INPUT")
    ] = None,
    taxonomy: Annotated[
        str, typer.Option(help="'universal' or a taxonomy file")
    ] = "universal",
    labels: Annotated[
        str,
        typer.Option(
            help="Write labels as name, path or local (in the language of the set)"
        ),
    ] = "name",
    conflicts: Annotated[
        Path | None,
        typer.Option(
            help=(
                '--lint: JSON list of [["en/a", "label"], ["en/b", "label"]] that may share no'
                " target"
            )
        ),
    ] = None,
    formats: options.Formats,
    embedder: Annotated[
        str, typer.Option(help="--suggest: 'hash', or a sentence-transformers model")
    ] = "hash",
    top: Annotated[
        int, typer.Option(min=1, help="--suggest: targets of each kind")
    ] = 3,
    seed: options.Seed = 0,
    limit: options.Limit = None,
    output: options.Output,
) -> None:
    """Give the labels of many data sets one meaning each (B2NERD's label standardization).

    A label map per data set points raw labels to names of the universal taxonomy, or
    drops them with a reason. Without a mode the maps are applied: every mention is kept
    under its new label, or counted as dropped. --lint exits with 1 if it finds
    anything.
    """
    inputs = paths or []
    if sum([lint, suggest, overview is not None]) > 1:
        raise typer.BadParameter("give one of --lint, --suggest and --overview")
    with frame.messages():
        types = read_taxonomy(taxonomy)
        folder = maps or PACKAGED
        loaded = load_map(map_path) if map_path else None
        known = {loaded.name: loaded} if loaded else load_maps(folder)
        run = frame.run_options(formats, output, types, limit)
        context = Maps(inputs, known, types, folder, run, output)
        if lint:
            print_lint(context, conflicts)
            return
        if suggest:
            print_suggestions(context, embedder, top)
            return
        if overview is not None:
            print_overview(context, overview)
            return
        if len(inputs) != 2:
            raise typer.BadParameter(
                "give INPUT and OUTPUT, or one of --lint, --suggest and --overview"
            )
        source, target = inputs
        result = standardize(
            source, target, loaded or known, types, run, folder=folder, style=labels
        )
    frame.show(result, output, plan=_print_plan, summary=_print)


def _print_plan(result: frame.Result) -> None:
    msg.info(
        f"would write {len(result['would_write'])} file(s),"
        f" {len(result['would_overwrite'])} of which exist"
    )


def _print(result: frame.Result) -> None:
    rows = []
    for name, one in result["datasets"].items():
        dropped = sum(drop["mentions"] for drop in one["dropped"].values())
        counts = (one["records"], one["mentions"], one["kept"], dropped, one["merged"])
        rows.append((name, *counts))
    totals = [sum(row[column] for row in rows) for column in range(1, len(HEADER))]
    if len(rows) > 1:
        rows.append(("total", *totals))
    frame.print_table(rows, HEADER)
    for name, one in result["datasets"].items():
        for raw, drop in one["dropped"].items():
            typer.echo(
                f"  {name}: '{raw}', {drop['mentions']} mention(s) dropped: {drop['reason']}"
            )
    frame.warn_rejected(result["rejected"])
    msg.good(f"{totals[2]} of {totals[1]} mentions kept")
