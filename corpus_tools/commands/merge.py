"""`python -m corpus_tools merge`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from wasabi import msg

from ..formats import docbin
from ..jobs import refuse_overlap
from .frame import messages, print_json, print_targets
from .options import DryRun, Json


def merge_cli(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="IN... OUT.spacy", help="DocBins or directories"),
    ],
    split: Annotated[
        str,
        typer.Option(
            help="Files to take from directories: <split>.spacy and its parts"
        ),
    ] = "train",
    sources: Annotated[
        Path | None,
        typer.Option(
            help=(
                "JSON file whose keys are the data sets to take from directories, such as"
                " 'en/wnut17'"
            )
        ),
    ] = None,
    balance: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help=(
                "Repeat texts of small data sets and leave out some of large ones: shares grow"
                " with sizes to this power"
            ),
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the texts that --balance draws")] = 0,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Concatenate DocBins, which are in memory all together. An earlier output is replaced.

    With --balance, a file that is given twice counts as two data sets.
    """
    if len(paths) < 2:
        raise typer.BadParameter("give at least one input and the output")
    *inputs, target = paths
    if sources is not None:
        with messages():
            inputs = docbin.data_sets(inputs, sources)
    groups = _groups(inputs, split)
    files = [file for group in groups for file in group]
    if not files:
        raise typer.BadParameter(
            f"no {split}.spacy below {', '.join(map(str, inputs))}"
        )

    with messages():
        # one file for all: in a directory that is read, the next run would take it as an input
        read = [*inputs, *files]
        if sources is not None:
            read.append(sources)
        refuse_overlap(read, [target])
        if dry_run:
            print_targets({str(file): str(target) for file in files}, as_json)
            return
        if balance is None:
            n = docbin.merge(files, target)
        else:
            n = docbin.merge_balanced(groups, target, balance, seed)
    if as_json:
        names = list(map(str, files))
        print_json({"docs": n, "files": names, "target": str(target)})
    else:
        msg.good(f"{n} Docs from {len(files)} file(s) written to {target}")


def _groups(inputs: Sequence[Path], split: str) -> list[list[Path]]:
    """The files of each data set: those of one directory below one input."""
    patterns = (f"{split}.spacy", f"{split}-{'[0-9]' * 5}.spacy")
    groups: dict[tuple[int, Path], list[Path]] = {}
    for i, path in enumerate(inputs):
        files = [path]
        if path.is_dir():
            files = sorted(file for one in patterns for file in path.rglob(one))
        for file in files:
            groups.setdefault((i, file.parent), []).append(file)
    return list(groups.values())
