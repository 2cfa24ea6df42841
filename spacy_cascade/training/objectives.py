"""What is minimized."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from ..errors import CascadeError, Errors
from ..ty import TrainingItem

OBJECTIVES = ("decisions", "completion")


def item_loss(
    lm: Any, items: Sequence[TrainingItem], *, objective: str = "decisions", lm_weight: float = 0.0
) -> tuple[torch.Tensor, int]:
    """Mean loss of one batch, and the number of targets it is the mean of.

    objective (str): `decisions`: cross-entropy over the tokens that the constraint allows, where it allows more than
        one; `completion`: cross-entropy over the whole vocabulary at every token of the answer.
    lm_weight (float): Weight of an additional language-model loss on the plain text.
    """
    if objective not in OBJECTIVES:
        raise CascadeError(Errors.C020.format(option="objective", value=objective, choices=", ".join(OBJECTIVES)))
    queries = [item.query for item in items]
    hidden = lm.hidden_states(queries)
    if objective == "decisions":
        gold = [g for item in items for g in item.gold]
        if gold:
            logits, _ = lm.gather(queries, hidden)
            loss = cross_entropy(logits, torch.tensor(gold, device=logits.device))
        else:
            loss = hidden.sum() * 0.0
        n = len(gold)
    else:
        loss, n = _full_vocabulary(lm, hidden, items, "answer")
    if lm_weight:
        text, m = _full_vocabulary(lm, hidden, items, "text")
        if m:
            loss = loss + lm_weight * text
    return loss, n


def _full_vocabulary(lm: Any, hidden: torch.Tensor, items: Sequence[TrainingItem], nodes: str) -> tuple[torch.Tensor, int]:
    """Cross-entropy of nodes given their parents, over the whole vocabulary."""
    rows, cols, gold = [], [], []
    for row, item in enumerate(items):
        for node in getattr(item, nodes):
            parent = node - 1 if item.query.parents is None else item.query.parents[node]
            if parent >= 0:
                rows.append(row)
                cols.append(parent)
                gold.append(item.query.ids[node])
    if not gold:
        return hidden.sum() * 0.0, 0
    logits = lm.all_logits(hidden[rows, cols]).float()
    return cross_entropy(logits, torch.tensor(gold, device=logits.device)), len(gold)
