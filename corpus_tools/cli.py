"""`python -m corpus_tools`: every command parses its arguments, calls a plain function
and prints the outcome.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from tqdm import tqdm
from typer.core import TyperCommand
from wasabi import msg, table

from spacy_cascade.console import safe_output
from spacy_cascade.taxonomy import Taxonomy, builtin

from .commands._shared import DryRun, Json, Limit, Quiet, Seed, say
from .commands.conflicts import conflicts_cli
from .commands.convert import convert_cli
from .commands.decontaminate import decontaminate_cli
from .commands.dynamic import dynamic_cli
from .commands.prune import prune_cli
from .commands.report import report_cli
from .commands.sample import sample_cli
from .commands.standardize import standardize_cli
from .commands.stats import stats_cli
from .errors import CorpusError, Errors
from .fetch import fetch
from .formats import detect, docbin, read_records
from .overlap import refuse_overlap
from .records import Record, Report
from .twins import THRESHOLD, find_twins

HELP = """Corpora for named entity recognition: convert, look at, categorize, standardize, prune and clean them.

Sources are files or directory trees in GEIC (DynamicNER), SWIFT, B2NERD, BIO/CoNLL or DocBin format, which is found out. Each
command explains itself with --help; --limit tries it on a few records, --dry-run says what it would write, --json is for programs.
"""
app = typer.Typer(
    name="corpus_tools",
    help=HELP,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

SHOWN = 10


@app.callback()
def prepare() -> None:
    """Before any command."""
    safe_output()


@app.command("merge")
def merge_cli(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="IN... OUT.spacy",
            help="DocBins or directories; the last is written",
        ),
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
    named = (f"{split}.spacy", f"{split}-{'[0-9]' * 5}.spacy")
    if sources is not None:
        with _messages():
            inputs = docbin.data_sets(inputs, sources)
    groups: dict[tuple[int, Path], list[Path]] = {}
    for i, p in enumerate(inputs):
        for file in sorted(g for n in named for g in p.rglob(n)) if p.is_dir() else [p]:
            groups.setdefault((i, file.parent), []).append(file)
    files = [file for group in groups.values() for file in group]
    if not files:
        raise typer.BadParameter(
            f"no {split}.spacy below {', '.join(map(str, inputs))}"
        )
    with _messages():
        # one file for all: in a directory that is read, the next run would take it as an input
        refuse_overlap([*inputs, *files, *([sources] if sources else [])], [target])
        if dry_run:
            say({str(file): str(target) for file in files}, as_json)
            return
        n = (
            docbin.merge(files, target)
            if balance is None
            else docbin.merge_balanced(groups.values(), target, balance, seed)
        )
    if as_json:
        typer.echo(
            json.dumps(
                {"docs": n, "files": list(map(str, files)), "target": str(target)},
                ensure_ascii=False,
            )
        )
    else:
        msg.good(f"{n} Docs from {len(files)} file(s) written to {target}")


@app.command("fetch")
def fetch_cli(
    name: Annotated[str, typer.Argument(help="dynamicner or b2nerd")],
    target: Annotated[Path, typer.Argument(metavar="DEST", help="Directory")],
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Download a corpus from the Hugging Face hub."""
    if dry_run:
        say({name: str(target)}, as_json)
        return
    with _messages():
        folder = fetch(name, target)
    if as_json:
        typer.echo(json.dumps({"name": name, "target": str(folder)}))
    else:
        msg.good(f"{name} is in {folder}")


class _ManyTests(TyperCommand):
    """Lets `--test A B` stand for `--test A --test B`; otherwise B would silently count
    as training data.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        spread: list[str] = []
        after_test = False
        for arg in args:
            if arg == "--test":
                after_test = True
                continue
            after_test = after_test and not arg.startswith("-")
            spread += ["--test", arg] if after_test else [arg]
        return super().parse_args(ctx, spread)


@app.command("check-twins", cls=_ManyTests)
def check_twins_cli(
    train: Annotated[
        list[Path],
        typer.Argument(metavar="TRAIN...", help="Training files of any format"),
    ],
    test: Annotated[
        list[Path],
        typer.Option("--test", metavar="TEST...", help="Test files of any format"),
    ],
    threshold: Annotated[
        float, typer.Option(help="Jaccard similarity of character 5-grams")
    ] = THRESHOLD,
    seed: Seed = 0,
    limit: Limit = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Prove that no test sentence is a training sentence with other mentions.

    Exit code 1 if one is.
    """
    with _messages():
        counts: dict[str, int] = {}
        report = Report()
        silent = quiet or as_json
        train_records = _read_all(train, {}, report, limit, silent)
        test_records = _read_all(test, counts, report, limit, silent)
        twins = find_twins(train_records, test_records, threshold=threshold)
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "records": counts,
                    "rejected": report.rejected,
                    "twins": list(map(asdict, twins)),
                },
                ensure_ascii=False,
            )
        )
        raise typer.Exit(1 if twins else 0)
    found = {name: sum(t.test_file == name for t in twins) for name in counts}
    rows = [(name, n, found[name]) for name, n in counts.items()]
    typer.echo(
        table(
            rows,
            header=("test file", "records", "twins"),
            divider=True,
            aligns=("l", "r", "r"),
            max_col=80,
        )
    )
    if report.rejected:
        msg.warn(
            f"{report.rejected} mention(s) or record(s) could not be read; `convert` lists them"
        )
    for twin in twins[:SHOWN]:
        typer.echo(
            f"{twin.test_file}:{twin.test_record} ~ {twin.train_file}:{twin.train_record}"
            f" ({twin.similarity:.2f})"
        )
        typer.echo(f"  test:  {twin.test_text}\n  train: {twin.train_text}")
    if twins:
        msg.fail(f"{len(twins)} test record(s) have a twin in the training data")
        raise typer.Exit(1)
    msg.good("No test record has a twin in the training data")


class _messages:
    """Errors of the project and of the disk become a message and exit code 1; all
    others keep their traceback.
    """

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, err: BaseException | None, trace: Any) -> None:
        if isinstance(err, OSError) and not isinstance(err, CorpusError):
            why = err.strerror or type(err).__name__
            err = CorpusError(
                Errors.T112.format(path=err.filename2 or err.filename, why=why)
            )
        if isinstance(err, CorpusError):
            typer.echo(f"✘ {err}", err=True)
            raise typer.Exit(1) from None


def _load_taxonomy(name: str) -> Taxonomy | None:
    if not name:
        return None
    try:
        return (
            Taxonomy.from_file(name)
            if Path(name).suffix or Path(name).is_file()
            else builtin(name)
        )
    except ValueError as err:
        raise CorpusError(Errors.T009.format(name=name, why=err)) from err


def _progress(records: Iterable[Record], name: str) -> Iterable[Record]:
    # disable=None: no bar where stderr is not a terminal
    return tqdm(records, desc=name, unit=" records", leave=False, disable=None)


def _read_all(
    paths: Iterable[Path],
    counts: dict[str, int],
    report: Report,
    limit: int | None,
    silent: bool,
) -> Iterator[Record]:
    for path in paths:
        counts[str(path)] = 0
        format = detect(path)
        records: Iterable[Record] = itertools.islice(
            read_records(path, report, format=format), limit
        )
        for number, record in enumerate(
            records if silent else _progress(records, str(path))
        ):
            counts[str(path)] += 1
            # A DocBin's records say where they first came from; here it matters where they lie now.
            index = number if format == "docbin" else record.meta["index"]
            yield Record(
                record.text, record.mentions, meta={"source": str(path), "index": index}
            )


app.command("convert")(convert_cli)
app.command("conflicts")(conflicts_cli)
app.command("dynamic")(dynamic_cli)
app.command("prune")(prune_cli)
app.command("standardize")(standardize_cli)
app.command("stats")(stats_cli)
app.command("decontaminate")(decontaminate_cli)
app.command("sample")(sample_cli)
app.command("report")(report_cli)


# How `--help` groups and orders the commands.
PANELS = {
    "Get and convert": ("fetch", "convert", "merge"),
    "Look at a corpus": ("stats", "report"),
    "DynamicNER: type lists of their own": ("dynamic", "sample"),
    "B2NERD: one corpus from many data sets": ("standardize", "conflicts", "prune"),
    "Keep test data clean": ("check-twins", "decontaminate"),
}


def _arrange(app: typer.Typer) -> None:
    panels = {name: panel for panel, names in PANELS.items() for name in names}
    order = [*panels, *(c.name for c in app.registered_commands)]
    app.registered_commands.sort(key=lambda command: order.index(command.name))
    for command in app.registered_commands:
        command.rich_help_panel = panels.get(command.name or "", "Other")


_arrange(app)
