"""`python -m corpus_tools conflicts`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from tqdm import tqdm
from wasabi import msg, table

TOP = 20


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
    types: Annotated[
        str, typer.Option(help="Only conflicts of these types, separated by commas")
    ] = "",
    rules_only: Annotated[
        bool, typer.Option("--rules-only", help="Train no taggers")
    ] = False,
    config: Annotated[
        Path | None,
        typer.Option(
            help="Config of the taggers, as for `spacy train` (default: small tok2vec)"
        ),
    ] = None,
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
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite", help="Replace earlier output; fitting taggers are used again"
        ),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Only say which sets and types would be compared"
        ),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="The result as JSON on stdout")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bars")] = False,
) -> None:
    """Find where data sets annotate the same thing differently (B2NERD's conflict detection).

    By rule: the same mention string in two sets, the same or a related label, but
        another annotation; and words that one
    set takes into its mentions and the other leaves outside. By model: taggers trained
    on one set and scored on all others with related types, beside their F1 at home.
    Both end in one ranked list with a proposed split of the label. Writes
    conflicts.json, conflicts.md, evidence.jsonl and a heat map per type. A run that was
    killed goes on where it was.
    """
    if len(paths) < 2:
        raise typer.BadParameter("give at least one data set and the output")
    *sources, output = paths
    from ..b2nerd.conflicts import detect
    from ..cli import _load_taxonomy, _messages

    with _messages():
        settings = detect.Settings(
            types=tuple(t.strip() for t in types.split(",") if t.strip()),
            taxonomy=_load_taxonomy(taxonomy),
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
        if dry_run:
            _plan(*detect.prepare(sources, settings), output, as_json=as_json)
            return
        result = detect.detect(
            sources,
            output,
            settings,
            overwrite=overwrite,
            progress=None if quiet else _bar,
        )
    if as_json:
        typer.echo(json.dumps(result, ensure_ascii=False))
        return
    _print(result, output)


def _plan(sets: Sequence[Any], names: Any, output: Path, *, as_json: bool) -> None:
    from ..b2nerd.conflicts.heatmap import shared_types

    plan: dict[str, Any] = {
        "sets": {
            s.name: {
                "sentences": sum(map(len, s.splits.values())),
                "mentions": s.labels.total(),
            }
            for s in sets
        },
        "shared_types": shared_types(sets, names),
        "output": str(output),
        "exists": (output / "conflicts.json").exists(),
    }
    if as_json:
        typer.echo(json.dumps(plan, ensure_ascii=False))
        return
    rows = [(name, c["sentences"], c["mentions"]) for name, c in plan["sets"].items()]
    typer.echo(
        table(
            rows,
            header=("data set", "sentences", "mentions"),
            divider=True,
            aligns=("l", "r", "r"),
            max_col=60,
        )
    )
    typer.echo(
        f"Types of several sets: {', '.join(plan['shared_types']) or 'none by the same name'}"
    )
    if plan["exists"]:
        msg.warn(
            f"{output} holds conflicts already: they would be replaced (--overwrite)"
        )


def _print(result: dict[str, Any], output: Path) -> None:
    from ..b2nerd.conflicts.report import HEADER, rows

    for issue in result["skipped"]:
        msg.warn(f"{issue['file']} left out: {issue['reason']}")
    shown = [row[:-1] for row in rows(result["conflicts"][:TOP])]
    typer.echo(
        table(
            shown,
            header=HEADER[:-1],
            divider=True,
            aligns=("r", "l", "l", *"rrrrrr"),
            max_col=40,
        )
    )
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
        f"{n} conflicts, and {rest} of labels that the other set lacks, are in {output}"
    )


def _bar(items: Sequence[Any], name: str) -> Iterable[Any]:
    # disable=None: no bar where stderr is not a terminal
    return tqdm(items, desc=name, unit=" sets", leave=False, disable=None)
