"""Lists of labels as token tries, and the jobs that ask for them."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np


class LabelTrie:
    """The tokens of a list of labels.

    Each label is closed by an end token, so that none is the beginning of another.

    answers (Sequence[Sequence[int]]): Token ids of every label, all different.
    end (int): Id of the token that may follow a complete label.
    """

    def __init__(self, answers: Sequence[Sequence[int]], end: int):
        self._paths: dict[int, list[int]] | None = None
        # for every node, the node behind each token
        self.children: list[dict[int, int]] = [{}]
        # for every label, the nodes on its way and the tokens that leave them
        self.steps: list[list[tuple[int, int]]] = []

        for answer in answers:
            node = 0
            steps = []
            for token in (*answer, end):
                steps.append((node, token))
                children = self.children[node]
                if token not in children:
                    children[token] = len(self.children)
                    self.children.append({})
                node = children[token]
            self.steps.append(steps)

    def branching(self) -> list[int]:
        """Nodes with more than one child: only there the model is asked.

        RETURNS (list[int]): Indices of nodes.
        """
        return [
            node for node, children in enumerate(self.children) if len(children) > 1
        ]

    def paths(self) -> dict[int, list[int]]:
        """Token ids from the root to every branching node.

        RETURNS (dict[int, list[int]]): By node. They are found once and kept.
        """
        if self._paths is not None:
            return self._paths

        out: dict[int, list[int]] = {}
        stack: list[tuple[int, list[int]]] = [(0, [])]
        while stack:
            node, ids = stack.pop()
            children = self.children[node]
            if len(children) > 1:
                out[node] = ids
            for token, child in children.items():
                stack.append((child, [*ids, token]))
        self._paths = out
        return out


@dataclass
class LabelJob:
    """A prompt and the list to choose from.

    prompt (list[int]): Token ids.
    trie (LabelTrie): The labels.
    depths (list[int] | None): Positions of the prompt's tokens. None: counted on.
    text (Hashable): Equal for jobs that are about the same text, and so may share a
        row.
    log_probs (np.ndarray): Filled by scoring: one value per label, normalized over the
        list.
    """

    prompt: list[int]
    trie: LabelTrie
    depths: list[int] | None = None
    text: Hashable = None
    log_probs: np.ndarray = field(default_factory=lambda: np.zeros(0))
