"""The type tree.

Nodes are identified by path, since names may repeat on different branches and levels.

Names stay as users spell them; case and white space make no difference where a name is looked up.
"""

from __future__ import annotations

import difflib
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import CascadeError, CascadeTypeError, Errors, Warnings
from ..registry import taxonomies
from .forms import nest_labels, read_file, read_form
from .names import (
    SEP,
    TypePath,
    correct_name,
    format_path,
    normalize_name,
    normalize_path,
    parse_path,
)

logger = logging.getLogger("spacy_cascade")

__all__ = [
    "SEP",
    "Taxonomy",
    "TypePath",
    "builtin",
    "format_path",
    "normalize_name",
    "parse_path",
]


class Taxonomy:
    """An ordered tree of type names.

    tree (Mapping): Nested mapping from name to children (a mapping, a list of names, or
        None for a leaf).
    name (str): Used in messages.
    levels (Sequence[str]): Names of the levels, for reports. Default: coarse, medium,
        fine for three levels.
    descriptions (Mapping[str, str]): One line per type, keyed by path string or by name.
    aliases (Mapping[str, str]): Other names, keyed by alias, valued by path string or name.
    names (Mapping[str, Mapping[str, str]]): Names in other languages, by language and
        path string. They resolve too.
    RAISES CascadeError: C003 if empty, C005 for siblings that differ in nothing but
        case or white space, C006 for an unusable name.
    """

    def __init__(
        self,
        tree: Mapping[str, Any],
        *,
        name: str = "types",
        levels: Sequence[str] = (),
        descriptions: Mapping[str, str] | None = None,
        aliases: Mapping[str, str] | None = None,
        names: Mapping[str, Mapping[str, str]] | None = None,
    ):
        self.name = name
        self.notes: list[str] = []
        self._children: dict[TypePath, list[str]] = {(): []}
        # by normalized names
        self._by_name: dict[str, list[TypePath]] = {}
        self._spelled: dict[TypePath, TypePath] = {}
        self._reported: set[str] = set()
        self._add(tree, ())
        if not self._by_name:
            raise CascadeError(Errors.C003)
        self.depth = max(len(p) for p in self._children)
        default = (
            ("coarse", "medium", "fine")
            if self.depth == 3
            else ("fine",)
            if self.depth == 1
            else ()
        )
        self.levels = tuple(levels or default)
        if len(self.levels) != self.depth:
            self.levels = tuple(f"level{i + 1}" for i in range(self.depth))
        self.descriptions = dict(descriptions or {})
        self._described = {
            normalize_path(parse_path(k)): v for k, v in self.descriptions.items()
        }
        self.aliases = {normalize_name(k): v for k, v in (aliases or {}).items()}
        self.names = {
            language: dict(table) for language, table in (names or {}).items()
        }
        self._local = {
            language: {normalize_path(parse_path(p)): n for p, n in table.items()}
            for language, table in self.names.items()
        }
        self._localized = {
            normalize_name(n): p
            for table in self.names.values()
            for p, n in table.items()
        }

    def _add(self, tree: Any, parent: TypePath) -> None:
        items: Iterable[tuple[Any, Any]]
        if isinstance(tree, Mapping):
            items = tree.items()
        elif isinstance(tree, str):
            items = [(t.strip(), None) for t in tree.split(",") if t.strip()]
        elif isinstance(tree, Sequence):
            items = [(t, None) for t in tree]
        else:
            raise CascadeError(
                Errors.C004.format(
                    source=repr(tree), why="not a mapping, list or string"
                )
            )
        for raw, children in items:
            if not isinstance(raw, str) or not raw.strip() or "\n" in raw or ">" in raw:
                raise CascadeError(Errors.C006.format(name=raw, sep=SEP.strip()))
            name = correct_name(raw)
            if name != raw:
                self.notes.append(f"'{raw}' read as '{name}'")
            path = (*parent, name)
            twin = self._spelled.setdefault(normalize_path(path), path)
            if twin != path or path in self._children:
                names = {
                    "name": name,
                    "other": twin[-1],
                    "parent": format_path(parent) or "the root",
                }
                raise CascadeError(Errors.C005.format(**names))
            self._children[parent].append(name)
            self._children[path] = []
            self._by_name.setdefault(normalize_name(name), []).append(path)
            if children:
                self._add(children, path)

    # -- Reading
    # ----------------------------------------------------------------------------------------------

    @classmethod
    def from_labels(
        cls, labels: Iterable[str], *, name: str = "labels", **kwargs: Any
    ) -> Taxonomy:
        """A plain list; 'parent->child' and 'parent > child' entries make deeper
        levels. Equal entries collapse.
        """
        return cls(nest_labels(labels), name=name, **kwargs)

    @classmethod
    def from_object(
        cls, data: Any, *, source: str = "object", name: str = ""
    ) -> Taxonomy:
        """Reads any of the known forms (see C004).

        RAISES CascadeError: C004 if the form is unknown.
        """
        return (
            data
            if isinstance(data, Taxonomy)
            else cls(**read_form(data, source=source, name=name or source))
        )

    @classmethod
    def from_file(cls, path: str | Path) -> Taxonomy:
        """Reads JSON, YAML or plain text (one label per line).

        RAISES CascadeFileNotFoundError, CascadeError: C004.
        """
        path = Path(path)
        return cls.from_object(read_file(path), source=f"'{path}'", name=path.stem)

    @classmethod
    def read(cls, source: Any) -> Taxonomy:
        """From whatever users give: a Taxonomy, a list of names, a nested dict, or a file.

        RAISES CascadeTypeError: C004 if its form is unknown. CascadeError: C003 if it
            is empty, C006 for a name that can't be used.
        """
        if isinstance(source, Path) or (
            isinstance(source, str)
            and source.endswith((".json", ".yml", ".yaml", ".txt"))
        ):
            return cls.from_file(source)
        if isinstance(source, str):
            raise CascadeTypeError(
                Errors.C004.format(
                    source=repr(source), why="a string that names no file"
                )
            )
        return cls.from_object(source)

    def to_dict(self) -> dict[str, Any]:
        """JSON-serializable; `from_object` reads it back."""

        def nest(path: TypePath) -> dict[str, Any]:
            return {child: nest((*path, child)) for child in self._children[path]}

        return {
            "name": self.name,
            "levels": list(self.levels),
            "descriptions": self.descriptions,
            "aliases": self.aliases,
            "names": self.names,
            "tree": nest(()),
        }

    # -- Looking up
    # -------------------------------------------------------------------------------------------

    def __contains__(self, path: object) -> bool:
        return bool(path) and path in self._children

    def __len__(self) -> int:
        return len(self._children) - 1

    def __iter__(self) -> Iterator[TypePath]:
        """All paths, depth first."""
        return (p for p in self._children if p)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Taxonomy)
            and self.to_dict()["tree"] == other.to_dict()["tree"]
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        counts = "/".join(str(len(self.paths(i + 1))) for i in range(self.depth))
        return f"Taxonomy({self.name!r}, {counts})"

    def children(self, path: TypePath = ()) -> tuple[TypePath, ...]:
        """Paths of the children of a node, in order; of the root: the coarse types."""
        return tuple((*path, name) for name in self._children[path])

    def paths(self, level: int) -> tuple[TypePath, ...]:
        """All paths of a level; 1 is the coarsest."""
        return tuple(p for p in self._children if len(p) == level)

    @property
    def roots(self) -> tuple[str, ...]:
        """Names of the first level."""
        return tuple(self._children[()])

    @property
    def leaves(self) -> tuple[TypePath, ...]:
        return tuple(p for p, children in self._children.items() if p and not children)

    def description(self, path: TypePath) -> str:
        key = normalize_path(path)
        return self._described.get(key) or self._described.get(key[-1:], "")

    def localized(self, path: TypePath, language: str) -> str:
        """Name of a node in a language; '' if the taxonomy has none."""
        return self._local.get(language, {}).get(normalize_path(path), "")

    def find(self, path: Sequence[str]) -> TypePath | None:
        """The whole path of a node as it is spelled here, or None.

        Case and white space of what is given don't matter.
        """
        return self._spelled.get(normalize_path(path))

    def resolve(self, name: str, *, finest: bool = False) -> TypePath:
        """Path of a name, an alias or a path string.

        Case and white space don't matter, but nodes that are spelled just so come
        first. Prefers the deepest node of that name, with a warning (CW04) if there are
        others on other branches.

        finest (bool): The name is known to be that of a finest type, so that only other
            leaves are worth a warning.
        RAISES CascadeError: C001 if unknown, C002 if two equally deep nodes have the name.
        """
        spelled = parse_path(name) if isinstance(name, str) else ()
        whole = self.find(spelled) if len(spelled) > 1 else None
        if whole is not None:
            return whole
        key = normalize_name(name) if isinstance(name, str) else ""
        if key not in self._by_name and key in self.aliases:
            return self.resolve(self.aliases[key], finest=finest)
        if key not in self._by_name and key in self._localized:
            path = parse_path(self._localized[key])
            return self.find(path) or path
        found = self._named(spelled) if len(spelled) > 1 else self._alike(name, key)
        if not found:
            raise CascadeError(self._unknown(name, key))
        best = max(found, key=len)
        rivals = [p for p in found if p != best and p != best[: len(p)]]
        if any(len(p) == len(best) for p in rivals):
            paths = "; ".join(map(format_path, found))
            raise CascadeError(
                Errors.C002.format(name=name, taxonomy=self.name, paths=paths)
            )
        if finest and not self._children[best]:
            rivals = [p for p in rivals if not self._children[p]]
        if rivals and key not in self._reported:
            self._reported.add(key)
            paths = "; ".join(map(format_path, found))
            logger.warning(
                Warnings.W004.format(
                    name=name, taxonomy=self.name, paths=paths, taken=format_path(best)
                )
            )
        return best

    def _alike(self, name: Any, key: str) -> list[TypePath]:
        """The nodes with this name: those spelled just so, else those with the key."""
        found = self._by_name.get(key, [])
        return [p for p in found if p[-1] == name] or found

    def _named(self, spelled: TypePath) -> list[TypePath]:
        """The nodes whose paths end with the last of these names and hold the others
        before it, likewise.
        """
        parts = normalize_path(spelled)
        named = self._by_name.get(parts[-1], [])
        found = [p for p in named if _is_subsequence(parts, normalize_path(p))]
        return [
            p for p in found if p[-1] == spelled[-1] and _is_subsequence(spelled, p)
        ] or found

    def _unknown(self, name: Any, key: str) -> str:
        names = {k: paths[0][-1] for k, paths in self._by_name.items()}
        close = [names[k] for k in difflib.get_close_matches(key, names, 3)]
        return Errors.C001.format(
            name=name,
            taxonomy=self.name,
            n=len(self),
            close=", ".join(close) or "nothing close",
            some=", ".join(list(names.values())[:12]),
        )

    def subset(self, names: Iterable[str]) -> Taxonomy:
        """The part of the tree that holds these types, their ancestors and their descendants."""
        wanted = [self.resolve(n) for n in names]
        if not wanted:
            raise CascadeError(Errors.C003)

        def nest(path: TypePath) -> dict[str, Any]:
            return {
                c[-1]: nest(c)
                for c in self.children(path)
                if any(c == w[: len(c)] or w == c[: len(w)] for w in wanted)
            }

        kept = {k: v for k, v in self.descriptions.items() if k}
        return Taxonomy(
            nest(()), name=f"{self.name} (subset)", levels=(), descriptions=kept
        )


def _is_subsequence(parts: TypePath, path: TypePath) -> bool:
    rest = iter(path)
    return all(p in rest for p in parts)


def builtin(name: str) -> Taxonomy:
    """A taxonomy that ships with the package: 'dynamicner' or 'universal'."""
    return Taxonomy.from_file(Path(__file__).parent / "data" / f"{name}.json")


@taxonomies("spacy-cascade.DynamicNER.v1")
def dynamicner_taxonomy() -> Taxonomy:
    """DynamicNER: 8 coarse, 31 medium, 155 fine types."""
    return builtin("dynamicner")


@taxonomies("spacy-cascade.File.v1")
def file_taxonomy(path: str) -> Taxonomy:
    """Any file that `Taxonomy.from_file` reads."""
    return Taxonomy.from_file(path)


@taxonomies("spacy-cascade.Labels.v1")
def label_taxonomy(labels: list[str]) -> Taxonomy:
    """A list of names; 'parent->child' makes levels."""
    return Taxonomy.from_labels(labels)
