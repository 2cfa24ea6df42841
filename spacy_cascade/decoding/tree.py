"""A token tree: sequences that share a prefix are stored, and run through the model, once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


class TokenTree:
    """A tree of tokens that grows by `insert`.

    Nodes are in insertion order, a parent always before its children.

    ids (list[int]): Token id of every node.
    parents (list[int]): Index of every node's parent, -1 for the root.
    depths (list[int]): Position of every node.
    """

    def __init__(self) -> None:
        """Begin without any node."""
        self.ids: list[int] = []
        self.parents: list[int] = []
        self.depths: list[int] = []
        # (parent, token) -> node
        self._children: dict[tuple[int, int], int] = {}

    def __len__(self) -> int:
        """The number of nodes."""
        return len(self.ids)

    def insert(
        self,
        ids: Sequence[int],
        node: int = -1,
        depths: Sequence[int] | None = None,
    ) -> int:
        """Add a sequence below a node.

        ids (Sequence[int]): Token ids.
        node (int): The node. -1: the root.
        depths (Sequence[int] | None): Positions of the tokens, the same wherever
            sequences are shared. None: counted on.
        RETURNS (int): The node of the last token.
        """
        children = self._children
        for k, token in enumerate(ids):
            key = (node, token)
            child = children.get(key)
            if child is None:
                child = len(self.ids)
                if depths is not None:
                    depth = depths[k]
                else:
                    depth = self.depths[node] + 1 if node >= 0 else 0
                self.ids.append(token)
                self.parents.append(node)
                self.depths.append(depth)
                children[key] = child
            node = child
        return node

    def shared(self, ids: Sequence[int]) -> int:
        """How many leading tokens of a sequence are in the tree already.

        ids (Sequence[int]): Token ids.
        RETURNS (int): At most all of them.
        """
        node = -1
        for n, token in enumerate(ids):
            child = self._children.get((node, token))
            if child is None:
                return n
            node = child
        return len(ids)


def node_depths(parents: Sequence[int]) -> np.ndarray:
    """The number of ancestors of every node, which is its position.

    parents (Sequence[int]): Index of every node's parent, -1 for the root.
    RETURNS (np.ndarray): Shape (nodes,).
    """
    out = np.zeros(len(parents), dtype=np.int64)
    for node, parent in enumerate(parents):
        if parent >= 0:
            out[node] = out[parent] + 1
    return out


def ancestor_mask(parents: Sequence[int], start: int = 0) -> np.ndarray:
    """Which nodes see which: a node sees its ancestors and itself.

    parents (Sequence[int]): Index of every node's parent, -1 for the root.
    start (int): The first node that has a row of its own.
    RETURNS (np.ndarray): Booleans of shape (nodes - start, nodes).
    """
    n = len(parents)
    mask = np.zeros((n - start, n), dtype=bool)
    for node in range(start, n):
        row = mask[node - start]
        parent = parents[node]
        if parent >= start:
            row[: parent + 1] = mask[parent - start, : parent + 1]
        elif parent >= 0:
            row[path_to(parents, parent)] = True
        row[node] = True
    return mask


def path_to(parents: Sequence[int], node: int) -> list[int]:
    """The nodes from the root to this one.

    parents (Sequence[int]): Index of every node's parent, -1 for the root.
    node (int): The node.
    RETURNS (list[int]): The node itself is the last.
    """
    out = []
    while node >= 0:
        out.append(node)
        node = parents[node]
    out.reverse()
    return out
