"""`python -m corpus_tools prune`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from wasabi import msg, table

from ._shared import FROM_HELP

HEADER = (
    "",
    "sets",
    "types",
    "records",
    "kept",
    "mentions",
    "kept",
    "chosen",
    "random",
    "lower",
)


def prune_cli(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="INPUT", help="File or directory tree of data sets, of any format"
        ),
    ],
    target: Annotated[
        Path,
        typer.Argument(
            metavar="OUTPUT", help="File, or directory that mirrors the tree"
        ),
    ],
    from_format: Annotated[str, typer.Option("--from", help=FROM_HELP)] = "auto",
    to_format: Annotated[
        str, typer.Option("--to", help="docbin, geic, swift, b2nerd or bio")
    ] = "docbin",
    lang: Annotated[
        str,
        typer.Option(help="docbin: language of the pipeline that tokenizes; xx: any"),
    ] = "xx",
    taxonomy: Annotated[
        str,
        typer.Option(
            help="docbin: 'dynamicner' or a taxonomy file: resolves types to paths"
        ),
    ] = "",
    split: Annotated[
        str, typer.Option(help="Files to take from a tree: <split>.*; '' for all")
    ] = "train",
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
    embedder: Annotated[
        str,
        typer.Option(
            help="'hash', or a sentence-transformers model by name or directory"
        ),
    ] = "hash",
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
    limit: Annotated[int | None, typer.Option(min=1, help="Records per file")] = None,
    licence: Annotated[
        str, typer.Option(help="Licence of the corpus, for the datasheet")
    ] = "",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace earlier output")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be read and written")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="The report as JSON on stdout")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar")] = False,
) -> None:
    """Choose a small, diverse part of training data (B2NERD's diversity-aware pruning).

    Per data set and type a pool of at most k samples: they come in random order, and
        one enters with probability
    1 - (its highest cosine to the pool) + b. The result is the union of the pools; a
    kept sample keeps all its mentions. A run that was killed goes on where it was when
    it is given again. Beside the output: pruning.json and a datasheet.
    """
    from ..b2nerd.prune_corpus import prune
    from ..b2nerd.pruning import PruneOptions
    from ..cli import _messages, _progress
    from ._shared import write_options

    with _messages():
        report = prune(
            source,
            target,
            PruneOptions(
                method=method, k=k, b=b, threshold=threshold, size=size, seed=seed
            ),
            from_format=from_format,
            to_format=to_format,
            split=split,
            embedder=embedder,
            cache=cache,
            sizes=_sizes(like) if like else None,
            compare=compare,
            limit=limit,
            overwrite=overwrite,
            dry_run=dry_run,
            licence=licence,
            write_options=write_options(to_format, lang, taxonomy),
            progress=None if quiet or as_json else _progress,
        )
    if as_json:
        typer.echo(json.dumps(report, ensure_ascii=False))
    elif dry_run:
        for name, files in report["would_read"].items():
            typer.echo(f"{name}: {', '.join(files)}")
        msg.info(
            f"{len(report['would_overwrite'])} existing file(s) in the way"
            if not report["would_resume"]
            else "resumes"
        )
    else:
        _print(report, bool(compare))


def _sizes(path: Path) -> dict[str, int]:
    """RAISES CorpusError: T001 and T005 if the file is no report of a run."""
    from ..errors import CorpusError, Errors
    from ..files import check_file

    check_file(path)
    try:
        return {
            name: int(one["kept"])
            for name, one in json.loads(path.read_text("utf8"))["datasets"].items()
        }
    except (ValueError, TypeError, KeyError, AttributeError) as err:
        why = f"it holds no sizes of data sets ({type(err).__name__}: {err})"
        raise CorpusError(
            Errors.T005.format(path=path, format="a report of `prune`", why=why)
        ) from err


def _print(report: Mapping[str, Any], compare: bool) -> None:
    from ..b2nerd.prune_report import by_language, compared, totals

    what = (
        "pool"
        if any(
            "pool" in t
            for d in report["datasets"].values()
            for t in d["types"].values()
        )
        else "kept"
    )
    groups = {**by_language(report["datasets"]), "all": report["datasets"]}
    rows = []
    for name, datasets in groups.items():
        counts = totals(datasets)
        row = [
            name,
            *(
                counts[c]
                for c in (
                    "datasets",
                    "types",
                    "records",
                    "kept",
                    "mentions",
                    "kept_mentions",
                )
            ),
        ]
        if compare:
            found = compared(datasets, what)
            figures = [
                f"{v:.3f}" if v is not None else ""
                for v in (found["chosen"], found["random"])
            ]
            row += [*figures, f"{found['lower']}/{found['types']}"]
        rows.append(row)
    header = HEADER[: len(rows[0])]
    typer.echo(
        table(
            rows,
            header=header,
            divider=True,
            aligns=("l", *"rrrrrrrrr")[: len(header)],
            max_col=60,
        )
    )
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
    if total["rejected"]:
        msg.warn(
            f"{total['rejected']} mention(s) or record(s) could not be read; `convert` lists"
            " them"
        )
