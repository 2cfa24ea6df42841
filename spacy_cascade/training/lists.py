"""Regularization of type lists in training (B2NER, arXiv 2406.11192): a model that
always sees the same list of a data set learns the list by heart instead of reading it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc

from ..doc.annotations import LABELS_KEY, labels_of
from ..doc.gold import gold_chars, known_path
from ..doc.missing import missing_ranges
from ..taxonomy import parse_path
from .augment import gold_doc


@dataclass(frozen=True)
class ListNoise:
    """Changes the list that a mention's type is chosen from. The gold type always stays in it.

    rng (random.Random): Source of randomness.
    dynamic (float): Chance of a list to be cut to a random number of types, in random order.
    dropout (float): Chance of every wrong type to be left out.
    smallest (int): Types that a list keeps at least, if it has them.
    """

    rng: Any
    dynamic: float = 0.0
    dropout: float = 0.0
    smallest: int = 2

    def __call__(self, types: list[str], gold: str) -> list[str]:
        wrong = [t for t in types if t != gold]
        kept = wrong
        if self.dropout:
            kept = [t for t in kept if self.rng.random() >= self.dropout]
        shuffle = bool(self.dynamic) and self.rng.random() < self.dynamic
        if shuffle and kept:
            kept = self.rng.sample(kept, self.rng.randint(1, len(kept)))
        missing = min(self.smallest - 1, len(wrong)) - len(kept)
        if missing > 0:
            kept = [
                *kept,
                *self.rng.sample([t for t in wrong if t not in kept], missing),
            ]
        chosen = {gold, *kept}
        if not shuffle:
            return [t for t in types if t in chosen]
        return self.rng.sample(sorted(chosen), len(chosen))

    def reduced(self, nlp: Language, reference: Doc, *, largest: int = 24) -> Doc:
        """A gold Doc that brings its own label set, with a part of it, in random order,
        and without the mentions of the labels that are left out: so a label-aware
        extractor learns that a text's mentions depend on the labels.

        largest (int): Most labels that the set keeps, beside those of the text's mentions.
        """
        labels = reference.user_data.get(LABELS_KEY)
        if (
            not isinstance(labels, (list, tuple))
            or missing_ranges(reference)
            or self.rng.random() >= self.dynamic
        ):
            return reference
        taxonomy = labels_of(reference)
        assert taxonomy is not None
        names = {taxonomy.find(parse_path(x)): x for x in labels}
        gold = [
            (s, e, path, names.get(known_path(taxonomy, path) or ()))
            for s, e, path in gold_chars(reference)
        ]
        right = {label for *_, label in gold}
        if None in right:  # a mention of some other level of the set
            return reference
        chosen = [x for x in labels if x in right and self.rng.random() >= self.dropout]
        wrong = [x for x in labels if x not in right]
        most = min(len(wrong), max(0, largest - len(chosen)))
        chosen += self.rng.sample(
            wrong, self.rng.randint(0 if chosen else min(1, most), most)
        )
        if not chosen:
            return reference
        kept = [(s, e, path) for s, e, path, label in gold if label in chosen]
        doc = gold_doc(nlp, reference.text, kept, like=reference)
        doc.user_data[LABELS_KEY] = self.rng.sample(chosen, len(chosen))
        return doc

    def labels(self, labels: Sequence[str], gold: Collection[str]) -> list[int]:
        """The same for a label set of which several may be right.

        Dropout takes right ones, too: what is not in the list must not be in the
        answer.

        RETURNS (list[int]): Indices of the labels that are left, one or more.
        """
        kept = (
            [i for i in range(len(labels)) if self.rng.random() >= self.dropout]
            if self.dropout
            else list(range(len(labels)))
        )
        kept = kept or [self.rng.randrange(len(labels))]
        if not self.dynamic or self.rng.random() >= self.dynamic:
            return kept
        right = [i for i in kept if labels[i] in gold]
        wrong = [i for i in kept if labels[i] not in gold]
        smallest = 0 if right else 1
        chosen = right + self.rng.sample(wrong, self.rng.randint(smallest, len(wrong)))
        return self.rng.sample(chosen, len(chosen))
