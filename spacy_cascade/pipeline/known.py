"""The types that a component's weights were trained with, and a warning of others."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..errors import Warnings
from ..taxonomy import Taxonomy
from ..taxonomy.aliases import unknown_names, with_nearest
from .configured import ConfiguredPipe
from .settings import Block

if TYPE_CHECKING:
    from .weights import Weights

logger = logging.getLogger("spacy_cascade")

# Label sets that were warned of in this process.
_reported: set[frozenset[str]] = set()


class KnowsLabels(ConfiguredPipe):
    """A component that remembers which types its weights were trained with."""

    weights: Weights
    # Names of types, beside those that have a token of their own.
    _learned: frozenset[str] = frozenset()

    @property
    def known_labels(self) -> tuple[str, ...]:
        """Names of the types that the weights were trained with, of all levels.

        They are those with a token of their own in a tiny base (`spacy cascade base`), and
        those of the label sets that the weights were trained on. A pretrained chat model
        understands others, too. Loads the language model. Empty if nothing is known.
        """
        names = {*self._learned, *self._type_names()}
        return tuple(sorted(names))

    def _type_names(self) -> tuple[str, ...]:
        if not self.weights.has_base():
            return ()
        names: tuple[str, ...] = getattr(self.weights.lm, "type_names", ())
        return names

    def learn_names(self, names: Iterable[str]) -> None:
        """Remember that the weights are trained with these types."""
        new = frozenset(names)
        if not new <= self._learned:
            self._learned |= new

    def warn_unknown(self, taxonomies: Iterable[Taxonomy]) -> None:
        """Warn (CW20) of label sets with types that were never trained.

        Once per process and label set, and only for templates whose models can't guess a
        type from its name. In training there is no warning.
        """
        template = getattr(self, "template", None)
        if not getattr(template, "closed_labels", False) or self.weights.in_training:
            return
        # one for each set, also if many texts bring it
        distinct = {id(taxonomy): taxonomy for taxonomy in taxonomies}
        for taxonomy in distinct.values():
            names = [path[-1] for path in taxonomy]
            asked = frozenset(names)
            if asked not in _reported:
                _reported.add(asked)
                self._report(names)

    def _report(self, names: list[str]) -> None:
        known = self.known_labels
        unknown = unknown_names(names, known) if known else []
        if not unknown:
            return
        warning = Warnings.W020.format(
            name=self.name,
            n=len(unknown),
            total=len(set(names)),
            names=with_nearest(unknown, known),
        )
        logger.warning(warning)

    # -- Saving

    def save_known(self, meta: Block) -> None:
        """Note the trained types in cascade.json, unless its taxonomy tells them."""
        if self._learned and self._learned != _names_of(meta.get("taxonomy")):
            meta["known_labels"] = sorted(self._learned)

    def load_known(self, meta: Block) -> None:
        """Take over what `save_known` wrote.

        Earlier versions told nothing but the taxonomy.
        """
        if "known_labels" in meta:
            self._learned = frozenset(meta["known_labels"])
        elif meta.get("trained", True):
            self._learned = _names_of(meta.get("taxonomy"))
        else:
            self._learned = frozenset()


def _names_of(taxonomy: Block | None) -> frozenset[str]:
    """Names of all types of a saved taxonomy."""
    if not taxonomy:
        return frozenset()
    return frozenset(path[-1] for path in Taxonomy.read(taxonomy))
