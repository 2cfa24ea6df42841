"""What is minimized."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol

import torch
from torch.nn.functional import cross_entropy

from ..decoding.tree import TokenTree
from ..errors import CascadeError, Errors
from ..types import Query, TrainingItem

OBJECTIVES = ("decisions", "completion")
# The language-model loss is there to keep word vectors alive; a quarter of the text
# does that at a quarter of the cost.
_TEXT_STRIDE = 4


class LossModel(Protocol):
    """What a loss asks of a model."""

    def hidden_states(self, queries: Sequence[Query]) -> torch.Tensor:
        """Shape (queries, longest, width)."""

    def gather(
        self,
        queries: Sequence[Query],
        hidden: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits of candidates and a mask. Shape (positions, most candidates)"""

    def all_logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """Shape (n, width) -> (n, vocabulary)."""


def group_sizes(items: Sequence[TrainingItem], objective: str) -> Counter[int]:
    """Number of targets of every group of decisions (see `TrainingItem.groups`).

    objective (str): As in `item_loss`.
    RETURNS (Counter): By group.
    """
    if objective == "completion":
        return Counter({0: sum(len(item.answer) for item in items)})
    return Counter(_groups(items))


def _groups(items: Sequence[TrainingItem]) -> list[int]:
    """The group of every decision."""
    groups: list[int] = []
    for item in items:
        groups += item.groups or [0] * len(item.gold)
    return groups


def item_loss(
    lm: LossModel,
    items: Sequence[TrainingItem],
    sizes: Counter[int],
    *,
    objective: str = "decisions",
    lm_weight: float = 0.0,
) -> tuple[torch.Tensor, dict[int, float]]:
    """Loss of a part of a batch; the parts add up to the sum of the groups' means.

    Weighing every decision alike instead starves the classifier, which has few decisions.

    lm (LossModel): The model that is trained.
    items (Sequence[TrainingItem]): A part of a batch.
    sizes (Counter): Number of targets of every group in the whole batch.
    objective (str): `decisions`: cross-entropy over the tokens that the constraint
        allows, where it allows more than one; `completion`: cross-entropy over the
        whole vocabulary at every token of the answer.
    lm_weight (float): Weight of an additional language-model loss on the plain text.
    RETURNS: the loss, and each group's part of its own mean, without the language-model part.
    """
    if objective not in OBJECTIVES:
        choices = ", ".join(OBJECTIVES)
        raise CascadeError(
            Errors.C020.format(option="objective", value=objective, choices=choices)
        )
    queries = [item.query for item in items]
    hidden = lm.hidden_states(queries)  # (items, longest, width)
    if objective == "decisions":
        logits, _ = lm.gather(queries, hidden)  # (decisions, most candidates)
        gold = [g for item in items for g in item.gold]
        targets = torch.tensor(gold, device=logits.device)
        each = cross_entropy(logits, targets, reduction="none")  # (decisions,)
        groups = _groups(items)
    else:
        answers = [_predicted(item, item.answer) for item in items]
        each = _full_vocabulary(lm, hidden, answers)  # (answer tokens,)
        groups = [0] * len(each)

    shares = dict.fromkeys(sizes, 0.0)
    for group, value in zip(groups, each.detach().tolist(), strict=True):
        shares[group] += value / sizes[group]
    weights = torch.tensor([1.0 / sizes[g] for g in groups], device=each.device)
    loss = (each * weights).sum()

    if lm_weight:
        texts = [_predicted(item, _sampled_text(item)) for item in items]
        text = _full_vocabulary(lm, hidden, texts)  # (text tokens,)
        if len(text):
            part = len(groups) / max(1, sum(sizes.values()))
            loss = loss + lm_weight * text.mean() * part
    return loss, shares


class _Prediction(NamedTuple):
    """A token that is predicted from a node of its item."""

    parent: int
    token: int


def _sampled_text(item: TrainingItem) -> list[int]:
    """The nodes of the text that the language-model loss looks at."""
    start = len(item.query.ids) % _TEXT_STRIDE
    return item.text[start::_TEXT_STRIDE]


def _predicted(item: TrainingItem, nodes: Sequence[int]) -> list[_Prediction]:
    """These nodes, each given its parent."""
    query = item.query
    found = []
    for node in nodes:
        parent = node - 1 if query.parents is None else query.parents[node]
        if parent >= 0:
            found.append(_Prediction(parent, query.ids[node]))
    return found


def _full_vocabulary(
    lm: LossModel,
    hidden: torch.Tensor,
    asked: Sequence[Sequence[_Prediction]],
) -> torch.Tensor:
    """Cross-entropies over the whole vocabulary.

    hidden (Tensor): Shape (items, tokens, width).
    asked (Sequence): For each item its predictions.
    RETURNS (Tensor): Shape (predictions,).
    """
    rows = [row for row, predictions in enumerate(asked) for _ in predictions]
    flat = [prediction for predictions in asked for prediction in predictions]
    if not flat:
        return hidden.new_zeros(0, dtype=torch.float32)

    columns = [prediction.parent for prediction in flat]
    tokens = [prediction.token for prediction in flat]
    logits = lm.all_logits(hidden[rows, columns]).float()  # (predictions, vocabulary)
    targets = torch.tensor(tokens, device=logits.device)
    return cross_entropy(logits, targets, reduction="none")


# -- Trees that are trained on


def trim(item: TrainingItem) -> TrainingItem:
    """Without the nodes that no decision looks at, such as an answer's last token.

    For the objective `decisions`.
    """
    query = item.query
    n = len(query.ids)
    parents = query.parents if query.parents is not None else range(-1, n - 1)
    needed = [False] * n
    for node in (*query.positions, *item.text):
        needed[node] = True
    for node in range(n - 1, -1, -1):
        if needed[node] and parents[node] >= 0:
            needed[parents[node]] = True
    if all(needed):
        return item

    kept = [node for node in range(n) if needed[node]]
    new = {node: k for k, node in enumerate(kept)}
    new_parents = None
    if query.parents is not None:
        new_parents = [new.get(query.parents[node], -1) for node in kept]
    new_depths = None
    if query.depths is not None:
        new_depths = [query.depths[node] for node in kept]
    trimmed = Query(
        [query.ids[node] for node in kept],
        [new[position] for position in query.positions],
        query.candidates,
        parents=new_parents,
        depths=new_depths,
    )
    text = [new[node] for node in item.text]
    return replace(item, query=trimmed, answer=[], text=text)


class _Merged(NamedTuple):
    """An item that others are merged into, and its tree."""

    tree: TokenTree
    item: TrainingItem


def merge_items(per_pipe: Sequence[list[TrainingItem]]) -> list[TrainingItem]:
    """Items of several components for one text, as few trees: what begins alike runs
    through the model once.

    per_pipe (Sequence): For each component its items.
    RETURNS: items whose `groups` tell the components apart.
    """
    merged: list[_Merged] = []
    for group, items in enumerate(per_pipe):
        for item in items:
            _add(item, group, _home(item, merged))
    return [home.item for home in merged]


def _home(item: TrainingItem, merged: list[_Merged]) -> _Merged:
    """Where an item begins alike; a new one, added to the others, if it does nowhere."""
    stem = item.query.ids[: (item.text[-1] + 1) if item.text else 1]
    for home in merged:
        if home.tree.shared(stem) == len(stem):
            return home

    tree = TokenTree()
    query = Query(tree.ids, parents=tree.parents, depths=tree.depths)
    home = _Merged(tree, TrainingItem(query, [], text=list(item.text)))
    merged.append(home)
    return home


def _add(
    item: TrainingItem,
    group: int,
    home: _Merged,
) -> None:
    """Add an item's nodes to a tree, and what is asked at them."""
    query = item.query
    where: list[int] = []  # of the item's nodes, in the tree
    for node, token in enumerate(query.ids):
        parent = node - 1 if query.parents is None else query.parents[node]
        depth = None if query.depths is None else [query.depths[node]]
        above = where[parent] if parent >= 0 else -1
        where.append(home.tree.insert([token], above, depth))

    target = home.item
    target.query.positions += [where[position] for position in query.positions]
    target.query.candidates += query.candidates
    target.gold += item.gold
    target.groups += [group] * len(item.gold)
    target.answer += [where[node] for node in item.answer]
