"""Label maps: for each data set a JSON file that says which name of the universal
taxonomy a raw label stands for.

    {"language": "en", "dataset": "wnut17",
     "labels": {"location": "location or geo-political entity", "group": "organization
     -> others", "junk": null}, "reasons": {"junk": "why its mentions are dropped"}}

Labels that mean different things in different sets get different targets, even where
their raw names are equal. A coarse type that stands beside its own subtype in a set
means the rest there, and points to "coarse -> others".
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spacy_cascade.taxonomy import Taxonomy, TypePath, parse_path
from spacy_cascade.taxonomy.names import normalize_path

from ..errors import CorpusError, Errors
from ..files import check_file

PACKAGED = Path(__file__).parents[1] / "data" / "labelmaps"
ARROW = " -> "
OTHERS = "others"


@dataclass(frozen=True)
class LabelMap:
    """The map of one data set.

    name (str): 'en/wnut17'.
    targets (Mapping[str, str | None]): Raw name -> path 'parent -> child', or None if
        its mentions are dropped.
    reasons (Mapping[str, str]): Why, for each raw name that is dropped.
    """

    name: str
    targets: Mapping[str, str | None]
    reasons: Mapping[str, str]

    def merged(self) -> dict[str, list[str]]:
        """Targets of more than one raw name, which is allowed within a set, with these
        raw names.
        """
        raws: dict[str, list[str]] = {}
        for raw, target in self.targets.items():
            if target is not None:
                raws.setdefault(target, []).append(raw)
        return {target: names for target, names in raws.items() if len(names) > 1}


def arrow_path(path: TypePath) -> str:
    """('location', 'river') -> 'location -> river'."""
    return ARROW.join(path)


def short_name(path: TypePath) -> str:
    """The name of a type by itself: the last part of its path; 'parent -> others' for
    the rest of a type.
    """
    return arrow_path(path[-2:]) if path[-1] == OTHERS else path[-1]


def load_map(path: Path) -> LabelMap:
    """Reads a label map.

    RAISES CorpusFileNotFoundError: T001. CorpusError: T055 if it is none, T056 for a
        drop without a reason or the reverse.
    """
    check_file(path)
    try:
        data = json.loads(path.read_text("utf-8-sig"), object_pairs_hook=_no_duplicates)
    except ValueError as err:
        raise CorpusError(Errors.T055.format(path=path, why=err)) from err
    why = _fault(data)
    if why:
        raise CorpusError(Errors.T055.format(path=path, why=why))
    found = LabelMap(
        f"{data['language']}/{data['dataset']}", data["labels"], data.get("reasons", {})
    )
    for raw in found.targets.keys() | found.reasons.keys():
        dropped = raw in found.targets and found.targets[raw] is None
        if dropped != bool(found.reasons.get(raw, "").strip()):
            what = (
                "gives no reason to drop"
                if dropped
                else "gives a reason to drop, but does not drop,"
            )
            raise CorpusError(Errors.T056.format(name=found.name, what=what, raw=raw))
    return found


def load_maps(folder: Path = PACKAGED) -> dict[str, LabelMap]:
    """All maps `<folder>/<language>/<data set>.json`, by name.

    RAISES CorpusError: T001 if there are none, T055 also for a file in another place
        than its content says.
    """
    paths = sorted(folder.glob("*/*.json"))
    if not paths:
        check_file(folder / "<language>" / "<data set>.json")
    maps = {}
    for path in paths:
        found = load_map(path)
        if found.name != f"{path.parent.name}/{path.stem}":
            raise CorpusError(
                Errors.T055.format(
                    path=path, why=f"its content is about '{found.name}'"
                )
            )
        maps[found.name] = found
    return maps


def check_map(label_map: LabelMap, taxonomy: Taxonomy) -> None:
    """Checks the targets of a map.

    RAISES CorpusError: T052 for a target that the taxonomy lacks, T050 for a cycle,
        T051 for a chain.
    """
    paths = {
        raw: _resolve(label_map, raw, t, taxonomy)
        for raw, t in label_map.targets.items()
        if t is not None
    }
    spelled = {arrow_path(parse_path(raw)): raw for raw in label_map.targets}
    following = {
        raw: _next(label_map, raw, path, spelled) for raw, path in paths.items()
    }
    for start in following:
        _follow(label_map, start, following)


def check_names(label_map: LabelMap, counts: Mapping[str, int]) -> None:
    """Compares a map with the labels of its data set.

    counts (Mapping[str, int]): Mentions per raw label.
    RAISES CorpusError: T053 for labels that the map lacks, T054 for raw names that the data lacks.
    """
    lacking = [raw for raw in counts if raw not in label_map.targets]
    if lacking:
        raise CorpusError(
            Errors.T053.format(
                name=label_map.name,
                n=len(lacking),
                raw=lacking[0],
                mentions=counts[lacking[0]],
            )
        )
    unused = [raw for raw in label_map.targets if raw not in counts]
    if unused:
        found = ", ".join(counts) or "none"
        raise CorpusError(
            Errors.T054.format(
                name=label_map.name, n=len(unused), raw=unused[0], found=found
            )
        )


@dataclass(frozen=True)
class Clash:
    """A target that leaves one of its parts to another target in one data set, and
    includes it in another.

    narrow, wide (tuple[str, str]): Data set and raw name. part (str): The other target.
    """

    target: str
    part: str
    narrow: tuple[str, str]
    wide: tuple[str, str]


def find_clashes(maps: Iterable[LabelMap], taxonomy: Taxonomy) -> list[Clash]:
    """Targets that change their meaning from set to set: one clash per target and narrow use."""
    branches = _Branches(taxonomy)
    whole: dict[TypePath, tuple[str, str]] = {}
    narrow: list[tuple[TypePath, TypePath, tuple[str, str]]] = []
    for label_map in maps:
        used = {
            taxonomy.resolve(t): raw
            for raw, t in label_map.targets.items()
            if t is not None
        }
        for path, raw in used.items():
            parts = [
                p
                for p in used
                if p != path and p[-1] != OTHERS and branches.is_part(p, path)
            ]
            if parts:
                narrow.append((path, parts[0], (label_map.name, raw)))
            else:
                whole.setdefault(path, (label_map.name, raw))
    return [
        Clash(arrow_path(p), arrow_path(part), place, whole[p])
        for p, part, place in narrow
        if p in whole
    ]


def refuse_clashes(maps: Iterable[LabelMap], taxonomy: Taxonomy) -> None:
    """RAISES CorpusError: T057 if a target means different things in different sets."""
    clashes = find_clashes(maps, taxonomy)
    if clashes:
        first = clashes[0]
        raise CorpusError(
            Errors.T057.format(
                n=len({clash.target for clash in clashes}),
                target=first.target,
                narrow=first.narrow[0],
                part=first.part,
                wide=first.wide[0],
                raw=first.wide[1],
                remedy=f"{first.target}{ARROW}{OTHERS}",
            )
        )


def refuse_pairs(
    maps: Mapping[str, LabelMap],
    pairs: Iterable[tuple[tuple[str, str], tuple[str, str]]],
) -> None:
    """Checks pairs of labels that are known to be annotated differently.

    pairs (Iterable): ((data set, raw name), (data set, raw name)). Those without a map
        or an entry are passed over.
    RAISES CorpusError: T059 if both labels of a pair have one target.
    """
    shared = []
    for a, b in pairs:
        targets = {
            maps[name].targets.get(raw) if name in maps else None
            for name, raw in (a, b)
        }
        if len(targets) == 1 and None not in targets:
            shared.append((a, b, targets.pop()))
    if shared:
        a, b, target = shared[0]
        names = {"a": " / ".join(a), "b": " / ".join(b)}
        raise CorpusError(Errors.T059.format(n=len(shared), target=target, **names))


class _Branches:
    """Tells which types belong to which: those below a type, and those at or below the
    parts of an 'a or b' name.
    """

    def __init__(self, taxonomy: Taxonomy):
        self._by_name: dict[str, list[TypePath]] = {}
        for path in taxonomy:
            self._by_name.setdefault(path[-1], []).append(path)
        self._roots: dict[TypePath, list[TypePath]] = {}

    def is_part(self, path: TypePath, whole: TypePath) -> bool:
        if whole not in self._roots:
            named = [self._by_name.get(part, []) for part in whole[-1].split(" or ")]
            # A part that several branches have, or that is no type by itself, says
            # nothing about what belongs to it.
            self._roots[whole] = [
                whole,
                *(found[0] for found in named if len(found) == 1),
            ]
        return any(path[: len(root)] == root for root in self._roots[whole])


def _resolve(
    label_map: LabelMap, raw: str, target: str, taxonomy: Taxonomy
) -> TypePath:
    path = parse_path(target)
    found = taxonomy.find(path)
    if found is not None:
        return found
    known = [arrow_path(p) for p in taxonomy]
    names = [
        arrow_path(p)
        for p in taxonomy
        if normalize_path(p[-1:]) == normalize_path(path[-1:])
    ]
    close = (
        ", ".join(
            list(dict.fromkeys(names + difflib.get_close_matches(target, known, 3)))[:3]
        )
        or "none"
    )
    raise CorpusError(
        Errors.T052.format(
            name=label_map.name,
            raw=raw,
            target=target,
            taxonomy=taxonomy.name,
            close=close,
        )
    )


def _next(
    label_map: LabelMap, raw: str, path: TypePath, spelled: Mapping[str, str]
) -> str | None:
    """The raw name that the target of another raw name would be taken for, if it then
    became something else.
    """
    hits = (spelled.get(name) for name in (arrow_path(path), short_name(path)))
    return next(
        (
            hit
            for hit in hits
            if hit is not None and label_map.targets[hit] != label_map.targets[raw]
        ),
        None,
    )


def _follow(
    label_map: LabelMap, start: str, following: Mapping[str, str | None]
) -> None:
    seen = [start]
    while (further := following.get(seen[-1])) is not None:
        if further in seen:
            way = " -> ".join(repr(r) for r in [*seen[seen.index(further) :], further])
            raise CorpusError(Errors.T050.format(name=label_map.name, path=way))
        seen.append(further)
    if len(seen) > 1:
        way = " -> ".join([*(repr(r) for r in seen), str(label_map.targets[seen[-1]])])
        raise CorpusError(
            Errors.T051.format(
                name=label_map.name, path=way, first=seen[0], second=seen[1]
            )
        )


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    twice = next((key for key in keys if keys.count(key) > 1), None)
    if twice is not None:
        raise ValueError(f"the key {twice!r} stands in it twice")
    return dict(pairs)


def _fault(data: Any) -> str:
    if not isinstance(data, Mapping):
        return f"it holds no JSON object, but {type(data).__name__}"
    for key in ("language", "dataset"):
        if not isinstance(data.get(key), str) or not data[key]:
            return f"'{key}' must be a name, found {data.get(key)!r}"
    for key, allowed, what in (
        ("labels", (str, type(None)), "names or null"),
        ("reasons", (str,), "sentences"),
    ):
        value = data.get(key, {} if key == "reasons" else None)
        if not isinstance(value, Mapping) or not all(
            isinstance(v, allowed) for v in value.values()
        ):
            return f"'{key}' must be an object with {what} as values"
    return "'labels' is empty" if not data["labels"] else ""


def known_names(maps: Mapping[str, LabelMap]) -> Iterator[tuple[str, str, str]]:
    """(raw name, target, data set) of all maps."""
    for name, label_map in maps.items():
        yield from (
            (raw, target, name)
            for raw, target in label_map.targets.items()
            if target is not None
        )
