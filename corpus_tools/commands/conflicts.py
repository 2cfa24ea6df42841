"""`python -m corpus_tools conflicts`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from wasabi import msg

from ..b2nerd.conflicts import detect
from ..b2nerd.conflicts.heatmap import shared_types
from ..b2nerd.conflicts.report import HEADER, rows
from ..b2nerd.conflicts.sets import DataSet
from ..b2nerd.conflicts.similar import Names
from .frame import (
    Align,
    Result,
    load_taxonomy,
    messages,
    print_json,
    print_table,
    progress,
)
from .options import Output, split_names, with_groups

TOP = 20
ALIGNS: tuple[Align, ...] = ("r", "l", "l", "r", "r", "r", "r", "r", "r")


@with_groups
def conflicts_cli(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="CORPORA... OUTPUT",
            help=(
                "Data sets: directories with train/dev/test files of any format, or directories"
                " of such; the last is written"
            ),
        ),
    ],
    *,
    rules_only: Annotated[
        bool, typer.Option("--rules-only", help="Train no taggers")
    ] = False,
    config: Annotated[
        Path | None,
        typer.Option(
            help="Config of the taggers, as for `spacy train` (default: small tok2vec)"
        ),
    ] = None,
    types: Annotated[
        str, typer.Option(help="Only conflicts of these types, separated by commas")
    ] = "",
    max_steps: Annotated[
        int | None,
        typer.Option(
            min=1, help="Steps of each training (default: as the config says)"
        ),
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(help="Directory for taggers and scores (default: OUTPUT/cache)"),
    ] = None,
    taxonomy: Annotated[
        str,
        typer.Option(
            help=(
                "Says which type includes which: 'universal', 'dynamicner', a file, '' for none"
            )
        ),
    ] = "universal",
    label_map: Annotated[
        Path | None,
        typer.Option(
            help="Standardized names: a directory of label maps, or a JSON object"
        ),
    ] = None,
    aliases: Annotated[
        Path | None,
        typer.Option(
            help="JSON object mention -> mention with the same meaning, such as translations"
        ),
    ] = None,
    embedder: Annotated[
        str,
        typer.Option(
            help="Compares names: 'hash', 'none', or a sentence-transformers model"
        ),
    ] = "hash",
    threshold: Annotated[
        float,
        typer.Option(min=0, max=1, help="Cosine from which on two names are similar"),
    ] = 0.75,
    seed: Annotated[int, typer.Option(help="Of samples, splits and trainings")] = 0,
    limit: Annotated[
        int | None,
        typer.Option(min=1, help="Records per split of each data set, a random sample"),
    ] = None,
    output: Output,
) -> None:
    """Find where data sets annotate the same thing differently (B2NERD's conflict detection).

    By rule: the same mention string in two sets, the same or a related label, but
    another annotation; and words that one set takes into its mentions and the other
    leaves outside. By model: taggers trained on one set and scored on all others with
    related types, beside their F1 at home. Both end in one ranked list with a proposed
    split of the label. Writes conflicts.json, conflicts.md, evidence.jsonl and a heat
    map per type. A run that was killed goes on where it was. With --overwrite, fitting
    taggers are used again.
    """
    if len(paths) < 2:
        raise typer.BadParameter("give at least one data set and the output")
    *sources, target = paths
    with messages():
        settings = detect.Settings(
            types=tuple(split_names(types)),
            taxonomy=load_taxonomy(taxonomy),
            label_map=label_map,
            aliases=aliases,
            embedder=embedder,
            threshold=threshold,
            rules_only=rules_only,
            config=config,
            cache=cache,
            max_steps=max_steps,
            limit=limit,
            seed=seed,
        )
        if output.dry_run:
            sets, names = detect.prepare(sources, settings)
            _print_plan(sets, names, target, as_json=output.as_json)
            return
        result = detect.detect(
            sources,
            target,
            settings,
            overwrite=output.overwrite,
            progress=None if output.quiet else partial(progress, unit=" sets"),
        )
    if output.as_json:
        print_json(result)
    else:
        _print(result, target)


def _print_plan(
    sets: Sequence[DataSet], names: Names, target: Path, *, as_json: bool
) -> None:
    counts = {}
    for one in sets:
        sentences = sum(map(len, one.splits.values()))
        counts[one.name] = {"sentences": sentences, "mentions": one.labels.total()}
    shared = shared_types(sets, names)
    exists = (target / "conflicts.json").exists()
    if as_json:
        plan = {
            "sets": counts,
            "shared_types": shared,
            "output": str(target),
            "exists": exists,
        }
        print_json(plan)
        return
    figures = [(name, *one.values()) for name, one in counts.items()]
    print_table(figures, ("data set", "sentences", "mentions"))
    typer.echo(f"Types of several sets: {', '.join(shared) or 'none by the same name'}")
    if exists:
        msg.warn(
            f"{target} holds conflicts already: they would be replaced (--overwrite)"
        )


def _print(result: Result, target: Path) -> None:
    for issue in result["skipped"]:
        msg.warn(f"{issue['file']} left out: {issue['reason']}")
    shown = [row[:-1] for row in rows(result["conflicts"][:TOP])]
    print_table(shown, HEADER[:-1], ALIGNS, max_col=40)
    counts = ", ".join(f"{n} {kind}" for kind, n in result["classes"].items()) or "none"
    typer.echo(f"Occurrences of shared strings, once per pair of sets: {counts}")
    if not result["options"]["rules_only"]:
        untrained = [s["name"] for s in result["sets"] if not s["trained"]]
        if untrained:
            msg.warn(
                f"No tagger for {', '.join(untrained)}: too few sentences, or no type related"
                " to another set's"
            )
    n, rest = len(result["conflicts"]), len(result["no_counterpart"])
    msg.good(
        f"{n} conflicts, and {rest} of labels that the other set lacks, are in {target}"
    )
