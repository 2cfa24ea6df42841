"""Proposals for labels without an entry in a map: what other maps do with the same
name, and the nearest types by spelling and by meaning.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from spacy_cascade.taxonomy import Taxonomy

from ..embedding import Embedder, hash_embedder
from ..vectors import checked
from .labelmap import LabelMap, arrow_path, known_names, short_name
from .lint import skeleton

TOP = 3


@dataclass(frozen=True)
class Suggestion:
    """Targets for a raw label, best first.

    precedents (tuple[tuple[str, int], ...]): Targets of the same name in other maps,
        with the number of these maps.
    by_spelling, by_meaning (tuple[tuple[str, float], ...]): Targets with their cosine.
    """

    raw: str
    precedents: tuple[tuple[str, int], ...]
    by_spelling: tuple[tuple[str, float], ...]
    by_meaning: tuple[tuple[str, float], ...]


def suggest(
    raws: Sequence[str],
    taxonomy: Taxonomy,
    maps: Mapping[str, LabelMap],
    embedder: Embedder,
    *,
    top: int = TOP,
) -> list[Suggestion]:
    """Proposes targets for raw labels.

    A type is compared by its name and by each raw name that some map points to it, by
    spelling as character n-grams; and by its name with its definition, with the
    embedder. One matrix product each, whatever the number of labels.

    top (int): At most so many targets of each kind.
    RETURNS (list[Suggestion]): Parallel to `raws`.
    RAISES CorpusError: T042 and T072 for bad vectors of the embedder.
    """
    if not raws:
        return []
    paths = list(taxonomy)
    place = {arrow_path(path): i for i, path in enumerate(paths)}
    used: dict[str, Counter[str]] = {}
    spellings = [(short_name(path), i) for i, path in enumerate(paths)]
    for raw, target, _ in known_names(maps):
        used.setdefault(skeleton(raw), Counter())[target] += 1
        spellings.append((raw, place[target]))
    spellings = list(dict.fromkeys(spellings))
    readable = [raw.replace("_", " ").replace("->", " ") for raw in raws]
    spelling = _best_of(readable, spellings, len(paths))
    meanings = [f"{short_name(path)}: {taxonomy.description(path)}" for path in paths]
    meaning = checked(embedder, readable) @ checked(embedder, meanings).T
    names = list(place)
    return [
        Suggestion(
            raw, tuple(used.get(skeleton(raw), Counter()).most_common(top)), near, like
        )
        for raw, near, like in zip(
            raws, _top(spelling, names, top), _top(meaning, names, top), strict=True
        )
    ]


def _best_of(
    raws: list[str], spellings: Sequence[tuple[str, int]], n: int
) -> np.ndarray:
    """Cosine of each raw name to the best spelling of each type, shape (raws, n)."""
    embed = hash_embedder()
    similarity = embed(raws) @ embed([text for text, _ in spellings]).T
    owner = np.array([i for _, i in spellings])
    best = np.full((len(raws), n), -1.0, dtype=similarity.dtype)
    np.maximum.at(best.T, owner, similarity.T)
    return best


def _top(
    similarity: np.ndarray, names: Sequence[str], top: int
) -> list[tuple[tuple[str, float], ...]]:
    order = np.argsort(-similarity, axis=1, kind="stable")[:, :top]
    values = np.take_along_axis(similarity, order, axis=1)
    return [
        tuple((names[i], round(float(v), 3)) for i, v in zip(row, vs, strict=True))
        for row, vs in zip(order, values, strict=True)
    ]
