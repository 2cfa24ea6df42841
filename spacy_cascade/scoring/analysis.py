"""Where a pipeline goes wrong: every gold mention and every prediction is judged,
counted by group, and some are drawn to be looked at.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from spacy.tokens import Doc

from ..doc.missing import is_annotated
from ..taxonomy import Taxonomy, TypePath, format_path
from .scorers import Item, prf, scored_items

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
# A sentence of a sample is not shown if it is longer than this many characters.
MAX_SAMPLE = 400


@dataclass(frozen=True)
class Judged:
    """A gold mention with the prediction that shares most characters with it (None:
    missed), or a prediction that shares none with any gold mention (gold is None).

    kind (str): right; type: right boundaries, but not the gold path; long, short: the
        prediction holds the mention, or lies in it; overlap: they cross; missed;
        spurious.
    """

    kind: str
    gold: Item | None
    found: Item | None

    @property
    def parts_at(self) -> int:
        """The level at which the predicted path leaves the gold one, from 1; 0: the
        paths are equal or there is only one.
        """
        if self.gold is None or self.found is None or self.gold[2] == self.found[2]:
            return 0
        pairs = itertools.zip_longest(self.gold[2], self.found[2])
        return next(level for level, (a, b) in enumerate(pairs, 1) if a != b)


def judge(gold: Sequence[Item], found: Sequence[Item]) -> list[Judged]:
    """Judge the flat mentions of a text: the gold ones in text order, then spurious predictions.

    gold, found (Sequence[Item]): (start, end, path) in characters, without overlaps
        among themselves.
    """
    out = []
    for item in sorted(gold):
        shared = [(min(item[1], f[1]) - max(item[0], f[0]), -f[0], f) for f in found]
        best = max((s for s in shared if s[0] > 0), default=None)
        out.append(
            Judged(MISSED, item, None)
            if best is None
            else Judged(_kind(item, best[2]), item, best[2])
        )
    for f in sorted(found):
        if all(f[1] <= g[0] or g[1] <= f[0] for g in gold):
            out.append(Judged(SPURIOUS, None, f))
    return out


def _kind(gold: Item, found: Item) -> str:
    if gold[:2] == found[:2]:
        return RIGHT if gold[2] == found[2] else TYPE
    if found[0] <= gold[0] and gold[1] <= found[1]:
        return LONG
    return SHORT if gold[0] <= found[0] and found[1] <= gold[1] else OVERLAP


@dataclass
class Tally:
    """Counts of a group of texts.

    kinds (Counter[str]): Judgements by kind; all but spurious ones are of gold mentions.
    typed (Counter[str]): Wrong boundaries by kind, of those whose type is right all the same.
    reach, parts (Counter[int]): Mentions whose boundaries are right, by level: whose
        gold path gets that far; whose predicted path leaves the gold one there.
    pairs (Counter): (gold path, predicted path) of mentions whose boundaries are right,
        equal ones included.
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
        """Count judgements; `docs` and `found` are the caller's to count, since a
        prediction can serve two gold mentions.
        """
        for j in judged:
            self.kinds[j.kind] += 1
            self.gold += j.gold is not None
            if j.kind in BOUNDARY:
                self.typed[j.kind] += not j.parts_at
            elif j.gold is not None and j.found is not None:
                self.reach.update(range(1, len(j.gold[2]) + 1))
                self.parts[j.parts_at] += 1
                self.pairs[j.gold[2], j.found[2]] += 1

    @property
    def boundary(self) -> int:
        """Gold mentions found with wrong boundaries."""
        return sum(self.kinds[k] for k in BOUNDARY)

    def scores(self) -> dict[str, float | None]:
        """Strict scores as `scorers.cascade_score` gives them: typed and by boundaries,
        and accuracy of types.
        """
        bounded = self.kinds[RIGHT] + self.kinds[TYPE]
        p, r, f = prf(self.kinds[RIGHT], self.found, self.gold)
        span = prf(bounded, self.found, self.gold)[2]
        return {
            "typed_p": p,
            "typed_r": r,
            "typed_f": f,
            "span_f": span,
            "accuracy": self.kinds[RIGHT] / bounded if bounded else None,
        }

    def repaired(self) -> dict[str, float]:
        """By how much typed F1 would rise if all errors of a kind were repaired: wrong
        types named right, wrong boundaries moved (with the right type), missed mentions
        found, spurious ones left out.
        """
        now = self.scores()["typed_f"]
        if now is None:
            return {}
        right, exact = self.kinds[RIGHT], self.kinds[RIGHT] + self.kinds[TYPE]
        after = {
            "type": (exact, self.found),
            "boundary": (
                right + self.boundary,
                exact + self.boundary + self.kinds[SPURIOUS],
            ),
            "missed": (right + self.kinds[MISSED], self.found + self.kinds[MISSED]),
            "spurious": (right, self.found - self.kinds[SPURIOUS]),
        }
        return {
            kind: (prf(tp, n, self.gold)[2] or 0.0) - now
            for kind, (tp, n) in after.items()
        }

    def levels(self) -> list[dict[str, int]]:
        """For each level: mentions with right boundaries whose gold path gets there,
        those right down to it, those whose paths part there.
        """
        out = []
        for level in range(1, max([*self.reach, *self.parts], default=0) + 1):
            right = sum(
                n
                for (g, f), n in self.pairs.items()
                if len(g) >= level and g[:level] == f[:level]
            )
            out.append(
                {
                    "level": level,
                    "mentions": self.reach[level],
                    "right": right,
                    "part_here": self.parts[level],
                }
            )
        return out

    def confusions(self, level: int = 0) -> Counter[tuple[TypePath, TypePath]]:
        """Unequal pairs of (gold, predicted) path, cut at a level; 0: whole paths."""
        cut = level or None
        out: Counter[tuple[TypePath, TypePath]] = Counter()
        for (g, f), n in self.pairs.items():
            if g[:cut] != f[:cut]:
                out[g[:cut], f[:cut]] += n
        return out

    def counts(self) -> dict[str, Any]:
        """Sizes, and judgements by kind."""
        return {
            "docs": self.docs,
            "gold": self.gold,
            "found": self.found,
            **{k: self.kinds[k] for k in KINDS},
        }

    def to_dict(self) -> dict[str, Any]:
        """JSON-serializable: all counts and what follows from them."""
        return {
            **self.counts(),
            "boundary_with_right_type": dict(self.typed),
            "scores": self.scores(),
            "f1_gain_if_repaired": self.repaired(),
            "levels": self.levels(),
            "confusions": [
                [format_path(g), format_path(f), n]
                for (g, f), n in self.confusions().most_common()
            ],
        }


@dataclass(frozen=True)
class Sample:
    """An error with the sentence it stands in.

    text (str): The sentence. judged (Judged): The error. gold, found (Sequence[Item]):
        All mentions of the sentence. All offsets are those of `text`.
    """

    language: str
    dataset: str
    text: str
    judged: Judged
    gold: Sequence[Item]
    found: Sequence[Item]


class Analysis:
    """Judges Docs one by one: counts, and errors drawn at random, evenly over languages.

    size (int): How many errors of a kind to draw in each language. seed (int): Of the draw.
    taxonomy (Optional[Taxonomy]): The pipeline's label set, as in `scorers.scored_items`.

    groups (dict[str, dict[str, Tally]]): Counts by "language", "dataset" and "type"
        (the first level of the gold path, or of the prediction where there is no gold).
        total (Tally): Of everything. unannotated (int): Docs left out, because they
        have no entity annotation.
    """

    def __init__(
        self, *, size: int = 3, seed: int = 0, taxonomy: Taxonomy | None = None
    ):
        self.taxonomy = taxonomy
        self.size = size
        self.seed = seed
        self.total = Tally()
        self.unannotated = 0
        self.groups: dict[str, dict[str, Tally]] = {
            "language": {},
            "dataset": {},
            "type": {},
        }
        self._drawn: dict[tuple[str, str], list[Sample]] = {}
        self._seen: Counter[tuple[str, str]] = Counter()
        self._random: dict[tuple[str, str], random.Random] = {}

    def add(self, found: Doc, gold: Doc, *, name: str = "") -> None:
        """found (Doc): What a pipeline made of the text. gold (Doc): The reference; its
        user_data["cascade_record"] tells language and data set. name (str): Of the data
        set, where that is missing. A Doc without entity annotation is only counted.
        """
        if not is_annotated(gold):
            self.unannotated += 1
            return
        items, predicted = scored_items(gold, found, taxonomy=self.taxonomy)
        judged = judge(items, predicted)
        about = gold.user_data.get("cascade_record") or {}
        language, dataset = about.get("language") or "", about.get("dataset") or name
        for tally in (
            self.total,
            self._group("language", language),
            self._group("dataset", dataset),
        ):
            tally.docs += 1
            tally.found += len(predicted)
            tally.add(judged)
        for j in judged:
            self._group("type", _coarse(j.gold or j.found)).add([j])
            if j.kind != RIGHT:
                self._offer(j, language, dataset, found, items, predicted)
        for coarse in {_coarse(item) for item in (*items, *predicted)}:
            tally = self._group("type", coarse)
            tally.docs += 1
            tally.found += sum(_coarse(item) == coarse for item in predicted)

    def _group(self, by: str, name: str) -> Tally:
        return self.groups[by].setdefault(name, Tally())

    def _offer(
        self,
        j: Judged,
        language: str,
        dataset: str,
        doc: Doc,
        gold: list[Item],
        found: list[Item],
    ) -> None:
        start, end = _sentence(doc, j)
        if end - start > MAX_SAMPLE:
            return
        key = (j.kind, language)
        self._seen[key] += 1
        kept = self._drawn.setdefault(key, [])
        at = len(kept)
        if (
            at == self.size
        ):  # reservoir sampling: every error seen so far is equally likely to be kept
            chance = self._random.setdefault(key, random.Random(f"{self.seed} {key}"))
            at = chance.randrange(self._seen[key])
            if at >= self.size:
                return

        def inside(items: Iterable[Item]) -> list[Item]:
            return [
                (s - start, e - start, p)
                for s, e, p in items
                if start <= s and e <= end
            ]

        focus = Judged(
            j.kind,
            *(inside([i])[0] if i is not None else None for i in (j.gold, j.found)),
        )
        kept[at : at + 1] = [
            Sample(
                language,
                dataset,
                doc.text[start:end],
                focus,
                inside(gold),
                inside(found),
            )
        ]

    def samples(self, kind: str, n: int) -> list[Sample]:
        """At most n errors of a kind, one per language in turn."""
        by_language = [
            drawn for (k, _), drawn in sorted(self._drawn.items()) if k == kind
        ]
        turns: Iterator[Sample | None] = itertools.chain.from_iterable(
            itertools.zip_longest(*by_language)
        )
        return sorted(
            itertools.islice((s for s in turns if s is not None), n),
            key=lambda s: s.language,
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-serializable: all counts.

        Of types only those, since a prediction's type is not always that of its
        mention.
        """
        out: dict[str, Any] = {
            "all": self.total.to_dict(),
            "unannotated": self.unannotated,
        }
        for by, groups in self.groups.items():
            out[by] = {
                name: t.counts() if by == "type" else t.to_dict()
                for name, t in sorted(groups.items())
            }
        return out


def _coarse(item: Item | None) -> str:
    return item[2][0] if item is not None and item[2] else ""


def _sentence(doc: Doc, j: Judged) -> tuple[int, int]:
    """Character offsets of the sentence or sentences that hold an error; of the whole
    text where there are none.
    """
    if not doc.has_annotation("SENT_START"):
        return 0, len(doc.text)
    items = [item for item in (j.gold, j.found) if item is not None]
    start, end = min(i[0] for i in items), max(i[1] for i in items)
    sents = [s for s in doc.sents if s.start_char < end and start < s.end_char]
    return min(start, sents[0].start_char), max(end, sents[-1].end_char)
