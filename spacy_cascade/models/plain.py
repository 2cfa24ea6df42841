"""Small decoders on the CPU, run by plain torch.

Where a layer takes a fraction of a millisecond, what stands around its products costs
more than they do; and importing what transformers needs takes longer than all else that
loading a small pipeline does. So the tiny bases of this project (Qwen2's architecture)
are run by the lines below. Whatever goes beyond running them (training, adapters, a
tokenizer's finer points) is left to transformers, which gets the very files that the
model was loaded from.
"""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import nn
from torch.nn.functional import embedding, scaled_dot_product_attention, silu

from ..types import Query
from .batching import known
from .files import unpack_dir
from .hf import HFCausalLM
from .kv import PassCache
from .spec import HFSpec

# Wider layers take their time anyway.
_WIDEST = 512
_FILES = ("config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors")
# What the decoder below takes for granted.
_PLAIN = {
    "model_type": "qwen2",
    "hidden_act": "silu",
    "tie_word_embeddings": True,
    "use_sliding_window": False,
    "rope_scaling": None,
    "attention_dropout": 0.0,
}


def runs_plain(spec: HFSpec, path: Path, device: str) -> bool:
    """Whether a model directory holds a small decoder that can be run here, in these settings."""
    usual = (
        spec.attention == "sdpa"
        and spec.quantization is None
        and spec.dtype in ("auto", "float32")
    )
    usual = usual and not spec.trust_remote_code  # its own code may do anything
    if (
        device != "cpu"
        or not usual
        or not all((path / name).is_file() for name in _FILES)
    ):
        return False
    try:
        config = json.loads((path / "config.json").read_text("utf8"))
        tokenizer = json.loads((path / "tokenizer_config.json").read_text("utf8"))
        return (
            all(config.get(key, value) == value for key, value in _PLAIN.items())
            and config.get("torch_dtype", config.get("dtype")) in ("float32", "float16")
            and config["hidden_size"] <= _WIDEST
            and config["num_key_value_heads"] == config["num_attention_heads"]
            and config["hidden_size"] % config["num_attention_heads"] == 0
            and config.get("head_dim")
            in (None, config["hidden_size"] // config["num_attention_heads"])
            and set(config.get("layer_types") or ()) <= {"full_attention"}
            and config.get("rope_parameters", {}).get("rope_type", "default")
            == "default"
            # our own tokenizers: there is nothing to know but what the file says
            and "cascade_case_marks" in tokenizer
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return False  # the general way says what is wrong


class PlainDecoder(nn.Module):
    """The layers of a Qwen2 decoder.

    Norm weights are part of the matrices behind them, and the two values that the
    position encoding turns together stand side by side.

    config (dict): As in config.json.
    state (dict): Tensors by their names in transformers.
    """

    def __init__(self, config: Mapping[str, Any], state: Mapping[str, torch.Tensor]):
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
        self._speeds = _rope_theta(config) ** -(torch.arange(0, width, 2) / width)
        self.turns = self._turns_up_to(256)

    def _turns_up_to(self, n: int) -> torch.Tensor:
        """What positions 0 to n - 1 turn queries and keys by. Complex, (n, head width / 2)."""
        angles = torch.arange(n)[:, None] * self._speeds
        return torch.polar(torch.ones_like(angles), angles)

    @torch.no_grad()
    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        past_key_values: Any = None,
        use_cache: bool = False,
        wanted: torch.Tensor | None = None,
    ) -> Any:
        """As transformers' decoders are called.

        attention_mask (Tensor | None): Additive, (rows or 1, 1, tokens, tokens seen); None: causal.
        wanted (Tensor | None): Of which tokens states are wanted, (rows, some): the
            last layer leaves out the others. None: all.
        RETURNS: an object with `last_hidden_state`, (rows, tokens or some, width).
        """
        rows, n = input_ids.shape
        mask = causal(n, self.norm) if attention_mask is None else attention_mask
        x = embedding(input_ids.reshape(-1), self.embeddings)
        places = torch.arange(n) if position_ids is None else position_ids
        turns = self.turns  # another thread may put a table of its own there
        if int(places.max()) >= len(turns):
            turns = self.turns = self._turns_up_to(2 * int(places.max()))
        turns = turns[places.expand(rows, n).reshape(-1)]
        for i, layer in enumerate(self.layers):
            qkv = layer.qkv(_normed(x, self.eps), turns).view(rows, n, -1)
            q, kv = qkv.split([x.shape[1], 2 * x.shape[1]], dim=-1)
            if past_key_values is not None:
                kv = past_key_values.remember(i, kv)
            if wanted is not None and i + 1 == len(self.layers):
                row = torch.arange(rows)[:, None]
                q, x = q[row, wanted], x.view(rows, n, -1)[row, wanted].flatten(0, 1)
                mask = mask.expand(rows, -1, -1, -1)[row, :, wanted].transpose(1, 2)
            k, v = kv.chunk(2, dim=-1)
            q, k, v = (
                t.unflatten(-1, (self.heads, -1)).transpose(1, 2) for t in (q, k, v)
            )
            seen = scaled_dot_product_attention(q, k, v, attn_mask=mask)
            layer.read(x, seen.transpose(1, 2).reshape(x.shape))
            layer.think(x, _normed(x, self.eps))
        return SimpleNamespace(
            last_hidden_state=(_normed(x, self.eps) * self.norm).view(
                rows, -1, x.shape[1]
            )
        )


class _Layer:
    """One layer's matrices, in the order in which they are multiplied."""

    def __init__(self, name: str, heads: int, state: Mapping[str, torch.Tensor]):
        def get(part: str) -> torch.Tensor:
            return state[f"{name}{part}"].float()

        size = get("self_attn.q_proj.bias").shape[0]
        as_is = torch.arange(size)
        turned = as_is.view(heads, 2, -1).transpose(1, 2).reshape(-1)
        order = {"q": turned, "k": turned, "v": as_is}
        qkv = torch.cat(
            [get(f"self_attn.{k}_proj.weight")[o] for k, o in order.items()]
        )
        gates = torch.cat([get("mlp.gate_proj.weight"), get("mlp.up_proj.weight")])
        self._bias = torch.cat(
            [get(f"self_attn.{k}_proj.bias")[o] for k, o in order.items()]
        )
        self._qkv = (qkv * get("input_layernorm.weight")).T.contiguous()
        self._out = get("self_attn.o_proj.weight").T.contiguous()
        self._gates = (gates * get("post_attention_layernorm.weight")).T.contiguous()
        self._down = get("mlp.down_proj.weight").T.contiguous()
        self._heads = heads

    def qkv(self, x: torch.Tensor, turns: torch.Tensor) -> torch.Tensor:
        """Queries, keys and values, (tokens, 3 x width), the first two turned by their
        positions.
        """
        out = torch.addmm(self._bias, x, self._qkv)
        pairs = out[:, : 2 * x.shape[1]].view(len(x), 2 * self._heads, -1, 2)
        torch.view_as_complex(pairs).mul_(turns[:, None])
        return out

    def read(self, x: torch.Tensor, seen: torch.Tensor) -> None:
        """Add what attention has found to x."""
        x.addmm_(seen, self._out)

    def think(self, x: torch.Tensor, normed: torch.Tensor) -> None:
        """Add what the feed-forward part makes of it to x."""
        gate, up = (normed @ self._gates).chunk(2, dim=-1)
        x.addmm_(silu(gate).mul_(up), self._down)


def causal(n: int, like: torch.Tensor) -> torch.Tensor:
    """The mask of n tokens that see those before them and themselves."""
    return like.new_full((n, n), float("-inf")).triu_(1)[None, None]


def _normed(x: torch.Tensor, eps: float) -> torch.Tensor:
    lengths = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return x * lengths.square_().div_(x.shape[-1]).add_(eps).rsqrt_()


def _rope_theta(config: Mapping[str, Any]) -> float:
    """transformers 5 has moved it."""
    return float(config.get("rope_theta") or config["rope_parameters"]["rope_theta"])


class PlainLM(HFCausalLM):
    """A small decoder, run by `PlainDecoder` until somebody asks for transformers' own model.

    path (Path): A model directory for which `runs_plain` is true.
    """

    def __init__(self, path: Path, *, name: str, spec: HFSpec):
        self._model: Any = None
        self._tokenizer: Any = None
        self._reading = threading.RLock()
        self._files = {
            f.name: f.read_bytes()
            for f in path.iterdir()
            if f.is_file() and f.suffix in (".json", ".txt", ".jinja")
        }
        self._state = load_file(str(path / "model.safetensors"))
        config = json.loads(self._files["config.json"])
        decoder = PlainDecoder(config, self._state)
        size, width = decoder.embeddings.shape
        head = nn.Linear(width, size, bias=False, device="meta")
        head.weight = nn.Parameter(decoder.embeddings, requires_grad=False)
        backend = Tokenizer.from_str(self._files["tokenizer.json"].decode("utf8"))
        limit = int(config["max_position_embeddings"])
        marks = bool(
            json.loads(self._files["tokenizer_config.json"]).get("cascade_case_marks")
        )
        self._start(
            decoder, head, backend, limit=limit, case_marks=marks, name=name, spec=spec
        )
        self.exact_rows = self.trees = self.rows = True

    # -- transformers' own, when somebody asks for it
    # -----------------------------------------------------------

    @property
    def model(self) -> Any:  # type: ignore[override]
        """transformers' model, which is the one that runs from now on: who asks for it
        may change it.
        """
        if self._model is None:
            with self.alone(), self._reading:
                if self._model is None:
                    self._give_way()
        return self._model

    def _give_way(self) -> None:
        model = self._read()[0].eval()
        self.decoder, self.head = model.get_decoder(), model.get_output_embeddings()
        # what other threads have kept was run by the plain decoder
        self._working = type(self._working)(self._recall.tokens)
        self._model = model
        self._base_as_loaded = self._base_version()

    @property
    def tokenizer(self) -> Any:  # type: ignore[override]
        if self._tokenizer is None:
            with self._reading:
                if self._tokenizer is None:
                    self._tokenizer = self._read()[1]
        return self._tokenizer

    def _read(self) -> tuple[Any, Any]:
        from .pretrained import read_parts

        with tempfile.TemporaryDirectory() as tmp:
            self._write(Path(tmp))
            model, tokenizer = read_parts(self.spec, tmp, "cpu", local=True)
        model.name_or_path = self.name  # adapters look there for the base's config
        return model, tokenizer

    def after_fork(self) -> None:
        super().after_fork()
        self._reading = threading.RLock()

    def _write(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        unpack_dir(self._files, path)
        save_file(
            self._state, str(path / "model.safetensors"), metadata={"format": "pt"}
        )

    @property
    def _unchanged(self) -> bool:
        return self._model is None

    def save(self, path: Path) -> None:
        if self._unchanged:
            self._write(path)
        else:
            super().save(path)

    def _tensors(self) -> dict[str, torch.Tensor]:
        if not self._unchanged:
            return super()._tensors()
        return {
            **self._state,
            "lm_head.weight": self._state["model.embed_tokens.weight"],
        }

    def _version(self) -> int:
        return 0 if self._unchanged else super()._version()

    def _base_version(self) -> int:
        return 0 if self._unchanged else super()._base_version()

    def _find(self, token: str) -> int | None:
        return self._backend.token_to_id(token)

    # -- Running
    # ----------------------------------------------------------------------------------------------

    @property
    def cache_class(self) -> type[PassCache]:
        return PassCache if self._unchanged else super().cache_class

    def run(self, **inputs: Any) -> Any:
        """Nothing is kept from pass to pass: threads run side by side."""
        return self.decoder(**inputs) if self._unchanged else super().run(**inputs)

    def _answer(self, queries: Sequence[Query]) -> np.ndarray:
        if not self._unchanged:
            return super()._answer(queries)
        wanted = np.zeros(
            (len(queries), max(1, *(len(q.positions) for q in queries))), dtype=np.int64
        )
        for row, q in enumerate(queries):
            wanted[row, : len(q.positions)] = np.asarray(q.positions) - known(q)
        hidden = self.hidden_states(queries, wanted=torch.from_numpy(wanted))
        return self._logits(
            queries, hidden, [k for q in queries for k in range(len(q.positions))]
        )
