"""Trees for models that take no tree mask: every branch becomes a sequence of its own.

Slower, same result.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..decoding.tree import path_to
from ..types import Query

if TYPE_CHECKING:
    from .hf import HFCausalLM


def candidate_logits_without_trees(
    lm: HFCausalLM, queries: Sequence[Query]
) -> list[np.ndarray]:
    """Same contract as `candidate_logits`."""
    chains: list[Query] = []
    origin: list[tuple[int, int]] = []
    for i, query in enumerate(queries):
        for k, (position, candidates) in enumerate(
            zip(query.positions, query.candidates, strict=True)
        ):
            nodes = (
                path_to(query.parents, position)
                if query.parents is not None
                else range(position + 1)
            )
            ids = [query.ids[n] for n in nodes]
            depths = (
                [query.depths[n] for n in nodes] if query.depths is not None else None
            )
            chains.append(Query(ids, [len(ids) - 1], [candidates], depths=depths))
            origin.append((i, k))
    answers = lm.candidate_logits(chains) if chains else []
    out = []
    for query in queries:
        width = max((len(c) for c in query.candidates), default=0)
        out.append(np.full((len(query.positions), width), -np.inf, dtype=np.float32))
    for (i, k), row in zip(origin, answers, strict=True):
        n = len(queries[i].candidates[k])
        out[i][k, :n] = row[0, :n]
    return out
