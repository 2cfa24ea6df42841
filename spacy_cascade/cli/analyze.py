"""`spacy cascade errors`: what a pipeline gets wrong, counted and shown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import srsly
import typer
from spacy.language import Language
from spacy.tokens import Doc
from wasabi import msg

from ..doc.gold import label_set, unannotated
from ..errors import CascadeError, Errors
from ..files import atomic_path
from ..scoring.analysis import Analysis
from ..scoring.judging import KINDS
from ._app import cascade_app
from ._util import corpora, read_docs, refuse_overlap, show_errors


@cascade_app.command("errors")
def errors_cli(
    model: str = typer.Argument(..., help="Pipeline: a package name or directory"),
    data: Path = typer.Argument(
        ..., help="Gold DocBin, or a directory with <name>/<split>.spacy"
    ),
    output: Path = typer.Argument(..., help="HTML file"),
    json: Path = typer.Option(None, "--json", help="JSON file for all counts"),
    split: str = typer.Option("test", help="Which split of a directory"),
    limit: int = typer.Option(0, min=0, help="Most documents per file; 0: all"),
    examples: int = typer.Option(
        8, min=0, help="Errors of each kind to show, drawn evenly over the languages"
    ),
    seed: int = typer.Option(0, help="Of the draw"),
    spans_key: str = typer.Option(
        "", help="Gold mentions stand in doc.spans[NAME], such as spancat's 'sc'"
    ),
    batch_size: int = typer.Option(64, min=1),
    title: str = typer.Option("Errors of the pipeline"),
    overwrite: bool = typer.Option(False, help="Write over existing files"),
    quiet: bool = typer.Option(False, help="No progress bar and no table"),
) -> None:
    """Compare a pipeline with gold: right, wrong type, wrong boundaries, missed and
    spurious mentions, by language, data set and level; the most confused types;
    examples of every kind of error. Documents that bring their own label set are run
    with it.
    """
    from .analysis_page import render_page

    with show_errors():
        refuse_overlap([model, data], [output, json])
        for path in (output, json):
            if path is not None and path.exists() and not overwrite:
                raise CascadeError(Errors.C060.format(path=path))
        analysis = analyse(
            model,
            data,
            split=split,
            limit=limit,
            examples=examples,
            seed=seed,
            batch_size=batch_size,
            quiet=quiet,
            spans_key=spans_key,
        )
        with atomic_path(output) as temp:
            page = render_page(analysis, title=title, examples=examples)
            temp.write_text(page, encoding="utf8")
        if json is not None:
            about = {"model": model, "data": str(data), "split": split, "limit": limit}
            with atomic_path(json) as temp:
                srsly.write_json(temp, {**analysis.to_dict(), "about": about})
    if quiet:
        return
    _print_table(analysis)
    if analysis.unannotated:
        msg.warn(
            f"{analysis.unannotated} document(s) have no entity annotation and are left out"
        )
    msg.good(f"{analysis.total.docs} documents", output)


def _print_table(analysis: Analysis) -> None:
    """A row per language."""
    languages = dict(sorted(analysis.groups["language"].items()))
    rows = []
    for name, tally in [*languages.items(), ("all", analysis.total)]:
        kinds = [tally.kinds[kind] for kind in KINDS]
        rows.append([name or "?", tally.gold, tally.found, *kinds])
    header = ["", "gold", "found", *KINDS]
    right = ["r"] * (len(header) - 1)
    msg.table(rows, header=header, divider=True, aligns=("l", *right))


def analyse(
    model: Language | str | Path,
    data: Path,
    *,
    split: str = "test",
    spans_key: str = "",
    limit: int = 0,
    examples: int = 8,
    seed: int = 0,
    batch_size: int = 64,
    quiet: bool = True,
) -> Analysis:
    """Run a pipeline on gold Docs and judge what it finds.

    model (Language | str | Path): A pipeline, or its package name or directory.
    data (Path): Gold DocBin, or a directory with `<name>/<split>.spacy`.
    spans_key (str): See `read_docs`.
    RAISES CascadeError: C030 without gold mentions, C031.
    """
    import spacy
    from tqdm import tqdm

    nlp = model if isinstance(model, Language) else spacy.load(model)
    analysis = Analysis(size=max(1, examples), seed=seed, taxonomy=label_set(nlp))

    def pairs() -> Iterator[tuple[Doc, tuple[Doc, str]]]:
        for name, path in corpora([data], split).items():
            for gold in read_docs(path, nlp.vocab, limit, spans_key=spans_key):
                yield unannotated(nlp, gold), (gold, name)

    found = nlp.pipe(pairs(), as_tuples=True, batch_size=batch_size)
    # None: where there is a terminal
    no_bar = True if quiet else None
    for doc, (gold, name) in tqdm(found, desc="documents", unit="", disable=no_bar):
        analysis.add(doc, gold, name=name)
    if not analysis.total.gold:
        why = f"'{data}' holds no gold mention"
        raise CascadeError(Errors.C030.format(name="error analysis", why=why))
    return analysis
