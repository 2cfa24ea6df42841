"""Keys and values of tokens that have been run, kept so that a sequence can go on where
it was left.

One slot per token: a row is a list of slots, in whatever order they came free. So rows
of any lengths lie in memory without padding, are cut back and run on in another way, and
share the slots of what they have in common.
"""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Hashable

import numpy as np
import torch

from ..types import CachedPrefix


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
        self._refs = np.zeros(self.capacity, dtype=np.int32)  # (slots,)
        self._free = np.arange(self.capacity)[::-1]
        self._returned: deque[np.ndarray] = deque()
        self._storage: dict[Hashable, torch.Tensor] = {}

    @property
    def room(self) -> int:
        """Slots that are free."""
        while self._returned:
            slots = self._returned.popleft()
            self._refs[slots] -= 1
            unused = slots[self._refs[slots] == 0]
            self._free = np.concatenate([self._free, unused[::-1]])
        return len(self._free)

    def row(self) -> KVRow:
        """A new, empty row."""
        return KVRow(self)

    def reserve(self, n: int) -> None:
        """See to it that n slots are free."""
        more = n - self.room
        if more <= 0:
            return
        added = np.arange(self.capacity, self.capacity + more)
        self._free = np.concatenate([added[::-1], self._free])
        self._refs = np.concatenate([self._refs, np.zeros(more, dtype=np.int32)])
        self.capacity += more

    def take(self, n: int) -> np.ndarray:
        """Slots for n tokens. Shape (n,)."""
        if n > self.room:
            self.reserve(max(n, self.room + self.capacity // 2))
        cut = self.room - n
        taken = self._free[cut:][::-1]
        self._free = self._free[:cut]
        self._refs[taken] = 1
        return taken

    def share(self, slots: np.ndarray) -> None:
        """Let one more row use these slots."""
        self._refs[slots] += 1

    def give_back(self, slots: np.ndarray) -> None:
        """One row less uses these slots."""
        self._returned.append(slots)

    def storage(
        self,
        name: Hashable,
        states: torch.Tensor,
    ) -> torch.Tensor:
        """Storage for one kind of states, made or enlarged to fit.

        states (Tensor): Shape (..., heads, head width).
        RETURNS (Tensor): Shape (slots, heads, head width).
        """
        found = self._storage.get(name)
        if found is not None and len(found) >= self.capacity:
            return found

        made = states.new_empty(self.capacity, *states.shape[2:])
        if found is not None:
            made[: len(found)] = found
        self._storage[name] = made
        return made


class KVRow:
    """A sequence, or a tree, whose first `len(row)` tokens have been run.

    slots (np.ndarray | None): Where they are in the pool. Shape (tokens,)
    """

    def __init__(
        self,
        pool: KVPool,
        slots: np.ndarray | None = None,
    ):
        self.pool = pool
        self.slots = slots if slots is not None else np.zeros(0, dtype=np.int64)

    def __len__(self) -> int:
        return len(self.slots)

    def __del__(self) -> None:
        self.truncate(0)

    def extend(self, slots: np.ndarray) -> None:
        """Take in tokens that have been run."""
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


class KVPrefixStore:
    """Texts that one stage has run, kept for the next one.

    They are kept as long as the weights they were run with stay the same.

    tokens (int): Most tokens kept. What comes first stays: the next stage asks in the
        same order.
    """

    def __init__(self, tokens: int):
        self.tokens = tokens
        self._used = 0
        self._kept: dict[Hashable, CachedPrefix] = {}
        self._weights: Hashable = None

    def __len__(self) -> int:
        return len(self._kept)

    def of(self, weights: Hashable) -> KVPrefixStore:
        """Itself, emptied if it was filled with other weights."""
        if weights != self._weights:
            self.clear()
            self._weights = weights
        return self

    def clear(self) -> None:
        self._kept.clear()
        self._used = 0

    def keep(
        self,
        text: Hashable,
        kept: CachedPrefix,
    ) -> None:
        """Remember a text, if there is room."""
        fits = self._used + len(kept.ids) <= self.tokens
        if fits and text not in self._kept:
            self._kept[text] = kept
            self._used += len(kept.ids)

    def take(self, text: Hashable) -> CachedPrefix | None:
        """What was kept of a text, and forget it."""
        found = self._kept.pop(text, None)
        if found is not None:
            self._used -= len(found.ids)
        return found


class ThreadCache(threading.local):
    """What one thread remembers of what it has run.

    prefixes (KVPrefixStore): What one stage leaves to the next.
    """

    # as long as there are rows in it
    _pool: weakref.ref[KVPool] | None = None

    def __init__(self, tokens: int):
        self.prefixes = KVPrefixStore(tokens)

    def pool_for(self, tokens: int) -> KVPool:
        """The thread's pool, with room for this many tokens; a new one if it is gone."""
        pool = self._pool() if self._pool is not None else None
        if pool is None:
            pool = KVPool(tokens)
            self._pool = weakref.ref(pool)
        pool.reserve(tokens)
        return pool
