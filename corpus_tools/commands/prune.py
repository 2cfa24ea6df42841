"""`python -m corpus_tools prune`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from wasabi import msg

from ..b2nerd.prune_corpus import prune
from ..b2nerd.prune_report import by_language, compared, totals
from ..b2nerd.pruning import PruneOptions
from ..errors import CorpusError, Errors
from ..files import check_file
from . import frame, options

COUNTS = ("datasets", "types", "records", "kept", "mentions", "kept_mentions")
HEADER = ("", "sets", "types", "records", "kept", "mentions", "kept")
COMPARED = ("chosen", "random", "lower")


@options.with_groups
def prune_cli(
    source: options.Source,
    target: options.Target,
    *,
    formats: options.Formats,
    taxonomy: options.PathTaxonomy = "",
    split: options.Split = "train",
    method: Annotated[
        str, typer.Option(help="diversity, threshold, type-random or random")
    ] = "diversity",
    k: Annotated[
        int,
        typer.Option(
            "--k",
            help="Samples per data set and type; a fifth as many without a mention",
        ),
    ] = 400,
    b: Annotated[
        float,
        typer.Option(
            "--b", help="diversity: added to the probability 1 - max cos; -1 to 1"
        ),
    ] = 0.0,
    threshold: Annotated[
        float,
        typer.Option(help="threshold: a sample enters below this cosine to the pool"),
    ] = 0.8,
    size: Annotated[
        int | None, typer.Option(help="random, type-random: samples per data set")
    ] = None,
    like: Annotated[
        Path | None,
        typer.Option(help="random, type-random: sizes from another run's pruning.json"),
    ] = None,
    embedder: options.Embedder = "hash",
    cache: Annotated[
        Path | None, typer.Option(help="Keep the embeddings in this directory")
    ] = None,
    compare: Annotated[
        int,
        typer.Option(
            min=0, help="Compare with so many random samples of equal size, per type"
        ),
    ] = 0,
    seed: Annotated[int, typer.Option(help="Of the order and the draws")] = 0,
    limit: options.Limit = None,
    licence: options.Licence = "",
    output: options.Output,
) -> None:
    """Choose a small, diverse part of training data (B2NERD's diversity-aware pruning).

    Per data set and type a pool of at most k samples: they come in random order, and
    one enters with probability 1 - (its highest cosine to the pool) + b. The result is
    the union of the pools; a kept sample keeps all its mentions. A run that was killed
    goes on where it was when it is given again. Beside the output: pruning.json and a
    datasheet.
    """
    with frame.messages():
        settings = PruneOptions(
            method=method, k=k, b=b, threshold=threshold, size=size, seed=seed
        )
        sizes = _sizes(like) if like else None
        types = frame.load_taxonomy(taxonomy)
        run = frame.run_options(formats, output, types, limit, licence)
        report = prune(
            source,
            target,
            settings,
            run,
            split=split,
            embedder=embedder,
            cache=cache,
            sizes=sizes,
            compare=compare,
        )
    frame.show(report, output, plan=_print_plan, summary=_print)


def _sizes(path: Path) -> dict[str, int]:
    """RAISES CorpusError: T001 and T005 if the file is no report of a run."""
    check_file(path)
    try:
        datasets = json.loads(path.read_text("utf8"))["datasets"]
        return {name: int(one["kept"]) for name, one in datasets.items()}
    except (ValueError, TypeError, KeyError, AttributeError) as err:
        why = f"it holds no sizes of data sets ({type(err).__name__}: {err})"
        raise CorpusError(
            Errors.T005.format(path=path, format="a report of `prune`", why=why)
        ) from err


def _print_plan(report: frame.Result) -> None:
    for name, files in report["would_read"].items():
        typer.echo(f"{name}: {', '.join(files)}")
    if report["would_resume"]:
        msg.info("resumes")
    else:
        msg.info(f"{len(report['would_overwrite'])} existing file(s) in the way")


def _print(report: frame.Result) -> None:
    groups = {**by_language(report["datasets"]), "all": report["datasets"]}
    compare = bool(report["compare"])
    rows: list[list[Any]] = []
    for name, datasets in groups.items():
        counts = totals(datasets)
        row = [name, *(counts[count] for count in COUNTS)]
        if compare:
            row += _compared(datasets, _measured(report["datasets"]))
        rows.append(row)
    frame.print_table(rows, (*HEADER, *COMPARED) if compare else HEADER)
    if compare:
        typer.echo(
            "chosen, random: mean similarity to the nearest neighbour, mean over types; lower:"
            " types where it is lower"
        )

    total = report["total"]
    share = total["kept"] / total["records"] if total["records"] else 0.0
    msg.good(
        f"{total['kept']} of {total['records']} records kept ({share:.1%}),"
        f" {total['kept_negatives']} without a mention"
    )
    frame.warn_rejected(total["rejected"])


def _measured(datasets: frame.Result) -> str:
    """Whether the pools were compared, or all that was kept."""
    types = [figures for one in datasets.values() for figures in one["types"].values()]
    return "pool" if any("pool" in figures for figures in types) else "kept"


def _compared(datasets: frame.Result, what: str) -> list[str]:
    found = compared(datasets, what)
    cells = []
    for sample in ("chosen", "random"):
        value = found[sample]
        cells.append(f"{value:.3f}" if value is not None else "")
    return [*cells, f"{found['lower']}/{found['types']}"]
