"""`python -m corpus_tools standardize`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from wasabi import msg, table

from ._shared import FROM_HELP


def standardize_cli(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="INPUT OUTPUT",
            help="Files or directory trees; with a mode: inputs only",
        ),
    ] = None,
    lint: Annotated[
        bool,
        typer.Option(
            "--lint",
            help="Mode: check taxonomy and maps, and the maps against INPUT if given",
        ),
    ] = False,
    suggest: Annotated[
        bool,
        typer.Option(
            "--suggest",
            help="Mode: propose targets for labels of INPUT without an entry",
        ),
    ] = False,
    overview: Annotated[
        Path | None,
        typer.Option(
            metavar="PAGE",
            help="Mode: write the taxonomy, with the counts of INPUT, to .md or .json",
        ),
    ] = None,
    maps: Annotated[
        Path | None,
        typer.Option(
            help="Label maps <lang>/<set>.json; default: those that come along"
        ),
    ] = None,
    map_path: Annotated[
        Path | None, typer.Option("--map", help="One label map for all of INPUT")
    ] = None,
    taxonomy: Annotated[
        str, typer.Option(help="'universal' or a taxonomy file")
    ] = "universal",
    labels: Annotated[
        str,
        typer.Option(
            help="Write labels as name, path or local (in the language of the set)"
        ),
    ] = "name",
    conflicts: Annotated[
        Path | None,
        typer.Option(
            help=(
                '--lint: JSON list of [["en/a", "label"], ["en/b", "label"]] that may share no'
                " target"
            )
        ),
    ] = None,
    from_format: Annotated[str, typer.Option("--from", help=FROM_HELP)] = "auto",
    to_format: Annotated[
        str, typer.Option("--to", help="docbin, geic, swift, b2nerd or bio")
    ] = "docbin",
    lang: Annotated[
        str,
        typer.Option(help="docbin: language of the pipeline that tokenizes; xx: any"),
    ] = "xx",
    embedder: Annotated[
        str, typer.Option(help="--suggest: 'hash', or a sentence-transformers model")
    ] = "hash",
    top: Annotated[
        int, typer.Option(min=1, help="--suggest: targets of each kind")
    ] = 3,
    seed: Annotated[
        int,
        typer.Option(help="As other commands have; nothing here is drawn at random"),
    ] = 0,
    limit: Annotated[int | None, typer.Option(min=1, help="Records per file")] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace earlier output")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be written")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="The result as JSON on stdout")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar")] = False,
) -> None:
    """Give the labels of many data sets one meaning each (B2NERD's label standardization).

    A label map per data set points raw labels to names of the universal taxonomy, or
    drops them with a reason. Without a mode the maps are applied: every mention is kept
    under its new label, or counted as dropped. --lint exits with 1 if it finds
    anything.
    """
    from ..b2nerd.labelmap import PACKAGED, load_map, load_maps
    from ..b2nerd.standardize import standardize
    from ..cli import _messages, _progress

    inputs = paths or []
    if sum([lint, suggest, overview is not None]) > 1:
        raise typer.BadParameter("give one of --lint, --suggest and --overview")
    progress = None if quiet or as_json else _progress
    with _messages():
        types, folder = _taxonomy(taxonomy), maps or PACKAGED
        loaded = load_map(map_path) if map_path else None
        known = {loaded.name: loaded} if loaded else load_maps(folder)
        if lint:
            _lint(
                inputs,
                known,
                types,
                folder,
                conflicts,
                from_format=from_format,
                as_json=as_json,
                progress=progress,
            )
            return
        if suggest:
            options = {
                "from_format": from_format,
                "limit": limit,
                "as_json": as_json,
                "progress": progress,
            }
            _suggest(inputs, known, types, folder, embedder, top, **options)
            return
        if overview is not None:
            options = {
                "from_format": from_format,
                "limit": limit,
                "as_json": as_json,
                "progress": progress,
            }
            _overview(
                overview,
                inputs,
                known,
                types,
                folder,
                overwrite=overwrite,
                dry_run=dry_run,
                **options,
            )
            return
        if len(inputs) != 2:
            raise typer.BadParameter(
                "give INPUT and OUTPUT, or one of --lint, --suggest and --overview"
            )
        writers = {
            "docbin": {"lang": lang, "taxonomy": types},
            "swift": {"types": types},
        }
        result = standardize(
            inputs[0],
            inputs[1],
            loaded or known,
            types,
            folder=folder,
            from_format=from_format,
            to_format=to_format,
            style=labels,
            limit=limit,
            overwrite=overwrite,
            dry_run=dry_run,
            write_options=writers.get(to_format),
            progress=progress,
        )
    if as_json:
        typer.echo(json.dumps(result, ensure_ascii=False))
    elif dry_run:
        msg.info(
            f"would write {len(result['would_write'])} file(s),"
            f" {len(result['would_overwrite'])} of which exist"
        )
    else:
        _print(result)


def _taxonomy(name: str) -> Any:
    from spacy_cascade.taxonomy import builtin

    from ..cli import _load_taxonomy

    return builtin(name) if name == "universal" else _load_taxonomy(name)


def _counts(
    inputs: list[Path],
    known: Mapping[str, Any],
    folder: Path,
    options: Mapping[str, Any],
) -> dict[str, Any]:
    """Mentions per raw label, by name of the label map; sets without a map under their own name."""
    from ..b2nerd.standardize import count_labels, map_of
    from ..errors import CorpusError
    from ..records import Report
    from ..units import find_units

    units = [
        u
        for p in inputs
        for u in find_units(
            p, Path("out"), Report(), from_format=options["from_format"]
        )
    ]
    found: dict[str, Any] = {}
    for name, counts in count_labels(
        units, limit=options.get("limit"), progress=options["progress"]
    ).items():
        try:
            found[map_of(name, known, folder).name] = counts
        except CorpusError:  # T058
            found[name] = counts
    return found


def _lint(
    inputs: list[Path],
    known: Any,
    types: Any,
    folder: Path,
    conflicts: Path | None,
    **options: Any,
) -> None:
    from ..b2nerd.labelmap import check_map, check_names, refuse_clashes, refuse_pairs
    from ..b2nerd.lint import lint_names, lint_taxonomy
    from ..b2nerd.standardize import map_of
    from ..errors import CorpusError

    problems = [
        {"where": "taxonomy", "rule": p.rule, "name": p.name, "why": p.why}
        for p in lint_taxonomy(types)
    ]

    def attempt(where: str, check: Any, *args: Any) -> None:
        try:
            check(*args)
        except CorpusError as err:
            problems.append(
                {"where": where, "rule": err.code, "name": "", "why": str(err)}
            )

    for name, one in known.items():
        attempt(name, check_map, one, types)
        targets = [t for t in one.targets.values() if t is not None]
        problems += [
            {"where": name, "rule": p.rule, "name": p.name, "why": p.why}
            for p in lint_names(targets)
        ]
    if not any(p["rule"] == "T052" for p in problems):
        attempt("maps", refuse_clashes, known.values(), types)
    if conflicts is not None:
        attempt("maps", refuse_pairs, known, _pairs(conflicts))
    counts = _counts(inputs, known, folder, options) if inputs else {}
    for name, found in counts.items():
        if name in known:
            attempt(name, check_names, known[name], found)
        else:
            attempt(name, map_of, name, known, folder)
    merged = {name: one.merged() for name, one in known.items() if one.merged()}
    result = {
        "maps": len(known),
        "types": len(types),
        "data_sets": len(counts),
        "problems": problems,
        "merged": merged,
    }
    if options["as_json"]:
        typer.echo(json.dumps(result, ensure_ascii=False))
    else:
        for p in problems:
            typer.echo(
                f"{p['where']}: {p['rule']}: {p['name']}{': ' if p['name'] else ''}{p['why']}"
            )
        for name, targets in merged.items():
            for target, raws in targets.items():
                msg.info(
                    f"{name}: {' and '.join(map(repr, raws))} both point to '{target}'"
                )
        against = f", compared with {len(counts)} data set(s)" if inputs else ""
        summary = f"{len(known)} map(s), {len(types)} types{against}: {len(problems)} problem(s)"
        if problems:
            msg.fail(summary)
        else:
            msg.good(summary)
    if problems:
        raise typer.Exit(1)


def _pairs(path: Path) -> list[tuple[tuple[str, str], tuple[str, str]]]:
    """RAISES CorpusError: T001 and T005."""
    from ..errors import CorpusError, Errors
    from ..files import check_file

    check_file(path)
    try:
        return [
            ((str(a[0]), str(a[1])), (str(b[0]), str(b[1])))
            for a, b in json.loads(path.read_text("utf8"))
        ]
    except (ValueError, TypeError, IndexError, KeyError) as err:
        raise CorpusError(
            Errors.T005.format(path=path, format="a list of pairs of labels", why=err)
        ) from err


def _suggest(
    inputs: list[Path],
    known: Any,
    types: Any,
    folder: Path,
    embedder: str,
    top: int,
    **options: Any,
) -> None:
    from ..b2nerd.suggest import suggest
    from ..embedding import get_embedder

    if not inputs:
        raise typer.BadParameter("--suggest needs INPUT")
    counts = _counts(inputs, known, folder, options)
    lacking = [
        (name, raw, n)
        for name, found in counts.items()
        for raw, n in found.most_common()
        if name not in known or raw not in known[name].targets
    ]
    found = suggest(
        [raw for _, raw, _ in lacking], types, known, get_embedder(embedder), top=top
    )
    if options["as_json"]:
        rows = [
            {"data_set": name, "label": raw, "mentions": n, "precedents": s.precedents, "by_spelling": s.by_spelling,
             "by_meaning": s.by_meaning}
            for (name, raw, n), s in zip(lacking, found, strict=True)
        ]  # fmt: skip
        typer.echo(json.dumps(rows, ensure_ascii=False))
        return
    for (name, raw, n), s in zip(lacking, found, strict=True):
        typer.echo(f"{name}: {raw} ({n} mentions)")
        for kind, targets in (
            ("other maps", s.precedents),
            ("spelling", s.by_spelling),
            ("meaning", s.by_meaning),
        ):
            if targets:
                typer.echo(
                    f"  {kind + ':':12}" + "; ".join(f"{t} ({v})" for t, v in targets)
                )
    msg.info(f"{len(lacking)} label(s) without an entry in {len(counts)} data set(s)")


def _overview(
    page: Path, inputs: list[Path], known: Any, types: Any, folder: Path, **options: Any
) -> None:
    from ..b2nerd.overview import to_dict, to_markdown
    from ..outputs import refuse_existing, write_text
    from ..overlap import refuse_overlap

    if options["dry_run"]:
        msg.info(f"would write {page}{' over the file there' if page.exists() else ''}")
        return
    refuse_existing([page], overwrite=options["overwrite"])
    refuse_overlap([*inputs, folder], [page])
    counts = _counts(inputs, known, folder, options) if inputs else {}
    found = to_dict(known, types, counts)
    text = (
        json.dumps(found, ensure_ascii=False, indent=1)
        if page.suffix == ".json"
        else to_markdown(known, types, counts)
    )
    write_text(text, page)
    if options["as_json"]:
        typer.echo(json.dumps(found, ensure_ascii=False))
    else:
        msg.good(f"{len(types)} types of {len(known)} maps written to {page}")


def _print(result: Mapping[str, Any]) -> None:
    rows = [
        (
            name,
            d["records"],
            d["mentions"],
            d["kept"],
            sum(x["mentions"] for x in d["dropped"].values()),
            d["merged"],
        )
        for name, d in result["datasets"].items()
    ]
    totals = tuple(sum(r[i] for r in rows) for i in range(1, 6))
    if len(rows) > 1:
        rows.append(("total", *totals))
    header = ("", "records", "mentions", "kept", "dropped", "merged")
    typer.echo(
        table(rows, header=header, divider=True, aligns=("l", *"rrrrr"), max_col=60)
    )
    for name, d in result["datasets"].items():
        for raw, drop in d["dropped"].items():
            typer.echo(
                f"  {name}: '{raw}', {drop['mentions']} mention(s) dropped: {drop['reason']}"
            )
    if result["rejected"]:
        msg.warn(
            f"{result['rejected']} mention(s) or record(s) could not be read; `convert` lists"
            " them"
        )
    msg.good(f"{totals[2]} of {totals[1]} mentions kept")
