"""What listed mentions are written with, as symbols: bytes for any vocabulary, or the
tokens of one tokenizer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from ..types import Unit
from .substrings import Substrings


class Labels:
    """A trie of label names.

    names (Sequence[Sequence[int]]): Symbols of every name; of equal ones the first counts.
    """

    def __init__(self, names: Iterable[Sequence[int]]):
        self.children: list[dict[int, int]] = [{}]
        self.label: list[int] = [-1]
        self.depth: list[int] = [0]
        for index, name in enumerate(names):
            node = 0
            for symbol in name:
                found = self.children[node].get(symbol)
                if found is None:
                    found = self.children[node][symbol] = len(self.children)
                    self.children.append({})
                    self.label.append(-1)
                    self.depth.append(self.depth[node] + 1)
                node = found
            if self.label[node] < 0:
                self.label[node] = index


class TextIndex:
    """The text as mentions see it.

    segments (Sequence[Sequence[int]]): Symbols of every token. gaps (Sequence[int]):
        How many symbols stand before each token that are no part of a mention which
        begins there.
    spaces (Sequence[bool]): Tokens where no mention begins or ends.
    """

    def __init__(
        self,
        segments: Sequence[Sequence[int]],
        gaps: Sequence[int],
        spaces: Sequence[bool],
    ):
        joined: list[int] = []
        self.token_at: dict[int, int] = {}
        self.end_at: dict[int, int] = {}
        for i, (segment, gap) in enumerate(zip(segments, gaps, strict=True)):
            if not spaces[i]:
                self.token_at[len(joined) + gap] = i
            joined += segment
            if not spaces[i]:
                self.end_at[len(joined)] = i + 1
        self.symbols = joined
        self.end_of = {i: offset for offset, i in self.end_at.items()}
        self.substrings = Substrings(joined, list(self.token_at))
        self.words = sum(1 << i for i in self.token_at.values())
        # for every offset: the end (in tokens) of the shortest mention that goes that far
        self.next_end = [0] * (len(joined) + 1)
        end = 0
        for offset in range(len(joined), -1, -1):
            end = self.end_at.get(offset, end)
            self.next_end[offset] = end


@lru_cache(maxsize=256)
def byte_labels(names: tuple[str, ...]) -> Labels:
    """Names in UTF-8."""
    return Labels([n.encode("utf8") for n in names])


def byte_index(unit: Unit) -> TextIndex:
    """A text in UTF-8, whose mentions are written without the white space before them."""
    segments = [s.encode("utf8") for s in unit.segments()]
    sizes = [len(unit.text[start:end].encode("utf8")) for start, end in unit.tokens]
    return TextIndex(
        segments,
        [len(s) - n for s, n in zip(segments, sizes, strict=True)],
        unit.spaces,
    )
