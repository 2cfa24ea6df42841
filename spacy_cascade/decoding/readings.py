"""What the answer automaton keeps track of: the ways to read what was written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from .symbols import Node

# The phases of a reading.
LEAD, LABEL, COLON, MENTION, SEPARATOR, EMPTY, DONE = range(7)


@dataclass(frozen=True)
class Grammar:
    """The fixed parts of an answer, as symbols.

    lead (Sequence[int]): Before the first label.
    colon (Sequence[int]): Between label and mention.
    separator (Sequence[int]): Between two mentions.
    empty (Sequence[int]): The answer if there is no mention. It stands behind `lead`.
    """

    lead: Sequence[int]
    colon: Sequence[int]
    separator: Sequence[int]
    empty: Sequence[int]


class Found(NamedTuple):
    """A finished mention, linked to the one before it.

    label (int): Index of its label.
    start, end (int): Its tokens, end exclusive.
    begun, ended (int): Where its text stands in the answer, in symbols.
    used (int): Bits of the tokens that mentions so far cover.
    number (int): How many mentions there are so far.
    """

    before: Found | None
    label: int
    start: int
    end: int
    begun: int
    ended: int
    used: int
    number: int

    def all(self) -> list[Found]:
        """This mention and those before it, in the order they were written."""
        out: list[Found] = [self]
        while out[-1].before is not None:
            out.append(out[-1].before)
        return out[::-1]


class Reading(NamedTuple):
    """One way to read what was written.

    phase (int): The part of the answer that comes next.
    at (int): Index in a fixed part, or node of the label trie, depending on `phase`.
    found (Found | None): The mention that was finished last.
    label (int): Index of the label that was read for the mention to come.
    node (Node): What was read of a mention.
    begun (int): Where that mention stands in the answer, in symbols.
    """

    phase: int
    at: int
    found: Found | None
    label: int = -1
    node: Node = Node(0, 0, 0)
    begun: int = 0


class State(NamedTuple):
    """written (int): Symbols so far. readings (tuple): All readings, the best first."""

    written: int
    readings: tuple[Reading, ...]


# A symbol that may follow, and the reading it leaves.
Move = tuple[int, Reading]


def bits_of(start: int, end: int) -> int:
    """The tokens [start, end) as bits of an integer."""
    return (1 << end) - (1 << start)


def mentions_of(found: Found | None) -> list[Found]:
    """All mentions up to this one, in the order they were written."""
    return found.all() if found is not None else []
