"""Labels of a corpus as paths of a taxonomy."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from spacy_cascade.taxonomy import Taxonomy, TypePath, builtin

from .errors import CorpusError, Errors


def read_taxonomy(name: str) -> Taxonomy:
    """A taxonomy by its name ('dynamicner', 'universal') or the path of its file.

    RAISES CorpusError: T009 if it can't be read.
    """
    is_file = bool(Path(name).suffix) or Path(name).is_file()
    try:
        return Taxonomy.from_file(name) if is_file else builtin(name)
    except ValueError as err:
        raise CorpusError(Errors.T009.format(name=name, why=err)) from err


class LabelPaths:
    """Looks labels up in a taxonomy.

    A name may be that of a leaf and that of a whole branch elsewhere: DynamicNER's
    'biological' is a kind of weapon, and a group of science entities. In a corpus that
    names only the finest types, as DynamicNER's own files do, it is the leaf without
    doubt. From the first label on that is no leaf of the taxonomy, or not in it, such
    names are warned of (CW04).
    """

    def __init__(self, taxonomy: Taxonomy):
        self.taxonomy = taxonomy
        self._finest = True
        self._seen: set[str] = set()

    def __call__(self, label: str) -> TypePath:
        """RAISES CascadeError: C001 and C002, as `Taxonomy.resolve`."""
        self._seen.add(label)
        try:
            path = self.taxonomy.resolve(label, finest=self._finest)
        except ValueError:
            self._coarse_too()
            raise
        if self.taxonomy.children(path):
            self._coarse_too()
        return path

    def _coarse_too(self) -> None:
        if self._finest:
            self._finest = False
            for label in sorted(self._seen):
                with suppress(ValueError):
                    self.taxonomy.resolve(label)
