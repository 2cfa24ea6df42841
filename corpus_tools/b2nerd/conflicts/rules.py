"""Rule-based conflict detection: the same label in two sets, the same mention string in
both, different annotation.

A string counts for a label if its set annotates more than half of its occurrences so.
An occurrence inside a longer mention is never a conflict. Time is linear in the size of
the texts: each is scanned once for all strings of all sets; after that only strings are
compared, never sentences.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from .edges import class_of_rest
from .evidence import (
    NOT_EXTRACTED,
    PARTIALLY_EXTRACTED,
    STRINGS,
    WRONG_CATEGORY,
    Evidence,
    form_of,
    is_cased,
)
from .sets import DataSet, Progress
from .similar import Names, Relation
from .strings import EXACT, UNMARKED, Outcome, StringIndex, Uses, scan

EXAMPLES = 3
ALL = "all"


def mention_strings(sets: Iterable[DataSet]) -> Iterable[str]:
    """All mention strings, with repetitions."""
    return (
        r.text[m.start : m.end] for s in sets for r in s.records() for m in r.mentions
    )


def find(
    sets: Sequence[DataSet],
    names: Names,
    *,
    aliases: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> list[Evidence]:
    """Compares every set with every other.

    aliases (Mapping[str, str]): Strings that stand for the same, such as translations,
        so that sets of different languages can be compared.
    RETURNS (list[Evidence]): Source "strings", most occurrences first.
    """
    index = StringIndex(mention_strings(sets), aliases=aliases)
    uses = [scan(s, index) for s in (progress(sets, "scan") if progress else sets)]
    owners: list[dict[int, str]] = [
        {k: u.label() for k, u in table.items() if u.label()} for table in uses
    ]
    found: list[Evidence] = []
    for a, labels in enumerate(owners):
        own = _own_rates(labels, uses[a])
        for b in range(len(sets)):
            if a != b:
                found += _compare(sets[a], sets[b], labels, uses[b], own, index, names)
    return sorted(
        found, key=lambda e: (-e.n, e.a, e.b, e.label, e.kind, e.other, e.form)
    )


def _own_rates(labels: Mapping[int, str], uses: Mapping[int, Uses]) -> dict[str, float]:
    """Label -> share of its strings' occurrences that the set itself does not annotate with it."""
    good: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for number, label in labels.items():
        good[label] += uses[number].outcomes[Outcome(EXACT, label)]
        total[label] += uses[number].total
    return {label: 1 - good[label] / n for label, n in total.items()}


def _compare(
    one: DataSet,
    two: DataSet,
    labels: Mapping[int, str],
    uses: Mapping[int, Uses],
    own: Mapping[str, float],
    index: StringIndex,
    names: Names,
) -> list[Evidence]:
    standard = {label: names(two.name, label) for label in two.labels}
    mine = {label: names(one.name, label) for label in one.labels}
    comparable = {
        label: names.closest(mine[label], standard.values()) != Relation.NONE
        for label in set(labels.values())
    }
    cased = is_cased(index.strings[number] for number in labels)
    checked: Counter[tuple[str, str]] = Counter()
    found: dict[tuple[str, str, str, str], Evidence] = {}
    for number in labels.keys() & uses.keys():
        label, string = labels[number], index.strings[number]
        form_here = _form(string, index, cased)
        for part in (ALL, form_here):
            checked[label, part] += uses[number].total
        for outcome, n in sorted(
            uses[number].outcomes.items(), key=lambda pair: str(pair[0])
        ):
            kind, other, form = _classify(outcome, form_here)
            if (
                kind == WRONG_CATEGORY
                and names.relation(mine[label], standard[other]) <= Relation.SIMILAR
            ):
                continue
            key = label, kind, other, form
            if key not in found:
                found[key] = Evidence(
                    STRINGS,
                    one.name,
                    two.name,
                    label,
                    kind,
                    other,
                    form,
                    comparable[label],
                    own_rate=own[label],
                )
            evidence = found[key]
            evidence.n += n
            evidence.strings[string] += n
            evidence.examples += uses[number].examples[outcome][
                : max(0, EXAMPLES - len(evidence.examples))
            ]
    for evidence in found.values():
        evidence.checked = checked[
            evidence.label, evidence.form if evidence.kind == NOT_EXTRACTED else ALL
        ]
    return list(found.values())


def _form(string: str, index: StringIndex, cased: bool) -> str:
    """'He' at the start of a sentence is as nominal as 'he'."""
    known = (
        string.lower()
        if string[1:] == string[1:].lower() and string.lower() in index.names
        else string
    )
    return form_of(known, cased=cased)


def _classify(outcome: Outcome, form: str) -> tuple[str, str, str]:
    if outcome.kind == EXACT:
        return WRONG_CATEGORY, outcome.label, ""
    if outcome.kind == UNMARKED:
        return NOT_EXTRACTED, "", form
    return PARTIALLY_EXTRACTED, outcome.label, class_of_rest(outcome.rest)


def totals(found: Iterable[Evidence]) -> dict[str, int]:
    """Occurrences of shared strings per class, of labels that both sets have."""
    counts: Counter[str] = Counter()
    for evidence in found:
        if evidence.comparable and evidence.source == STRINGS:
            counts[evidence.kind] += evidence.n
    return dict(counts)
