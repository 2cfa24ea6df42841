"""Which queries run together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from ..types import Query

# Elements of one dense attention mask: 64 MB in float32.
_MASK_ELEMENTS = 1 << 24


def known(query: Query) -> int:
    """How many of a query's tokens its row holds."""
    return 0 if query.row is None else len(query.row)


def new_tokens(query: Query) -> int:
    """How many have to be run."""
    return len(query.ids) - known(query)


def batches_of(
    queries: Sequence[Query], most: int, padding: float
) -> Iterator[list[int]]:
    """Indices of queries of similar length; those with rows apart from the others.

    most (int): Tokens of a batch. padding (float): Tokens that a batch may be filled up with.
    """
    order = sorted(
        range(len(queries)),
        key=lambda i: (queries[i].row is None, new_tokens(queries[i])),
    )
    batch: list[int] = []
    filled = 0
    for i in order:
        query, longest = queries[i], new_tokens(queries[i])
        tokens = longest * (len(batch) + 1)
        dense = query.parents is not None and tokens * len(query.ids) > _MASK_ELEMENTS
        more = (longest - new_tokens(queries[batch[-1]])) * len(batch) if batch else 0
        other = batch and (query.row is None) != (queries[batch[-1]].row is None)
        if batch and (other or dense or tokens > most or filled + more > padding):
            yield batch
            batch, filled, more = [], 0, 0
        filled += more
        batch.append(i)
    if batch:
        yield batch


def out_of_memory(err: BaseException) -> bool:
    """Whether an exception says that memory ran out, on whatever device."""
    return isinstance(
        err, (MemoryError, torch.OutOfMemoryError)
    ) or "can't allocate memory" in str(err)
