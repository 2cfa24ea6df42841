"""What travels between the formats: records, mentions, and the list of everything that
went wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

REPAIRED = (  # wrong in the source, put right without doubt about the outcome being usable
    "repaired"
)
REJECTED = "rejected"  # can't be used; `--strict` fails on these
REJECTED_RECORDS = "rejected_records"  # counts whole records; REJECTED counts mentions
NESTED = (  # inside or across a longer mention: kept among the gold spans, absent from `doc.ents`
    "nested"
)
DUPLICATE = "duplicate"  # says again what another entry of the record says
# not at token boundaries: moved to the nearest, exact offsets kept beside; or tokens are cut there
MISALIGNED = "misaligned"
UNKNOWN_TYPE = "unknown_type"  # not in the taxonomy; once per file and type
RENAMED = (  # written otherwise than it is called, since the target format can't hold it so
    "renamed"
)
NOT_WRITTEN = "not_written"  # the target format can't hold it
OFF_LIST = "off_list"  # an answer that its own type list does not hold
IGNORED = "ignored"  # no mention: relations, notes, records that the annotator rejected
SKIPPED = "skipped"  # a file of a directory tree that is in no known format
MISSING = (  # key of `Record.meta`: character ranges without annotation, which is not "no mention"
    "missing"
)
UNANNOTATED = "unannotated"  # counts records whose annotation is missing altogether
KEPT = 100  # issues per file and kind that a report keeps; the rest is counted


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


@dataclass(frozen=True)
class Issue:
    """Something about a source that someone should know.

    record (int): Record number, counted from 1; 0 if it concerns the file.
    """

    file: str
    record: int
    kind: str
    reason: str
    mention: str | None = None


class Report:
    """Collects issues and counts, per file.

    keep (int): So many issues per file and kind are kept in `issues`, so that it does
        not grow with the corpus; the counts are complete. None keeps all.
    groups (dict[str, str]): Under which name a file stands in tables.
    failed (dict[str, str]): Files that were not converted, and why.
    unread_spans (Counter): Spans of DocBins that stand in groups which are not read, by file and
    name of the group.
    read_as (dict[str, str]): What readers found out about files: columns, scheme, encoding.
    """

    def __init__(self, keep: int | None = KEPT) -> None:
        self.keep = keep
        self.issues: list[Issue] = []
        self._added: Counter[tuple[str, str]] = Counter()
        self.counts: dict[str, Counter[str]] = {}
        self.groups: dict[str, str] = {}
        self.failed: dict[str, str] = {}
        self.read_as: dict[str, str] = {}
        self.unknown_types: Counter[tuple[str, str]] = Counter()
        self.unread_spans: Counter[tuple[str, str]] = Counter()

    def file(self, name: str) -> FileLog:
        """The log of one file."""
        return FileLog(self, name)

    @property
    def rejected(self) -> int:
        """Number of rejected mentions and records."""
        return self.total(REJECTED) + self.total(REJECTED_RECORDS)

    def of_kind(self, *kinds: str) -> list[Issue]:
        """The issues that were kept."""
        return [issue for issue in self.issues if issue.kind in kinds]

    def total(self, key: str, *, file: str | None = None) -> int:
        """Sum of a count over all files or in one.

        Keys: records, mentions, aligned, rejected_records, and the kinds of issues (for
        mentions).
        """
        return sum(c[key] for name, c in self.counts.items() if file in (None, name))

    def grouped(self) -> dict[str, Counter[str]]:
        """Counts per group."""
        groups: dict[str, Counter[str]] = {}
        for name, counts in self.counts.items():
            groups.setdefault(self.groups.get(name, name), Counter()).update(counts)
        return groups

    def to_dict(self) -> dict[str, Any]:
        """JSON-serializable."""
        return {
            "total": dict(sum(self.counts.values(), Counter())),
            "groups": {name: dict(c) for name, c in self.grouped().items()},
            "files": {name: dict(c) for name, c in self.counts.items()},
            "failed": self.failed,
            "read_as": self.read_as,
            "unknown_types": [
                {"file": file, "type": label, "mentions": n}
                for (file, label), n in self.unknown_types.items()
            ],
            "unread_spans": [
                {"file": file, "group": key, "spans": n}
                for (file, key), n in self.unread_spans.items()
            ],
            "issues": [asdict(issue) for issue in self.issues],
        }


class FileLog:
    """Adds to a report under one file name."""

    def __init__(self, report: Report, name: str):
        self.report = report
        self.name = name
        self.counts = report.counts.setdefault(name, Counter())

    def add(
        self, index: int, kind: str, reason: str, mention: str | None = None
    ) -> None:
        """Adds an issue. index (int): Counted from 0; -1 for the file as a whole."""
        self.counts[
            REJECTED_RECORDS if mention is None and kind == REJECTED else kind
        ] += 1
        self.report._added[self.name, kind] += 1
        if (
            self.report.keep is None
            or self.report._added[self.name, kind] <= self.report.keep
        ):
            self.report.issues.append(
                Issue(self.name, index + 1, kind, reason, mention)
            )

    def unknown_type(self, index: int, label: str, reason: str, mention: str) -> None:
        """Counts a type that the taxonomy lacks; an issue is made at its first mention
        in the file.
        """
        self.report.unknown_types[self.name, label] += 1
        if self.report.unknown_types[self.name, label] == 1:
            self.add(index, UNKNOWN_TYPE, reason, mention)
        else:
            self.counts[UNKNOWN_TYPE] += 1
