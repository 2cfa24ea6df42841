"""Exact and near duplicates of texts, found by MinHash LSH (library datasketch) and
confirmed on the texts themselves.
"""

from __future__ import annotations

import unicodedata
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from spacy_cascade.doc.words import words_only

from .errors import CorpusError, Errors

GRAM = 5
PERMUTATIONS = 128
EXACT = "exact"
NEAR = "near"
# Candidates are confirmed, so a missed one (second weight) costs more than a false one
# (first weight).
WEIGHTS = (0.1, 0.9)


@dataclass(frozen=True)
class Match:
    """reason (str): EXACT or NEAR. number (int): Of the text, counted from 0 in the
    order of adding.
    similarity (float): Jaccard similarity of character 5-grams.
    """

    reason: str
    number: int
    similarity: float


def normalise(text: str) -> str:
    """Compatibility forms resolved, case folded, only letters with their marks and digits, single
    spaces; the stripped text if nothing of it is left."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return words_only(folded) or text.strip()


class DuplicateIndex:
    """Texts, searched for equal or similar ones.

    threshold (float): Jaccard similarity of character 5-grams, above 0, from which on
        two texts are near duplicates. None: only exact ones count. seed (int): Of the
        permutations.
    RAISES CorpusError: T077 without datasketch.
    """

    def __init__(self, threshold: float | None = 0.8, *, seed: int = 1):
        self.threshold = threshold
        self.seed = seed
        self._texts: list[str] = []
        self._exact: dict[str, int] = {}
        self._lsh: Any = None
        if threshold is not None:
            lsh = _datasketch().MinHashLSH
            self._lsh = lsh(threshold=threshold, num_perm=PERMUTATIONS, weights=WEIGHTS)

    def __len__(self) -> int:
        return len(self._texts)

    def add(self, texts: Sequence[str]) -> None:
        """Adds texts. Of equal ones the first counts."""
        new: list[tuple[int, str]] = []
        for key in map(normalise, texts):
            number = len(self._texts)
            if self._exact.setdefault(key, number) == number:
                new.append((number, key))
            self._texts.append(key)
        if self._lsh is not None:
            for (number, _), hashes in zip(
                new, self._hashes([key for _, key in new]), strict=True
            ):
                self._lsh.insert(number, hashes, check_duplication=False)

    def find(self, texts: Sequence[str]) -> list[Match | None]:
        """The equal text or, without one, the most similar above the threshold; of
        several the first.
        """
        keys = [normalise(t) for t in texts]
        found: list[Match | None] = []
        hashes: list[Any] = (
            self._hashes(keys) if self._lsh is not None else [None] * len(keys)
        )
        for key, hash in zip(keys, hashes, strict=True):
            if key in self._exact:
                found.append(Match(EXACT, self._exact[key], 1.0))
            else:
                found.append(self._nearest(key, hash) if hash is not None else None)
        return found

    def _nearest(self, key: str, hash: Any) -> Match | None:
        own = _grams(key)
        best: Match | None = None
        for number in sorted(self._lsh.query(hash)):
            other = _grams(self._texts[number])
            similarity = len(own & other) / len(own | other)
            if similarity >= (self.threshold or 0) and (
                best is None or similarity > best.similarity
            ):
                best = Match(NEAR, number, similarity)
        return best

    def _hashes(self, keys: Sequence[str]) -> list[Any]:
        grams = [
            [g.encode("utf8", "surrogatepass") for g in _grams(key)] for key in keys
        ]
        return list(
            _datasketch().MinHash.bulk(
                grams, num_perm=PERMUTATIONS, seed=self.seed, hashfunc=zlib.crc32
            )
        )


def _grams(text: str) -> set[str]:
    return {text[i : i + GRAM] for i in range(max(1, len(text) - GRAM + 1))}


def _datasketch() -> Any:
    try:
        import datasketch
    except ImportError as err:
        raise CorpusError(Errors.T077) from err
    return datasketch
