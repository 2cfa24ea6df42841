"""Keys and values of tokens that have been run, kept so that a sequence can go on where it was left.

One slot per token: a row is a list of slots, in whatever order they came free. So rows of any lengths lie in memory
without padding, are cut back and run on in another way, and share the slots of what they have in common.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from transformers.cache_utils import Cache

from ..decoding.tree import ancestor_mask, node_depths
from ..ty import Query

if TYPE_CHECKING:
    from .hf import HFCausalLM


class KVPool:
    """Preallocated keys and values, (tokens x heads, head width) per layer. It grows if there is no slot left.

    tokens (int): Slots to begin with.
    """

    def __init__(self, tokens: int):
        self.capacity = max(1, tokens)
        self._refs = np.zeros(self.capacity, dtype=np.int32)
        self._free = np.arange(self.capacity)[::-1]
        self._layers: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    @property
    def room(self) -> int:
        """Slots that are free."""
        return len(self._free)

    @property
    def nbytes(self) -> int:
        return sum(t.numel() * t.element_size() for pair in self._layers.values() for t in pair)

    def row(self) -> KVRow:
        """A new, empty row."""
        return KVRow(self)

    def reserve(self, n: int) -> None:
        """See to it that n slots are free."""
        more = n - self.room
        if more > 0:
            self._free = np.concatenate([np.arange(self.capacity, self.capacity + more)[::-1], self._free])
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
        self._refs[slots] -= 1
        self._free = np.concatenate([self._free, slots[self._refs[slots] == 0][::-1]])

    def layer(self, i: int, keys: torch.Tensor, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The storage of a layer, made or enlarged to fit; keys and values (batch, heads, tokens, width) show its form."""
        found = self._layers.get(i)
        if found is None or len(found[0]) < self.capacity * keys.shape[1]:
            made = []
            for k, new in enumerate((keys, values)):
                storage = new.new_empty(self.capacity * new.shape[1], new.shape[3])
                if found is not None:
                    storage[: len(found[k])] = found[k]
                made.append(storage)
            found = self._layers[i] = (made[0], made[1])
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


class PassCache(Cache):
    """The pool as one forward pass sees it: takes the new tokens in, hands out what each row may look at.

    new (np.ndarray): Slots of the new tokens, row after row. (tokens,)
    where (tuple): Row and column of each of them in the batch.
    index (np.ndarray | None): Slots of all tokens of every row, old ones first. (rows, longest); None if nothing is old.
    """

    def __init__(self, pool: KVPool, new: np.ndarray, where: tuple[np.ndarray, np.ndarray], index: np.ndarray | None):
        self.layers: list[Any] = []  # what transformers 5 calls the parts of a cache
        self.pool = pool
        self._new = torch.from_numpy(new.copy())
        self._where = tuple(torch.from_numpy(w) for w in where)
        self._index = None if index is None else torch.from_numpy(index)
        self._flat: dict[int, tuple[torch.Tensor, torch.Tensor | None]] = {}

    def _flatten(self, heads: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Rows of the storage for (new token, head) and for (row, head, token). Made once for all layers."""
        if heads not in self._flat:
            head = torch.arange(heads, device=device)
            new = (self._new.to(device)[:, None] * heads + head).reshape(-1)
            every = None
            if self._index is not None:
                every = (self._index.to(device)[:, None, :] * heads + head[:, None]).reshape(-1)
            self._flat[heads] = new, every
        return self._flat[heads]

    def update(self, key_states: Any, value_states: Any, layer_idx: int, *args: Any, **kwargs: Any) -> Any:
        """Called by every attention layer. key_states, value_states: (rows, heads, new tokens, width)."""
        rows, heads, _, _ = key_states.shape
        new, every = self._flatten(heads, key_states.device)
        out = []
        storage = self.pool.layer(layer_idx, key_states, value_states)
        for kept, states in zip(storage, (key_states, value_states), strict=True):
            fresh = states.transpose(1, 2)[self._where[0], self._where[1]]
            kept.index_copy_(0, new, fresh.reshape(-1, fresh.shape[-1]))
            out.append(states if every is None else kept.index_select(0, every).view(rows, heads, -1, states.shape[-1]))
        return out[0], out[1]

    # Masks and positions are always given, so that models need not ask for lengths; some do all the same.
    def get_seq_length(self, layer_idx: int | None = 0) -> int:
        return 0

    def get_max_cache_shape(self, layer_idx: int | None = 0) -> Any:
        return None


def cached_states(lm: HFCausalLM, queries: Sequence[Query]) -> torch.Tensor:
    """Run what lies behind the rows of these queries, and take it into them. All rows are of one pool.

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
        where = np.repeat(np.arange(len(rows)), new), np.concatenate([np.arange(n) for n in new])
        index = None
        if old.any():
            # What stands behind a row's end is masked, but must be a number: its own first token is.
            index = np.stack([_padded(np.concatenate([r.slots, p]), int((old + new).max())) for r, p in zip(rows, parts, strict=True)])
        mask = _mask(lm, queries, old, longest, longest if index is None else index.shape[1])
        hidden = lm.decoder(
            input_ids=torch.from_numpy(ids).to(lm.device),
            attention_mask=mask,
            position_ids=torch.from_numpy(pos).to(lm.device),
            past_key_values=PassCache(pool, slots, where, index),
            use_cache=True,
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
    return np.arange(start, len(query.ids)) if query.parents is None else node_depths(query.parents)[start:]


def _padded(slots: np.ndarray, length: int) -> np.ndarray:
    return np.concatenate([slots, np.full(length - len(slots), slots[0])])


def _mask(lm: HFCausalLM, queries: Sequence[Query], old: np.ndarray, longest: int, width: int) -> torch.Tensor:
    """Additive attention mask (queries or 1, 1, new tokens, tokens). A padding token sees something, or its softmax
    would divide by zero."""
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
    return torch.zeros(hidden.shape, dtype=dtype).masked_fill_(hidden, low)[:, None].to(lm.device)
