"""Linear layers that multiply in int8 on a CPU, beside the weights they are made from."""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
from torch import nn

# Seven bits for the input: kernels of processors without VNNI add pairs of products in 16 bits.
_ZERO = 64
_MOST = 63


class _Packed(NamedTuple):
    """Weights in the kernel's layout, and the scale and zero point of each output channel.

    state (tuple): What the weights were when this was made: their address and version.
    """

    state: tuple[int, int]
    weight: torch.Tensor
    scales: torch.Tensor
    zeros: torch.Tensor


class Int8Linear(nn.Linear):
    """A linear layer with the same weights, whose product runs in int8 where no
    gradient is asked for.

    Each output channel and each input token has a scale of its own, so that no token
    depends on what else is in the batch.

    The weights stay as they are, so that adapters, training and saving need not know;
    memory grows by a quarter of theirs.
    """

    def __init__(self, linear: nn.Linear):
        super().__init__(
            linear.in_features,
            linear.out_features,
            bias=False,
            device="meta",
        )
        self.weight = linear.weight
        self.bias = linear.bias
        self._packed: _Packed | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x (Tensor): float32. Shape (..., in_features). RETURNS: (..., out_features)"""
        if torch.is_grad_enabled():
            return super().forward(x)

        packed = self._weights()
        scales = x.abs().amax(-1, keepdim=True) / _MOST  # (..., 1)
        scales = scales.clamp_min(1e-12)
        rounded = (x / scales).round_().add_(_ZERO).to(torch.uint8)
        # The operator that torch.compile puts into quantized models; torch's quantized
        # tensors are deprecated.
        product = torch.ops.onednn.qlinear_pointwise(
            rounded,
            1.0,
            _ZERO,
            packed.weight,
            packed.scales,
            packed.zeros,
            None,
            1.0,
            0,
            torch.float32,
            "none",
            [],
            "",
        )
        out = cast(torch.Tensor, product).mul_(scales)
        return out if self.bias is None else out.add_(self.bias)

    def _weights(self) -> _Packed:
        """Made anew when the weights have changed."""
        state = self.weight.data_ptr(), self.weight._version
        packed = self._packed
        if packed is not None and packed.state == state:
            return packed

        weight = self.weight.detach()  # (out_features, in_features)
        scales = (weight.abs().amax(1) / 127).clamp_min(1e-12)  # (out_features,)
        rounded = (weight / scales[:, None]).round_().to(torch.int8)
        made = torch.ops.onednn.qlinear_prepack(rounded, None)
        zeros = torch.zeros(len(weight), dtype=torch.int64)
        self._packed = _Packed(state, made, scales, zeros)
        return self._packed


def int8_runs(device: str) -> bool:
    """Whether int8 layers run there."""
    return (
        device == "cpu"
        and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
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
