"""Keys and values of tokens that have been run, kept so that a sequence can go on where
it was left.

One slot per token: a row is a list of slots, in whatever order they came free. So rows
    of any lengths lie in memory
without padding, are cut back and run on in another way, and share the slots of what
they have in common.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..decoding.tree import ancestor_mask, node_depths
from ..types import Query

if TYPE_CHECKING:
    from .hf import HFCausalLM


class KVPool:
    """Preallocated keys and values, a row of storage per token and layer.

    It grows if there is no slot left.

    A pool belongs to one thread. Its rows may go anywhere and at any time, by the hand
    of the garbage collector: what they give back is put aside (appending to a deque
    needs no lock) until slots are asked for.

    tokens (int): Slots to begin with.
    """

    def __init__(self, tokens: int):
        self.capacity = max(1, tokens)
        self._refs = np.zeros(self.capacity, dtype=np.int32)
        self._free = np.arange(self.capacity)[::-1]
        self._returned: deque[np.ndarray] = deque()
        self._storage: dict[Hashable, torch.Tensor] = {}

    @property
    def room(self) -> int:
        """Slots that are free."""
        while self._returned:
            slots = self._returned.popleft()
            self._refs[slots] -= 1
            self._free = np.concatenate(
                [self._free, slots[self._refs[slots] == 0][::-1]]
            )
        return len(self._free)

    @property
    def nbytes(self) -> int:
        return sum(t.numel() * t.element_size() for t in self._storage.values())

    def row(self) -> KVRow:
        """A new, empty row."""
        return KVRow(self)

    def reserve(self, n: int) -> None:
        """See to it that n slots are free."""
        more = n - self.room
        if more > 0:
            self._free = np.concatenate(
                [np.arange(self.capacity, self.capacity + more)[::-1], self._free]
            )
            self._refs = np.concatenate([self._refs, np.zeros(more, dtype=np.int32)])
            self.capacity += more

    def take(self, n: int) -> np.ndarray:
        """Slots for n tokens. Shape (n,)."""
        if n > self.room:
            self.reserve(max(n, self.room + self.capacity // 2))
        cut = self.room - n
        taken, self._free = self._free[cut:][::-1], self._free[:cut]
        self._refs[taken] = 1
        return taken

    def share(self, slots: np.ndarray) -> None:
        self._refs[slots] += 1

    def give_back(self, slots: np.ndarray) -> None:
        self._returned.append(slots)

    def storage(self, name: Hashable, states: torch.Tensor) -> torch.Tensor:
        """Storage for one kind of states, made or enlarged to fit: (slots, heads, head
        width) for states (..., heads, head width).
        """
        found = self._storage.get(name)
        if found is None or len(found) < self.capacity:
            made = states.new_empty(self.capacity, *states.shape[2:])
            if found is not None:
                made[: len(found)] = found
            found = self._storage[name] = made
        return found


class KVRow:
    """A sequence, or a tree, whose first `len(row)` tokens have been run."""

    def __init__(self, pool: KVPool, slots: np.ndarray | None = None):
        self.pool = pool
        self.slots = slots if slots is not None else np.zeros(0, dtype=np.int64)

    def __len__(self) -> int:
        return len(self.slots)

    def __del__(self) -> None:
        self.truncate(0)

    def extend(self, slots: np.ndarray) -> None:
        self.slots = np.concatenate([self.slots, slots])

    def truncate(self, n: int) -> None:
        """Forget all tokens but the first n."""
        if n < len(self.slots):
            self.pool.give_back(self.slots[n:])
            self.slots = self.slots[:n]

    def fork(self, n: int) -> KVRow:
        """A row that begins with the first n tokens of this one."""
        self.pool.share(self.slots[:n])
        return KVRow(self.pool, self.slots[:n])


class PassCache:
    """The pool as one forward pass sees it: takes the new tokens in, hands out what
    each row may look at.

    new (np.ndarray): Slots of the new tokens, row after row. (tokens,)
    where (np.ndarray): Their places in the batch, which has gaps where rows are shorter
        than others. (tokens,)
    index (np.ndarray | None): Slots of all tokens of every row, old ones first. (rows,
        longest); None if nothing is old.
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
        self._index = (
            None if index is None else torch.from_numpy(index.reshape(-1)).to(device)
        )

    def remember(self, name: Hashable, states: torch.Tensor) -> torch.Tensor:
        """Take in what is kept of the new tokens under this name, (rows, new tokens, ...).

        RETURNS: the same of all tokens that each row sees, (rows, tokens, ...).
        """
        rows, new = states.shape[:2]
        storage = self.pool.storage(name, states)
        fresh = states.reshape(rows * new, *states.shape[2:])
        at = states.device  # layers may be on several
        if len(self._new) != rows * new:
            fresh = fresh.index_select(0, self._where.to(at))
        storage.index_copy_(0, self._new.to(at), fresh)
        if self._index is None:
            return states
        return storage.index_select(0, self._index.to(at)).view(
            rows, -1, *states.shape[2:]
        )


@cache
def transformers_cache() -> type:
    """A PassCache that the models of transformers take for one of theirs."""
    from transformers.cache_utils import Cache

    class TransformersCache(PassCache, Cache):  # type: ignore[misc]
        def __init__(self, *args: Any):
            PassCache.__init__(self, *args)
            self.layers: list[
                Any
            ] = []  # what transformers 5 calls the parts of a cache

        def update(
            self,
            key_states: Any,
            value_states: Any,
            layer_idx: int,
            *args: Any,
            **kwargs: Any,
        ) -> Any:
            """Called by every attention layer. key_states, value_states: (rows, heads,
            new tokens, width).
            """
            states = key_states, value_states
            keys, values = (
                self.remember((layer_idx, k), s.transpose(1, 2)).transpose(1, 2)
                for k, s in enumerate(states)
            )
            return keys, values

        # Masks and positions are always given, so that models need not ask for lengths;
        # some do all the same.
        def get_seq_length(self, layer_idx: int | None = 0) -> int:
            return 0

        def get_max_cache_shape(self, layer_idx: int | None = 0) -> Any:
            return None

    return TransformersCache


def cached_states(
    lm: HFCausalLM, queries: Sequence[Query], **options: Any
) -> torch.Tensor:
    """Run what lies behind the rows of these queries, and take it into them.

    All rows are of one pool.

    options: For the decoder.
    RETURNS: last hidden states of the new tokens. Shape (queries, most new tokens, width)
    """
    rows: list[Any] = [q.row for q in queries]
    pool = rows[0].pool
    old = np.array([len(r) for r in rows])
    new = np.array([len(q.ids) for q in queries]) - old
    longest = int(new.max())
    ids = np.zeros((len(queries), longest), dtype=np.int64)
    pos = np.zeros((len(queries), longest), dtype=np.int64)
    for i, q in enumerate(queries):
        ids[i, : new[i]] = q.ids[old[i] :]
        pos[i, : new[i]] = positions(q, int(old[i]))
    slots = pool.take(int(new.sum()))
    try:
        parts = np.split(slots, np.cumsum(new)[:-1])
        where = np.concatenate([i * longest + np.arange(n) for i, n in enumerate(new)])
        index = None
        if old.any():
            # What stands behind a row's end is masked, but must be a number: its own
            # first token is.
            index = np.stack(
                [
                    _padded(np.concatenate([r.slots, p]), int((old + new).max()))
                    for r, p in zip(rows, parts, strict=True)
                ]
            )
        mask = _mask(
            lm, queries, old, longest, longest if index is None else index.shape[1]
        )
        hidden = lm.run(
            input_ids=torch.from_numpy(ids).to(lm.device),
            attention_mask=mask,
            position_ids=torch.from_numpy(pos).to(lm.device),
            past_key_values=lm.cache_class(pool, slots, where, index, lm.device),
            use_cache=True,
            **options,
        ).last_hidden_state
    except BaseException:
        pool.give_back(slots)
        raise
    for r, p in zip(rows, parts, strict=True):
        r.extend(p)
    return hidden


def positions(query: Query, start: int = 0) -> np.ndarray:
    """Positions of a query's tokens from `start` on, for the model's position encoding."""
    if query.depths is not None:
        return np.asarray(query.depths[start:])
    return (
        np.arange(start, len(query.ids))
        if query.parents is None
        else node_depths(query.parents)[start:]
    )


def _padded(slots: np.ndarray, length: int) -> np.ndarray:
    return np.concatenate([slots, np.full(length - len(slots), slots[0])])


def _mask(
    lm: HFCausalLM, queries: Sequence[Query], old: np.ndarray, longest: int, width: int
) -> torch.Tensor:
    """Additive attention mask (queries or 1, 1, new tokens, tokens).

    A padding token sees something, or its softmax would divide by zero.
    """
    dtype = lm.head.weight.dtype
    low = torch.finfo(dtype).min
    if all(q.parents is None for q in queries):
        starts = torch.from_numpy(old if old.any() else old[:1])
        last = starts[:, None] + torch.arange(longest)
        hidden = torch.arange(width) > last[..., None]
    else:
        see = np.arange(width) <= (old[:, None] + np.arange(longest))[..., None]
        for i, q in enumerate(queries):
            if q.parents is not None:
                n = len(q.ids)
                see[i, : n - old[i], :n] = ancestor_mask(q.parents, int(old[i]))
        hidden = torch.from_numpy(~see)
    return (
        torch.zeros(hidden.shape, dtype=dtype)
        .masked_fill_(hidden, low)[:, None]
        .to(lm.device)
    )
