"""A label set as it is written in prompts and answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..taxonomy import Taxonomy, TypePath
from ..taxonomy.names import normalize_path, single_spaced

ARROW = "->"


@dataclass(frozen=True)
class LabelSet:
    """paths, names, descriptions: parallel.

    Names are as users spell them, with single spaces; they differ from each other in
    more than case.
    """

    paths: tuple[TypePath, ...]
    names: tuple[str, ...]
    descriptions: tuple[str, ...]

    @classmethod
    def build(
        cls, taxonomy: Taxonomy, *, level: int = 0, full_paths: bool = False
    ) -> LabelSet:
        """The types of a taxonomy.

        level (int): The types of this level, and those above that have no children; 0:
            the deepest types.
        full_paths (bool): Write 'location->city', as B2NERD does; else as much of the
            path as tells types apart.
        """
        paths = tuple(dict.fromkeys(p[:level] if level else p for p in taxonomy.leaves))
        written = [tuple(map(single_spaced, path)) for path in paths]
        names = tuple(map(ARROW.join, written)) if full_paths else _short_names(written)
        return cls(paths, names, tuple(taxonomy.description(p) for p in paths))

    def select(self, indices: Sequence[int]) -> LabelSet:
        """A part of the set, in the given order."""
        return LabelSet(
            tuple(self.paths[i] for i in indices),
            tuple(self.names[i] for i in indices),
            tuple(self.descriptions[i] for i in indices),
        )


def _short_names(paths: Sequence[TypePath]) -> tuple[str, ...]:
    """The shortest ends of the paths that no other path has."""
    endings: dict[TypePath, int] = {}
    for path in paths:
        for k in range(len(path)):
            ending = normalize_path(path[k:])
            endings[ending] = endings.get(ending, 0) + 1
    out = []
    for path in paths:
        unique = [
            path[k:] for k in range(len(path)) if endings[normalize_path(path[k:])] == 1
        ]
        out.append(ARROW.join(unique[-1] if unique else path))
    return tuple(out)
