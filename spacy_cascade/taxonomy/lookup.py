"""Looking up types by name."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Mapping, Sequence
from typing import NoReturn

from ..errors import CascadeError, Errors, Warnings
from .names import TypePath, format_path, normalize_name, normalize_path, parse_path

logger = logging.getLogger("spacy_cascade")


class NameIndex:
    """The names of a taxonomy. See `Taxonomy.resolve`.

    name (str): Of the taxonomy, for messages.
    children (Mapping): The names of the children of every node. The root is ().
    aliases (dict[str, str]): Other names, valued by path string or name.
    """

    def __init__(self, name: str, children: Mapping[TypePath, Sequence[str]]):
        self.name = name
        self.aliases: dict[str, str] = {}
        self._children = children
        # by normalized name, and by normalized path
        self._by_name: dict[str, list[TypePath]] = {}
        self._spelled: dict[TypePath, TypePath] = {}
        # names in other languages -> path strings
        self._localized: dict[str, str] = {}
        # names whose ambiguity was warned of
        self._reported: set[str] = set()

    def add(self, path: TypePath) -> None:
        """Add a node.

        path (TypePath): As it is spelled.
        RAISES CascadeError: C005 if a sibling differs in nothing but case or white space.
        """
        twin = self._spelled.setdefault(normalize_path(path), path)
        if twin != path or path in self._children:
            *parent, name = path
            above = format_path(parent) or "the root"
            message = Errors.C005.format(name=name, other=twin[-1], parent=above)
            raise CascadeError(message)
        self._by_name.setdefault(normalize_name(path[-1]), []).append(path)

    def add_localized(self, names: Mapping[str, str]) -> None:
        """Add names in another language, by path string.

        names (Mapping[str, str]): The names.
        """
        for path, name in names.items():
            self._localized[normalize_name(name)] = path

    def find(self, path: Sequence[str]) -> TypePath | None:
        """The whole path of a node as it is spelled, or None.

        path (Sequence[str]): Its case and white space don't matter.
        RETURNS (TypePath | None): As it was added.
        """
        return self._spelled.get(normalize_path(path))

    def resolve(self, name: str, *, finest: bool = False) -> TypePath:
        """Path of a name, an alias or a path string. See `Taxonomy.resolve`.

        name (str): What is looked up.
        finest (bool): It is known to be the name of a finest type.
        RETURNS (TypePath): As it was added.
        """
        if not isinstance(name, str):
            self._refuse(name, "")
        spelled = parse_path(name)
        if len(spelled) > 1:
            whole = self.find(spelled)
            if whole is not None:
                return whole

        key = normalize_name(name)
        if key not in self._by_name:
            if key in self.aliases:
                return self.resolve(self.aliases[key], finest=finest)
            if key in self._localized:
                path = parse_path(self._localized[key])
                return self.find(path) or path

        found = self._named(spelled) if len(spelled) > 1 else self._alike(name, key)
        if not found:
            self._refuse(name, key)
        best = max(found, key=len)
        if len(found) > 1:
            self._compare(name, found, best, finest=finest)
        return best

    def _compare(
        self,
        name: str,
        found: Sequence[TypePath],
        best: TypePath,
        *,
        finest: bool,
    ) -> None:
        """Warn, once for each name, of nodes on other branches than the one that is taken.

        name (str): What was looked up.
        found (Sequence[TypePath]): All nodes of that name.
        best (TypePath): The deepest.
        finest (bool): Only other leaves are worth a warning.
        RAISES CascadeError: C002 if another node is as deep.
        """
        rivals = [p for p in found if p != best and p != best[: len(p)]]
        if any(len(rival) == len(best) for rival in rivals):
            paths = "; ".join(map(format_path, found))
            message = Errors.C002.format(name=name, taxonomy=self.name, paths=paths)
            raise CascadeError(message)

        if finest and not self._children[best]:
            rivals = [rival for rival in rivals if not self._children[rival]]
        key = normalize_name(name)
        if not rivals or key in self._reported:
            return
        self._reported.add(key)
        warning = Warnings.W004.format(
            name=name,
            taxonomy=self.name,
            paths="; ".join(map(format_path, found)),
            taken=format_path(best),
        )
        logger.warning(warning)

    def _alike(self, name: str, key: str) -> list[TypePath]:
        """The nodes with this name: those spelled just so, else those with the key.

        name (str): What is looked up.
        key (str): The same, normalized.
        RETURNS (list[TypePath]): In the order of the tree.
        """
        found = self._by_name.get(key, [])
        return [path for path in found if path[-1] == name] or found

    def _named(self, spelled: TypePath) -> list[TypePath]:
        """The nodes with the last of these names that have the others above them.

        Nodes that are spelled just so come first.

        spelled (TypePath): What is looked up.
        RETURNS (list[TypePath]): In the order of the tree.
        """
        parts = normalize_path(spelled)
        found = []
        exact = []
        for path in self._by_name.get(parts[-1], []):
            if not _is_subsequence(parts, normalize_path(path)):
                continue
            found.append(path)
            if path[-1] == spelled[-1] and _is_subsequence(spelled, path):
                exact.append(path)
        return exact or found

    def _refuse(self, name: object, key: str) -> NoReturn:
        """Say that a name is unknown, and which names come close.

        name (object): What is looked up.
        key (str): The same, normalized.
        RAISES CascadeError: C001.
        """
        names = {known: paths[0][-1] for known, paths in self._by_name.items()}
        close = [names[known] for known in difflib.get_close_matches(key, names, 3)]
        message = Errors.C001.format(
            name=name,
            taxonomy=self.name,
            n=len(self._spelled),
            close=", ".join(close) or "nothing close",
            some=", ".join(list(names.values())[:12]),
        )
        raise CascadeError(message)


def _is_subsequence(parts: TypePath, path: TypePath) -> bool:
    """Whether a path has all these parts, in this order.

    parts (TypePath): What is looked for.
    path (TypePath): What is searched.
    """
    rest = iter(path)
    return all(part in rest for part in parts)
