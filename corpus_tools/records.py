"""What travels between the formats: records and mentions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

# Key of `Record.meta`: character ranges without annotation, which is not "no mention".
MISSING = "missing"
T = TypeVar("T")


@dataclass(frozen=True)
class Mention:
    """A typed piece of a text: character offsets, end exclusive."""

    start: int
    end: int
    label: str


@dataclass(frozen=True)
class Rejected:
    """An entry of the source that could not be located, kept so that nothing is lost on
    the way back.

    pos (tuple[int, int]): The offsets that the source gave, if it gave any.
    """

    name: str
    type: str
    reason: str = ""
    pos: tuple[int, int] | None = None


@dataclass(frozen=True)
class Record:
    """One sentence with its annotation.

    mentions (tuple[Mention, ...]): Sorted by start, longer ones first. `from_entries` sorts.
    labels (tuple[str, ...]): The label set of this record, None if the source names none.
    meta (Mapping): "source", "index" (counted from 0), "id", "language", "dataset";
        "order" (source order, see `entries`), "type_lists" and "paths" (parallel to the
        mentions: each one's type list, and its path where the label alone does not tell
        it), "missing" (character ranges without annotation: nobody said whether there
        is a mention), and what single formats need for the way back.
    rejected (tuple[Rejected, ...]): Entries that could not be located.
    tokens (ndarray[int], shape (tokens, 2)): Start and end characters of the source's own tokens,
        if it has any and its text is not made of them.
    """

    text: str
    mentions: tuple[Mention, ...] = ()
    labels: tuple[str, ...] | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)
    rejected: tuple[Rejected, ...] = ()
    tokens: np.ndarray | None = field(default=None, compare=False, repr=False)

    @classmethod
    def from_entries(
        cls,
        text: str,
        entries: Sequence[Mention | Rejected],
        *,
        labels: Iterable[str] | None = None,
        meta: Mapping[str, Any] | None = None,
        type_lists: Sequence[Sequence[str]] | None = None,
    ) -> Record:
        """Sorts the mentions and remembers the source's order.

        type_lists (Sequence[Sequence[str]]): One list of types per entry.
        """
        mentions = [(i, e) for i, e in enumerate(entries) if isinstance(e, Mention)]
        mentions.sort(key=lambda pair: (pair[1].start, -pair[1].end))
        rejected = [(i, e) for i, e in enumerate(entries) if isinstance(e, Rejected)]
        meta = dict(meta or {})
        place = {
            i: k
            for k, i in enumerate(
                [*(i for i, _ in mentions), *(i for i, _ in rejected)]
            )
        }
        order = [place[i] for i in range(len(entries))]
        if order != sorted(order):
            meta["order"] = order
        if type_lists is not None:
            meta["type_lists"] = [list(type_lists[i]) for i, _ in mentions]
        return cls(
            text,
            tuple(m for _, m in mentions),
            labels=None if labels is None else tuple(labels),
            meta=meta,
            rejected=tuple(r for _, r in rejected),
        )

    @property
    def annotated(self) -> bool:
        """False if the annotation is missing altogether."""
        missing = self.meta.get(MISSING) or ()
        return list(map(list, missing)) != [[0, len(self.text.rstrip())]]

    def entries(self) -> list[Mention | Rejected]:
        """Mentions and rejected entries together, in the order of the source."""
        return self._in_order([*self.mentions, *self.rejected])

    def entry_lists(self) -> list[list[str]] | None:
        """The type list of each of `entries`, empty for a rejected one; None if the
        mentions have no lists of their own.
        """
        lists = self.meta.get("type_lists")
        if not lists or len(lists) != len(self.mentions):
            return None
        return self._in_order([*map(list, lists), *([] for _ in self.rejected)])

    def _in_order(self, known: list[Any]) -> list[Any]:
        order = self.meta.get("order") or ()
        if len(order) != len(
            known
        ):  # mentions were added or removed since the record was read
            return known
        return [known[i] for i in order]

    def name(self, entry: Mention | Rejected) -> str:
        """The text of a mention."""
        return (
            entry.name
            if isinstance(entry, Rejected)
            else self.text[entry.start : entry.end]
        )

    def flat(self) -> list[Mention]:
        """The mentions without overlaps: longest first, then leftmost."""
        taken: list[Mention] = []
        for mention in sorted(self.mentions, key=lambda m: (m.start - m.end, m.start)):
            if all(mention.end <= t.start or t.end <= mention.start for t in taken):
                taken.append(mention)
        return sorted(taken, key=lambda m: m.start)
