from __future__ import annotations

import pytest
import torch

from spacy_cascade.training.optim import MuonAdamW, orthogonalized


@pytest.mark.parametrize("shape", [(6, 6), (4, 9), (9, 4)])
def test_singular_values_are_pulled_towards_one(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    matrices = torch.randn(5, *shape)
    before, after = (
        torch.linalg.svdvals(matrices),
        torch.linalg.svdvals(orthogonalized(matrices)),
    )
    assert before.max() > 3
    assert after.min() > 0.3 and after.max() < 1.3


def test_each_matrix_is_orthogonalized_by_itself() -> None:
    torch.manual_seed(0)
    a, b = torch.randn(1, 4, 6), 100 * torch.randn(1, 4, 6)
    both = orthogonalized(torch.cat([a, b]))
    assert torch.allclose(
        both, torch.cat([orthogonalized(a), orthogonalized(b)]), atol=1e-5
    )


def _trained(optimizer: type, steps: int = 12, **group: object) -> torch.Tensor:
    torch.manual_seed(0)
    weight, target = torch.nn.Parameter(torch.randn(8, 5)), torch.randn(8, 5)
    opt = optimizer(
        [{"params": [weight], **group}], lr=0.05, betas=(0.9, 0.98), weight_decay=0.01
    )
    for _ in range(steps):
        opt.zero_grad()
        (weight - target).square().mean().backward()
        opt.step()
    return weight.detach()


def test_without_muon_groups_it_is_adamw() -> None:
    assert torch.equal(_trained(MuonAdamW), _trained(torch.optim.AdamW))


def test_muon_moves_all_directions_by_the_learning_rate() -> None:
    """One step, whatever the size of the gradient: the update has the root mean square
    of one of AdamW's.
    """
    torch.manual_seed(0)
    weight = torch.nn.Parameter(torch.randn(16, 16))
    before = weight.detach().clone()
    opt = MuonAdamW([{"params": [weight], "muon": True}], lr=0.01, weight_decay=0.0)
    (1e-4 * (weight * torch.randn(16, 16)).sum()).backward()
    opt.step()
    move = (weight.detach() - before).square().mean().sqrt() / 0.01
    assert 0.1 < move < 0.3


def test_muon_reaches_the_target() -> None:
    start, end = _trained(MuonAdamW, 0, muon=True), _trained(MuonAdamW, 200, muon=True)
    torch.manual_seed(0)
    torch.randn(8, 5)
    target = torch.randn(8, 5)
    assert (end - target).norm() < 0.2 * (start - target).norm()
