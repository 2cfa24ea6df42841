"""What pruning did, in figures."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ..units import NO_TYPE, Incidence, Key, random
from ..vectors import nearest_of
from .pruning import Selection

COUNTS = ("records", "kept", "mentions", "kept_mentions")


def describe(
    incidence: Incidence,
    selection: Selection,
    vectors: np.ndarray | None = None,
    *,
    compare: int = 0,
    seed: int = 0,
) -> dict[str, Any]:
    """Counts by data set and type, before and after.

    vectors (ndarray[float32], shape (records, dimensions)), compare (int): With both,
        mean nearest-neighbour similarities: of the pool, of all kept records with the
        type, and of as many random ones with it (mean of `compare` samples).
    """
    found: dict[str, Any] = {}
    kept_pairs = selection.keep[incidence.record]
    mentions = np.bincount(incidence.key, incidence.mentions)
    kept_mentions = np.bincount(incidence.key, incidence.mentions * kept_pairs)
    keys = zip(incidence.keys, incidence.by_key(), strict=True)
    for number, (key, rows) in enumerate(keys):
        kept = rows[selection.keep[rows]]
        one: dict[str, Any] = {
            "records": len(rows),
            "kept": len(kept),
            "mentions": int(mentions[number]),
            "kept_mentions": int(kept_mentions[number]),
        }
        chosen = {"kept": kept}
        if key in selection.pools:
            one["pool"] = len(selection.pools[key])
            chosen["pool"] = selection.pools[key]
        for what, part in chosen.items():
            if vectors is not None and compare and 1 < len(part) < len(rows):
                rng = random(seed, "compare", what, *key)
                others = []
                for _ in range(compare):
                    drawn = rng.choice(rows, len(part), replace=False)
                    others.append(mean_nearest(vectors, drawn))
                one[f"nearest_{what}"] = mean_nearest(vectors, part)
                one[f"nearest_{what}_random"] = float(np.mean(others))
        _place(found, key, one)

    for name, rows in incidence.groups().items():
        total = {"records": len(rows), "kept": int(selection.keep[rows].sum())}
        for count in ("mentions", "kept_mentions"):
            types = found[name]["types"].values()
            total[count] = sum(figures[count] for figures in types)
        found[name] = {**total, **found[name]}
    return found


def _place(found: dict[str, Any], key: Key, one: dict[str, Any]) -> None:
    name, label = key
    entry = found.setdefault(
        name, {"types": {}, "negatives": {"records": 0, "kept": 0}}
    )
    if label == NO_TYPE:
        entry["negatives"] = {k: v for k, v in one.items() if "mentions" not in k}
    else:
        entry["types"][label] = one


def mean_nearest(vectors: np.ndarray, rows: np.ndarray) -> float:
    """Mean over at least two rows of the highest cosine to another of them."""
    return float(nearest_of(np.asarray(vectors[np.sort(rows)])).mean())


def totals(datasets: Mapping[str, Any]) -> dict[str, int]:
    """Sums over data sets."""
    found = dict.fromkeys((*COUNTS, "negatives", "kept_negatives"), 0)
    found["datasets"] = len(datasets)
    found["types"] = 0
    for one in datasets.values():
        for count in COUNTS:
            found[count] += one[count]
        found["negatives"] += one["negatives"]["records"]
        found["kept_negatives"] += one["negatives"]["kept"]
        found["types"] += len(one["types"])
    return found


def mentions_by_type(datasets: Mapping[str, Any]) -> Counter[str]:
    """Kept mentions by label, over all data sets."""
    found: Counter[str] = Counter()
    for one in datasets.values():
        for label, counts in one["types"].items():
            found[label] += counts["kept_mentions"]
    return found


def by_language(datasets: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The data sets by the first part of their names, if all names have more than one."""
    nested = all("/" in name for name in datasets)
    groups: dict[str, dict[str, Any]] = defaultdict(dict)
    for name, one in datasets.items():
        group = name.split("/")[0] if nested else name
        groups[group][name] = one
    return dict(groups)


def compared(datasets: Mapping[str, Any], what: str) -> dict[str, Any]:
    """Mean nearest-neighbour similarity per type against random samples of equal size,
    over the types where there was anything to choose.

    what (str): "pool" or "kept".
    RETURNS (dict): "types", "chosen", "random" (means over types), "lower" (types whose
        chosen set has the lower one).
    """
    pairs = np.array(list(_pairs(datasets, what))).reshape(-1, 2)
    if not len(pairs):
        return {"types": 0, "chosen": None, "random": None, "lower": 0}
    chosen, other = pairs.mean(axis=0)
    return {
        "types": len(pairs),
        "chosen": float(chosen),
        "random": float(other),
        "lower": int((pairs[:, 0] < pairs[:, 1]).sum()),
    }


def _pairs(datasets: Mapping[str, Any], what: str) -> Iterator[tuple[float, float]]:
    for one in datasets.values():
        for counts in one["types"].values():
            if f"nearest_{what}" in counts:
                yield counts[f"nearest_{what}"], counts[f"nearest_{what}_random"]
