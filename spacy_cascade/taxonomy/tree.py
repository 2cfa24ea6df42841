"""The type tree.

Nodes are identified by path, since names may repeat on different branches and levels.
Names stay as users spell them. Case and white space make no difference where a name is
looked up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import CascadeError, CascadeTypeError, Errors
from ..registry import taxonomies
from .forms import NestedNames, Tree, nest_labels, read_file, read_form, split_names
from .lookup import NameIndex
from .names import (
    SEP,
    TypePath,
    correct_name,
    normalize_name,
    normalize_path,
    parse_path,
)

# Names of the levels of taxonomies with so many, for reports.
_LEVELS = {1: ("fine",), 3: ("coarse", "medium", "fine")}
_FILES = (".json", ".yml", ".yaml", ".txt")


class Taxonomy:
    """An ordered tree of type names.

    tree (Tree): Nested mapping from name to children: a mapping, a list of names, or
        None for a leaf.
    name (str): Used in messages.
    levels (Sequence[str]): Names of the levels, for reports. Default: coarse, medium,
        fine for three levels.
    descriptions (Mapping[str, str]): One line per type, keyed by path string or by name.
    aliases (Mapping[str, str]): Other names, keyed by alias, valued by path string or
        name.
    names (Mapping[str, Mapping[str, str]]): Names in other languages, by language and
        path string. They resolve too.
    RAISES CascadeError: C003 if empty, C005 for siblings that differ in nothing but
        case or white space, C006 for an unusable name.
    """

    def __init__(
        self,
        tree: Tree,
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
        self._index = NameIndex(name, self._children)
        self._add(tree, ())
        if not len(self):
            raise CascadeError(Errors.C003)

        self.depth = max(map(len, self._children))
        self.levels = tuple(levels or _LEVELS.get(self.depth, ()))
        if len(self.levels) != self.depth:
            numbers = range(1, self.depth + 1)
            self.levels = tuple(f"level{number}" for number in numbers)

        self.descriptions = dict(descriptions or {})
        self._described = _by_path(self.descriptions)
        self.aliases = self._index.aliases
        for alias, target in (aliases or {}).items():
            self.aliases[normalize_name(alias)] = target

        self.names: dict[str, dict[str, str]] = {}
        # path -> name, by language
        self._local: dict[str, dict[TypePath, str]] = {}
        for language, table in (names or {}).items():
            self.names[language] = dict(table)
            self._local[language] = _by_path(table)
            self._index.add_localized(table)

    def _add(self, tree: object, parent: TypePath) -> None:
        """Add the children of a node, and theirs.

        tree (object): The children, in any form.
        parent (TypePath): The node. (): the root.
        """
        items: Iterable[tuple[object, object]]
        if isinstance(tree, Mapping):
            items = tree.items()
        elif isinstance(tree, str):
            items = [(name, None) for name in split_names(tree)]
        elif isinstance(tree, Sequence):
            items = [(name, None) for name in tree]
        else:
            why = "not a mapping, list or string"
            raise CascadeError(Errors.C004.format(source=repr(tree), why=why))

        for name, children in items:
            path = self._add_node(name, parent)
            if children:
                self._add(children, path)

    def _add_node(self, raw: object, parent: TypePath) -> TypePath:
        """Add one node. RETURNS (TypePath): Its path.

        raw (object): The name, as users give it.
        parent (TypePath): The node above.
        """
        if not isinstance(raw, str) or not raw.strip() or "\n" in raw or ">" in raw:
            raise CascadeError(Errors.C006.format(name=raw, sep=SEP.strip()))
        name = correct_name(raw)
        if name != raw:
            self.notes.append(f"'{raw}' read as '{name}'")

        path = (*parent, name)
        self._index.add(path)
        self._children[parent].append(name)
        self._children[path] = []
        return path

    # -- Reading

    @classmethod
    def from_labels(
        cls,
        labels: Iterable[str],
        *,
        name: str = "labels",
        levels: Sequence[str] = (),
        descriptions: Mapping[str, str] | None = None,
        aliases: Mapping[str, str] | None = None,
        names: Mapping[str, Mapping[str, str]] | None = None,
    ) -> Taxonomy:
        """The taxonomy of a plain list.

        'parent->child' and 'parent > child' entries make deeper levels. Equal entries
        collapse.

        labels (Iterable[str]): The names.
        name, levels, descriptions, aliases, names: See `Taxonomy`.
        """
        return cls(
            nest_labels(labels),
            name=name,
            levels=levels,
            descriptions=descriptions,
            aliases=aliases,
            names=names,
        )

    @classmethod
    def from_object(
        cls,
        data: object,
        *,
        source: str = "object",
        name: str = "",
    ) -> Taxonomy:
        """Reads any of the known forms (see C004).

        data (object): What users give.
        source (str): What messages call the data.
        name (str): Of the taxonomy, where the data have none.
        RAISES CascadeError: C004 if the form is unknown.
        """
        if isinstance(data, Taxonomy):
            return data
        return cls(**read_form(data, source=source, name=name or source))

    @classmethod
    def from_file(cls, path: str | Path) -> Taxonomy:
        """Reads JSON, YAML or plain text (one label per line).

        path (str | Path): The file. Its name is that of the taxonomy, unless it holds one.
        RAISES CascadeFileNotFoundError: C004 if there is no such file.
        RAISES CascadeError: C004 if it can't be read.
        """
        path = Path(path)
        return cls.from_object(read_file(path), source=f"'{path}'", name=path.stem)

    @classmethod
    def read(cls, source: object) -> Taxonomy:
        """From whatever users give: a Taxonomy, a list of names, a nested dict, or a file.

        source (object): What users give.
        RAISES CascadeTypeError: C004 if its form is unknown.
        RAISES CascadeError: C003 if it is empty, C006 for a name that can't be used.
        """
        if isinstance(source, Path):
            return cls.from_file(source)
        if isinstance(source, str):
            if source.endswith(_FILES):
                return cls.from_file(source)
            why = "a string that names no file"
            raise CascadeTypeError(Errors.C004.format(source=repr(source), why=why))
        return cls.from_object(source)

    def to_dict(self) -> dict[str, Any]:
        """JSON-serializable. `from_object` reads it back."""
        return {
            "name": self.name,
            "levels": list(self.levels),
            "descriptions": self.descriptions,
            "aliases": self.aliases,
            "names": self.names,
            "tree": self._nested(()),
        }

    def _nested(self, path: TypePath) -> NestedNames:
        """The names below a node."""
        out = {}
        for name in self._children[path]:
            out[name] = self._nested((*path, name))
        return out

    # -- Looking up

    def __contains__(self, path: object) -> bool:
        """Whether a whole path, as it is spelled here, is a node."""
        return bool(path) and path in self._children

    def __len__(self) -> int:
        """The number of nodes."""
        return len(self._children) - 1

    def __iter__(self) -> Iterator[TypePath]:
        """All paths, depth first."""
        return (p for p in self._children if p)

    def __eq__(self, other: object) -> bool:
        """Taxonomies are equal if their trees are."""
        if not isinstance(other, Taxonomy):
            return False
        return self._nested(()) == other._nested(())

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        levels = range(1, self.depth + 1)
        counts = "/".join(str(len(self.paths(level))) for level in levels)
        return f"Taxonomy({self.name!r}, {counts})"

    def children(self, path: TypePath = ()) -> tuple[TypePath, ...]:
        """Paths of the children of a node, in order. Those of the root are the coarse types.

        path (TypePath): A node, as it is spelled here.
        RETURNS (tuple[TypePath, ...]): Whole paths.
        """
        return tuple((*path, name) for name in self._children[path])

    def paths(self, level: int) -> tuple[TypePath, ...]:
        """All paths of a level. 1 is the coarsest.

        level (int): The number of names in a path.
        RETURNS (tuple[TypePath, ...]): In the order of the tree.
        """
        return tuple(p for p in self._children if len(p) == level)

    @property
    def roots(self) -> tuple[str, ...]:
        """Names of the first level."""
        return tuple(self._children[()])

    @property
    def leaves(self) -> tuple[TypePath, ...]:
        """All paths without children."""
        return tuple(p for p, children in self._children.items() if p and not children)

    def description(self, path: TypePath) -> str:
        """What was told of a type. '' if that is nothing.

        path (TypePath): Its case and white space don't matter.
        RETURNS (str): That of the path, or else that of its last name.
        """
        key = normalize_path(path)
        return self._described.get(key) or self._described.get(key[-1:], "")

    def localized(self, path: TypePath, language: str) -> str:
        """Name of a node in a language. '' if the taxonomy has none.

        path (TypePath): Its case and white space don't matter.
        language (str): A key of `names`.
        """
        return self._local.get(language, {}).get(normalize_path(path), "")

    def find(self, path: Sequence[str]) -> TypePath | None:
        """The whole path of a node as it is spelled here, or None.

        path (Sequence[str]): Its case and white space don't matter.
        """
        return self._index.find(path)

    def resolve(self, name: str, *, finest: bool = False) -> TypePath:
        """Path of a name, an alias or a path string.

        Case and white space don't matter, but nodes that are spelled just so come
        first. Of several nodes of that name the deepest is taken, with a warning (CW04)
        if there are others on other branches.

        name (str): What is looked up.
        finest (bool): The name is known to be that of a finest type, so that only other
            leaves are worth a warning.
        RAISES CascadeError: C001 if unknown, C002 if two equally deep nodes have the
            name.
        """
        return self._index.resolve(name, finest=finest)

    def subset(self, names: Iterable[str]) -> Taxonomy:
        """The part of the tree that holds these types.

        Their ancestors and descendants are in it, too.

        names (Iterable[str]): What `resolve` reads.
        RETURNS (Taxonomy): With the descriptions of this one.
        RAISES CascadeError: C001, C002 for names that don't resolve, C003 without names.
        """
        wanted = [self.resolve(name) for name in names]
        if not wanted:
            raise CascadeError(Errors.C003)
        descriptions = {key: text for key, text in self.descriptions.items() if key}
        return Taxonomy(
            self._nested_subset((), wanted),
            name=f"{self.name} (subset)",
            descriptions=descriptions,
        )

    def _nested_subset(self, path: TypePath, wanted: Sequence[TypePath]) -> NestedNames:
        """The names below a node that lead to wanted ones, or stand below them.

        path (TypePath): The node.
        wanted (Sequence[TypePath]): Whole paths.
        """
        out = {}
        for child in self.children(path):
            if any(_is_related(child, other) for other in wanted):
                out[child[-1]] = self._nested_subset(child, wanted)
        return out


def _by_path(table: Mapping[str, str]) -> dict[TypePath, str]:
    """A table that is keyed by path strings, keyed by normalized paths.

    table (Mapping[str, str]): The table.
    """
    out = {}
    for path, value in table.items():
        out[normalize_path(parse_path(path))] = value
    return out


def _is_related(a: TypePath, b: TypePath) -> bool:
    """Whether one path is the beginning of the other."""
    n = min(len(a), len(b))
    return a[:n] == b[:n]


def builtin(name: str) -> Taxonomy:
    """A taxonomy that ships with the package: 'dynamicner' or 'universal'.

    name (str): Of the file.
    RETURNS (Taxonomy): Read anew.
    """
    return Taxonomy.from_file(Path(__file__).parent / "data" / f"{name}.json")


@taxonomies("spacy-cascade.DynamicNER.v1")
def dynamicner_taxonomy() -> Taxonomy:
    """DynamicNER: 8 coarse, 31 medium, 155 fine types."""
    return builtin("dynamicner")


@taxonomies("spacy-cascade.File.v1")
def file_taxonomy(path: str) -> Taxonomy:
    """A file that `Taxonomy.from_file` reads.

    path (str): A file of JSON, YAML or plain text.
    """
    return Taxonomy.from_file(path)


@taxonomies("spacy-cascade.Labels.v1")
def label_taxonomy(labels: list[str]) -> Taxonomy:
    """A list of names.

    labels (list[str]): The names. 'parent->child' makes levels.
    """
    return Taxonomy.from_labels(labels)
