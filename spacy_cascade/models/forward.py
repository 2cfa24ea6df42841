"""One forward pass over a batch of queries: token ids, positions and masks as tensors.

Queries with a row go on from the keys and values that it holds. All others are run from
their first token.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import cache
from typing import TYPE_CHECKING, ClassVar, Protocol, cast

import numpy as np
import torch
from torch import nn

from ..decoding.tree import ancestor_mask, node_depths
from ..types import Query
from .kv import KVPool, KVRow

if TYPE_CHECKING:
    from .protocols import States


class PassCache:
    """The pool as one forward pass sees it.

    It takes the new tokens in, and hands out what each row may look at.

    new (np.ndarray): Slots of the new tokens, row after row. Shape (tokens,)
    where (np.ndarray): Their places in the batch, which has gaps where rows are shorter
        than others. Shape (tokens,)
    index (np.ndarray | None): Slots of all tokens of every row, old ones first. Shape
        (rows, longest); None if nothing is old.
    """

    def __init__(
        self,
        pool: KVPool,
        new: np.ndarray,
        where: np.ndarray,
        index: np.ndarray | None,
        device: torch.device,
    ):
        self.pool = pool
        self._new = torch.from_numpy(new.copy()).to(device)
        self._where = torch.from_numpy(where).to(device)
        self._index = None
        if index is not None:
            self._index = torch.from_numpy(index.reshape(-1)).to(device)

    def remember(
        self,
        name: Hashable,
        states: torch.Tensor,
    ) -> torch.Tensor:
        """Take in what is kept of the new tokens under this name.

        states (Tensor): Shape (rows, new tokens, ...).
        RETURNS (Tensor): The same of all tokens that each row sees. Shape (rows, tokens, ...)
        """
        rows, new = states.shape[:2]
        storage = self.pool.storage(name, states)
        at = states.device  # layers may be on several

        fresh = states.reshape(rows * new, *states.shape[2:])
        if len(self._new) != rows * new:
            fresh = fresh.index_select(0, self._where.to(at))
        storage.index_copy_(0, self._new.to(at), fresh)

        if self._index is None:
            return states
        seen = storage.index_select(0, self._index.to(at))
        return seen.view(rows, -1, *states.shape[2:])


class Runner(Protocol):
    """What a forward pass asks of a model."""

    head: nn.Linear

    @property
    def device(self) -> torch.device: ...

    @property
    def cache_class(self) -> type[PassCache]: ...

    def run(self, **inputs: object) -> States: ...


@cache
def transformers_cache() -> type[PassCache]:
    """A PassCache that the models of transformers take for one of theirs."""
    from transformers.cache_utils import Cache

    class TransformersCache(PassCache, Cache):
        # what transformers 5 calls the parts of a cache: this one has none
        layers: ClassVar[Sequence[object]] = ()

        def update(
            self,
            key_states: torch.Tensor,
            value_states: torch.Tensor,
            layer_idx: int,
            *args: object,
            **kwargs: object,
        ) -> tuple[torch.Tensor, torch.Tensor]:
            """Called by every attention layer.

            key_states, value_states (Tensor): Shape (rows, heads, new tokens, width).
            """
            # stored as (rows, tokens, heads, width)
            keys = self.remember((layer_idx, 0), key_states.transpose(1, 2))
            values = self.remember((layer_idx, 1), value_states.transpose(1, 2))
            return keys.transpose(1, 2), values.transpose(1, 2)

        # Masks and positions are always given, so that models need not ask for lengths;
        # some do all the same.
        def get_seq_length(self, layer_idx: int | None = 0) -> int:
            return 0

        def get_max_cache_shape(self, layer_idx: int | None = 0) -> int | None:
            return None

    return TransformersCache


def positions(query: Query, start: int = 0) -> np.ndarray:
    """Positions of a query's tokens, for the model's position encoding.

    start (int): The first token that is asked for.
    RETURNS (np.ndarray): Shape (tokens from `start` on,).
    """
    if query.depths is not None:
        return np.asarray(query.depths[start:])
    if query.parents is not None:
        return node_depths(query.parents)[start:]
    return np.arange(start, len(query.ids))


def full_states(
    lm: Runner,
    queries: Sequence[Query],
    **options: object,
) -> torch.Tensor:
    """Run queries from their first token on.

    lm (Runner): The model.
    queries (Sequence[Query]): A batch of queries without rows.
    options: For the decoder.
    RETURNS (Tensor): Last hidden states. Shape (queries, longest, width)
    """
    longest = max(len(query.ids) for query in queries)
    ids = np.zeros((len(queries), longest), dtype=np.int64)
    for row, query in enumerate(queries):
        ids[row, : len(query.ids)] = query.ids

    inputs: dict[str, object] = {"input_ids": torch.from_numpy(ids).to(lm.device)}
    if any(q.parents is not None or q.depths is not None for q in queries):
        inputs["attention_mask"] = _full_mask(lm, queries, longest)
        inputs["position_ids"] = _full_positions(queries, longest).to(lm.device)
    # else: padding stands on the right, where causal attention never looks
    return lm.run(**inputs, use_cache=False, **options).last_hidden_state


def _full_positions(queries: Sequence[Query], longest: int) -> torch.Tensor:
    """Shape (queries, longest)."""
    places = np.zeros((len(queries), longest), dtype=np.int64)
    for row, query in enumerate(queries):
        places[row, : len(query.ids)] = positions(query)
    return torch.from_numpy(places)


def _full_mask(
    lm: Runner,
    queries: Sequence[Query],
    longest: int,
) -> torch.Tensor:
    """Additive attention mask. Shape (queries, 1, longest, longest)."""
    seen = np.zeros((len(queries), longest, longest), dtype=bool)
    seen[:, np.arange(longest), np.arange(longest)] = True
    for row, query in enumerate(queries):
        n = len(query.ids)
        if query.parents is None:
            seen[row, :n, :n] = np.tri(n, dtype=bool)
        else:
            seen[row, :n, :n] = ancestor_mask(query.parents)
    return _additive(lm, torch.from_numpy(~seen))


def cached_states(
    lm: Runner,
    queries: Sequence[Query],
    **options: object,
) -> torch.Tensor:
    """Run what lies behind the rows of these queries, and take it into them.

    lm (Runner): The model.
    queries (Sequence[Query]): A batch of queries whose rows are of one pool.
    options: For the decoder.
    RETURNS (Tensor): Last hidden states of the new tokens. Shape (queries, most new
        tokens, width)
    """
    rows = [cast(KVRow, query.row) for query in queries]
    pool = rows[0].pool
    old = np.array([len(row) for row in rows])  # (queries,)
    new = np.array([len(query.ids) for query in queries]) - old  # (queries,)
    longest = int(new.max())

    ids = np.zeros((len(queries), longest), dtype=np.int64)
    places = np.zeros((len(queries), longest), dtype=np.int64)
    for i, query in enumerate(queries):
        ids[i, : new[i]] = query.ids[old[i] :]
        places[i, : new[i]] = positions(query, int(old[i]))

    slots = pool.take(int(new.sum()))  # (new tokens,)
    try:
        added = np.split(slots, np.cumsum(new)[:-1])
        index = None
        width = longest
        if old.any():
            index = _all_slots(rows, added)
            width = index.shape[1]
        cache = lm.cache_class(pool, slots, _filled(new, longest), index, lm.device)
        hidden = lm.run(
            input_ids=torch.from_numpy(ids).to(lm.device),
            attention_mask=_cached_mask(lm, queries, old, longest, width),
            position_ids=torch.from_numpy(places).to(lm.device),
            past_key_values=cache,
            use_cache=True,
            **options,
        ).last_hidden_state
    except BaseException:
        pool.give_back(slots)
        raise

    for row, part in zip(rows, added, strict=True):
        row.extend(part)
    return hidden


def _filled(lengths: np.ndarray, longest: int) -> np.ndarray:
    """Places of a batch that hold tokens, not padding.

    lengths (np.ndarray): Tokens of each row.
    longest (int): The most of them, to which all rows are filled up.
    RETURNS (np.ndarray): Indices into the flattened batch. Shape (tokens,)
    """
    parts = [i * longest + np.arange(n) for i, n in enumerate(lengths)]
    return np.concatenate(parts)


def _all_slots(rows: Sequence[KVRow], added: Sequence[np.ndarray]) -> np.ndarray:
    """Slots of the tokens of every row, old ones and new ones.

    What stands behind a row's end is masked, but must be a number: the row's own first
    token is.

    added (Sequence[np.ndarray]): Slots of the new tokens, for each row.
    RETURNS (np.ndarray): Shape (rows, longest).
    """
    pairs = zip(rows, added, strict=True)
    whole = [np.concatenate([row.slots, part]) for row, part in pairs]
    index = np.empty((len(whole), max(map(len, whole))), dtype=np.int64)
    for i, slots in enumerate(whole):
        index[i] = slots[0]
        index[i, : len(slots)] = slots
    return index


def _cached_mask(
    lm: Runner,
    queries: Sequence[Query],
    old: np.ndarray,
    longest: int,
    width: int,
) -> torch.Tensor:
    """Additive attention mask for queries that go on from rows.

    A padding token sees something, or its softmax would divide by zero.

    old (np.ndarray): Tokens that each row holds. Shape (queries,)
    longest (int): Most new tokens.
    width (int): Most tokens, old and new.
    RETURNS (Tensor): Shape (queries or 1, 1, new tokens, tokens).
    """
    if all(query.parents is None for query in queries):
        starts = torch.from_numpy(old if old.any() else old[:1])
        last = starts[:, None] + torch.arange(longest)
        return _additive(lm, torch.arange(width) > last[..., None])

    last_seen = old[:, None] + np.arange(longest)
    seen = np.arange(width) <= last_seen[..., None]
    for i, query in enumerate(queries):
        if query.parents is not None:
            n = len(query.ids)
            start = int(old[i])
            seen[i, : n - start, :n] = ancestor_mask(query.parents, start)
    return _additive(lm, torch.from_numpy(~seen))


def _additive(lm: Runner, hidden: torch.Tensor) -> torch.Tensor:
    """A mask that is added to attention scores.

    hidden (Tensor): What is not seen. Shape (rows, tokens, tokens seen)
    RETURNS (Tensor): Shape (rows, 1, tokens, tokens seen).
    """
    dtype = lm.head.weight.dtype
    mask = torch.zeros(hidden.shape, dtype=dtype)
    mask.masked_fill_(hidden, torch.finfo(dtype).min)
    return mask[:, None].to(lm.device)
