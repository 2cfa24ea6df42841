"""What components have in common that name the types of mentions."""

# Annotations are evaluated here: spaCy validates [initialize] with those of `initialize`.

from collections.abc import Callable, Iterable
from pathlib import Path

from spacy.language import Language
from spacy.training import Example

from ..taxonomy import Taxonomy
from .component import LMPipe
from .settings import Block


class TypedPipe(LMPipe):
    """A component with a label set."""

    default_taxonomy = "dynamicner"
    _taxonomy: Taxonomy

    @property
    def taxonomy(self) -> Taxonomy:
        """The label set."""
        return self._taxonomy

    @property
    def label_data(self) -> Block:
        """What `spacy init labels` writes."""
        return self.taxonomy.to_dict()

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]] | None = None,
        *,
        nlp: Language | None = None,
        weights: str | Path | None = None,
        taxonomy: Block | list[str] | str | None = None,
    ) -> None:
        """Get ready for training, or take over trained weights.

        weights (Optional[str]): Directory of a trained component of this kind (for
            `spacy assemble`).
        taxonomy (Optional[list | dict | str]): Replaces the configured one.
        """
        if weights is not None:
            self.from_disk(weights, exclude=["settings"])
        if taxonomy is not None:
            self.take_taxonomy(taxonomy)
        if weights is None:
            super().initialize(get_examples, nlp=nlp)
