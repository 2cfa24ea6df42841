"""Samples and splits of corpora: stratified few-shot samples, splits by ratio, splits
with disjoint coarse types.

Equal sentences (letters and digits only) always come to the same split.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

import numpy as np

from spacy_cascade.taxonomy import Taxonomy, parse_path

from .duplicates import normalise
from .errors import CorpusError, Errors, check_choice, check_rule
from .label_paths import LabelPaths
from .records import Record
from .units import NO_TYPE, Incidence, random

SPLITS = ("train", "dev", "test")
MODES = ("few-shot", "splits", "disjoint")
MIXED = ("mask", "drop")
# Random assignments of coarse types to splits, of which the one nearest to the ratio is taken.
TRIES = 4096
# Parts of `meta` that speak of all entries of the source.
_BY_ENTRY = ("order", "questions", "answers")


@dataclass(frozen=True)
class SampleOptions:
    """What to make of a data set.

    mode (str): "few-shot": a sample of at most `size` records, min(floor(size / types),
        n) for a type that stands in n records. "splits": train, dev and test by ratio.
        "disjoint": train, dev and test, each with coarse types of its own.
    ratio (tuple[int, int, int]): Of train, dev and test; the paper's is 1:1:3.
    coarse (bool): few-shot: strata are coarse types.
    mixed (str): disjoint: a record with types of two splits goes, with "mask", to the
        one with more of its mentions and loses the others (as in Few-NERD); with "drop"
        it is left out.
    types (Mapping[str, Sequence[str]]): disjoint: coarse types that are to come to a
        split; the rest is chosen.
    RAISES CorpusError: T003 and T008 for options out of range.
    """

    mode: str = "few-shot"
    size: int | None = None
    ratio: tuple[int, ...] = (1, 1, 3)
    coarse: bool = False
    mixed: str = "mask"
    types: Mapping[str, Sequence[str]] = field(default_factory=dict)
    seed: int = 0

    def __post_init__(self) -> None:
        check_choice("--mode", self.mode, MODES)
        check_choice("--mixed", self.mixed, MIXED)
        has_size = self.size is not None and self.size >= 1
        sized = self.mode != "few-shot" or has_size
        parted = len(self.ratio) == 3 and min(self.ratio) >= 1
        rules = (
            ("size", "at least 1", sized),
            ("ratio", "three whole numbers of at least 1", parted),
            ("seed", "at least 0", self.seed >= 0),
        )
        for name, rule, kept in rules:
            check_rule(name, rule, getattr(self, name), kept=kept)


class Scan:
    """What sampling needs to know of the records of a data set.

    name (str): Of the data set. labels, coarse (Incidence): Which types, and which
        coarse types, stand in which records.
    texts (ndarray[int64], shape (records,)): Equal numbers for equal sentences.
    """

    def __init__(self, name: str, records: Iterable[Record], coarse: CoarseTypes):
        self.name = name
        self.labels, self.coarse = Incidence(), Incidence()
        hashes = array("Q")
        for record in records:
            self.labels.add(name, (m.label for m in record.mentions))
            self.coarse.add(name, coarse(record))
            key = normalise(record.text).encode("utf8", "surrogatepass")
            hashes.append(
                int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "big")
            )
        self.labels.freeze()
        self.coarse.freeze()
        self.texts = np.unique(np.array(hashes, dtype=np.uint64), return_inverse=True)[
            1
        ]

    def __len__(self) -> int:
        return len(self.texts)


class CoarseTypes:
    """Coarse types of mentions: from a record's own paths, else from the taxonomy, else
    the first part of a label like 'a->b', else the label itself.
    """

    def __init__(self, taxonomy: Taxonomy | None = None):
        self._resolve = LabelPaths(taxonomy) if taxonomy is not None else None
        self._known: dict[str, str] = {}

    def of_label(self, label: str) -> str:
        if label not in self._known:
            path = parse_path(label)
            if self._resolve is not None:
                with suppress(
                    ValueError
                ):  # unknown or ambiguous: its own path, as everywhere
                    path = self._resolve(label)
            self._known[label] = path[0] if path else label
        return self._known[label]

    def __call__(self, record: Record) -> list[str]:
        """One per mention."""
        paths = record.meta.get("paths") or ()
        if len(paths) == len(record.mentions):
            return [(parse_path(path) or (path,))[0] for path in paths]
        return [self.of_label(m.label) for m in record.mentions]


def few_shot(scan: Scan, options: SampleOptions) -> np.ndarray:
    """A stratified sample: a type with n records gets q = min(floor(size / types), n)
    of its own, drawn from those that no rarer type has drawn. So a type stands in at
    least q records of the sample, and the sample has at most `size`.

    RETURNS (ndarray[bool], shape (records,)).
    RAISES CorpusError: T078 without a mention, and for a size below the number of types.
    """
    incidence = scan.coarse if options.coarse else scan.labels
    strata = [
        (rows, key[1])
        for key, rows in zip(incidence.keys, incidence.by_key(), strict=True)
        if key[1] != NO_TYPE
    ]
    size = options.size or 0
    if not strata or size < len(strata):
        why = (
            f"a sample of {size} record(s) can't hold all {len(strata)} types"
            if strata
            else "there is no mention"
        )
        raise CorpusError(
            Errors.T078.format(
                name=scan.name,
                why=why,
                remedy="a greater --size, or --coarse" if strata else "other data",
            )
        )
    taken = np.zeros(len(scan), dtype=bool)
    for rows, label in sorted(strata, key=lambda s: (len(s[0]), s[1])):
        free = rows[~taken[rows]]
        n = min(size // len(strata), len(rows))
        taken[
            random(options.seed, "few-shot", scan.name, label).permutation(free)[:n]
        ] = True
    return taken


def split_by_ratio(scan: Scan, options: SampleOptions) -> np.ndarray:
    """Sentences by their rarest type, then dealt out in blocks of sum(ratio), so that
    every type has its share everywhere.

    RETURNS (ndarray[int], shape (records,)): Numbers of splits.
    RAISES CorpusError: T078 for fewer different sentences than sum(ratio).
    """
    ratio = np.array(options.ratio) // np.gcd.reduce(options.ratio)
    n = int(scan.texts.max()) + 1 if len(scan) else 0
    if n < ratio.sum():
        why = f"{n} different sentence(s) can't be split {':'.join(map(str, ratio))}"
        raise CorpusError(
            Errors.T078.format(name=scan.name, why=why, remedy="more data")
        )
    sizes = np.bincount(scan.labels.key)
    # the first pair of each sentence, when its pairs are in the order of how frequent
    # their types are
    order = np.lexsort(
        (scan.labels.key, sizes[scan.labels.key], scan.texts[scan.labels.record])
    )
    first = np.unique(scan.texts[scan.labels.record][order], return_index=True)[1]
    stratum = scan.labels.key[order][first]
    rng = random(options.seed, "splits", scan.name)
    pattern = np.repeat(np.arange(len(ratio)), ratio)
    blocks = rng.permuted(np.tile(pattern, (-(-n // len(pattern)), 1)), axis=1).ravel()[
        :n
    ]
    split = np.empty(n, dtype=np.int64)
    split[np.lexsort((rng.random(n), stratum))] = blocks
    return split[scan.texts]


def partition(scan: Scan, options: SampleOptions) -> dict[str, int]:
    """Coarse types by split: of many random assignments the one whose numbers of
    mentions come nearest to the ratio.

    RAISES CorpusError: T079 for fewer coarse types than splits, and for given types
        that are unknown or stand twice.
    """
    names = [label for _, label in scan.coarse.keys]
    counts = np.bincount(scan.coarse.key, scan.coarse.mentions, len(names))
    known = [i for i, name in enumerate(names) if name != NO_TYPE]
    if len(known) < len(SPLITS):
        why = (
            f"it has {len(known)} coarse type(s)"
            f" ({', '.join(names[i] for i in known) or 'none'}), and each split needs one"
        )
        raise CorpusError(Errors.T079.format(name=scan.name, why=why))
    column = {names[i]: k for k, i in enumerate(known)}
    given: dict[str, int] = {}
    for split, wanted in options.types.items():
        for name in wanted:
            if name not in column or given.setdefault(
                name, SPLITS.index(split)
            ) != SPLITS.index(split):
                what = (
                    "stands in two splits"
                    if name in column
                    else "is none of its coarse types"
                )
                raise CorpusError(
                    Errors.T079.format(
                        name=scan.name,
                        why=f"the type {name!r} {what} ({', '.join(column)})",
                    )
                )
    tries = random(options.seed, "disjoint", scan.name).integers(
        len(SPLITS), size=(TRIES, len(known))
    )
    for name, number in given.items():
        tries[:, column[name]] = number
    member = tries[:, :, None] == np.arange(len(SPLITS))
    tries, member = (a[member.any(axis=1).all(axis=1)] for a in (tries, member))
    if not len(tries):
        raise CorpusError(
            Errors.T079.format(
                name=scan.name, why="the given types leave none for some split"
            )
        )
    shares = np.einsum("tks,k->ts", member, counts[known]) / counts.sum()
    best = (
        np.abs(shares - np.array(options.ratio) / sum(options.ratio))
        .sum(axis=1)
        .argmin()
    )
    return {name: int(tries[best, k]) for name, k in column.items()}


def split_disjoint(
    scan: Scan, split_of: Mapping[str, int], options: SampleOptions
) -> np.ndarray:
    """The split of each record, by its mentions' coarse types; ties go to the split
    that has fewer mentions. Records without a mention are dealt out by ratio.

    split_of (Mapping[str, int]): As from `partition`.
    RETURNS (ndarray[int], shape (records,)): Numbers of splits, -1 for records that are left out.
    """
    number = np.array([split_of.get(label, -1) for _, label in scan.coarse.keys])[
        scan.coarse.key
    ]
    typed = number >= 0
    n = int(scan.texts.max()) + 1
    votes = np.zeros((n, len(SPLITS)))
    np.add.at(
        votes,
        (scan.texts[scan.coarse.record[typed]], number[typed]),
        scan.coarse.mentions[typed],
    )
    totals = votes.sum(axis=0)
    split = (votes - totals / (totals.sum() * 2)).argmax(
        axis=1
    )  # less than half a mention: decides ties only
    if options.mixed == "drop":
        split[(votes > 0).sum(axis=1) > 1] = -1
    empty = np.flatnonzero(~votes.any(axis=1))
    ratio = np.array(options.ratio) / sum(options.ratio)
    split[empty] = random(options.seed, "empty", scan.name).choice(
        len(SPLITS), size=len(empty), p=ratio
    )
    return split[scan.texts]


def masked(
    record: Record, split: int, split_of: Mapping[str, int], coarse: CoarseTypes
) -> Record:
    """A record with only the mentions, and the labels, whose coarse type belongs to the
    split. The type lists of single mentions stay as they are: each asks a question, and
    the answer is still right.
    """

    def belongs(label: str) -> bool:
        return split_of.get(coarse.of_label(label), split) == split

    kept = [i for i, name in enumerate(coarse(record)) if split_of[name] == split]
    meta = dict(record.meta)
    if len(kept) < len(record.mentions):
        for key in _BY_ENTRY:
            meta.pop(key, None)
        for key in ("type_lists", "paths"):
            if len(meta.get(key) or ()) == len(record.mentions):
                meta[key] = [meta[key][i] for i in kept]
    return replace(
        record,
        mentions=tuple(record.mentions[i] for i in kept),
        labels=None if record.labels is None else tuple(filter(belongs, record.labels)),
        meta=meta,
        rejected=tuple(r for r in record.rejected if belongs(r.type)),
    )
