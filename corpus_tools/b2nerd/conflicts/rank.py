"""One ranked list of conflicts from all sources, each with a proposed split of the label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from .evidence import (
    EDGES,
    NOMINAL,
    NOT_EXTRACTED,
    STRINGS,
    TAGGER,
    WRONG_CATEGORY,
    Evidence,
    strength,
)
from .score import Score
from .sets import DataSet
from .similar import Names, Relation

EXAMPLES = 4
VOTES = 0.1  # share of unmarked mentions that another set must call something, to propose that name
UNMARKED = "(not marked)"
NOMINALS = "(nominal mention, not marked)"


@dataclass
class Conflict:
    """A group of mentions that some sets annotate as `label` and others not.

    other (str): What the others do: a label, "(not marked)", "(nominal mention, not
        marked)" or "(without <word>)".
    wide, narrow (list[str]): Sets that annotate them as `label`, and those that don't.
    n, checked (int): Occurrences of shared strings, counted once per pair of sets.
        edges, edges_checked (int): The same by first and last words. predicted,
        predictions (int): The same of the taggers' predictions.
    own_rate, edges_rate, home_rate (float): What share would be expected from the noise
        within one set.
    home, cross (float | None): Mean F1 of the label's taggers on their own sets and on
        the others, over `pairs`.
    split (list[str]): The names that the label should be split into. examples: (data set, snippet).
    """

    label: str
    other: str
    comparable: bool
    split: list[str]
    wide: list[str]
    narrow: list[str]
    classes: dict[str, int]
    sources: list[str]
    n: int
    checked: int
    own_rate: float
    edges: int
    edges_checked: int
    edges_rate: float
    predicted: int
    predictions: int
    home_rate: float
    pairs: int
    home: float | None
    cross: float | None
    strings: dict[str, int]
    examples: list[tuple[str, str]]

    @property
    def rate(self) -> float:
        return self.n / self.checked if self.checked else 0.0

    @property
    def loss(self) -> float:
        """Share of the F1 at home that is lost on the other sets, in [0, 1]."""
        return max(0.0, 1 - (self.cross or 0.0) / self.home) if self.home else 0.0

    @property
    def score(self) -> float:
        """What the rank goes by: how sure and how big the disagreement is (see
        `strength`) by the better of the two rules, plus the same of the taggers'
        predictions times the loss of F1.
        """
        strings = strength(self.n, self.checked, self.own_rate)
        rules = max(strings, strength(self.edges, self.edges_checked, self.edges_rate))
        return rules + self.loss * strength(
            self.predicted, self.predictions, self.home_rate
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-serializable."""
        return {**vars(self), "rate": self.rate, "loss": self.loss, "score": self.score}


@dataclass
class _Group:
    """Evidence for the same conflict. sides (Counter): How much speaks for each of two
    labels to be the wide one.
    """

    evidence: list[Evidence] = field(default_factory=list)
    sides: Counter[str] = field(default_factory=Counter)


def rank(
    evidence: Iterable[Evidence],
    names: Names,
    sets: Sequence[DataSet],
    scores: Sequence[Score] = (),
    types: Iterable[str] = (),
) -> list[Conflict]:
    """Groups evidence of all sources by what it says and ranks the groups.

    scores (Sequence[Score]): Of the taggers; their evidence is taken from them.
    types (Iterable[str]): Only conflicts of labels related to one of these. Default: all.
    RETURNS (list[Conflict]): Highest score first; those of labels without a counterpart
        in the other set come last.
    """
    table = {(s.a, s.b): s for s in scores}
    found = [*evidence, *_tagger_evidence(scores, names)]
    called = _called(found, names)
    labels = {s.name: s for s in sets}
    groups: dict[tuple[str, ...], _Group] = {}
    for one in found:
        mine, theirs = (
            names(one.a, one.label),
            names(one.b, one.other) if one.other else "",
        )
        names_only = (
            [names(one.b, y) for y in labels[one.b].named]
            if one.form == NOMINAL
            else ()
        )
        key = _key(
            one,
            mine,
            theirs,
            names,
            nominal=names.closest(mine, names_only) != Relation.NONE,
        )
        group = groups.setdefault(key, _Group())
        group.evidence.append(one)
        relation = names.relation(mine, theirs) if theirs else Relation.BROADER
        weight = 1000 * (relation == Relation.BROADER) + one.n if one.comparable else 0
        group.sides[mine] += weight
    wanted = [names("", t) for t in types]
    conflicts = []
    for key, group in groups.items():
        label = _wide(key, group)
        other = next((part for part in key if part != label), "")
        if wanted and all(
            names.relation(w, x) > Relation.SIMILAR
            for w in wanted
            for x in (label, other)
        ):
            continue
        conflicts.append(
            _conflict(label, other, group.evidence, names, labels, table, called)
        )
    kept = [c for c in conflicts if c.score > 0]
    return sorted(kept, key=lambda c: (not c.comparable, -c.score, c.label, c.other))


def _key(
    one: Evidence, mine: str, theirs: str, names: Names, *, nominal: bool
) -> tuple[str, ...]:
    """What the evidence says. nominal (bool): Mentions in lower case, of a type that
    the other set has for names.
    """
    if one.kind == WRONG_CATEGORY:
        return tuple(sorted((mine, theirs)))
    if one.kind == NOT_EXTRACTED:
        return mine, NOMINALS if nominal else UNMARKED
    relation = names.relation(mine, theirs)
    broader = {Relation.SAME: mine, Relation.BROADER: mine, Relation.NARROWER: theirs}
    label = broader.get(relation, min(mine, theirs, key=lambda name: (len(name), name)))
    return label, f"(without {one.form})" if one.form else "(only a part)"


def _wide(key: tuple[str, ...], group: _Group) -> str:
    """The label to split: the broader one, else the one that both sets have."""
    if key[1].startswith("("):
        return key[0]
    return max(key, key=lambda name: (group.sides[name], name))


def _tagger_evidence(scores: Sequence[Score], names: Names) -> list[Evidence]:
    """Predictions that the other set disagrees with, with the rate of the same
    disagreement at home.
    """
    home: dict[tuple[str, str, str, str], float] = {}
    for s in scores:
        if s.a == s.b:
            for e in s.evidence:
                key = (
                    s.a,
                    e.label,
                    e.kind,
                    names(s.a, e.other) if e.kind == WRONG_CATEGORY else e.form,
                )
                home[key] = home.get(key, 0.0) + e.rate
    found = []
    for s in scores:
        if s.a == s.b:
            continue
        theirs = [names(s.b, y) for y in s.gold]
        for e in s.evidence:
            mine, other = (
                names(s.a, e.label),
                names(s.b, e.other) if e.kind == WRONG_CATEGORY else e.form,
            )
            related = names.closest(mine, theirs) != Relation.NONE
            if not related or (
                e.kind == WRONG_CATEGORY
                and names.relation(mine, other) <= Relation.SIMILAR
            ):
                continue
            e.own_rate = home.get((s.a, e.label, e.kind, other), 0.0)
            found.append(e)
    return found


def _called(evidence: Iterable[Evidence], names: Names) -> dict[str, Counter[str]]:
    """Mention string -> what sets call it that disagree with another."""
    called: dict[str, Counter[str]] = {}
    for one in evidence:
        if one.source == STRINGS and one.kind == WRONG_CATEGORY:
            for string, n in one.strings.items():
                called.setdefault(string, Counter())[names(one.b, one.other)] += n
    return called


def _conflict(
    label: str,
    other: str,
    evidence: Sequence[Evidence],
    names: Names,
    sets: Mapping[str, DataSet],
    table: Mapping[tuple[str, str], Score],
    called: Mapping[str, Counter[str]],
) -> Conflict:
    by_source = {
        s: [e for e in evidence if e.source == s] for s in (STRINGS, EDGES, TAGGER)
    }
    # what is shown comes from the strings, if there are any
    best = next(found for found in by_source.values() if found)
    strings: Counter[str] = Counter()
    classes: Counter[str] = Counter()
    wide: Counter[str] = Counter()
    narrow: Counter[str] = Counter()
    for e in best:
        strings.update(e.strings)
        classes[e.kind] += e.n
        swapped = e.kind == WRONG_CATEGORY and names(e.a, e.label) == other
        wide[e.b if swapped else e.a] += e.n
        narrow[e.a if swapped else e.b] += e.n
    f1 = [
        pair
        for pair in (
            _f1(key, names, sets, table)
            for key in {(e.a, e.b, e.label) for e in evidence}
        )
        if pair
    ]
    n, checked, own = _sums(by_source[STRINGS])
    edges, edges_checked, edges_rate = _sums(by_source[EDGES])
    predicted, predictions, home_rate = _sums(by_source[TAGGER])
    shown = sorted(best, key=lambda e: -e.n)
    return Conflict(
        label=label,
        other=other,
        comparable=any(e.comparable for e in evidence),
        split=_split(label, other, strings, names, called),
        wide=[name for name, _ in wide.most_common()],
        narrow=[name for name, _ in narrow.most_common()],
        classes=dict(classes),
        sources=sorted({e.source for e in evidence}),
        n=n,
        checked=checked,
        own_rate=own,
        edges=edges,
        edges_checked=edges_checked,
        edges_rate=edges_rate,
        predicted=predicted,
        predictions=predictions,
        home_rate=home_rate,
        pairs=len(f1),
        home=fmean(home for home, _ in f1) if f1 else None,
        cross=fmean(cross for _, cross in f1) if f1 else None,
        strings=dict(strings.most_common(10)),
        examples=list(dict.fromkeys((e.b, e.examples[0]) for e in shown if e.examples))[
            :EXAMPLES
        ],
    )


def _sums(evidence: Sequence[Evidence]) -> tuple[int, int, float]:
    """Occurrences, those looked at (each once), and the mean rate of noise among them."""
    once = {_base(e): e for e in evidence if e.source != EDGES}
    bases = [
        *once.values(),
        *(e for e in evidence if e.source == EDGES),
    ]  # each edge has a base of its own
    checked = sum(e.checked for e in bases)
    return (
        sum(e.n for e in evidence),
        checked,
        sum(e.checked * e.own_rate for e in bases) / max(1, checked),
    )


def _base(one: Evidence) -> tuple[str, ...]:
    """What the checked occurrences of a piece of evidence depend on."""
    return (
        one.a,
        one.b,
        one.label,
        one.form if one.kind == NOT_EXTRACTED and one.source == STRINGS else "",
    )


def _f1(
    key: tuple[str, str, str],
    names: Names,
    sets: Mapping[str, DataSet],
    table: Mapping[tuple[str, str], Score],
) -> tuple[float, float] | None:
    """F1 of a label at home and on the other set, there against the label closest by name."""
    a, b, label = key
    if (a, b) not in table:
        return None
    mine = names(a, label)
    best = min(
        (
            (names.relation(mine, names(b, y)), -n, y)
            for y, n in sets[b].labels.items()
            if n
        ),
        default=None,
    )
    if best is None or best[0] == Relation.NONE:
        return None
    return table[a, a].prf(label, label)[2], table[a, b].prf(label, best[2])[2]


def _split(
    label: str,
    other: str,
    strings: Mapping[str, int],
    names: Names,
    called: Mapping[str, Counter[str]],
) -> list[str]:
    """What the evidence suggests: the other sets' own name for the mentions, where they
    have one.
    """
    if other == NOMINALS:
        return [f"{label} -> named", f"{label} -> nominal mention"]
    if other.startswith("(without"):
        return [
            f"{label}, {other.strip('()').replace('without', how)}"
            for how in ("with", "without")
        ]
    if other == UNMARKED:
        votes: Counter[str] = Counter()
        for string, n in strings.items():
            for name, k in called.get(string, Counter()).items():
                if names.relation(label, name) > Relation.SIMILAR:
                    votes[name] += min(n, k)
        best, n = max(
            votes.items(), key=lambda pair: (pair[1], pair[0]), default=("", 0)
        )
        if n >= VOTES * sum(strings.values()):
            other = best or other
    if other.startswith("("):
        return [label]
    return [f"{label} -> {other.split('->')[-1]}", f"{label} -> others"]
