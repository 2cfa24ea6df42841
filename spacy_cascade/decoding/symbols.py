"""What listed mentions are written with, as symbols: the text and the label names.

Symbols are bytes, for any vocabulary, or the tokens of one tokenizer.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from ..types import Unit


class Labels:
    """A trie of label names.

    names (Iterable[Sequence[int]]): Symbols of every name. Of equal names the first
        counts.
    children (list[dict[int, int]]): For every node, the node behind each symbol.
    label (list[int]): For every node, the index of the name that ends there, or -1.
    depth (list[int]): For every node, how many symbols lead to it.
    """

    def __init__(self, names: Iterable[Sequence[int]]):
        self.children: list[dict[int, int]] = [{}]
        self.label: list[int] = [-1]
        self.depth: list[int] = [0]

        for index, name in enumerate(names):
            node = 0
            for symbol in name:
                children = self.children[node]
                child = children.get(symbol)
                if child is None:
                    child = self._add_node(node, symbol)
                node = child
            if self.label[node] < 0:
                self.label[node] = index

    def _add_node(self, parent: int, symbol: int) -> int:
        """Add a node. RETURNS (int): Its index."""
        node = len(self.children)
        self.children[parent][symbol] = node
        self.children.append({})
        self.label.append(-1)
        self.depth.append(self.depth[parent] + 1)
        return node


class Node(NamedTuple):
    """All places where one substring begins: `order[low:high]`.

    length (int): Symbols of the substring.
    """

    low: int
    high: int
    length: int


class Substrings:
    """An automaton over all substrings that begin at given places.

    It is a suffix automaton that knows only the suffixes at `starts`. They are kept as
    a sorted array, one number per start. Every node names the places where its
    substring stands, which the automaton proper does not.

    symbols (Sequence[int]): The text, as bytes or as token ids.
    starts (Sequence[int]): Offsets at which a substring may begin.
    """

    def __init__(self, symbols: Sequence[int], starts: Sequence[int]):
        self.symbols = list(symbols)
        self.order = sorted(starts, key=lambda start: self.symbols[start:])
        self.root = Node(0, len(self.order), 0)

    def steps(self, node: Node) -> Iterator[tuple[int, Node]]:
        """The symbols that may follow, in order, and where they lead.

        node (Node): A substring.
        YIELDS (tuple[int, Node]): A symbol, and the substring that is longer by it.
        """
        low, high, length = node
        while low < high and self.order[low] + length == len(self.symbols):
            low += 1

        while low < high:
            symbol = self.symbols[self.order[low] + length]
            behind = bisect_right(
                self.order,
                symbol,
                low,
                high,
                key=lambda start: self.symbols[start + length],
            )
            yield symbol, Node(low, behind, length + 1)
            low = behind

    def starts(self, node: Node) -> list[int]:
        """Where the node's substring begins, in text order.

        node (Node): A substring.
        RETURNS (list[int]): Offsets, sorted.
        """
        return sorted(self.order[node.low : node.high])


class TextIndex:
    """The text as mentions see it.

    symbols (list[int]): The whole text.
    token_at (dict[int, int]): Tokens by the offset where a mention may begin.
    end_at (dict[int, int]): Ends of mentions, in tokens, by offset.
    end_of (dict[int, int]): Offsets by the end of a mention, in tokens.
    substrings (Substrings): The stretches that begin where a mention may.
    words (int): Bits of the tokens that are no white space.
    next_end (list[int]): For every offset, the end of the shortest mention that goes
        that far.

    segments (Sequence[Sequence[int]]): Symbols of every token.
    gaps (Sequence[int]): For every token, how many of its first symbols are no part of
        a mention that begins there.
    spaces (Sequence[bool]): Tokens where no mention begins or ends.
    """

    def __init__(
        self,
        segments: Sequence[Sequence[int]],
        gaps: Sequence[int],
        spaces: Sequence[bool],
    ):
        symbols: list[int] = []
        # where mentions begin and end: offset -> token
        self.token_at: dict[int, int] = {}
        self.end_at: dict[int, int] = {}
        parts = zip(segments, gaps, spaces, strict=True)
        for i, (segment, gap, is_space) in enumerate(parts):
            if not is_space:
                begin = len(symbols) + gap
                self.token_at[begin] = i
            symbols += segment
            if not is_space:
                self.end_at[len(symbols)] = i + 1

        self.symbols = symbols
        self.end_of = {end: offset for offset, end in self.end_at.items()}
        self.substrings = Substrings(symbols, list(self.token_at))
        self.words = sum(1 << i for i in self.token_at.values())
        self.next_end = self._next_ends()

    def _next_ends(self) -> list[int]:
        """For every offset, the end of the shortest mention that goes that far.

        Ends are counted in tokens. 0: no mention goes that far.

        RETURNS (list[int]): One more than there are symbols.
        """
        out = [0] * (len(self.symbols) + 1)
        end = 0
        for offset in range(len(self.symbols), -1, -1):
            end = self.end_at.get(offset, end)
            out[offset] = end
        return out


@lru_cache(maxsize=256)
def byte_labels(names: tuple[str, ...]) -> Labels:
    """Names in UTF-8.

    names (tuple[str, ...]): The label names.
    RETURNS (Labels): The same for the same names.
    """
    return Labels([name.encode("utf8") for name in names])


def byte_index(unit: Unit) -> TextIndex:
    """A text in UTF-8, whose mentions are written without the white space before them.

    unit (Unit): The text.
    RETURNS (TextIndex): Over bytes.
    """
    segments = [segment.encode("utf8") for segment in unit.segments()]
    words = [unit.text[start:end].encode("utf8") for start, end in unit.tokens]
    gaps = [
        len(segment) - len(word) for segment, word in zip(segments, words, strict=True)
    ]
    return TextIndex(segments, gaps, unit.spaces)
