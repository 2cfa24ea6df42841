"""What every command does around its work: errors, progress, and the way a result is shown."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TypeVar

import typer
from tqdm import tqdm
from wasabi import msg, table

from spacy_cascade.doc.missing import name_groups
from spacy_cascade.taxonomy import Taxonomy

from ..errors import CorpusError, Errors
from ..issues import UNANNOTATED, Report
from ..label_paths import read_taxonomy
from ..units import RunOptions
from .options import Formats, Output

Result = dict[str, Any]
Align = Literal["l", "r"]
T = TypeVar("T")


@contextmanager
def messages() -> Iterator[None]:
    """Errors of the project and of the disk become a message and exit code 1; all
    others keep their traceback.
    """
    try:
        yield
    except CorpusError as err:
        _fail(err)
    except OSError as err:
        path = err.filename2 or err.filename
        why = err.strerror or type(err).__name__
        _fail(CorpusError(Errors.T112.format(path=path, why=why)))


def _fail(error: CorpusError) -> None:
    typer.echo(f"✘ {error}", err=True)
    raise typer.Exit(1) from None


def progress(items: Iterable[T], name: str, unit: str = " records") -> Iterable[T]:
    """A progress bar; none where stderr is not a terminal."""
    return tqdm(items, desc=name, unit=unit, leave=False, disable=None)


def load_taxonomy(name: str) -> Taxonomy | None:
    """None for no name. RAISES CorpusError: T009 for a taxonomy that can't be read."""
    return read_taxonomy(name) if name else None


def run_options(
    formats: Formats,
    output: Output,
    taxonomy: Taxonomy | None,
    limit: int | None,
    licence: str = "",
) -> RunOptions:
    """How a tool reads its source and writes its target."""
    writers: dict[str, dict[str, Any]] = {
        "docbin": {"lang": formats.lang, "taxonomy": taxonomy},
        "swift": {"types": taxonomy},
    }
    return RunOptions(
        from_format=formats.from_format,
        to_format=formats.to_format,
        limit=limit,
        overwrite=output.overwrite,
        dry_run=output.dry_run,
        licence=licence,
        write_options=writers.get(formats.to_format, {}),
        progress=None if output.silent else progress,
    )


def show(
    result: Result,
    output: Output,
    *,
    plan: Callable[[Result], None],
    summary: Callable[[Result], None],
) -> None:
    """The result of a command, as JSON or in words.

    plan (Callable): Prints what a run would do. summary (Callable): Prints what it did.
    """
    if output.as_json:
        print_json(result)
    elif output.dry_run:
        plan(result)
    else:
        summary(result)


def print_json(value: Any) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False))


def print_table(
    rows: Sequence[Sequence[Any]],
    header: Sequence[str],
    aligns: Sequence[Align] = (),
    *,
    max_col: int = 60,
) -> None:
    """A table on stdout.

    aligns (Sequence[Align]): "l" or "r" for each column. Default: the first to the left,
        the others to the right.
    """
    rest: list[Align] = ["r"] * (len(header) - 1)
    text = table(
        rows,
        header=header,
        divider=True,
        aligns=aligns or ["l", *rest],
        max_col=max_col,
    )
    typer.echo(text)


def print_targets(targets: Mapping[str, str], as_json: bool) -> None:
    """What a command would read and write.

    targets (Mapping[str, str]): Files to write, by source.
    """
    existing = sorted({target for target in targets.values() if Path(target).exists()})
    if as_json:
        print_json({"would_write": targets, "would_replace": existing})
        return
    for source, target in targets.items():
        typer.echo(f"{source} -> {target}{' (exists)' if target in existing else ''}")


def warn_rejected(n: int) -> None:
    """Says how many entries of the source could not be read, if any."""
    if n:
        msg.warn(f"{n} mention(s) or record(s) could not be read; `convert` lists them")


def warn_unread(report: Report) -> None:
    """Says what of DocBins was not read: Docs without annotation, and spans of other groups."""
    n = report.total(UNANNOTATED)
    if n:
        msg.warn(
            f"{n} Doc(s) have no entity annotation, which is not the same as no entity: they"
            " count as texts without mention"
        )
    groups: Counter[str] = Counter()
    for (_, key), spans in report.unread_spans.items():
        groups[key] += spans
    if groups:
        msg.warn(
            f"Spans that are not read: doc.spans {name_groups(groups)}; --spans-key takes one"
            " of them"
        )
