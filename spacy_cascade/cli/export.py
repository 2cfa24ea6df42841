"""`spacy cascade export`: a trained pipeline as it is passed on."""

from __future__ import annotations

from pathlib import Path

import typer
from spacy.language import Language
from spacy.pipeline import Sentencizer
from spacy.training import Example
from wasabi import msg

from ..doc.gold import unannotated
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
    """Write a pipeline for distribution. The arguments are those of the command.

    RETURNS (dict): For each calibrated component what `calibrate` found.
    RAISES CascadeError: C020 for an unknown precision, C031 if a file can't be read.
    """
    import spacy
    import srsly
    import torch

    from ..pipeline.component import LMPipe

    if dtype not in DTYPES:
        choices = ", ".join(DTYPES)
        message = Errors.C020.format(option="dtype", value=dtype, choices=choices)
        raise CascadeError(message)
    nlp = spacy.load(model)
    report = {}
    calibrations = {}
    examples = None if calibrate is None else _examples(nlp, calibrate, limit)
    for _, pipe in nlp.components:
        if not isinstance(pipe, LMPipe):
            continue
        if examples is not None:
            report[pipe.name] = pipe.calibrate(examples)
        calibrations[pipe.name] = pipe.calibration

    # texts leave traces in a pipeline (its vocabulary, what its drafter learns): none
    # of them go along
    nlp = spacy.load(model)
    for name, pipe in nlp.components:
        if isinstance(pipe, LMPipe):
            pipe.calibration = calibrations[name]
            pipe.lm.model.to(getattr(torch, dtype))
        if isinstance(pipe, Sentencizer):
            # a set would be written in another order every time
            pipe.punct_chars = sorted(pipe.punct_chars)
    if meta is not None:
        nlp.meta.update(srsly.read_json(meta))
    nlp.to_disk(output)
    return report


def _examples(nlp: Language, path: Path, limit: int) -> list[Example]:
    """Texts of a gold DocBin without their annotation, beside their references.

    limit (int): So many, taken evenly. 0: all.
    """
    docs = list(read_docs(path, nlp.vocab))
    if 0 < limit < len(docs):
        docs = [docs[i * len(docs) // limit] for i in range(limit)]
    return [Example(unannotated(nlp, doc), doc) for doc in docs]
