"""Judging predictions: what is right, what is wrong in which way, and how often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ..taxonomy import TypePath, format_path
from .scorers import Item, prf

# What a judgement can be, see `Judged`.
RIGHT, TYPE, LONG, SHORT, OVERLAP, MISSED, SPURIOUS = KINDS = (
    "right",
    "type",
    "long",
    "short",
    "overlap",
    "missed",
    "spurious",
)
BOUNDARY = (LONG, SHORT, OVERLAP)


@dataclass(frozen=True)
class Judged:
    """A gold mention with the prediction it was judged by.

    kind (str): The judgement.
        right: Boundaries and path are right.
        type: The boundaries are right, the path is not.
        long, short: The prediction holds the mention, or lies in it.
        overlap: They cross.
        missed: There is no prediction.
        spurious: The prediction touches no gold mention.
    gold (Item | None): The gold mention. None: spurious.
    found (Item | None): The prediction that shares most characters with it. None:
        missed.
    """

    kind: str
    gold: Item | None
    found: Item | None

    @property
    def parts_at(self) -> int:
        """The level, from 1, at which the predicted path leaves the gold one.

        0: the paths are equal or there is only one.
        """
        if self.gold is None or self.found is None:
            return 0
        gold = self.gold.path
        found = self.found.path
        if gold == found:
            return 0

        level = 1
        for a, b in zip(gold, found, strict=False):
            if a != b:
                break
            level += 1
        return level


def judge(gold: Sequence[Item], found: Sequence[Item]) -> list[Judged]:
    """Judge the flat mentions of a text.

    gold, found (Sequence[Item]): In characters, without overlaps among themselves.
    RETURNS (list[Judged]): The gold mentions in text order, then spurious predictions.
    """
    out = []
    for item in sorted(gold):
        best = _closest(item, found)
        kind = MISSED if best is None else _kind(item, best)
        out.append(Judged(kind, item, best))
    for item in sorted(found):
        if not any(_shared(item, other) > 0 for other in gold):
            out.append(Judged(SPURIOUS, None, item))
    return out


def _shared(a: Item, b: Item) -> int:
    """How many characters two mentions share. Not above 0: none."""
    return min(a.end, b.end) - max(a.start, b.start)


def _closest(item: Item, found: Sequence[Item]) -> Item | None:
    """The prediction that shares most characters, of several the first in the text.

    item (Item): A gold mention.
    found (Sequence[Item]): All predictions.
    RETURNS (Item | None): None if no prediction shares a character.
    """
    touching = [other for other in found if _shared(item, other) > 0]
    return max(
        touching,
        key=lambda other: (_shared(item, other), -other.start, other),
        default=None,
    )


def _kind(gold: Item, found: Item) -> str:
    """The judgement of a prediction that touches a gold mention.

    gold, found (Item): They share a character.
    """
    if gold[:2] == found[:2]:
        return RIGHT if gold.path == found.path else TYPE
    if found.start <= gold.start and gold.end <= found.end:
        return LONG
    if gold.start <= found.start and found.end <= gold.end:
        return SHORT
    return OVERLAP


@dataclass
class Tally:
    """Counts of a group of texts.

    docs (int): Texts.
    gold, found (int): Gold mentions, and predictions.
    kinds (Counter[str]): Judgements by kind. All but spurious ones are of gold mentions.
    typed (Counter[str]): Wrong boundaries by kind, of those whose type is right all the
        same.
    reach (Counter[int]): Mentions whose boundaries are right, by the levels that their
        gold path has.
    parts (Counter[int]): The same, by the level where the predicted path leaves it.
    pairs (Counter): The same, by (gold path, predicted path), equal ones included.
    """

    docs: int = 0
    gold: int = 0
    found: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    typed: Counter[str] = field(default_factory=Counter)
    reach: Counter[int] = field(default_factory=Counter)
    parts: Counter[int] = field(default_factory=Counter)
    pairs: Counter[tuple[TypePath, TypePath]] = field(default_factory=Counter)

    def add(self, judged: Iterable[Judged]) -> None:
        """Count judgements.

        `docs` and `found` are the caller's to count, since a prediction can serve two
        gold mentions.
        """
        for one in judged:
            self.kinds[one.kind] += 1
            self.gold += one.gold is not None
            if one.kind in BOUNDARY:
                self.typed[one.kind] += not one.parts_at
            elif one.gold is not None and one.found is not None:
                path = one.gold.path
                self.reach.update(range(1, len(path) + 1))
                self.parts[one.parts_at] += 1
                self.pairs[path, one.found.path] += 1

    @property
    def boundary(self) -> int:
        """Gold mentions found with wrong boundaries."""
        return sum(self.kinds[kind] for kind in BOUNDARY)

    def scores(self) -> dict[str, float | None]:
        """Strict scores, as `scorers.cascade_score` gives them.

        RETURNS (dict): Typed scores, F1 of boundaries, and accuracy of types.
        """
        right = self.kinds[RIGHT]
        bounded = right + self.kinds[TYPE]
        typed = prf(right, self.found, self.gold)
        span = prf(bounded, self.found, self.gold)
        return {
            "typed_p": typed.p,
            "typed_r": typed.r,
            "typed_f": typed.f,
            "span_f": span.f,
            "accuracy": right / bounded if bounded else None,
        }

    def repaired(self) -> dict[str, float]:
        """By how much typed F1 would rise if all errors of a kind were repaired.

        RETURNS (dict):
            type: Wrong types were named right.
            boundary: Wrong boundaries were moved, with the right type.
            missed: Missed mentions were found.
            spurious: Spurious ones were left out.
        """
        now = self.scores()["typed_f"]
        if now is None:
            return {}

        right = self.kinds[RIGHT]
        exact = right + self.kinds[TYPE]
        missed = self.kinds[MISSED]
        spurious = self.kinds[SPURIOUS]
        boundary = self.boundary
        # right predictions and all predictions after the repair
        after = {
            "type": (exact, self.found),
            "boundary": (right + boundary, exact + boundary + spurious),
            "missed": (right + missed, self.found + missed),
            "spurious": (right, self.found - spurious),
        }
        out = {}
        for kind, (tp, n_pred) in after.items():
            repaired = prf(tp, n_pred, self.gold).f or 0.0
            out[kind] = repaired - now
        return out

    def levels(self) -> list[dict[str, int]]:
        """Counts of mentions with right boundaries, for each level.

        RETURNS (list[dict]): How many gold paths get to the level, how many predicted
            ones are right down to it, how many part there.
        """
        deepest = max([*self.reach, *self.parts], default=0)
        out = []
        for level in range(1, deepest + 1):
            right = 0
            for (gold, found), n in self.pairs.items():
                if len(gold) >= level and gold[:level] == found[:level]:
                    right += n
            counts = {
                "level": level,
                "mentions": self.reach[level],
                "right": right,
                "part_here": self.parts[level],
            }
            out.append(counts)
        return out

    def confusions(self, level: int = 0) -> Counter[tuple[TypePath, TypePath]]:
        """Unequal pairs of (gold, predicted) path.

        level (int): Cut the paths there. 0: whole paths.
        RETURNS (Counter): How often each pair occurs.
        """
        cut = level or None
        out: Counter[tuple[TypePath, TypePath]] = Counter()
        for (gold, found), n in self.pairs.items():
            pair = (gold[:cut], found[:cut])
            if pair[0] != pair[1]:
                out[pair] += n
        return out

    def counts(self) -> dict[str, object]:
        """Sizes, and judgements by kind."""
        sizes: dict[str, object] = {
            "docs": self.docs,
            "gold": self.gold,
            "found": self.found,
        }
        for kind in KINDS:
            sizes[kind] = self.kinds[kind]
        return sizes

    def to_dict(self) -> dict[str, object]:
        """JSON-serializable: all counts and what follows from them."""
        confusions = []
        for (gold, found), n in self.confusions().most_common():
            confusions.append([format_path(gold), format_path(found), n])
        return {
            **self.counts(),
            "boundary_with_right_type": dict(self.typed),
            "scores": self.scores(),
            "f1_gain_if_repaired": self.repaired(),
            "levels": self.levels(),
            "confusions": confusions,
        }
