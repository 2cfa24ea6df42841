"""Texts that one stage has run, kept for the next one."""

from __future__ import annotations

from collections.abc import Hashable

from ..types import CachedPrefix


class KVPrefixStore:
    """Rows by text, as long as the weights they were run with stay the same.

    tokens (int): Most tokens kept. What comes first stays: the next stage asks in the same order.
    """

    def __init__(self, tokens: int):
        self.tokens = tokens
        self._used = 0
        self._kept: dict[Hashable, CachedPrefix] = {}
        self._weights: Hashable = None

    def __len__(self) -> int:
        return len(self._kept)

    def of(self, weights: Hashable) -> KVPrefixStore:
        """Itself, emptied if it was filled with other weights."""
        if weights != self._weights:
            self.clear()
            self._weights = weights
        return self

    def clear(self) -> None:
        self._kept.clear()
        self._used = 0

    def keep(self, text: Hashable, kept: CachedPrefix) -> None:
        """Remember a text, if there is room."""
        if text not in self._kept and self._used + len(kept.ids) <= self.tokens:
            self._kept[text] = kept
            self._used += len(kept.ids)

    def take(self, text: Hashable) -> CachedPrefix | None:
        """What was kept of a text, and forget it."""
        found = self._kept.pop(text, None)
        if found is not None:
            self._used -= len(found.ids)
        return found
