"""Where a pipeline goes wrong.

Every gold mention and every prediction is judged and counted by group, and some are
drawn to be looked at.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from spacy.tokens import Doc

from ..doc.missing import is_annotated
from ..taxonomy import Taxonomy
from .judging import RIGHT, Judged, Tally, judge
from .scorers import Item, scored_items

# A sentence of a sample is not shown if it is longer than this many characters.
MAX_SAMPLE = 400


@dataclass(frozen=True)
class Sample:
    """An error with the sentence it stands in. All offsets are those of the sentence.

    language, dataset (str): Where it comes from.
    text (str): The sentence.
    judged (Judged): The error.
    gold, found (Sequence[Item]): All mentions of the sentence.
    """

    language: str
    dataset: str
    text: str
    judged: Judged
    gold: Sequence[Item]
    found: Sequence[Item]


class Analysis:
    """Judges Docs one by one: counts, and errors drawn at random, evenly over languages.

    size (int): How many errors of a kind to draw in each language.
    seed (int): Of the draw.
    taxonomy (Optional[Taxonomy]): The pipeline's label set, as in `scorers.scored_items`.

    total (Tally): Counts of everything.
    groups (dict[str, dict[str, Tally]]): Counts by "language", "dataset" and "type":
        the first level of the gold path, or of the prediction where there is no gold.
    unannotated (int): Docs left out, because they have no entity annotation.
    """

    def __init__(
        self,
        *,
        size: int = 3,
        seed: int = 0,
        taxonomy: Taxonomy | None = None,
    ):
        self.taxonomy = taxonomy
        self.size = size
        self.seed = seed
        self.total = Tally()
        self.unannotated = 0
        self.groups: dict[str, dict[str, Tally]] = {}
        for by in ("language", "dataset", "type"):
            self.groups[by] = {}

        # by kind and language
        self._drawn: dict[tuple[str, str], list[Sample]] = {}
        self._seen: Counter[tuple[str, str]] = Counter()
        self._random: dict[tuple[str, str], random.Random] = {}

    def add(self, found: Doc, gold: Doc, *, name: str = "") -> None:
        """Judge a Doc. One without entity annotation is only counted.

        found (Doc): What a pipeline made of the text.
        gold (Doc): The reference. Its user_data["cascade_record"] tells language and
            data set.
        name (str): Of the data set, where that is missing.
        """
        if not is_annotated(gold):
            self.unannotated += 1
            return

        items, predicted = scored_items(gold, found, taxonomy=self.taxonomy)
        judged = judge(items, predicted)
        about = gold.user_data.get("cascade_record") or {}
        language = about.get("language") or ""
        dataset = about.get("dataset") or name

        by_language = self._group("language", language)
        by_dataset = self._group("dataset", dataset)
        for tally in (self.total, by_language, by_dataset):
            tally.docs += 1
            tally.found += len(predicted)
            tally.add(judged)

        for one in judged:
            tally = self._group("type", _coarse(one.gold or one.found))
            tally.add([one])
            if one.kind != RIGHT:
                self._offer(one, language, dataset, found, items, predicted)

        for coarse in {_coarse(item) for item in (*items, *predicted)}:
            tally = self._group("type", coarse)
            tally.docs += 1
            tally.found += sum(_coarse(item) == coarse for item in predicted)

    def _group(self, by: str, name: str) -> Tally:
        """The counts of a group, begun if there are none yet."""
        return self.groups[by].setdefault(name, Tally())

    def _offer(
        self,
        judged: Judged,
        language: str,
        dataset: str,
        doc: Doc,
        gold: Sequence[Item],
        found: Sequence[Item],
    ) -> None:
        """Keep an error as a sample, if it is drawn.

        doc (Doc): The text.
        gold, found (Sequence[Item]): All its mentions.
        judged (Judged): The error.
        language, dataset (str): Where it comes from.
        """
        start, end = _sentence(doc, judged)
        if end - start > MAX_SAMPLE:
            return
        key = (judged.kind, language)
        at = self._draw(key)
        if at is None:
            return

        focus = Judged(
            judged.kind,
            judged.gold and _moved(judged.gold, start),
            judged.found and _moved(judged.found, start),
        )
        sample = Sample(
            language,
            dataset,
            doc.text[start:end],
            judged=focus,
            gold=_inside(gold, start, end),
            found=_inside(found, start, end),
        )
        self._drawn[key][at : at + 1] = [sample]

    def _draw(self, key: tuple[str, str]) -> int | None:
        """Where to put another error of this kind and language. None: nowhere.

        Reservoir sampling: every error seen so far is equally likely to be kept.

        key (tuple): Kind and language.
        RETURNS (int | None): An index of what was drawn, or the index behind.
        """
        self._seen[key] += 1
        kept = self._drawn.setdefault(key, [])
        if len(kept) != self.size:
            return len(kept)
        chance = self._random.setdefault(key, random.Random(f"{self.seed} {key}"))
        at = chance.randrange(self._seen[key])
        return at if at < self.size else None

    def samples(self, kind: str, n: int) -> list[Sample]:
        """At most n errors of a kind, one per language in turn.

        kind (str): One of the judgements.
        n (int): How many are wanted.
        RETURNS (list[Sample]): Sorted by language.
        """
        by_language = []
        for (drawn_kind, _), drawn in sorted(self._drawn.items()):
            if drawn_kind == kind:
                by_language.append(drawn)

        out: list[Sample] = []
        for turn in itertools.zip_longest(*by_language):
            out += [sample for sample in turn if sample is not None]
        return sorted(out[:n], key=lambda sample: sample.language)

    def to_dict(self) -> dict[str, object]:
        """JSON-serializable: all counts.

        Of types only those, since a prediction's type is not always that of its
        mention.
        """
        out: dict[str, object] = {
            "all": self.total.to_dict(),
            "unannotated": self.unannotated,
        }
        for by, groups in self.groups.items():
            written = {}
            for name, tally in sorted(groups.items()):
                written[name] = tally.counts() if by == "type" else tally.to_dict()
            out[by] = written
        return out


def _coarse(item: Item | None) -> str:
    """The first name of its path."""
    return item.path[0] if item is not None and item.path else ""


def _moved(item: Item, start: int) -> Item:
    """The same mention in a text that begins at `start`."""
    return item._replace(start=item.start - start, end=item.end - start)


def _inside(items: Iterable[Item], start: int, end: int) -> list[Item]:
    """The mentions that lie in a sentence, with offsets of that sentence.

    items (Iterable[Item]): Mentions of the whole text.
    start, end (int): Characters of the sentence.
    """
    found = [item for item in items if start <= item.start and item.end <= end]
    return [_moved(item, start) for item in found]


def _sentence(doc: Doc, judged: Judged) -> tuple[int, int]:
    """Character offsets of the sentence or sentences that hold an error.

    Those of the whole text where there are none.

    doc (Doc): The text.
    judged (Judged): The error.
    RETURNS (tuple[int, int]): Never within a mention of the error.
    """
    if not doc.has_annotation("SENT_START"):
        return 0, len(doc.text)

    items = [item for item in (judged.gold, judged.found) if item is not None]
    start = min(item.start for item in items)
    end = max(item.end for item in items)
    sents = [s for s in doc.sents if s.start_char < end and start < s.end_char]
    first, last = sents[0], sents[-1]
    return min(start, first.start_char), max(end, last.end_char)
