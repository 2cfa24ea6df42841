"""The modes of `python -m corpus_tools standardize`, which look at maps and labels."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import typer
from wasabi import msg

from spacy_cascade.taxonomy import Taxonomy

from ..b2nerd.labelmap import (
    LabelMap,
    check_map,
    check_names,
    refuse_clashes,
    refuse_pairs,
)
from ..b2nerd.lint import lint_names, lint_taxonomy
from ..b2nerd.overview import to_dict, to_markdown
from ..b2nerd.standardize import count_labels, map_of
from ..b2nerd.suggest import suggest
from ..embedding import get_embedder
from ..errors import CorpusError, Errors
from ..files import check_file
from ..issues import Report
from ..jobs import refuse_overlap
from ..outputs import refuse_existing, write_text
from ..units import RunOptions, Unit, find_units
from .frame import print_json
from .options import Output

Label = tuple[str, str]  # data set, raw label


@dataclass(frozen=True)
class Maps:
    """What the modes look at.

    inputs (Sequence[Path]): Files or trees of data sets.
    known (Mapping[str, LabelMap]): By data set.
    folder (Path): Where maps are looked for, for messages.
    """

    inputs: Sequence[Path]
    known: Mapping[str, LabelMap]
    taxonomy: Taxonomy
    folder: Path
    run: RunOptions
    output: Output

    def counts(self, run: RunOptions) -> dict[str, Counter[str]]:
        """Mentions per raw label, by name of the label map; sets without a map under
        their own name.
        """
        reading = RunOptions(from_format=run.from_format)
        units: list[Unit] = []
        for path in self.inputs:
            units += find_units(path, Path("out"), Report(), reading)
        found: dict[str, Counter[str]] = {}
        for name, counts in count_labels(units, run).items():
            try:
                found[map_of(name, self.known, self.folder).name] = counts
            except CorpusError:  # T058
                found[name] = counts
        return found


@dataclass(frozen=True)
class Problem:
    """Something wrong in a map or the taxonomy. where (str): Which of them."""

    where: str
    rule: str
    name: str
    why: str

    def __str__(self) -> str:
        name = f"{self.name}: " if self.name else ""
        return f"{self.where}: {self.rule}: {name}{self.why}"


class _Problems(list[Problem]):
    def check(self, where: str, test: Callable[..., object], *args: object) -> None:
        """Adds the error that a check raises."""
        try:
            test(*args)
        except CorpusError as err:
            self.append(Problem(where, err.code, "", str(err)))


def print_lint(maps: Maps, conflicts: Path | None) -> None:
    """Checks maps and taxonomy. Exits with 1 if something is wrong.

    conflicts (Path): Pairs of labels that may share no target.
    """
    known, types = maps.known, maps.taxonomy
    problems = _Problems()
    for p in lint_taxonomy(types):
        problems.append(Problem("taxonomy", p.rule, p.name, p.why))
    for name, one in known.items():
        problems.check(name, check_map, one, types)
        targets = [target for target in one.targets.values() if target is not None]
        for p in lint_names(targets):
            problems.append(Problem(name, p.rule, p.name, p.why))
    if not any(problem.rule == "T052" for problem in problems):
        problems.check("maps", refuse_clashes, known.values(), types)
    if conflicts is not None:
        problems.check("maps", refuse_pairs, known, _read_pairs(conflicts))

    whole = replace(maps.run, limit=None)  # a limit would hide labels
    counts = maps.counts(whole)
    for name, found in counts.items():
        if name in known:
            problems.check(name, check_names, known[name], found)
        else:
            problems.check(name, map_of, name, known, maps.folder)
    merged = {name: one.merged() for name, one in known.items() if one.merged()}
    if maps.output.as_json:
        result = {
            "maps": len(known),
            "types": len(types),
            "data_sets": len(counts),
            "problems": list(map(asdict, problems)),
            "merged": merged,
        }
        print_json(result)
    else:
        _print_problems(maps, problems, merged, len(counts))
    if problems:
        raise typer.Exit(1)


def _print_problems(
    maps: Maps,
    problems: Sequence[Problem],
    merged: Mapping[str, Mapping[str, Sequence[str]]],
    n_sets: int,
) -> None:
    for problem in problems:
        typer.echo(str(problem))
    for name, targets in merged.items():
        for target, raws in targets.items():
            both = " and ".join(map(repr, raws))
            msg.info(f"{name}: {both} both point to '{target}'")
    against = f", compared with {n_sets} data set(s)" if maps.inputs else ""
    checked = f"{len(maps.known)} map(s), {len(maps.taxonomy)} types{against}"
    summary = f"{checked}: {len(problems)} problem(s)"
    if problems:
        msg.fail(summary)
    else:
        msg.good(summary)


def _read_pairs(path: Path) -> list[tuple[Label, Label]]:
    """RAISES CorpusError: T001 and T005."""
    check_file(path)
    try:
        pairs = json.loads(path.read_text("utf8"))
        return [
            ((str(a[0]), str(a[1])), (str(b[0]), str(b[1])))  # data set and label
            for a, b in pairs
        ]
    except (ValueError, TypeError, IndexError, KeyError) as err:
        raise CorpusError(
            Errors.T005.format(path=path, format="a list of pairs of labels", why=err)
        ) from err


def print_suggestions(maps: Maps, embedder: str, top: int) -> None:
    """Proposes targets for labels without an entry."""
    if not maps.inputs:
        raise typer.BadParameter("--suggest needs INPUT")
    known = maps.known
    counts = maps.counts(maps.run)
    lacking: list[tuple[str, str, int]] = []
    for name, found in counts.items():
        for raw, n in found.most_common():
            if name not in known or raw not in known[name].targets:
                lacking.append((name, raw, n))

    labels = [raw for _, raw, _ in lacking]
    embed = get_embedder(embedder)
    suggestions = suggest(labels, maps.taxonomy, known, embed, top=top)
    pairs = list(zip(lacking, suggestions, strict=True))
    if maps.output.as_json:
        rows = []
        for (name, raw, n), suggestion in pairs:
            row = {
                "data_set": name,
                "label": raw,
                "mentions": n,
                "precedents": suggestion.precedents,
                "by_spelling": suggestion.by_spelling,
                "by_meaning": suggestion.by_meaning,
            }
            rows.append(row)
        print_json(rows)
        return
    for (name, raw, n), suggestion in pairs:
        typer.echo(f"{name}: {raw} ({n} mentions)")
        kinds = (
            ("other maps", suggestion.precedents),
            ("spelling", suggestion.by_spelling),
            ("meaning", suggestion.by_meaning),
        )
        for kind, targets in kinds:
            if targets:
                named = "; ".join(f"{target} ({value})" for target, value in targets)
                typer.echo(f"  {kind + ':':12}{named}")
    msg.info(f"{len(lacking)} label(s) without an entry in {len(counts)} data set(s)")


def print_overview(maps: Maps, page: Path) -> None:
    """Writes the taxonomy, with the counts of the inputs."""
    known, types = maps.known, maps.taxonomy
    if maps.output.dry_run:
        msg.info(f"would write {page}{' over the file there' if page.exists() else ''}")
        return
    refuse_existing([page], overwrite=maps.output.overwrite)
    refuse_overlap([*maps.inputs, maps.folder], [page])
    counts = maps.counts(maps.run)
    found = to_dict(known, types, counts)
    if page.suffix == ".json":
        text = json.dumps(found, ensure_ascii=False, indent=1)
    else:
        text = to_markdown(known, types, counts)
    write_text(text, page)
    if maps.output.as_json:
        print_json(found)
    else:
        msg.good(f"{len(types)} types of {len(known)} maps written to {page}")
