"""`python -m corpus_tools convert`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from wasabi import msg

from ..convert import convert
from ..files import atomic_path
from ..formats.columns import SEPARATORS
from ..issues import (
    DUPLICATE,
    IGNORED,
    KEPT,
    MISALIGNED,
    NESTED,
    NOT_WRITTEN,
    OFF_LIST,
    REJECTED,
    REJECTED_RECORDS,
    RENAMED,
    REPAIRED,
    SKIPPED,
    Report,
)
from ..jobs import plan, refuse_jobs, refuse_overlap
from .frame import (
    load_taxonomy,
    messages,
    print_json,
    print_table,
    print_targets,
    progress,
    warn_unread,
)
from .options import (
    DryRun,
    FromFormat,
    Json,
    Limit,
    PathTaxonomy,
    Quiet,
    Seed,
    SpansKey,
    Target,
    ToFormat,
)

SHOWN = 10
COLUMNS = (
    "records",
    "mentions",
    "aligned",
    MISALIGNED,
    REPAIRED,
    NESTED,
    DUPLICATE,
    REJECTED,
    REJECTED_RECORDS,
)
NOTES = (
    (NOT_WRITTEN, "mention(s) that the target format can't hold, left out there"),
    (RENAMED, "type name(s) and token(s) with white space, written without"),
    (OFF_LIST, "answer(s) not in their own type list, kept"),
    (
        IGNORED,
        "relation(s), note(s) or record(s) that the annotator did not accept, left out",
    ),
)


def convert_cli(
    source: Annotated[
        Path, typer.Argument(metavar="INPUT", help="File or directory tree")
    ],
    target: Target,
    from_format: FromFormat = "auto",
    to_format: ToFormat = "docbin",
    lang: Annotated[
        str,
        typer.Option(help="Language of records and tokenizer; xx: any"),
    ] = "xx",
    taxonomy: PathTaxonomy = "",
    alignment: Annotated[
        str,
        typer.Option(help="Mentions off token boundaries: strict, contract, expand"),
    ] = "expand",
    strict: Annotated[
        bool, typer.Option(help="Fail on rejected mentions and records")
    ] = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Convert also files most of which is not understood"
        ),
    ] = False,
    encoding: Annotated[
        str | None,
        typer.Option(help="Of text files, such as cp1251 (default: found out)"),
    ] = None,
    seed: Seed = 0,
    limit: Limit = None,
    report_path: Annotated[
        Path | None, typer.Option("--report", help="Write all issues to this JSON file")
    ] = None,
    max_docs: Annotated[
        int | None,
        typer.Option(min=1, help="Docs per DocBin file (default: all in one)"),
    ] = None,
    scheme: Annotated[
        str, typer.Option(help="bio: auto, iob1, iob2, bioes, io")
    ] = "auto",
    separator: Annotated[
        str, typer.Option(help=f"bio: auto, {', '.join(SEPARATORS)}")
    ] = "auto",
    token_column: Annotated[
        int | None,
        typer.Option(help="bio: column of the token, from 0 (default: found out)"),
    ] = None,
    tag_column: Annotated[
        int | None,
        typer.Option(
            help="bio: column of the tag; -1 is the last (default: found out)"
        ),
    ] = None,
    joiner: Annotated[
        str,
        typer.Option(
            help="bio: text between tokens; auto: a space, nothing for CJK and Thai"
        ),
    ] = "auto",
    spans_key: SpansKey = "",
    stage: Annotated[int, typer.Option(help="swift: write stage 1 or 2")] = 1,
    level: Annotated[
        str | None, typer.Option(help="swift stage 2: none, first, second, third")
    ] = None,
    dry_run: DryRun = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Convert corpora between GEIC, SWIFT, B2NERD, BIO and spaCy's DocBin; BRAT, doccano, Prodigy,
    Hugging Face's `tokens` and `ner_tags`, and spaCy's JSON are read too.

    Files of an earlier conversion are replaced, each when its successor is complete.
    With --max-docs, memory does not grow with the corpus.
    """
    with messages():
        if report_path is not None:
            refuse_overlap([source], [report_path])
        if dry_run:
            jobs = plan(
                source,
                target,
                Report(),
                from_format=from_format,
                to_format=to_format,
                encoding=encoding,
            )
            refuse_jobs(source, target, jobs)
            print_targets({str(job.source): str(job.target) for job in jobs}, as_json)
            return

        types = load_taxonomy(taxonomy)
        write_options: dict[str, dict[str, Any]] = {
            "docbin": {
                "lang": lang,
                "taxonomy": types,
                "alignment": alignment,
                "max_docs": max_docs,
            },
            "bio": {"scheme": "iob2" if scheme in ("auto", "io") else scheme},
            "swift": {"stage": stage, "level": level, "types": types},
        }
        bio = {
            "scheme": scheme,
            "separator": separator,
            "token_column": token_column,
            "tag_column": tag_column,
            "joiner": joiner,
        }
        report = convert(
            source,
            target,
            from_format=from_format,
            to_format=to_format,
            language=lang if lang != "xx" else None,
            strict=strict,
            force=force,
            encoding=encoding,
            limit=limit,
            read_options={"bio": bio, "docbin": {"spans_key": spans_key}},
            write_options=write_options.get(to_format),
            progress=None if quiet or as_json else progress,
            keep_issues=KEPT if report_path is None else None,
        )
        if report_path is not None:
            _write_report(report, report_path)
    if as_json:
        print_json(report.to_dict())
    else:
        _print_report(report, report_path)
    if report.failed:
        raise typer.Exit(1)


def _write_report(report: Report, path: Path) -> None:
    text = json.dumps(report.to_dict(), ensure_ascii=False, indent=1)
    with atomic_path(path) as temp:
        temp.write_text(text, encoding="utf8")


def _print_report(report: Report, report_path: Path | None) -> None:
    _print_counts(report)
    _print_readings(report)
    if report.unknown_types:
        n = sum(report.unknown_types.values())
        kinds = len({label for _, label in report.unknown_types})
        msg.warn(
            f"{n} mention(s) of {kinds} type(s) that the taxonomy does not resolve: the type is"
            " its own path"
        )
    for kind, what in NOTES:
        if report.total(kind):
            msg.warn(f"{report.total(kind)} {what}")
    warn_unread(report)
    skipped = report.of_kind(SKIPPED)
    if skipped:
        msg.warn(f"{report.total(SKIPPED)} file(s) of no known format:")
    for issue in skipped[:SHOWN]:
        typer.echo(f"  {issue.file}: {issue.reason}")
    if report.rejected:
        msg.warn(f"{report.rejected} rejected, the first:")
    for issue in report.of_kind(REJECTED)[:SHOWN]:
        mention = "" if issue.mention is None else f"'{issue.mention}': "
        typer.echo(f"  {issue.file}, record {issue.record}: {mention}{issue.reason}")
    if report.rejected > SHOWN and report_path is None:
        typer.echo("  ... (all with --report FILE)")
    for message in report.failed.values():
        typer.echo(f"✘ {message}", err=True)


def _print_counts(report: Report) -> None:
    rows: list[tuple[Any, ...]] = []
    for name, counts in report.grouped().items():
        if counts["records"] or not counts[SKIPPED]:
            rows.append((name, *(counts[column] for column in COLUMNS)))
    if len(rows) > 1:
        rows.append(("total", *map(report.total, COLUMNS)))
    header = ("", *(column.replace("_", " ") for column in COLUMNS))
    print_table(rows, header, max_col=80)


def _print_readings(report: Report) -> None:
    """What was found out about the files, once for all files of the same kind."""
    files: dict[str, list[str]] = {}
    for name, reading in report.read_as.items():
        files.setdefault(reading, []).append(name)
    for reading, names in files.items():
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        msg.info(f"Read as {reading}: {names[0]}{more}")
