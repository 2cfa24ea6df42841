"""`spacy cascade export`: a trained pipeline as it is passed on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer
from wasabi import msg

from ..errors import CascadeError, Errors
from ._app import cascade_app
from ._util import read_docs, refuse_overlap, show_errors

DTYPES = ("float16", "bfloat16", "float32")


@cascade_app.command("export")
def export_cli(
    model: str = typer.Argument(..., help="Pipeline: a package name or directory"),
    output: Path = typer.Argument(..., help="Directory for the exported pipeline"),
    dtype: str = typer.Option(
        "float16",
        help="Precision of the saved weights; on a CPU they are loaded as float32",
    ),
    calibrate: Path = typer.Option(
        None, help="DocBin of development data to calibrate scores on"
    ),
    meta: Path = typer.Option(
        None,
        help="JSON file of meta data (description, license, sources ...) for packages",
    ),
    limit: int = typer.Option(
        0,
        min=0,
        help="Calibrate on so many documents, taken evenly from the file; 0: all",
    ),
) -> None:
    """Write a pipeline for distribution: half the size, calibrated scores, meta data."""
    with show_errors():
        refuse_overlap([model, calibrate, meta], [output])
        report = export(
            model, output, dtype=dtype, calibrate=calibrate, meta=meta, limit=limit
        )
    for name, found in report.items():
        msg.text(
            f"{name}: expected calibration error {found['ece_before']:.3f}, then"
            f" {found['ece_after']:.3f}"
        )
    msg.good("Pipeline", output)


def export(
    model: str | Path,
    output: Path,
    *,
    dtype: str = "float16",
    calibrate: Path | None = None,
    meta: Path | None = None,
    limit: int = 0,
) -> dict[str, dict[str, float]]:
    """RETURNS (dict): For each calibrated component what `calibrate` found.

    RAISES CascadeError: C020 for an unknown precision, C031 if a file can't be read.
    """
    import spacy
    import srsly
    import torch
    from spacy.pipeline import Sentencizer
    from spacy.training import Example

    from ..doc.gold import unannotated
    from ..pipeline.component import LMPipe

    if dtype not in DTYPES:
        raise CascadeError(
            Errors.C020.format(option="dtype", value=dtype, choices=", ".join(DTYPES))
        )
    nlp = spacy.load(model)
    report = {}
    pipes: list[Any] = [pipe for _, pipe in nlp.components if isinstance(pipe, LMPipe)]
    if calibrate is not None:
        docs = list(read_docs(calibrate, nlp.vocab))
        chosen = (
            docs
            if not 0 < limit < len(docs)
            else [docs[i * len(docs) // limit] for i in range(limit)]
        )
        examples = [Example(unannotated(nlp, doc), doc) for doc in chosen]
        for pipe in pipes:
            report[pipe.name] = pipe.calibrate(examples)
    # texts leave traces in a pipeline (its vocabulary, what its drafter learns): none
    # of them go along
    found = {pipe.name: pipe.calibration for pipe in pipes}
    nlp = spacy.load(model)
    pipes = [nlp.get_pipe(name) for name in found]
    for pipe in pipes:
        pipe.calibration = found[pipe.name]
    for lm in {id(pipe.lm): pipe.lm for pipe in pipes}.values():
        lm.model.to(getattr(torch, dtype))
    for _, pipe in nlp.components:
        if isinstance(pipe, Sentencizer):
            pipe.punct_chars = sorted(
                pipe.punct_chars
            )  # a set would be written in another order every time
    if meta is not None:
        nlp.meta.update(srsly.read_json(meta))
    nlp.to_disk(output)
    return report
