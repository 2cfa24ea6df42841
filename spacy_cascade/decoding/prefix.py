"""What sequences begin with alike is run once, and they go on from there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..types import CachePool, CacheRow, CausalLM, Query

# A common beginning that is shorter is not worth a pass of its own.
SHORTEST = 16


@dataclass
class Beginning:
    """A sequence of tokens whose beginning may be shared.

    ids (Sequence[int]): Token ids.
    depths (Sequence[int] | None): Positions of the tokens. None: counted on.
    most (int): How many of the first tokens may be shared.
    """

    ids: Sequence[int]
    depths: Sequence[int] | None
    most: int


def common(a: Beginning, b: Beginning) -> int:
    """How many tokens two sequences have in common, positions included.

    a, b (Beginning): The sequences.
    RETURNS (int): No more than may be shared of both.
    """
    most = min(a.most, b.most, len(a.ids), len(b.ids))
    n = _alike(a.ids, b.ids, most)
    if a.depths is None and b.depths is None:
        return n

    depths_a = range(n) if a.depths is None else a.depths
    depths_b = range(n) if b.depths is None else b.depths
    return _alike(depths_a, depths_b, n)


def _alike(a: Sequence[int], b: Sequence[int], most: int) -> int:
    """How many of the first values are equal, `most` at most.

    a, b (Sequence[int]): `most` values or more.
    RETURNS (int): At most `most`.
    """
    n = 0
    while n < most and a[n] == b[n]:
        n += 1
    return n


def run_beginnings(
    lm: CausalLM,
    pool: CachePool,
    sequences: Sequence[Beginning],
) -> Iterator[tuple[int, CacheRow]]:
    """Run what several sequences begin with, once.

    lm (CausalLM): The model.
    pool (CachePool): Where rows are kept.
    sequences (Sequence[Beginning]): What is to be run.
    YIELDS (tuple[int, CacheRow]): Index of a sequence, and a row that holds its
        beginning. Nothing for sequences that share none.
    """
    for group in _groups(sequences):
        first = sequences[group[0]]
        n = min(common(first, sequences[i]) for i in group)
        if len(group) < 2 or n < SHORTEST:
            continue

        row = pool.row()
        depths = None if first.depths is None else list(first.depths[:n])
        query = Query(list(first.ids[:n]), depths=depths, row=row)
        lm.candidate_logits([query])
        for i in group:
            yield i, row.fork(n)


def _groups(sequences: Sequence[Beginning]) -> list[list[int]]:
    """Indices of sequences whose first tokens are the same.

    sequences (Sequence[Beginning]): Those that may share too little are left out.
    RETURNS (list[list[int]]): Groups of one or more.
    """
    groups: dict[tuple[int, ...], list[int]] = {}
    for i, sequence in enumerate(sequences):
        if sequence.most < SHORTEST:
            continue
        key = tuple(sequence.ids[:SHORTEST])
        groups.setdefault(key, []).append(i)
    return list(groups.values())
