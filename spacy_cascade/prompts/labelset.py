"""A label set as it is written in prompts and answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..taxonomy import Taxonomy, TypePath
from ..taxonomy.names import normalize_path, single_spaced

ARROW = "->"


@dataclass(frozen=True)
class LabelSet:
    """The labels of an open-type prompt. The three tuples are parallel.

    paths (tuple): Paths in the taxonomy.
    names (tuple): As users spell them, with single spaces. They differ from each other
        in more than case.
    descriptions (tuple): "" where the taxonomy has none.
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
        cut = [path[:level] if level else path for path in taxonomy.leaves]
        paths = tuple(dict.fromkeys(cut))
        written = [tuple(map(single_spaced, path)) for path in paths]
        if full_paths:
            names = tuple(map(ARROW.join, written))
        else:
            names = _short_names(written)
        descriptions = tuple(map(taxonomy.description, paths))
        return cls(paths, names, descriptions)

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

    names = []
    for path in paths:
        ends = [path[k:] for k in range(len(path))]
        unique = [end for end in ends if endings[normalize_path(end)] == 1]
        names.append(ARROW.join(unique[-1] if unique else path))
    return tuple(names)
