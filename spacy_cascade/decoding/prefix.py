"""What sequences begin with alike is run once, and they go on from there."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..types import CausalLM, Query

# A common beginning that is shorter is not worth a pass of its own.
SHORTEST = 16


@dataclass
class Beginning:
    """A sequence of tokens with their positions (None: counted on), of which at most
    the first `most` may be shared.
    """

    ids: Sequence[int]
    depths: Sequence[int] | None
    most: int


def common(a: Beginning, b: Beginning) -> int:
    """How many tokens two sequences have in common, positions included."""
    most = min(a.most, b.most)
    n = next(
        (
            k
            for k, (x, y) in enumerate(
                itertools.islice(zip(a.ids, b.ids, strict=False), most)
            )
            if x != y
        ),
        most,
    )
    n = min(n, len(a.ids), len(b.ids))
    if a.depths is None and b.depths is None:
        return n
    da = range(n) if a.depths is None else a.depths
    db = range(n) if b.depths is None else b.depths
    return next(
        (
            k
            for k, (x, y) in enumerate(itertools.islice(zip(da, db, strict=False), n))
            if x != y
        ),
        n,
    )


def run_beginnings(
    lm: CausalLM, memory: Any, sequences: Sequence[Beginning]
) -> Iterator[tuple[int, Any]]:
    """Run what several sequences begin with, once.

    RETURNS: index of a sequence, and a row that holds its beginning; nothing for
        sequences that share none.
    """
    groups: dict[tuple[int, ...], list[int]] = {}
    for i, s in enumerate(sequences):
        if s.most >= SHORTEST:
            groups.setdefault(tuple(s.ids[:SHORTEST]), []).append(i)
    for group in groups.values():
        first = sequences[group[0]]
        n = min(common(first, sequences[i]) for i in group)
        if len(group) < 2 or n < SHORTEST:
            continue
        row = memory.row()
        lm.candidate_logits(
            [
                Query(
                    list(first.ids[:n]),
                    depths=None if first.depths is None else list(first.depths[:n]),
                    row=row,
                )
            ]
        )
        for i in group:
            yield i, row.fork(n)
