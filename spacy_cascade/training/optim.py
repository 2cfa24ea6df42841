"""Optimizers of the training loop."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable

import torch
from torch import Tensor

OPTIMIZERS = ("adamw", "muon")
_MOMENTUM = 0.95


def make_optimizer(
    parameters: Iterable[Tensor],
    *,
    embeddings: Collection[Tensor],
    kind: str,
    learn_rate: float,
    weight_decay: float,
) -> MuonAdamW:
    """An optimizer of these tensors, the matrices apart from all others.

    embeddings (Collection[Tensor]): Matrices that muon must leave alone.
    kind (str): One of OPTIMIZERS.
    weight_decay (float): Of matrices. Vectors (norms, biases) have none.
    """
    excluded = {id(tensor) for tensor in embeddings}
    groups: dict[str, list[Tensor]] = {
        "muon": [],
        "matrix": [],
        "plain": [],
    }
    for tensor in parameters:
        if tensor.dim() < 2:
            group = "plain"
        elif kind == "muon" and tensor.dim() == 2 and id(tensor) not in excluded:
            group = "muon"
        else:
            group = "matrix"
        groups[group].append(tensor)

    described = []
    for name, tensors in groups.items():
        if not tensors:
            continue
        options: dict[str, object] = {
            "params": tensors,
            "weight_decay": 0.0 if name == "plain" else weight_decay,
            "muon": name == "muon",
        }
        described.append(options)
    return MuonAdamW(
        described,
        lr=learn_rate,
        betas=(0.9, 0.98),
    )


class MuonAdamW(torch.optim.AdamW):
    """AdamW, but groups with `muon=True` move by orthogonalized momentum.

    Muon moves a matrix by (nearly) the same amount in all of its directions. That learns
    more per step from random initialization. Embeddings, norms and biases are not for it.

    As `torch.optim.Muon` (Jordan et al. 2024), with the update scaled to AdamW's as in
    Liu et al. (arXiv 2502.16982), so that both share a learning rate. Two things differ:
    it computes in the weights' own precision, and matrices of one shape are updated
    together. That is many times faster on a CPU.
    """

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            if group.get("muon"):
                self._muon_step(
                    group["params"],
                    learn_rate=group["lr"],
                    weight_decay=group["weight_decay"],
                )
        # AdamW skips the tensors that have no gradient any more
        super().step(closure)

    def _muon_step(
        self,
        parameters: list[Tensor],
        *,
        learn_rate: float,
        weight_decay: float,
    ) -> None:
        by_shape: dict[torch.Size, list[tuple[Tensor, Tensor]]] = defaultdict(list)
        for parameter in parameters:
            gradient = parameter.grad
            if gradient is None:
                continue
            state = self.state[parameter]
            if not state:
                state["momentum"] = torch.zeros_like(parameter)
            momentum = state["momentum"].lerp_(gradient, 1 - _MOMENTUM)
            update = gradient.lerp(momentum, _MOMENTUM)
            by_shape[parameter.shape].append((parameter, update))
            parameter.grad = None

        for shape, pairs in by_shape.items():
            stacked = torch.stack([update for _, update in pairs])
            updates = orthogonalized(stacked)
            scale = 0.2 * max(shape) ** 0.5
            for (parameter, _), update in zip(pairs, updates, strict=True):
                parameter.mul_(1 - learn_rate * weight_decay)
                parameter.add_(update, alpha=-learn_rate * scale)


def orthogonalized(matrices: Tensor, steps: int = 5) -> Tensor:
    """Pull all singular values towards one, by a quintic Newton-Schulz iteration.

    matrices (Tensor): Shape (matrices, rows, columns).
    """
    a = 3.4445
    b = -4.7750
    c = 2.0315
    tall = matrices.shape[-2] > matrices.shape[-1]

    # (matrices, fewer, more): the products below are of the smaller side
    x = matrices.mT if tall else matrices
    norm = x.norm(dim=(-2, -1), keepdim=True)
    x = x / (norm + 1e-7)

    for _ in range(steps):
        gram = x @ x.mT  # (matrices, fewer, fewer)
        powers = torch.baddbmm(
            gram,
            gram,
            gram,
            beta=b,
            alpha=c,
        )
        x = torch.baddbmm(
            x,
            powers,
            x,
            beta=a,
        )
    return x.mT if tall else x
