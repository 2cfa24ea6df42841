"""Linear layers that multiply in int8 on a CPU, beside the weights they are made from."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

# Seven bits for the input: kernels of processors without VNNI add pairs of products in 16 bits.
_ZERO, _MOST = 64, 63


class Int8Linear(nn.Linear):
    """A linear layer with the same weights, whose product runs in int8 where no
    gradient is asked for, with a scale for each output channel and for each input
    token, so that no token depends on what else is in the batch.

    The weights stay as they are, so that adapters, training and saving need not know;
    memory grows by a quarter of theirs.
    """

    def __init__(self, linear: nn.Linear):
        super().__init__(
            linear.in_features, linear.out_features, bias=False, device="meta"
        )
        self.weight = linear.weight
        self.bias = linear.bias
        self._packed: (
            tuple[tuple[int, int], tuple[Any, torch.Tensor, torch.Tensor]] | None
        ) = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x: float32 (..., in_features). RETURNS: (..., out_features)"""
        if torch.is_grad_enabled():
            return super().forward(x)
        weight, scales, zeros = self._weights()
        each = (x.abs().amax(-1, keepdim=True) / _MOST).clamp_min(1e-12)
        rounded = (x / each).round_().add_(_ZERO).to(torch.uint8)
        # The operator that torch.compile puts into quantized models; torch's quantized
        # tensors are deprecated.
        out = torch.ops.onednn.qlinear_pointwise(
            rounded,
            1.0,
            _ZERO,
            weight,
            scales,
            zeros,
            None,
            1.0,
            0,
            torch.float32,
            "none",
            [],
            "",
        ).mul_(each)
        return out if self.bias is None else out.add_(self.bias)

    def _weights(self) -> tuple[Any, torch.Tensor, torch.Tensor]:
        """The weights in the kernel's layout, their scales and zero points, made anew
        when they have changed.
        """
        state = self.weight.data_ptr(), self.weight._version
        packed = self._packed
        if packed is None or packed[0] != state:
            weight = self.weight.detach()
            scales = (weight.abs().amax(1) / 127).clamp_min(1e-12)
            rounded = (weight / scales[:, None]).round_().to(torch.int8)
            made = torch.ops.onednn.qlinear_prepack(rounded, None)
            packed = self._packed = (
                state,
                (made, scales, torch.zeros(len(weight), dtype=torch.int64)),
            )
        return packed[1]


def int8_runs(device: str) -> bool:
    """Whether int8 layers run there."""
    return (
        device == "cpu"
        and torch.backends.mkldnn.is_available()
        and hasattr(torch.ops.onednn, "qlinear_pointwise")
    )


def use_int8(model: nn.Module) -> None:
    """Replace all linear layers below a module.

    Those of adapters that come later stay as they are.
    """
    for module in list(model.modules()):
        for name, child in module.named_children():
            if type(child) is nn.Linear:
                setattr(module, name, Int8Linear(child))
