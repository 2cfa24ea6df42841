"""Everyday texts among others, as training data."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def mixed(
    others: Sequence[T],
    everyday: Sequence[T],
    share: float,
    rng: random.Random,
) -> list[T]:
    """As many texts as there can be with this share of everyday ones, shuffled.

    All texts of one part are taken, and of the other a random choice: none is repeated.

    share (float): Everyday texts, divided by all.
    RAISES SystemExit: If the share isn't between 0 and 1, or a part has no texts.
    """
    if not 0 < share < 1:
        raise SystemExit(
            f"The share of everyday texts is {share:g}, not between 0 and 1."
        )
    if not others or not everyday:
        raise SystemExit(
            f"There are {len(everyday)} everyday texts and {len(others)} others: nothing to mix."
        )

    ratio = share / (1 - share)
    wanted = max(1, round(len(others) * ratio))
    if wanted <= len(everyday):
        n_everyday, n_others = wanted, len(others)
    else:
        n_everyday, n_others = len(everyday), max(1, round(len(everyday) / ratio))
    chosen = rng.sample(others, n_others) + rng.sample(everyday, n_everyday)
    rng.shuffle(chosen)
    return chosen
