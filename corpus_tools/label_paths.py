"""Labels of a corpus as paths of a taxonomy."""

from __future__ import annotations

from contextlib import suppress

from spacy_cascade.taxonomy import Taxonomy, TypePath


class LabelPaths:
    """Looks labels up in a taxonomy.

    A name may be that of a leaf and that of a whole branch elsewhere: DynamicNER's
        'biological' is a kind of weapon, and a
    group of science entities. In a corpus that names only the finest types, as
    DynamicNER's own files do, it is the leaf without doubt. From the first label on
    that is no leaf of the taxonomy, or not in it, such names are warned of (CW04).
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
