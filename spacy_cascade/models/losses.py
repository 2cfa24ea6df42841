"""What is minimized."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from ..decoding.tree import TokenTree
from ..errors import CascadeError, Errors
from ..types import Query, TrainingItem

OBJECTIVES = ("decisions", "completion")
# The language-model loss is there to keep word vectors alive; a quarter of the text
# does that at a quarter of the cost.
_TEXT_STRIDE = 4


def group_sizes(items: Sequence[TrainingItem], objective: str) -> Counter[int]:
    """Number of targets of every group of decisions (see `TrainingItem.groups`)."""
    if objective == "completion":
        return Counter({0: sum(len(i.answer) for i in items)})
    return Counter(g for i in items for g in (i.groups or [0] * len(i.gold)))


def item_loss(
    lm: Any,
    items: Sequence[TrainingItem],
    sizes: Counter[int],
    *,
    objective: str = "decisions",
    lm_weight: float = 0.0,
) -> tuple[torch.Tensor, dict[int, float]]:
    """Loss of a part of a batch; the parts add up to the sum of the groups' means.
    (Weighing every decision alike instead starves the classifier, which has few
    decisions: see docs/research/results.md.)

    objective (str): `decisions`: cross-entropy over the tokens that the constraint
        allows, where it allows more than one; `completion`: cross-entropy over the
        whole vocabulary at every token of the answer.
    lm_weight (float): Weight of an additional language-model loss on the plain text.
    RETURNS: the loss, and each group's part of its own mean, without the language-model part.
    """
    if objective not in OBJECTIVES:
        raise CascadeError(
            Errors.C020.format(
                option="objective", value=objective, choices=", ".join(OBJECTIVES)
            )
        )
    queries = [item.query for item in items]
    hidden = lm.hidden_states(queries)
    if objective == "decisions":
        gold = [g for item in items for g in item.gold]
        groups = [g for item in items for g in (item.groups or [0] * len(item.gold))]
        logits, _ = lm.gather(queries, hidden)
        each = cross_entropy(
            logits, torch.tensor(gold, device=logits.device), reduction="none"
        )
    else:
        each = _full_vocabulary(lm, hidden, items, "answer")
        groups = [0] * len(each)
    shares = dict.fromkeys(sizes, 0.0)
    for g, value in zip(groups, each.detach().tolist(), strict=True):
        shares[g] += value / sizes[g]
    loss = (
        each * torch.tensor([1.0 / sizes[g] for g in groups], device=each.device)
    ).sum()
    if lm_weight:
        text = _full_vocabulary(lm, hidden, items, "text")
        if len(text):
            loss = loss + lm_weight * text.mean() * (
                len(groups) / max(1, sum(sizes.values()))
            )
    return loss, shares


def trim(item: TrainingItem) -> TrainingItem:
    """Without the nodes that no decision looks at, such as an answer's last token.

    For the objective `decisions`.
    """
    q = item.query
    parents = q.parents if q.parents is not None else range(-1, len(q.ids) - 1)
    needed = [False] * len(q.ids)
    for node in (*q.positions, *item.text):
        needed[node] = True
    for node in range(len(parents) - 1, -1, -1):
        if needed[node] and parents[node] >= 0:
            needed[parents[node]] = True
    if all(needed):
        return item
    new = {node: k for k, node in enumerate(n for n, keep in enumerate(needed) if keep)}
    query = Query(
        [q.ids[n] for n in new],
        [new[p] for p in q.positions],
        q.candidates,
        parents=None if q.parents is None else [new.get(q.parents[n], -1) for n in new],
        depths=None if q.depths is None else [q.depths[n] for n in new],
    )
    return replace(item, query=query, answer=[], text=[new[n] for n in item.text])


def merge_items(per_pipe: Sequence[list[TrainingItem]]) -> list[TrainingItem]:
    """Items of several components for one text, as few trees: what begins alike runs
    through the model once.

    per_pipe (Sequence): For each component its items. RETURNS: items whose `groups`
        tell the components apart.
    """
    trees: list[tuple[TokenTree, TrainingItem]] = []
    for group, items in enumerate(per_pipe):
        for item in items:
            ids, parents = item.query.ids, item.query.parents
            stem = ids[: (item.text[-1] + 1) if item.text else 1]
            home = next((t for t in trees if t[0].shared(stem) == len(stem)), None)
            if home is None:
                tree = TokenTree()
                query = Query(tree.ids, parents=tree.parents, depths=tree.depths)
                home = tree, TrainingItem(query, [], text=list(item.text))
                trees.append(home)
            tree, merged = home
            where: list[int] = []
            for node, token in enumerate(ids):
                parent = node - 1 if parents is None else parents[node]
                depth = None if item.query.depths is None else [item.query.depths[node]]
                where.append(
                    tree.insert([token], where[parent] if parent >= 0 else -1, depth)
                )
            merged.query.positions += [where[p] for p in item.query.positions]
            merged.query.candidates += item.query.candidates
            merged.gold += item.gold
            merged.groups += [group] * len(item.gold)
            merged.answer += [where[n] for n in item.answer]
    return [merged for _, merged in trees]


def _full_vocabulary(
    lm: Any, hidden: torch.Tensor, items: Sequence[TrainingItem], nodes: str
) -> torch.Tensor:
    """Cross-entropies of nodes given their parents, over the whole vocabulary."""
    rows, cols, gold = [], [], []
    for row, item in enumerate(items):
        chosen = (
            item.text[len(item.query.ids) % _TEXT_STRIDE :: _TEXT_STRIDE]
            if nodes == "text"
            else item.answer
        )
        for node in chosen:
            parent = (
                node - 1 if item.query.parents is None else item.query.parents[node]
            )
            if parent >= 0:
                rows.append(row)
                cols.append(parent)
                gold.append(item.query.ids[node])
    if not gold:
        return hidden.new_zeros(0, dtype=torch.float32)
    logits = lm.all_logits(hidden[rows, cols]).float()
    return cross_entropy(
        logits, torch.tensor(gold, device=logits.device), reduction="none"
    )
