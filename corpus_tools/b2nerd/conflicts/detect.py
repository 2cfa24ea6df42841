"""The whole search: data sets in, ranked conflicts, tables and heat maps out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

from spacy_cascade.taxonomy import Taxonomy

from ...embedding import get_embedder
from ...errors import CorpusError, Errors
from ...files import atomic_path
from ...issues import Report
from ...jobs import refuse_overlap
from ...plotting import pyplot
from . import edges, heatmap, model, rules
from .evidence import Evidence
from .rank import Conflict, rank
from .report import as_markdown
from .score import Score
from .sets import DataSet, Progress, load_sets
from .similar import THRESHOLD, Names, Relation, read_map, read_maps

RESULT = "conflicts.json"
PAGE = "conflicts.md"
EVIDENCE = "evidence.jsonl"


@dataclass(frozen=True)
class Settings:
    """Options of a run.

    types (tuple[str, ...]): Only conflicts of these types, and only data sets that have
        something like them.
    label_map, aliases, config, cache (Path): See `similar.read_maps`, `rules.find`,
        `model.load_config` and `model.cross_scores`; the cache is by default inside the
        output.
    limit (int): Records per split. max_steps (int): Of each training; default: as the config says.
    """

    types: tuple[str, ...] = ()
    taxonomy: Taxonomy | None = None
    label_map: Path | None = None
    aliases: Path | None = None
    embedder: str = "hash"
    threshold: float = THRESHOLD
    rules_only: bool = False
    config: Path | None = None
    cache: Path | None = None
    max_steps: int | None = None
    limit: int | None = None
    seed: int = 0
    report: Report = field(default_factory=Report)


def detect(
    paths: Sequence[Path],
    output: Path,
    settings: Settings,
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Finds and ranks the conflicts between data sets and writes conflicts.json,
    conflicts.md, evidence.jsonl and one heat map per type into a directory.

    RETURNS (dict): What conflicts.json holds.
    RAISES CorpusFileNotFoundError: T001. CorpusError: T060 for fewer than two sets,
        T061 if there are conflicts already, T063 without related types, T064 for
        unknown types, T065 for the config, T066 for a map, T083 if taggers are to be
        trained and there is no matplotlib for their figures.
    """
    refuse_overlap(paths, [output])
    if (output / RESULT).exists() and not overwrite:
        raise CorpusError(Errors.T061.format(path=output))
    sets, names = prepare(paths, settings)
    if not settings.rules_only:
        pyplot()  # before the taggers are trained, not after
    config = (
        None
        if settings.rules_only
        else model.load_config(
            settings.config, max_steps=settings.max_steps, seed=settings.seed
        )
    )
    aliases = read_map(settings.aliases) if settings.aliases else None
    evidence = rules.find(sets, names, aliases=aliases, progress=progress)
    evidence += edges.find(sets, names, progress=progress)
    scores: list[Score] = []
    if config is not None:
        cache = settings.cache or output / "cache"
        scores = model.cross_scores(
            sets, names, config, cache, seed=settings.seed, progress=progress
        )
    conflicts = rank(evidence, names, sets, scores, settings.types)
    maps = heatmap.matrices(sets, names, scores, settings.types)
    result = _result(sets, names, evidence, conflicts, scores, maps, settings)
    for one in maps:
        heatmap.draw(one, output / figure_name(one.type))
    _write(
        output / EVIDENCE,
        "".join(json.dumps(e.to_dict(), ensure_ascii=False) + "\n" for e in evidence),
    )
    _write(
        output / PAGE,
        as_markdown(result, [(one.type, figure_name(one.type)) for one in maps]),
    )
    _write(output / RESULT, json.dumps(result, ensure_ascii=False, indent=1))
    return result


def prepare(paths: Sequence[Path], settings: Settings) -> tuple[list[DataSet], Names]:
    """Reads the data sets and makes sure that there is something to compare.

    RAISES: As `detect`.
    """
    maps = read_maps(settings.label_map) if settings.label_map else None
    embedder = get_embedder(settings.embedder) if settings.embedder != "none" else None
    names = Names(
        maps=maps,
        taxonomy=settings.taxonomy,
        embedder=embedder,
        threshold=settings.threshold,
    )
    sets = load_sets(
        paths, limit=settings.limit, seed=settings.seed, report=settings.report
    )
    if settings.types:
        having = [
            s
            for s in sets
            if any(heatmap.label_for(names("", t), s, names) for t in settings.types)
        ]
        if len(having) < 2:
            known = ", ".join(heatmap.shared_types(sets, names)[:20]) or "none"
            raise CorpusError(
                Errors.T064.format(
                    types=", ".join(settings.types), n=len(having), known=known
                )
            )
        sets = having
    if not any(model.are_related(a, b, names) for a, b in combinations(sets, 2)):
        shown = "; ".join(
            f"{s.name}: {', '.join(sorted({names(s.name, x) for x in s.used()})[:6])}"
            for s in sets[:6]
        )
        raise CorpusError(Errors.T063.format(n=len(sets), shown=shown))
    return sets, names


def figure_name(kind: str) -> str:
    """File name of a type's heat map."""
    return f"heatmap-{re.sub(r'[^0-9a-z]+', '-', kind.lower()).strip('-')}.png"


def _result(
    sets: Sequence[DataSet],
    names: Names,
    evidence: Sequence[Evidence],
    conflicts: Sequence[Conflict],
    scores: Sequence[Score],
    maps: Iterable[heatmap.Matrix],
    settings: Settings,
) -> dict[str, Any]:
    trained = {s.a for s in scores}
    listed: list[Mapping[str, Any]] = [
        {
            "name": s.name,
            "sentences": sum(map(len, s.splits.values())),
            "mentions": s.labels.total(),
            "labels": dict(s.labels.most_common()),
            "trained": s.name in trained,
        }
        for s in sets
    ]
    options = {
        k: str(v) if isinstance(v, Path) else v
        for k, v in vars(settings).items()
        if k not in ("taxonomy", "report")
    }
    return {
        "sets": listed,
        "skipped": [asdict(issue) for issue in settings.report.of_kind("skipped")],
        "options": {**options, "types": list(settings.types)},
        "classes": rules.totals(evidence),
        "conflicts": [c.to_dict() for c in conflicts if c.comparable],
        "no_counterpart": [c.to_dict() for c in conflicts if not c.comparable],
        "similar": similar_names(sets, names),
        "f1": [one.to_dict() for one in maps],
    }


def similar_names(sets: Sequence[DataSet], names: Names) -> list[dict[str, Any]]:
    """Different names of different sets that probably mean the same, or one more than the other."""
    where: dict[str, list[str]] = {}
    for s in sets:
        for name in {names(s.name, label) for label in s.used()}:
            where.setdefault(name, []).append(s.name)
    found = []
    for a, b in combinations(sorted(where), 2):
        relation = names.relation(a, b)
        if relation in (Relation.SIMILAR, Relation.BROADER, Relation.NARROWER) and set(
            where[a]
        ) != set(where[b]):
            one, two = (b, a) if relation == Relation.NARROWER else (a, b)
            kind = "similar" if relation == Relation.SIMILAR else "broader"
            found.append(
                {
                    "a": one,
                    "b": two,
                    "relation": kind,
                    "sets_a": where[one],
                    "sets_b": where[two],
                }
            )
    return sorted(
        found, key=lambda pair: (pair["relation"] != "similar", pair["a"], pair["b"])
    )


def _write(path: Path, text: str) -> None:
    with atomic_path(path) as temp:
        temp.write_text(text, encoding="utf8")
