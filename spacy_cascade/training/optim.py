"""Optimizers of the training loop."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import torch

OPTIMIZERS = ("adamw", "muon")
_MOMENTUM = 0.95


class MuonAdamW(torch.optim.AdamW):
    """AdamW; groups of matrices with `muon=True` move by orthogonalized momentum
    instead: by (nearly) the same amount in all of a matrix's directions. That learns
    more per step from random initialization. Embeddings, norms and biases are not for
    it.

    As `torch.optim.Muon` (Jordan et al. 2024), the update scaled to AdamW's as in Liu
    et al. (arXiv 2502.16982), so that both share a learning rate; but in the weights'
    own precision and with matrices of one shape together, which is many times faster on
    a CPU.
    """

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            if group.get("muon"):
                self._muon_step(group)
        super().step(closure)  # the others: it skips tensors without a gradient

    def _muon_step(self, group: dict[str, Any]) -> None:
        shapes: dict[torch.Size, list[tuple[torch.Tensor, torch.Tensor]]] = defaultdict(
            list
        )
        for p in group["params"]:
            if p.grad is None:
                continue
            state = self.state[p]
            if not state:
                state["momentum"] = torch.zeros_like(p)
            buffer = state["momentum"].lerp_(p.grad, 1 - _MOMENTUM)
            shapes[p.shape].append((p, p.grad.lerp(buffer, _MOMENTUM)))
            p.grad = None
        for shape, pairs in shapes.items():
            updates = orthogonalized(torch.stack([u for _, u in pairs]))
            scale = 0.2 * max(shape) ** 0.5
            for (p, _), update in zip(pairs, updates, strict=True):
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.add_(update, alpha=-group["lr"] * scale)


def orthogonalized(matrices: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """Pull all singular values towards one, by a quintic Newton-Schulz iteration.

    Shape (n, rows, columns).
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.mT if tall else matrices
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = torch.baddbmm(
            x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a
        )
    return x.mT if tall else x
