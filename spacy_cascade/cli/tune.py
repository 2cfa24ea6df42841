"""`spacy cascade tune`: the least score of an entity, chosen on development data."""

from __future__ import annotations

from pathlib import Path

import spacy
import typer
from wasabi import msg

from ..scoring.scorers import PRF
from ..training.thresholds import Point, Sweep, sweep, tuned_pipe
from ._app import cascade_app
from ._util import read_docs, refuse_overlap, show_errors

# One of so many thresholds is printed.
_EVERY = 5


@cascade_app.command("tune")
def tune_cli(
    model: str = typer.Argument(..., help="Pipeline: a package name or directory"),
    dev: Path = typer.Argument(..., help="DocBin that was not trained on"),
    output: Path = typer.Option(
        None, "--output", "-o", help="Write the pipeline with that threshold to DIR"
    ),
    target_precision: float = typer.Option(
        None, min=0.0, max=1.0, help="Best F1 with at least this precision"
    ),
    batch_size: int = typer.Option(64, min=1),
    limit: int = typer.Option(0, min=0, help="Most documents; 0: all"),
) -> None:
    """Choose `score_threshold`: entities with a lower score are left out of doc.ents.

    Every text is read once. The table shows precision, recall and F1 of boundaries alone
    (span) and with types (typed); the chosen row is marked. By default that is the best
    F1.
    """
    with show_errors():
        refuse_overlap([model, dev], [output])
        nlp = spacy.load(model)
        pipe = tuned_pipe(nlp)
        found = sweep(
            nlp,
            read_docs(dev, nlp.vocab, limit),
            target_precision=target_precision,
            batch_size=batch_size,
        )
        print_sweep(found, pipe.score_threshold)
        best = found.best.threshold
        msg.good(f"score_threshold = {best:g} of '{pipe.name}'")
        if output is not None:
            pipe.score_threshold = best
            nlp.to_disk(output)
            msg.good("Pipeline", output)


def print_sweep(found: Sweep, in_use: float) -> None:
    """A table with a row per threshold. in_use (float): That of the pipeline as it is."""
    header = ["", "threshold"]
    for what in ("span", "typed") if found.types else ("span",):
        header += [f"{what} P", f"{what} R", f"{what} F1"]

    rows = []
    for k, point in enumerate(found.points):
        chosen = point is found.best
        mark = "->" if chosen else ""
        if chosen or k % _EVERY == 0 or point.threshold == in_use:
            rows.append([mark, *_cells(point, found.types)])
    right = ["r"] * (len(header) - 1)
    msg.table(rows, header=header, divider=True, aligns=("l", *right))


def _cells(point: Point, types: bool) -> list[str]:
    cells = [f"{point.threshold:.2f}", *_three(point.span)]
    return [*cells, *_three(point.typed)] if types else cells


def _three(scores: PRF) -> list[str]:
    return [f"{value or 0.0:.3f}" for value in scores]
