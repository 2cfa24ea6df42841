"""The layers of a small Qwen2 decoder, as plain products of matrices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import nn
from torch.nn.functional import embedding, scaled_dot_product_attention, silu

from .files import Json
from .forward import PassCache

# Positions that rotations are made for at first.
_POSITIONS = 256


class PlainStates(NamedTuple):
    """last_hidden_state (Tensor): Shape (rows, tokens, width)."""

    last_hidden_state: torch.Tensor


class PlainDecoder(nn.Module):
    """The layers of a Qwen2 decoder.

    Norm weights are part of the matrices behind them. The two values that the position
    encoding rotates together stand side by side.

    config (dict): As in config.json.
    state (dict): Tensors by their names in transformers.
    """

    def __init__(
        self,
        config: Json,
        state: Mapping[str, torch.Tensor],
    ):
        super().__init__()
        self.heads = int(config["num_attention_heads"])
        self.eps = float(config["rms_norm_eps"])
        self.embeddings = state["model.embed_tokens.weight"].float()
        self.norm = state["model.norm.weight"].float()
        self.layers = [
            _Layer(f"model.layers.{i}.", self.heads, state)
            for i in range(int(config["num_hidden_layers"]))
        ]
        width = self.embeddings.shape[1] // self.heads
        exponents = torch.arange(0, width, 2) / width
        self._speeds = _rope_theta(config) ** -exponents  # (head width / 2,)
        self.rotations = self._rotations_up_to(_POSITIONS)

    def _rotations_up_to(self, n: int) -> torch.Tensor:
        """What positions 0 to n - 1 rotate queries and keys by.

        RETURNS (Tensor): Complex numbers. Shape (n, head width / 2)
        """
        angles = torch.arange(n)[:, None] * self._speeds
        return torch.polar(torch.ones_like(angles), angles)

    def _rotations_of(self, positions: torch.Tensor) -> torch.Tensor:
        """positions (Tensor): Shape (tokens,). RETURNS (Tensor): (tokens, head width / 2)"""
        table = self.rotations  # another thread may put a table of its own there
        last = int(positions.max())
        if last >= len(table):
            table = self._rotations_up_to(2 * last)
            self.rotations = table
        return table[positions]

    @torch.no_grad()
    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        past_key_values: PassCache | None = None,
        use_cache: bool = False,
        output_positions: torch.Tensor | None = None,
    ) -> PlainStates:
        """As transformers' decoders are called.

        attention_mask (Tensor | None): Additive. Shape (rows or 1, 1, tokens, tokens
            seen); None: causal.
        output_positions (Tensor | None): Of which tokens states are asked: the last layer
            leaves out the others. Shape (rows, some); None: all.
        RETURNS (PlainStates): Shape (rows, tokens or some, width).
        """
        rows, n = input_ids.shape
        mask = attention_mask
        if mask is None:
            mask = causal(n, self.norm)
        positions = torch.arange(n) if position_ids is None else position_ids
        rotations = self._rotations_of(positions.expand(rows, n).reshape(-1))

        # the residual stream: (rows * tokens, width)
        x = embedding(input_ids.reshape(-1), self.embeddings)
        width = x.shape[1]
        for i, layer in enumerate(self.layers):
            qkv = layer.qkv(_normed(x, self.eps), rotations)
            qkv = qkv.view(rows, n, -1)
            q = qkv[..., :width]  # (rows, tokens, width)
            kv = qkv[..., width:]  # (rows, tokens, 2 x width)
            if past_key_values is not None:
                kv = past_key_values.remember(i, kv)  # (rows, tokens seen, 2 x width)

            if output_positions is not None and i + 1 == len(self.layers):
                row = torch.arange(rows)[:, None]
                q = q[row, output_positions]  # (rows, some, width)
                x = x.view(rows, n, -1)[row, output_positions]
                x = x.flatten(0, 1)  # (rows * some, width)
                mask = mask.expand(rows, -1, -1, -1)[row, :, output_positions]
                mask = mask.transpose(1, 2)  # (rows, 1, some, tokens seen)

            k, v = kv.chunk(2, dim=-1)
            seen = scaled_dot_product_attention(
                self._by_head(q),
                self._by_head(k),
                self._by_head(v),
                attn_mask=mask,
            )  # (rows, heads, tokens or some, head width)
            layer.add_attention(x, seen.transpose(1, 2).reshape(x.shape))
            layer.add_mlp(x, _normed(x, self.eps))

        states = _normed(x, self.eps) * self.norm
        return PlainStates(states.view(rows, -1, width))

    def _by_head(self, x: torch.Tensor) -> torch.Tensor:
        """(rows, tokens, width) -> (rows, heads, tokens, head width)"""
        by_head = x.view(*x.shape[:2], self.heads, -1)
        return by_head.transpose(1, 2)


class _Layer:
    """One layer's matrices, in the order in which they are multiplied."""

    def __init__(
        self,
        name: str,
        heads: int,
        state: Mapping[str, torch.Tensor],
    ):
        def get(part: str) -> torch.Tensor:
            return state[f"{name}{part}"].float()

        size = get("self_attn.q_proj.bias").shape[0]
        as_is = torch.arange(size)
        # pairs that are rotated together: (heads, 2, half) -> (heads, half, 2)
        paired = as_is.view(heads, 2, -1).transpose(1, 2).reshape(-1)
        order = {"q": paired, "k": paired, "v": as_is}
        weights = [get(f"self_attn.{k}_proj.weight")[o] for k, o in order.items()]
        biases = [get(f"self_attn.{k}_proj.bias")[o] for k, o in order.items()]
        qkv = torch.cat(weights) * get("input_layernorm.weight")
        gates = torch.cat([get("mlp.gate_proj.weight"), get("mlp.up_proj.weight")])
        gates = gates * get("post_attention_layernorm.weight")

        self._heads = heads
        self._bias = torch.cat(biases)  # (3 x width,)
        self._qkv = qkv.T.contiguous()  # (width, 3 x width)
        self._out = get("self_attn.o_proj.weight").T.contiguous()  # (width, width)
        self._gates = gates.T.contiguous()  # (width, 2 x inner width)
        self._down = get("mlp.down_proj.weight").T.contiguous()  # (inner width, width)

    def qkv(
        self,
        x: torch.Tensor,
        rotations: torch.Tensor,
    ) -> torch.Tensor:
        """Queries, keys and values, the first two rotated by their positions.

        x (Tensor): Shape (tokens, width).
        rotations (Tensor): Complex. Shape (tokens, head width / 2)
        RETURNS (Tensor): Shape (tokens, 3 x width).
        """
        tokens, width = x.shape
        out = torch.addmm(self._bias, x, self._qkv)
        pairs = out[:, : 2 * width].view(tokens, 2 * self._heads, -1, 2)
        # in place: (tokens, 2 x heads, head width / 2)
        torch.view_as_complex(pairs).mul_(rotations[:, None])
        return out

    def add_attention(
        self,
        x: torch.Tensor,
        seen: torch.Tensor,
    ) -> None:
        """Add what attention has found to x, in place. Both have the shape (tokens, width)."""
        x.addmm_(seen, self._out)

    def add_mlp(
        self,
        x: torch.Tensor,
        normed: torch.Tensor,
    ) -> None:
        """Add what the feed-forward part finds to x, in place. Both: (tokens, width)."""
        gate, up = (normed @ self._gates).chunk(2, dim=-1)  # (tokens, inner width)
        x.addmm_(silu(gate).mul_(up), self._down)


def causal(n: int, like: torch.Tensor) -> torch.Tensor:
    """The mask of n tokens that see those before them and themselves. Shape (1, 1, n, n)"""
    hidden = like.new_full((n, n), float("-inf"))
    return hidden.triu_(1)[None, None]


def _normed(x: torch.Tensor, eps: float) -> torch.Tensor:
    """RMS norm without weights. Shape (tokens, width), as x"""
    # (tokens, 1)
    scales: torch.Tensor = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    scales.square_().div_(x.shape[-1]).add_(eps).rsqrt_()
    return x * scales


def _rope_theta(config: Json) -> float:
    """transformers 5 has moved it."""
    return float(config.get("rope_theta") or config["rope_parameters"]["rope_theta"])
