"""Type lists, one per mention, as matrices over the types of a taxonomy.

What holds for every list (`check`): the answer is in it; it has at least three types,
    all with different names; of a type
and its ancestor at most one, unless the ancestor means "other" (what the list does not
name otherwise).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from spacy_cascade.taxonomy import Taxonomy, TypePath, format_path

from ..errors import CorpusError, Errors
from ..label_paths import LabelPaths
from .metrics import BLOCK, Metrics, Vectors, measure, measure_members

LEAST = 3
OTHER = "other"
_OTHERS = ("other", "others", "miscellaneous")


def means_other(name: str) -> bool:
    """Whether a type takes what its siblings leave: "other person", "miscellaneous"."""
    return name in _OTHERS or name.startswith("other ")


class Types:
    """The columns of the list matrices: the taxonomy's types, depth first, then a type
    "other" for each parent none of whose children means that. Such a type bears its
    parent's name ("person" beside "politician": other persons), at the top level the
    name "other".

    taxonomy (Taxonomy): The types. synonyms (Mapping): Other names by path.

    paths (list[TypePath]): Path by column. names (list[tuple[str, ...]]): Own name,
        then synonyms, by column.
    parent (int, (columns,)): -1 at the top. above (bool, (columns, columns)): Row is an
        ancestor of column.
    leaf, real, other (bool, (columns,)): Has no children; stands in the taxonomy; means "other".
    target (int, (columns,)): The type that means "other" among its siblings; -1 for
        those themselves.
    codes (int, (columns, variants)): Number of a name; equal names have equal numbers.
    path_code (int, (columns,)): Number of a path; "other" below a parent is counted as the parent.
    """

    def __init__(
        self,
        taxonomy: Taxonomy,
        synonyms: Mapping[TypePath, Sequence[str]] | None = None,
    ):
        self.taxonomy = taxonomy
        real = list(taxonomy)
        column = {path: i for i, path in enumerate(real)}
        self.column = column
        self.paths: list[TypePath] = list(real)
        parents = [column.get(path[:-1], -1) for path in real]
        others: dict[TypePath, int] = {}
        for parent in [(), *(p for p in real if taxonomy.children(p))]:
            own = [p for p in taxonomy.children(parent) if means_other(p[-1])]
            others[parent] = column[own[0]] if own else len(self.paths)
            if not own:
                self.paths.append(parent or (OTHER,))
                parents.append(column.get(parent, -1))
        n = len(self.paths)
        self.parent = np.array(parents)
        self.real = np.arange(n) < len(real)
        self.leaf = np.array(
            [
                i >= len(real) or not taxonomy.children(p)
                for i, p in enumerate(self.paths)
            ]
        )
        self.other = np.array(
            [i >= len(real) or means_other(p[-1]) for i, p in enumerate(self.paths)]
        )
        own_parent = [p[:-1] for p in real]
        self.target = np.array([others[p] for p in own_parent] + [-1] * (n - len(real)))
        self.target[self.other] = -1
        self.above = np.zeros((n, n), dtype=bool)
        for i, path in enumerate(self.paths):
            start = len(path) - 1 if i < len(real) else len(path)
            for k in range(1, start + 1):
                if path[:k] in column:
                    self.above[column[path[:k]], i] = True
        table = synonyms or {}
        self.names = [(p[-1], *table.get(p, ())) for p in self.paths]
        self.synonyms = np.array([len(names) - 1 for names in self.names])
        strings: dict[str, int] = {}
        width = max(len(names) for names in self.names)
        self.codes = np.full((n, width), -1, dtype=np.int32)
        for i, names in enumerate(self.names):
            for k, name in enumerate(names):
                self.codes[i, k] = strings.setdefault(name, len(strings))
        numbers: dict[TypePath, int] = {}
        self.path_code = np.array(
            [numbers.setdefault(path, len(numbers)) for path in self.paths]
        )
        by_name: dict[str, list[int]] = {}
        for i, path in enumerate(self.paths):
            by_name.setdefault(path[-1], []).append(i)
        self.twins = [np.array(same) for same in by_name.values() if len(same) > 1]

    def __len__(self) -> int:
        return len(self.paths)

    def below(self, columns: np.ndarray) -> np.ndarray:
        """Which types are below these. columns (int, (rows,)). RETURNS (bool, (rows, columns))."""
        return self.above[columns]

    def ancestors(self, columns: np.ndarray) -> np.ndarray:
        """Which types are above these. columns (int, (rows,)). RETURNS (bool, (rows, columns))."""
        return self.above[:, columns].T


@dataclass(frozen=True)
class Lists:
    """The type lists of all mentions.

    answer (int, (mentions,)): Column of the right type. member (bool, (mentions,
        columns)): Which types are in the list.
    variant (uint8, (mentions, columns)): Which of its names a type would have in the
        list, 0 its own.
    """

    types: Types
    answer: np.ndarray
    member: np.ndarray
    variant: np.ndarray

    def __len__(self) -> int:
        return len(self.answer)

    def codes(self) -> np.ndarray:
        """Number of the answer's name, by mention."""
        return self.types.codes[
            self.answer, self.variant[np.arange(len(self)), self.answer]
        ]

    def metrics(self, vectors: Vectors, *, by_name: bool = True) -> Metrics:
        """Of the answers: cohesion by type, the distribution by name, or by type too."""
        types = self.types.path_code[self.answer]
        return measure(self.codes() if by_name else types, vectors, types=types)

    def offers(self, vectors: Vectors) -> Metrics:
        """Of the types offered: a mention counts under every type of its list."""
        return measure_members(self.member, vectors)

    def lengths(self) -> np.ndarray:
        """Types per list."""
        return self.member.sum(axis=1)

    def label(self, mention: int) -> str:
        """The answer as the list names it."""
        return self.types.names[self.answer[mention]][
            self.variant[mention, self.answer[mention]]
        ]

    def path(self, mention: int) -> str:
        """The answer's path in the taxonomy."""
        return format_path(self.types.paths[self.answer[mention]])

    def names(self, mention: int) -> list[str]:
        """A list, in the taxonomy's order."""
        return [
            self.types.names[c][self.variant[mention, c]]
            for c in np.flatnonzero(self.member[mention])
        ]

    def distinct(self) -> int:
        """Number of different lists, whatever their order."""
        found = set()
        for rows in blocks(len(self)):
            codes = self.types.codes[np.arange(len(self.types)), self.variant[rows]]
            for row, member in zip(codes, self.member[rows], strict=True):
                found.add(np.sort(row[member]).tobytes())
        return len(found)


def blocks(n: int) -> Iterator[slice]:
    """Slices of bounded length that cover range(n)."""
    return (slice(i, min(i + BLOCK, n)) for i in range(0, n, BLOCK))


def resolve(labels: Sequence[str], types: Types) -> np.ndarray:
    """Columns of labels.

    RAISES CorpusError: T034 if the taxonomy lacks some or finds them ambiguous.
    """
    paths = LabelPaths(types.taxonomy)
    columns: dict[str, int] = {}
    missing: Counter[str] = Counter()
    for label, n in Counter(labels).items():
        try:
            columns[label] = types.column[paths(label)]
        except ValueError:
            missing[label] = n
    if missing:
        some = ", ".join(f"{name} ({n})" for name, n in missing.most_common(10))
        names = some if len(missing) <= 10 else f"{some}, ..."
        n = sum(missing.values())
        raise CorpusError(
            Errors.T034.format(
                mentions=n,
                types=len(missing),
                taxonomy=types.taxonomy.name,
                names=names,
            )
        )
    return np.array([columns[label] for label in labels], dtype=np.int64)


def base(gold: np.ndarray, types: Types) -> Lists:
    """The fixed categorization: all finest types of the taxonomy in every list, nothing
    below the answer.

    gold (int, (mentions,)): Columns. RAISES CorpusError: T036 if a list would have less
        than three types.
    """
    member = np.tile(types.leaf & types.real, (len(gold), 1))
    for rows in blocks(len(gold)):
        member[rows] &= ~types.below(gold[rows])
    member[np.arange(len(gold)), gold] = True
    lists = drop_twins(
        Lists(types, gold, member, np.zeros(member.shape, dtype=np.uint8))
    )
    short = np.flatnonzero(lists.lengths() < LEAST)
    if len(short):
        names = lists.names(int(short[0]))
        raise CorpusError(
            Errors.T036.format(
                least=LEAST,
                name=lists.label(int(short[0])),
                taxonomy=types.taxonomy.name,
                found=len(names),
                names=", ".join(names),
            )
        )
    return lists


def drop_twins(lists: Lists) -> Lists:
    """Of types with the same name a list keeps the answer, else the first."""
    member = lists.member.copy()
    for twins in lists.types.twins:
        part = member[:, twins]
        rows = np.flatnonzero(part.sum(axis=1) > 1)
        hit = twins == lists.answer[rows, None]
        kept = np.where(hit.any(axis=1), hit.argmax(axis=1), part[rows].argmax(axis=1))
        member[np.ix_(rows, twins)] = False
        member[rows, twins[kept]] = True
    return replace(lists, member=member)


def keep_valid(new: Lists, old: Lists) -> Lists:
    """Lists that became too short stay as they were."""
    short = (new.lengths() < LEAST)[:, None]
    return replace(
        new,
        answer=np.where(short[:, 0], old.answer, new.answer),
        member=np.where(short, old.member, new.member),
        variant=np.where(short, old.variant, new.variant),
    )


def check(lists: Lists, gold: np.ndarray) -> None:
    """What must hold for every list; see the module.

    The answer is the gold type, an ancestor of it, or the type that means "other"
    beside one of them.

    RAISES CorpusError: T038 with the first list that breaks a rule.
    """
    types = lists.types
    real_above = types.above & ~types.other[:, None]
    for rows in blocks(len(lists)):
        member, answer = lists.member[rows], lists.answer[rows]
        codes = np.where(
            member, types.codes[np.arange(len(types)), lists.variant[rows]], -1
        )
        ordered = np.sort(codes, axis=1)
        under = (member.astype(np.float32) @ real_above > 0) & member
        origin = gold[rows]
        line = types.ancestors(origin)
        line[np.arange(len(origin)), origin] = True
        covers = line | _others(line, types)
        rules = (
            ("lacks its answer", ~member[np.arange(len(answer)), answer]),
            (f"has less than {LEAST} types", member.sum(axis=1) < LEAST),
            (
                "names a type twice",
                ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)).any(
                    axis=1
                ),
            ),
            ("has a type and its ancestor", under.any(axis=1)),
            (
                "has an answer that does not cover the mention's type",
                ~covers[np.arange(len(answer)), answer],
            ),
        )
        for why, broken in rules:
            if broken.any():
                i = rows.start + int(np.flatnonzero(broken)[0])
                raise CorpusError(
                    Errors.T038.format(
                        mention=i + 1, why=why, names=", ".join(lists.names(i))
                    )
                )


def _others(line: np.ndarray, types: Types) -> np.ndarray:
    """The types that mean "other" beside those of `line`. Both bool, (rows, columns)."""
    beside = np.zeros_like(line)
    for column in np.flatnonzero(types.target >= 0):
        beside[:, types.target[column]] |= line[:, column]
    return beside
