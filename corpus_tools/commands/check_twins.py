"""`python -m corpus_tools check-twins`."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand
from wasabi import msg

from ..formats import detect, read_records
from ..issues import Report
from ..records import Record
from ..twins import THRESHOLD, find_twins
from .frame import messages, print_json, print_table, progress, warn_rejected
from .options import Json, Limit, Quiet, Seed

SHOWN = 10


class ManyTests(TyperCommand):
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
    with messages():
        counts: dict[str, int] = {}
        report = Report()
        silent = quiet or as_json
        train_records = _read_all(train, {}, report, limit, silent)
        test_records = _read_all(test, counts, report, limit, silent)
        twins = find_twins(train_records, test_records, threshold=threshold)
    if as_json:
        result = {
            "records": counts,
            "rejected": report.rejected,
            "twins": list(map(asdict, twins)),
        }
        print_json(result)
        raise typer.Exit(1 if twins else 0)

    found = {name: sum(t.test_file == name for t in twins) for name in counts}
    rows = [(name, n, found[name]) for name, n in counts.items()]
    print_table(rows, ("test file", "records", "twins"), max_col=80)
    warn_rejected(report.rejected)
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


def _read_all(
    paths: Iterable[Path],
    counts: dict[str, int],
    report: Report,
    limit: int | None,
    silent: bool,
) -> Iterator[Record]:
    """The records of all files, with the place where they lie now in `meta`.

    counts (dict[str, int]): Filled with the number of records of each file.
    """
    for path in paths:
        name = str(path)
        counts[name] = 0
        format = detect(path)
        read = read_records(path, report, format=format)
        records: Iterable[Record] = itertools.islice(read, limit)
        if not silent:
            records = progress(records, name)
        for number, record in enumerate(records):
            counts[name] += 1
            # A DocBin's records say where they first came from; here it matters where they lie now.
            index = number if format == "docbin" else record.meta["index"]
            place = {"source": name, "index": index}
            yield Record(record.text, record.mentions, meta=place)
