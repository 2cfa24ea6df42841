"""`python -m corpus_tools stats`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from wasabi import msg, table

from ._shared import FROM_HELP, Json, Limit, Quiet, Seed, SpansKey, warn_unread

if TYPE_CHECKING:
    from ..report.stats import Group, Stats

SIZES = (
    "sentences",
    "without mention",
    "mentions",
    "nested",
    "tokens",
    "characters",
    "types",
    "mentions/sentence",
)
DISTRIBUTIONS = {
    "sentence_tokens": "tokens of a sentence",
    "mentions_per_sentence": "mentions of a sentence",
    "mention_tokens": "tokens of a mention",
    "mention_characters": "characters of a mention",
    "type_lists": "types of a type list",
}
POINTS = ("mean", "min", "median", "p90", "p99", "max")


def stats_cli(
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="SOURCE...", help="Files or directory trees, of any format"
        ),
    ],
    from_format: Annotated[str, typer.Option("--from", help=FROM_HELP)] = "auto",
    taxonomy: Annotated[
        str,
        typer.Option(
            help="'dynamicner', 'universal' or a taxonomy file: resolves types to paths"
        ),
    ] = "",
    by: Annotated[
        str,
        typer.Option(
            help="Rows of the table: language, dataset, split or all (all three)"
        ),
    ] = "dataset",
    top: Annotated[
        int, typer.Option(min=0, help="Types to list, most frequent first")
    ] = 20,
    lang: Annotated[
        str, typer.Option(help="Language of all records (default: by their folders)")
    ] = "",
    spans_key: SpansKey = "",
    seed: Seed = 0,
    limit: Limit = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Count a corpus of any size and format: sentences, mentions, types, lengths, type
    lists, balance.

    Reads everything once, in memory that does not grow with the corpus. Tokens are
    those of the project's multilingual tokenizer. Balance: normalized entropy (1 is
    even), Gini coefficient and variation coefficient (0 is even).
    """
    from ..cli import _load_taxonomy, _messages, _progress
    from ..report.stats import collect

    with _messages():
        key = _key(by)
        stats = collect(
            sources,
            from_format=from_format,
            language=lang or None,
            taxonomy=_load_taxonomy(taxonomy),
            limit=limit,
            spans_key=spans_key,
            progress=None if quiet or as_json else _progress,
        )
    if as_json:
        typer.echo(json.dumps(stats.to_dict(), ensure_ascii=False))
    else:
        _print(stats, key, top)
    if stats.report.failed:
        raise typer.Exit(1)


def _key(by: str) -> Callable[[Group], str]:
    """RAISES CorpusError: T003."""
    from ..errors import CorpusError, Errors

    keys: dict[str, Callable[[Group], str]] = {
        "language": lambda g: g.language or "(unknown)",
        "dataset": lambda g: (
            "/".join(p for p in (g.language, g.dataset) if p) or "(unknown)"
        ),
        "split": lambda g: g.split,
        "all": lambda g: "/".join(p for p in (g.language, g.dataset, g.split) if p),
    }
    if by not in keys:
        raise CorpusError(
            Errors.T003.format(option="--by", value=by, choices=", ".join(keys))
        )
    return keys[by]


def _print(stats: Stats, key: Callable[[Group], str], top: int) -> None:
    rows = {name: tally.to_dict() for name, tally in stats.by(key).items()}
    total = stats.total.to_dict()
    if len(rows) > 1:
        rows["total"] = total
    _table(("", *SIZES), [(name, *_sizes(figures)) for name, figures in rows.items()])
    lengths = [
        (what, *map(_number, _points(total[name])))
        for name, what in DISTRIBUTIONS.items()
        if total[name].get("max")
    ]
    _table(("", *POINTS), lengths)
    lists = total["type_lists"]
    if lists["lists"]:
        typer.echo(
            f"{lists['distinct']:,}{'+' if lists['at_least'] else ''} distinct type lists in"
            f" {lists['lists']:,}\n"
        )
    if not total["mentions"]:
        msg.warn("There is no mention")
        _warn(stats)
        return
    both = [
        ("all types", total["types"], total["balance"]),
        ("coarse types", len(stats.total.at_level(1)), total["coarse_balance"]),
    ]
    _table(
        ("", "types", "entropy", "Gini", "variation"),
        [(n, k, *(f"{v:.3f}" for v in b.values())) for n, k, b in both],
    )
    counts = list(total["type_counts"].items())
    _table(
        ("type", "mentions", "share"),
        [(path, f"{n:,}", f"{n / total['mentions']:.1%}") for path, n in counts[:top]],
    )
    if len(counts) > top:
        typer.echo(f"... and {len(counts) - top} more (--top, or --json for all)")
    _warn(stats)


def _warn(stats: Stats) -> None:
    warn_unread(stats.report)
    if stats.paths.unresolved:
        n = sum(stats.paths.unresolved.values())
        msg.warn(
            f"{n} mention(s) of {len(stats.paths.unresolved)} type(s) that the taxonomy does"
            " not resolve: each is its own path"
        )
    if stats.report.rejected:
        msg.warn(
            f"{stats.report.rejected} mention(s) or record(s) could not be read; `convert`"
            " lists them"
        )
    for message in stats.report.failed.values():
        typer.echo(f"✘ {message}", err=True)


def _sizes(figures: Mapping[str, Any]) -> list[str]:
    names = (
        "sentences",
        "without_mention",
        "mentions",
        "nested",
        "tokens",
        "characters",
        "types",
    )
    return [
        *(f"{figures[name]:,}" for name in names),
        f"{figures['mentions_per_sentence']['mean']:.2f}",
    ]


def _points(figures: Mapping[str, float]) -> list[float]:
    return [figures[point] for point in POINTS]


def _number(value: float) -> str:
    return f"{value:.2f}" if isinstance(value, float) else f"{value:,}"


def _table(header: tuple[str, ...], rows: list[Any]) -> None:
    aligns = ("l", *"r" * (len(header) - 1))
    typer.echo(
        table(
            [tuple(map(str, row)) for row in rows],
            header=header,
            divider=True,
            aligns=aligns,
            max_col=80,
        )
    )
