"""Template twins: sentences of two sets that differ only in their mentions, numbers or punctuation.

Generated corpora repeat templates; a test set that shares them with the training set
measures memory.
"""

from __future__ import annotations

import math
import re
import unicodedata
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from spacy_cascade.doc.words import words_only

from .errors import CorpusError, Errors
from .records import Record

MASK = "\ue000"
GRAM = 5
THRESHOLD = 0.7


@dataclass(frozen=True)
class Twin:
    """A test record and the training record most similar to it. Record numbers are counted from 1.

    similarity (float): Jaccard similarity of the character 5-grams of the masked texts;
        1.0 if these are equal.
    """

    test_file: str
    test_record: int
    train_file: str
    train_record: int
    similarity: float
    test_text: str
    train_text: str


def masked(record: Record) -> str:
    """The normalised text with a mask for every mention: case-folded, each number '0',
    no punctuation, single spaces. Empty if nothing but masks is left.
    """
    parts, last = [], 0
    for mention in sorted(record.mentions, key=lambda m: (m.start, -m.end)):
        if mention.start >= last:
            parts += [_normalise(record.text[last : mention.start]), MASK]
        last = max(last, mention.end)
    parts.append(_normalise(record.text[last:]))
    text = " ".join(p for p in parts if p)
    return text if text.replace(MASK, "").strip() else ""


def _normalise(text: str) -> str:
    folded = unicodedata.normalize("NFC", text).casefold()
    return words_only(re.sub(r"\d+", "0", folded))


@dataclass(frozen=True)
class _Text:
    file: str
    record: int
    text: str
    masked: str


def find_twins(
    train: Iterable[Record], test: Iterable[Record], *, threshold: float = THRESHOLD
) -> list[Twin]:
    """All test records that have a twin among the training records: equal masked text,
    or a Jaccard similarity of its character 5-grams above the threshold.

    Candidates come from an inverted index over the rarest grams of each text only: two
        texts more similar than t
    share one of their ceil((1 - t) n) + 1 rarest grams (prefix filtering, Chaudhuri et al. 2006).

    RAISES CorpusError: T008 if the threshold is not between 0 and 1.
    """
    if not 0 < threshold <= 1:
        raise CorpusError(
            Errors.T008.format(
                option="threshold", rule="above 0 and at most 1", value=threshold
            )
        )
    known: dict[str, _Text] = {}
    for one in map(_text, train):
        if one.masked:
            known.setdefault(one.masked, one)
    index = _Index(known, threshold)
    twins = []
    for one in map(_text, test):
        if not one.masked:
            continue
        if one.masked in known:
            found, similarity = known[one.masked], 1.0
        else:
            best, similarity = index.best(one.masked)
            if not best:
                continue
            found = known[best]
        twins.append(
            Twin(
                one.file,
                one.record,
                found.file,
                found.record,
                similarity,
                one.text,
                found.text,
            )
        )
    return twins


def _text(record: Record) -> _Text:
    meta = record.meta
    return _Text(
        str(meta.get("source", "")),
        int(meta.get("index", -1)) + 1,
        record.text,
        masked(record),
    )


class _Index:
    def __init__(self, texts: Iterable[str], threshold: float):
        self.threshold = threshold
        self.texts = list(texts)
        counts = Counter(g for text in self.texts for g in _grams(text))
        # Ids in the order of rarity, so that sorting ids sorts by rarity.
        self.ids = {
            g: i
            for i, (g, _) in enumerate(
                sorted(counts.items(), key=lambda item: (item[1], item[0]))
            )
        }
        self.grams = [
            array("I", sorted(self.ids[g] for g in _grams(text))) for text in self.texts
        ]
        self.postings: dict[int, array[int]] = defaultdict(lambda: array("I"))
        for number, grams in enumerate(self.grams):
            for gram in grams[: self._prefix(len(grams))]:
                self.postings[gram].append(number)

    def _prefix(self, size: int) -> int:
        return size - math.ceil(self.threshold * size) + 1

    def best(self, text: str) -> tuple[str, float]:
        """The most similar text above the threshold, or ''."""
        grams = _grams(text)
        size = len(grams)
        own = {self.ids[g] for g in grams if g in self.ids}
        # Grams that no indexed text has are the rarest of all and find nothing.
        prefix = sorted(own)[: max(0, self._prefix(size) - (size - len(own)))]
        best, highest = "", self.threshold
        for number in {n for gram in prefix for n in self.postings.get(gram, ())}:
            other = self.grams[number]
            if not highest * size <= len(other) <= size / highest:
                continue
            shared = sum(g in own for g in other)
            similarity = shared / (size + len(other) - shared)
            if similarity > highest:
                best, highest = self.texts[number], similarity
        return best, highest


def _grams(text: str) -> set[str]:
    return {text[i : i + GRAM] for i in range(max(1, len(text) - GRAM + 1))}
