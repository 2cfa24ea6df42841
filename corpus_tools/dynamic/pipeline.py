"""The whole way from a corpus to its three versions on disk."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from spacy_cascade.taxonomy import Taxonomy

from ..embedding import Embedder
from ..errors import CorpusError, Errors
from ..files import atomic_path
from ..jobs import language_of, refuse_overlap
from ..label_paths import read_taxonomy
from . import datasheet, export, figure
from . import synonyms as tables
from .search import BUDGET, VARIETY
from .versions import SEEDS, Comparison, Source, compare, embed, own_taxonomy, read

RESULT, LOG, FIGURE = "versions.json", "search.jsonl", "versions.png"
OWN_TYPES, AUTO, NONE = "labels", "auto", "none"
Progress = Callable[..., Iterable[Any]]


@dataclass(frozen=True)
class Settings:
    """How versions are made.

    lang (str): 'auto' for the folder's name, else 'en'.
    taxonomy (str): 'dynamicner', 'universal', a file, or 'labels' for the corpus's own
        types.
    synonyms (str): 'auto' (by language, none where there is no table), 'none', a
        language, or a JSON file.
    embedder (str): See `embedding.get_embedder`.
    licence (str): Of the corpus.
    formats (tuple[str, ...]): See `export.FORMATS`.

    The rest: see `versions.compare`.
    """

    lang: str = AUTO
    taxonomy: str = "dynamicner"
    synonyms: str = AUTO
    embedder: str = "hash"
    seed: int = 0
    budget: int = BUDGET
    variety: float = VARIETY
    seeds: int = SEEDS
    limit: int | None = None
    licence: str = ""
    from_format: str = AUTO
    formats: tuple[str, ...] = tuple(export.FORMATS)


def targets(
    source: Path, output: Path, *, each: bool, overwrite: bool
) -> dict[Path, Path]:
    """Corpora and where they go.

    RAISES CorpusError: T037 if something is in the way, T039 if `each` finds no sub-directory, T111
        if the output overlaps with the source.
    """
    folders = (
        sorted(p for p in source.iterdir() if p.is_dir() and not p.name.startswith("."))
        if each and source.is_dir()
        else []
    )
    if each and not folders:
        raise CorpusError(Errors.T039.format(path=source))
    refuse_overlap([source], [output])
    if (
        output.exists()
        and not overwrite
        and (not output.is_dir() or any(output.iterdir()))
    ):
        raise CorpusError(Errors.T037.format(path=output))
    return {p: output / (language_of(p.name) or p.name) for p in folders} or {
        source: output
    }


def make(
    source: Path,
    output: Path,
    embedder: Embedder,
    settings: Settings,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Makes the versions of one corpus: `<version>/*` with datasheets, `versions.json`,
    `search.jsonl`, `versions.png`.

    progress (Callable): Wraps what is iterated over, with a name, for progress bars.
    RETURNS (dict): `Comparison.to_dict()` and how it was made.
    RAISES CorpusError: T003, T009, T030 to T036, and what readers and writers raise.
    """
    formats = export.check_formats(settings.formats)
    corpus = Source.open(source, format=settings.from_format, limit=settings.limit)
    mentions = read(corpus, progress)
    types = _taxonomy(settings.taxonomy, mentions.labels)
    lang = language_of(source.name) or "en" if settings.lang == AUTO else settings.lang
    table = _synonyms(settings.synonyms, lang, types)
    comparison = compare(
        mentions.labels,
        embed(mentions.texts, embedder),
        types,
        synonyms=table,
        seed=settings.seed,
        budget=settings.budget,
        variety=settings.variety,
        seeds=settings.seeds,
        progress=progress,
    )
    how = {
        **{
            k: v for k, v in asdict(settings).items() if k not in ("licence", "formats")
        },
        "lang": lang,
        "embedder": Path(settings.embedder).name,
        "taxonomy": f"{types.name} ({len(types)} types)",
        "synonyms": f"{sum(map(len, table.values()))} names of {len(table)} types",
    }
    about = {
        "licence": {"licence": settings.licence or datasheet.NO_LICENCE},
        "how_it_was_made": how,
    }
    export.write(
        comparison,
        corpus,
        mentions,
        output,
        about,
        formats=formats,
        lang=lang,
        progress=progress,
    )
    return _results(comparison, source.name, output, how)


def _results(
    comparison: Comparison, name: str, output: Path, how: dict[str, Any]
) -> dict[str, Any]:
    result = {"corpus": name, "made": how, **comparison.to_dict()}
    with atomic_path(output / RESULT) as temp:
        temp.write_text(
            json.dumps(result, ensure_ascii=False, indent=1) + "\n", encoding="utf8"
        )
    with atomic_path(output / LOG) as temp:
        steps = (
            json.dumps(step.to_dict(), ensure_ascii=False) + "\n"
            for step in comparison.found.log
        )
        temp.write_text("".join(steps), encoding="utf8")
    figure.draw({name: result}, output / FIGURE)
    return result


def _taxonomy(name: str, labels: Iterable[str]) -> Taxonomy:
    if name != OWN_TYPES:
        return read_taxonomy(name)
    try:
        return own_taxonomy(labels)
    except ValueError as err:
        raise CorpusError(Errors.T009.format(name=name, why=err)) from err


def _synonyms(name: str, lang: str, taxonomy: Taxonomy) -> tables.Table:
    if name == NONE or (name == AUTO and lang not in tables.languages()):
        return {}
    return tables.load(lang if name == AUTO else name, taxonomy=taxonomy)
