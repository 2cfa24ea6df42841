"""A token tree: sequences that share a prefix are stored, and run through the model, once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


class TokenTree:
    """Grows by `insert`; nodes are in insertion order, a parent always before its children."""

    def __init__(self) -> None:
        self.ids: list[int] = []
        self.parents: list[int] = []
        self.depths: list[int] = []
        self._children: dict[tuple[int, int], int] = {}

    def __len__(self) -> int:
        return len(self.ids)

    def insert(
        self, ids: Sequence[int], node: int = -1, depths: Sequence[int] | None = None
    ) -> int:
        """Add a sequence below `node` (-1: the root).

        depths (Sequence[int]): Positions of the tokens, the same wherever sequences are
            shared; None: counted on.
        RETURNS (int): The node of its last token.
        """
        for k, token in enumerate(ids):
            key = (node, token)
            found = self._children.get(key)
            if found is None:
                found = len(self.ids)
                self.ids.append(token)
                self.parents.append(node)
                self.depths.append(
                    depths[k]
                    if depths is not None
                    else self.depths[node] + 1
                    if node >= 0
                    else 0
                )
                self._children[key] = found
            node = found
        return node

    def shared(self, ids: Sequence[int]) -> int:
        """How many leading tokens of a sequence are in the tree already."""
        node = -1
        for n, token in enumerate(ids):
            found = self._children.get((node, token))
            if found is None:
                return n
            node = found
        return len(ids)


def node_depths(parents: Sequence[int]) -> np.ndarray:
    """Position of every node: the number of its ancestors. Shape (n,)."""
    out = np.zeros(len(parents), dtype=np.int64)
    for i, p in enumerate(parents):
        out[i] = 0 if p < 0 else out[p] + 1
    return out


def ancestor_mask(parents: Sequence[int], start: int = 0) -> np.ndarray:
    """Boolean (n - start, n): may node i (from `start` on) see node j, i.e. is j an
    ancestor of i, or i itself?
    """
    n = len(parents)
    mask = np.zeros((n - start, n), dtype=bool)
    for i in range(start, n):
        p = parents[i]
        if p >= start:
            mask[i - start, : p + 1] = mask[p - start, : p + 1]
        elif p >= 0:
            mask[i - start, path_to(parents, p)] = True
        mask[i - start, i] = True
    return mask


def path_to(parents: Sequence[int], node: int) -> list[int]:
    """The nodes from the root to this one."""
    out = []
    while node >= 0:
        out.append(node)
        node = parents[node]
    return out[::-1]
