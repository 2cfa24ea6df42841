"""Regularization of type lists in training (B2NER, arXiv 2406.11192).

A model that always sees the same list of a data set learns the list by heart instead of
reading it.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from spacy.language import Language
from spacy.tokens import Doc

from ..doc.annotations import LABELS_KEY, labels_of
from ..doc.gold import gold_chars, known_path
from ..doc.missing import missing_ranges
from ..taxonomy import parse_path
from .augment import gold_doc


@dataclass(frozen=True)
class ListNoise:
    """Changes the list that a mention's type is chosen from. The gold type stays in it.

    rng (random.Random): Source of randomness.
    dynamic (float): Chance of a list to be cut to a random number of types, in random order.
    dropout (float): Chance of every wrong type to be left out.
    smallest (int): Types that a list keeps at least, if it has them.
    """

    rng: random.Random
    dynamic: float = 0.0
    dropout: float = 0.0
    smallest: int = 2

    def __call__(self, types: list[str], gold: str) -> list[str]:
        wrong = [t for t in types if t != gold]
        kept = wrong
        if self.dropout:
            kept = [t for t in kept if self._stays()]
        shuffle = bool(self.dynamic) and self.rng.random() < self.dynamic
        if shuffle and kept:
            size = self.rng.randint(1, len(kept))
            kept = self.rng.sample(kept, size)

        missing = min(self.smallest - 1, len(wrong)) - len(kept)
        if missing > 0:
            others = [t for t in wrong if t not in kept]
            kept = kept + self.rng.sample(others, missing)

        chosen = {gold, *kept}
        if not shuffle:
            return [t for t in types if t in chosen]
        return self.rng.sample(sorted(chosen), len(chosen))

    def _stays(self) -> bool:
        return self.rng.random() >= self.dropout

    def reduced(
        self,
        nlp: Language,
        reference: Doc,
        *,
        largest: int = 24,
    ) -> Doc:
        """A gold Doc with a random part of its own label set, in random order.

        Mentions of the labels that are left out go as well. So a label-aware extractor
        learns that a text's mentions depend on the labels.

        reference (Doc): Stays as it is if it brings no label set.
        largest (int): Most labels that the set keeps, beside those of the text's mentions.
        """
        labels = reference.user_data.get(LABELS_KEY)
        if not isinstance(labels, (list, tuple)) or missing_ranges(reference):
            return reference
        if self.rng.random() >= self.dynamic:
            return reference

        taxonomy = labels_of(reference)
        assert taxonomy is not None
        names = {taxonomy.find(parse_path(label)): label for label in labels}
        gold = gold_chars(reference)
        gold_labels = []
        for _, _, path in gold:
            known = known_path(taxonomy, path)
            label = names.get(known) if known else None
            if label is None:  # a mention of some other level of the set
                return reference
            gold_labels.append(label)

        chosen = self._part(labels, gold_labels, largest)
        if not chosen:
            return reference
        kept = [
            mention
            for mention, label in zip(gold, gold_labels, strict=True)
            if label in chosen
        ]
        doc = gold_doc(
            nlp,
            reference.text,
            kept,
            like=reference,
        )
        doc.user_data[LABELS_KEY] = self.rng.sample(chosen, len(chosen))
        return doc

    def _part(
        self,
        labels: Sequence[str],
        gold: Collection[str],
        largest: int,
    ) -> list[str]:
        """Some of the text's own labels, and some others."""
        chosen = [label for label in labels if label in gold and self._stays()]
        wrong = [label for label in labels if label not in gold]
        most = min(len(wrong), max(0, largest - len(chosen)))
        fewest = 0 if chosen else min(1, most)
        size = self.rng.randint(fewest, most)
        return chosen + self.rng.sample(wrong, size)

    def labels(self, labels: Sequence[str], gold: Collection[str]) -> list[int]:
        """The same for a label set of which several may be right.

        Dropout takes right ones, too: what is not in the list must not be in the answer.

        RETURNS (list[int]): Indices of the labels that are left, one or more.
        """
        kept = list(range(len(labels)))
        if self.dropout:
            kept = [i for i in kept if self._stays()]
        if not kept:
            kept = [self.rng.randrange(len(labels))]
        if not self.dynamic or self.rng.random() >= self.dynamic:
            return kept

        right = [i for i in kept if labels[i] in gold]
        wrong = [i for i in kept if labels[i] not in gold]
        fewest = 0 if right else 1
        size = self.rng.randint(fewest, len(wrong))
        chosen = right + self.rng.sample(wrong, size)
        return self.rng.sample(chosen, len(chosen))
