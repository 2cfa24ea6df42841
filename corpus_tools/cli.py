"""`python -m corpus_tools`: every command parses its arguments, calls a plain function and prints the outcome."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from tqdm import tqdm
from typer.core import TyperCommand
from wasabi import msg, table

from spacy_cascade.taxonomy import Taxonomy, builtin

from .convert import convert
from .errors import CorpusError, Errors
from .fetch import fetch
from .files import atomic_path
from .formats import detect, docbin, read_records
from .records import (
    DUPLICATE,
    MISALIGNED,
    NESTED,
    NOT_WRITTEN,
    OFF_LIST,
    REJECTED,
    REPAIRED,
    SKIPPED,
    Record,
    Report,
)
from .twins import THRESHOLD, find_twins

app = typer.Typer(
    name="corpus_tools", help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)

SHOWN = 10
ALIGNS: Any = ("l", *"rrrrrrrrr")
COLUMNS = ("records", "mentions", "aligned", MISALIGNED, REPAIRED, NESTED, DUPLICATE, REJECTED, "rejected_records")


@app.command("convert")
def convert_cli(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="File or directory tree")],
    target: Annotated[Path, typer.Argument(metavar="OUTPUT", help="File, or directory that mirrors the tree")],
    from_format: Annotated[str, typer.Option("--from", help="auto, geic, swift, b2nerd, bio or docbin")] = "auto",
    to_format: Annotated[str, typer.Option("--to", help="docbin, geic, swift, b2nerd or bio")] = "docbin",
    lang: Annotated[str, typer.Option(help="Language of the records and of the pipeline that tokenizes; xx: any")] = "xx",
    taxonomy: Annotated[str, typer.Option(help="'dynamicner' or a taxonomy file: resolves types to paths")] = "",
    alignment: Annotated[str, typer.Option(help="Mentions off token boundaries: strict, contract, expand")] = "expand",
    strict: Annotated[bool, typer.Option(help="Fail on rejected mentions and records")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Records per file")] = None,
    report_path: Annotated[Path | None, typer.Option("--report", help="Write all issues to this JSON file")] = None,
    max_docs: Annotated[int | None, typer.Option(min=1, help="Docs per DocBin file (default: all in one)")] = None,
    scheme: Annotated[str, typer.Option(help="bio: auto, iob1, iob2, bioes")] = "auto",
    token_column: Annotated[int, typer.Option(help="bio: column of the token")] = 0,
    tag_column: Annotated[int, typer.Option(help="bio: column of the tag")] = -1,
    joiner: Annotated[str, typer.Option(help="bio: text between tokens; auto: a space, nothing for CJK")] = "auto",
    stage: Annotated[int, typer.Option(help="swift: write stage 1 or 2")] = 1,
    level: Annotated[str | None, typer.Option(help="swift stage 2: none, first, second, third")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar")] = False,
) -> None:
    """Convert corpora between GEIC, SWIFT, B2NERD, BIO and spaCy's DocBin."""
    with _messages():
        types = _load_taxonomy(taxonomy)
        write_options: dict[str, dict[str, Any]] = {
            "docbin": {"lang": lang, "taxonomy": types, "alignment": alignment, "max_docs": max_docs},
            "bio": {"scheme": "iob2" if scheme == "auto" else scheme},
            "swift": {"stage": stage, "level": level, "types": types},
        }
        bio = {"scheme": scheme, "token_column": token_column, "tag_column": tag_column, "joiner": joiner}
        report = convert(
            source,
            target,
            from_format=from_format,
            to_format=to_format,
            language=lang if lang != "xx" else None,
            strict=strict,
            limit=limit,
            read_options={"bio": bio},
            write_options=write_options.get(to_format),
            progress=None if quiet else _progress,
        )
        if report_path is not None:
            with atomic_path(report_path) as temp:
                temp.write_text(json.dumps(report.to_dict(), ensure_ascii=False, indent=1), encoding="utf8")
    _print_report(report, report_path)
    if report.failed:
        raise typer.Exit(1)


@app.command("merge")
def merge_cli(
    paths: Annotated[list[Path], typer.Argument(metavar="IN... OUT.spacy", help="DocBins or directories; the last is written")],
    split: Annotated[str, typer.Option(help="Which files to take below directories: <split>.spacy")] = "train",
) -> None:
    """Concatenate DocBins."""
    if len(paths) < 2:
        raise typer.BadParameter("give at least one input and the output")
    *sources, target = paths
    files = [f for p in sources for f in (sorted(p.rglob(f"{split}.spacy")) if p.is_dir() else [p])]
    if not files:
        raise typer.BadParameter(f"no {split}.spacy below {', '.join(map(str, sources))}")
    with _messages():
        n = docbin.merge(files, target)
    msg.good(f"{n} Docs from {len(files)} file(s) written to {target}")


@app.command("fetch")
def fetch_cli(
    name: Annotated[str, typer.Argument(help="dynamicner or b2nerd")],
    target: Annotated[Path, typer.Argument(metavar="DEST", help="Directory")],
) -> None:
    """Download a corpus from the Hugging Face hub."""
    with _messages():
        folder = fetch(name, target)
    msg.good(f"{name} is in {folder}")


class _ManyTests(TyperCommand):
    """Lets `--test A B` stand for `--test A --test B`; otherwise B would silently count as training data."""

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
    train: Annotated[list[Path], typer.Argument(metavar="TRAIN...", help="Training files of any format")],
    test: Annotated[list[Path], typer.Option("--test", metavar="TEST...", help="Test files of any format")],
    threshold: Annotated[float, typer.Option(help="Jaccard similarity of character 5-grams")] = THRESHOLD,
) -> None:
    """Prove that no test sentence is a training sentence with other mentions. Exit code 1 if one is."""
    with _messages():
        counts: dict[str, int] = {}
        report = Report()
        train_records, test_records = _read_all(train, {}, report), _read_all(test, counts, report)
        twins = find_twins(train_records, test_records, threshold=threshold)
    found = {name: sum(t.test_file == name for t in twins) for name in counts}
    rows = [(name, n, found[name]) for name, n in counts.items()]
    typer.echo(table(rows, header=("test file", "records", "twins"), divider=True, aligns=("l", "r", "r"), max_col=80))
    if report.of_kind(REJECTED):
        msg.warn(f"{len(report.of_kind(REJECTED))} mention(s) or record(s) could not be read; `convert` lists them")
    for twin in twins[:SHOWN]:
        typer.echo(f"{twin.test_file}:{twin.test_record} ~ {twin.train_file}:{twin.train_record} ({twin.similarity:.2f})")
        typer.echo(f"  test:  {twin.test_text}\n  train: {twin.train_text}")
    if twins:
        msg.fail(f"{len(twins)} test record(s) have a twin in the training data")
        raise typer.Exit(1)
    msg.good("No test record has a twin in the training data")


class _messages:
    """Errors of the project become a message and exit code 1; all others keep their traceback."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, err: BaseException | None, trace: Any) -> None:
        if isinstance(err, CorpusError):
            typer.echo(f"✘ {err}", err=True)
            raise typer.Exit(1) from None


def _load_taxonomy(name: str) -> Taxonomy | None:
    if not name:
        return None
    try:
        return Taxonomy.from_file(name) if Path(name).suffix or Path(name).is_file() else builtin(name)
    except ValueError as err:
        raise CorpusError(Errors.T009.format(name=name, why=err)) from err


def _progress(records: Iterable[Record], name: str) -> Iterable[Record]:
    # disable=None: no bar where stderr is not a terminal
    return tqdm(records, desc=name, unit=" records", leave=False, disable=None)


def _read_all(paths: Iterable[Path], counts: dict[str, int], report: Report) -> Iterator[Record]:
    for path in paths:
        counts[str(path)] = 0
        format = detect(path)
        for number, record in enumerate(read_records(path, report, format=format)):
            counts[str(path)] += 1
            # A DocBin's records say where they first came from; here it matters where they lie now.
            index = number if format == "docbin" else record.meta["index"]
            yield Record(record.text, record.mentions, meta={"source": str(path), "index": index})


def _print_report(report: Report, report_path: Path | None) -> None:
    groups = {name: counts for name, counts in report.grouped().items() if counts["records"] or not counts[SKIPPED]}
    rows: list[tuple[Any, ...]] = [(name, *(counts[c] for c in COLUMNS)) for name, counts in groups.items()]
    if len(rows) > 1:
        rows.append(("total", *(report.total(c) for c in COLUMNS)))
    header = ("", *(c.replace("_", " ") for c in COLUMNS))
    typer.echo(table(rows, header=header, divider=True, aligns=ALIGNS, max_col=80))
    if report.unknown_types:
        n, kinds = sum(report.unknown_types.values()), len({label for _, label in report.unknown_types})
        msg.warn(f"{n} mention(s) of {kinds} type(s) that the taxonomy does not resolve: the type is its own path")
    notes = (
        (NOT_WRITTEN, "mention(s) that the target format can't hold, left out there"),
        (OFF_LIST, "answer(s) not in their own type list, kept"),
        (SKIPPED, "file(s) of no known format"),
    )
    for kind, what in notes:
        if report.total(kind):
            msg.warn(f"{report.total(kind)} {what}")
    rejected = report.of_kind(REJECTED)
    if rejected:
        msg.warn(f"{len(rejected)} rejected, the first:")
    for issue in rejected[:SHOWN]:
        mention = "" if issue.mention is None else f"'{issue.mention}': "
        typer.echo(f"  {issue.file}, record {issue.record}: {mention}{issue.reason}")
    if len(rejected) > SHOWN and report_path is None:
        typer.echo("  ... (all with --report FILE)")
    for message in report.failed.values():
        typer.echo(f"✘ {message}", err=True)
