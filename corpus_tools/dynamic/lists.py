"""Type lists, one per mention, as matrices over the types of a taxonomy.

What holds for every list (`check`): the answer is in it. It has at least three types,
all with different names. Of a type and its ancestor it has at most one, unless the
ancestor means "other" (what the list does not name otherwise).
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

    taxonomy (Taxonomy): The types.
    synonyms (Mapping): Other names by path.

    paths (list[TypePath]): Path by column.
    names (list[tuple[str, ...]]): Own name, then synonyms, by column.
    parent (int, (columns,)): -1 at the top.
    above (bool, (columns, columns)): Row is an ancestor of column.
    leaf (bool, (columns,)): Has no children.
    real (bool, (columns,)): Stands in the taxonomy.
    other (bool, (columns,)): Means "other".
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
        self.column = {path: i for i, path in enumerate(real)}
        self.paths: list[TypePath] = list(real)
        parents = [self.column.get(path[:-1], -1) for path in real]
        # column of the type that means "other" below a parent
        others: dict[TypePath, int] = {}
        inner = [path for path in real if taxonomy.children(path)]
        for parent in [(), *inner]:
            own = [p for p in taxonomy.children(parent) if means_other(p[-1])]
            if own:
                others[parent] = self.column[own[0]]
            else:
                others[parent] = len(self.paths)
                self.paths.append(parent or (OTHER,))
                parents.append(self.column.get(parent, -1))

        n = len(self.paths)
        self.parent = np.array(parents)
        self.real = np.arange(n) < len(real)
        self.leaf = np.ones(n, dtype=bool)
        self.other = np.ones(n, dtype=bool)
        self.target = np.full(n, -1)
        for i, path in enumerate(real):
            self.leaf[i] = not taxonomy.children(path)
            self.other[i] = means_other(path[-1])
            self.target[i] = others[path[:-1]]
        self.target[self.other] = -1
        self.above = self._ancestry(len(real))

        table = synonyms or {}
        self.names = [(path[-1], *table.get(path, ())) for path in self.paths]
        self.synonyms = np.array([len(names) - 1 for names in self.names])
        self.codes = self._name_codes()
        numbers: dict[TypePath, int] = {}
        for path in self.paths:
            numbers.setdefault(path, len(numbers))
        self.path_code = np.array([numbers[path] for path in self.paths])

        by_name: dict[str, list[int]] = {}
        for i, path in enumerate(self.paths):
            by_name.setdefault(path[-1], []).append(i)
        self.twins = [np.array(same) for same in by_name.values() if len(same) > 1]

    def _ancestry(self, real: int) -> np.ndarray:
        """See `above`. real (int): Number of the types that stand in the taxonomy."""
        n = len(self.paths)
        above = np.zeros((n, n), dtype=bool)
        for i, path in enumerate(self.paths):
            # the others below a parent bear its path
            longest = len(path) - 1 if i < real else len(path)
            for length in range(1, longest + 1):
                ancestor = self.column.get(path[:length])
                if ancestor is not None:
                    above[ancestor, i] = True
        return above

    def _name_codes(self) -> np.ndarray:
        """See `codes`."""
        numbers: dict[str, int] = {}
        width = max(map(len, self.names))
        codes = np.full((len(self.names), width), -1, dtype=np.int32)
        for i, names in enumerate(self.names):
            for k, name in enumerate(names):
                codes[i, k] = numbers.setdefault(name, len(numbers))
        return codes

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

    answer (int, (mentions,)): Column of the right type.
    member (bool, (mentions, columns)): Which types are in the list.
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
        variants = self.variant[np.arange(len(self)), self.answer]
        return self.types.codes[self.answer, variants]

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
        return self._name(mention, self.answer[mention])

    def _name(self, mention: int, column: int) -> str:
        """A type as the list of a mention would name it."""
        variant = self.variant[mention, column]
        return self.types.names[column][variant]

    def path(self, mention: int) -> str:
        """The answer's path in the taxonomy."""
        return format_path(self.types.paths[self.answer[mention]])

    def names(self, mention: int) -> list[str]:
        """A list, in the taxonomy's order."""
        columns = np.flatnonzero(self.member[mention]).tolist()
        return [self._name(mention, column) for column in columns]

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

    gold (int, (mentions,)): Columns.
    RAISES CorpusError: T036 if a list would have less than three types.
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
        each = np.arange(len(answer))
        names = types.codes[np.arange(len(types)), lists.variant[rows]]
        ordered = np.sort(np.where(member, names, -1), axis=1)
        twice = (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)
        under = (member.astype(np.float32) @ real_above > 0) & member
        origin = gold[rows]
        line = types.ancestors(origin)
        line[each, origin] = True
        covers = line | _others(line, types)
        rules = (
            ("lacks its answer", ~member[each, answer]),
            (f"has less than {LEAST} types", member.sum(axis=1) < LEAST),
            ("names a type twice", twice.any(axis=1)),
            ("has a type and its ancestor", under.any(axis=1)),
            (
                "has an answer that does not cover the mention's type",
                ~covers[each, answer],
            ),
        )
        for why, broken in rules:
            if broken.any():
                i = rows.start + int(np.flatnonzero(broken)[0])
                found = ", ".join(lists.names(i))
                raise CorpusError(
                    Errors.T038.format(mention=i + 1, why=why, names=found)
                )


def _others(line: np.ndarray, types: Types) -> np.ndarray:
    """The types that mean "other" beside those of `line`. Both bool, (rows, columns)."""
    beside = np.zeros_like(line)
    for column in np.flatnonzero(types.target >= 0):
        beside[:, types.target[column]] |= line[:, column]
    return beside
