"""Which queries run together, and as what."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import torch

from ..decoding.tree import path_to
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
    queries: Sequence[Query],
    most: int,
    padding: float,
) -> Iterator[list[int]]:
    """Put queries of similar length into a batch together.

    Those with a row do not mix with those without.

    queries (Sequence[Query]): In any order.
    most (int): Tokens of a batch, with padding.
    padding (float): Tokens that a batch may be filled up with.
    YIELDS (list[int]): Indices of the queries of one batch.
    """

    def by_length(i: int) -> tuple[bool, int]:
        return queries[i].row is None, new_tokens(queries[i])

    batch: list[int] = []
    filled = 0
    for i in sorted(range(len(queries)), key=by_length):
        query = queries[i]
        longest = new_tokens(query)
        tokens = longest * (len(batch) + 1)
        more = 0
        if batch:
            last = queries[batch[-1]]
            more = (longest - new_tokens(last)) * len(batch)
            other = (query.row is None) != (last.row is None)
            dense = query.parents is not None
            too_dense = dense and tokens * len(query.ids) > _MASK_ELEMENTS
            if other or too_dense or tokens > most or filled + more > padding:
                yield batch
                batch = []
                filled = 0
                more = 0
        filled += more
        batch.append(i)
    if batch:
        yield batch


def out_of_memory(err: BaseException) -> bool:
    """Whether an exception says that memory ran out, on whatever device."""
    if isinstance(err, (MemoryError, torch.OutOfMemoryError)):
        return True
    return "can't allocate memory" in str(err)


class AnswersQueries(Protocol):
    """The part of `ty.CausalLM` that runs queries."""

    def candidate_logits(self, queries: Sequence[Query]) -> list[np.ndarray]: ...


class _Place(NamedTuple):
    """Which position of which query."""

    query: int
    position: int


def logits_without_trees(
    lm: AnswersQueries,
    queries: Sequence[Query],
) -> list[np.ndarray]:
    """`candidate_logits` for models that take no tree mask.

    Every branch becomes a sequence of its own. It is slower, with the same result.
    """
    chains: list[Query] = []
    places: list[_Place] = []
    for i, query in enumerate(queries):
        for k in range(len(query.positions)):
            chains.append(_chain(query, k))
            places.append(_Place(i, k))
    answers = lm.candidate_logits(chains) if chains else []

    out = []
    for query in queries:
        width = max(map(len, query.candidates), default=0)
        shape = len(query.positions), width
        out.append(np.full(shape, -np.inf, dtype=np.float32))
    for place, answer in zip(places, answers, strict=True):
        n = len(queries[place.query].candidates[place.position])
        out[place.query][place.position, :n] = answer[0, :n]
    return out


def _chain(query: Query, k: int) -> Query:
    """What leads to the k-th position of a query, which is asked there."""
    position = query.positions[k]
    nodes: Sequence[int] = range(position + 1)
    if query.parents is not None:
        nodes = path_to(query.parents, position)
    ids = [query.ids[node] for node in nodes]
    depths = None
    if query.depths is not None:
        depths = [query.depths[node] for node in nodes]
    return Query(ids, [len(ids) - 1], [query.candidates[k]], depths=depths)
