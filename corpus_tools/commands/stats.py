"""`python -m corpus_tools stats`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import typer
from wasabi import msg

from ..errors import check_choice
from ..report.stats import Group, Stats, collect
from .frame import (
    load_taxonomy,
    messages,
    print_json,
    print_table,
    progress,
    warn_rejected,
    warn_unread,
)
from .options import (
    AnyTaxonomy,
    FromFormat,
    Json,
    Limit,
    Quiet,
    RecordLanguage,
    Seed,
    Sources,
    SpansKey,
)

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
    sources: Sources,
    from_format: FromFormat = "auto",
    taxonomy: AnyTaxonomy = "",
    by: Annotated[
        str,
        typer.Option(
            help="Rows of the table: language, dataset, split or all (all three)"
        ),
    ] = "dataset",
    top: Annotated[
        int, typer.Option(min=0, help="Types to list, most frequent first")
    ] = 20,
    lang: RecordLanguage = "",
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
    with messages():
        key = _key(by)
        stats = collect(
            sources,
            from_format=from_format,
            language=lang or None,
            taxonomy=load_taxonomy(taxonomy),
            limit=limit,
            spans_key=spans_key,
            progress=None if quiet or as_json else progress,
        )
    if as_json:
        print_json(stats.to_dict())
    else:
        _print(stats, key, top)
    if stats.report.failed:
        raise typer.Exit(1)


def _key(by: str) -> Callable[[Group], str]:
    """RAISES CorpusError: T003."""

    def data_set(group: Group) -> str:
        parts = (group.language, group.dataset)
        return "/".join(filter(None, parts)) or "(unknown)"

    def all_three(group: Group) -> str:
        parts = (group.language, group.dataset, group.split)
        return "/".join(filter(None, parts))

    keys: dict[str, Callable[[Group], str]] = {
        "language": lambda group: group.language or "(unknown)",
        "dataset": data_set,
        "split": lambda group: group.split,
        "all": all_three,
    }
    check_choice("--by", by, keys)
    return keys[by]


def _print(stats: Stats, key: Callable[[Group], str], top: int) -> None:
    groups = {name: tally.to_dict() for name, tally in stats.by(key).items()}
    total = stats.total.to_dict()
    if len(groups) > 1:
        groups["total"] = total
    sizes = [(name, *_sizes(figures)) for name, figures in groups.items()]
    _table(("", *SIZES), sizes)
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
    if total["mentions"]:
        _print_types(stats, total, top)
    else:
        msg.warn("There is no mention")
    _warn(stats)


def _print_types(stats: Stats, total: Mapping[str, Any], top: int) -> None:
    coarse = len(stats.total.at_level(1))
    balances = [
        ("all types", total["types"], total["balance"]),
        ("coarse types", coarse, total["coarse_balance"]),
    ]
    rows = []
    for name, n, balance in balances:
        figures = [f"{value:.3f}" for value in balance.values()]
        rows.append((name, n, *figures))
    _table(("", "types", "entropy", "Gini", "variation"), rows)

    counts = list(total["type_counts"].items())
    most = total["mentions"]
    frequent = [(path, f"{n:,}", f"{n / most:.1%}") for path, n in counts[:top]]
    _table(("type", "mentions", "share"), frequent)
    if len(counts) > top:
        typer.echo(f"... and {len(counts) - top} more (--top, or --json for all)")


def _warn(stats: Stats) -> None:
    warn_unread(stats.report)
    if stats.paths.unresolved:
        n = sum(stats.paths.unresolved.values())
        msg.warn(
            f"{n} mention(s) of {len(stats.paths.unresolved)} type(s) that the taxonomy does"
            " not resolve: each is its own path"
        )
    warn_rejected(stats.report.rejected)
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
    counts = [f"{figures[name]:,}" for name in names]
    mean = figures["mentions_per_sentence"]["mean"]
    return [*counts, f"{mean:.2f}"]


def _points(figures: Mapping[str, float]) -> list[float]:
    return [figures[point] for point in POINTS]


def _number(value: float) -> str:
    return f"{value:.2f}" if isinstance(value, float) else f"{value:,}"


def _table(header: tuple[str, ...], rows: Sequence[tuple[Any, ...]]) -> None:
    print_table([tuple(map(str, row)) for row in rows], header, max_col=80)
