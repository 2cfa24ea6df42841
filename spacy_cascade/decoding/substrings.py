"""Which stretches of a text there are: an automaton over all of its substrings that
begin at given places.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple


class Node(NamedTuple):
    """All places where one substring begins: `order[low:high]`. length: symbols of the
    substring.
    """

    low: int
    high: int
    length: int


class Substrings:
    """A suffix automaton that knows only the suffixes at `starts`, kept as a sorted
    array of them: one number per start, and unlike in the automaton proper every node
    names the places where its substring stands.

    symbols (Sequence[int]): The text, as bytes or as token ids.
    starts (Sequence[int]): Offsets at which a substring may begin.
    """

    def __init__(self, symbols: Sequence[int], starts: Sequence[int]):
        self.symbols = list(symbols)
        self.order = sorted(starts, key=lambda s: self.symbols[s:])
        self.root = Node(0, len(self.order), 0)

    def steps(self, node: Node) -> Iterator[tuple[int, Node]]:
        """The symbols that may follow, in order, and where they lead."""
        i, high, length = node
        while i < high and self.order[i] + length == len(self.symbols):
            i += 1
        while i < high:
            symbol = self.symbols[self.order[i] + length]
            j = bisect_right(
                self.order, symbol, i, high, key=lambda s: self.symbols[s + length]
            )
            yield symbol, Node(i, j, length + 1)
            i = j

    def starts(self, node: Node) -> list[int]:
        """Where the node's substring begins, in text order."""
        return sorted(self.order[node.low : node.high])
