"""Regularization of type lists in training (B2NER, arXiv 2406.11192): a model that always sees the same list of a data
set learns the list by heart instead of reading it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


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
            kept = [*kept, *self.rng.sample([t for t in wrong if t not in kept], missing)]
        chosen = {gold, *kept}
        if not shuffle:
            return [t for t in types if t in chosen]
        return self.rng.sample(sorted(chosen), len(chosen))
