"""Everything that went wrong with a source, and how often."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

# Kinds of issues.
REPAIRED = (
    "repaired"  # wrong in the source; put right, and the outcome is surely usable
)
REJECTED = "rejected"  # can't be used; `--strict` fails on these
NESTED = (
    "nested"  # inside or across a longer mention: a gold span, but not in `doc.ents`
)
DUPLICATE = "duplicate"  # says again what another entry of the record says
# Not at token boundaries: moved to the nearest, exact offsets kept beside; or tokens are cut there.
MISALIGNED = "misaligned"
UNKNOWN_TYPE = "unknown_type"  # not in the taxonomy; once per file and type
RENAMED = (
    "renamed"  # written otherwise than it is called: the target format can't hold it so
)
NOT_WRITTEN = "not_written"  # the target format can't hold it
OFF_LIST = "off_list"  # an answer that its own type list does not hold
IGNORED = "ignored"  # no mention: relations, notes, records that the annotator rejected
SKIPPED = "skipped"  # a file of a directory tree that is in no known format

# Counts of records; REJECTED counts mentions.
REJECTED_RECORDS = "rejected_records"
UNANNOTATED = "unannotated"  # the annotation is missing altogether

KEPT = 100  # issues per file and kind that a report keeps; the rest is counted


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
