"""GGUF files that tests write themselves: a tiny Llama with a byte-level tokenizer, stored as
llama.cpp's converter does."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM

from spacy_cascade.models.encoding import byte_level_alphabet

from . import util

gguf = pytest.importorskip("gguf")

CONTROL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<file_sep>")
CHAT = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
HEADS, KV_HEADS = 4, 2
_NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def vocabulary(texts: Iterable[str], size: int = 500) -> tuple[list[str], list[str]]:
    """Tokens and merges of a byte-level BPE, control tokens first."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = list(byte_level_alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(CONTROL),
        initial_alphabet=alphabet,
        show_progress=False,
    )
    backend.train_from_iterator(texts, trainer)
    vocab = backend.get_vocab()
    merges = json.loads(backend.to_str())["model"]["merges"]
    return sorted(vocab, key=vocab.__getitem__), [" ".join(pair) for pair in merges]


def tiny_llama(seed: int = 0, size: int = 500) -> Any:
    """A model with large random weights, so that its decisions vary."""
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=size,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=HEADS,
        num_key_value_heads=KV_HEADS,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
    )
    model = LlamaForCausalLM(config).eval()
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(
                (torch.randn(p.shape) * 0.1) if p.dim() > 1 else torch.ones(p.shape)
            )
    return model


def _permuted(weight: np.ndarray, heads: int) -> np.ndarray:
    """Llama's rows of queries and keys in the order of llama.cpp's rotary encoding."""
    half = weight.shape[0] // heads // 2
    return weight.reshape(heads, 2, half, -1).swapaxes(1, 2).reshape(weight.shape)


def stored_tensors(model: Any) -> dict[str, np.ndarray]:
    """Weights by the names and in the order of a GGUF file."""
    out = {}
    for key, value in model.state_dict().items():
        weight = value.numpy()
        if "q_proj" in key or "k_proj" in key:
            weight = _permuted(weight, HEADS if "q_proj" in key else KV_HEADS)
        layer = key.split(".")[2] if key.startswith("model.layers.") else ""
        inner = key.removeprefix(f"model.layers.{layer}.").removesuffix(".weight")
        if inner in _NAMES:
            prefix = f"blk.{layer}." if layer else ""
            out[f"{prefix}{_NAMES[inner]}.weight"] = weight
    return out


def write(
    path: Path,
    *,
    model: Any = None,
    kind: str = "F32",
    architecture: str = "llama",
    more: Mapping[str, Any] | None = None,
    tokens: tuple[list[str], list[str]] | None = None,
    kinds: list[int] | None = None,
) -> Path:
    """A GGUF file.

    kind (str): Of its matrices.
    more (Mapping): String values of the metadata that differ; None: left out.
    """
    model = model or tiny_llama()
    tokens = tokens or vocabulary([*util.SENTENCES, *util.ODD] * 3)
    writer = gguf.GGUFWriter(str(path), architecture)
    strings = {"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "smollm"}
    strings |= {"general.name": "Tiny", "tokenizer.chat_template": CHAT, **(more or {})}
    for key, value in strings.items():
        if value is not None and key != "general.architecture":
            writer.add_string(key, value)
    config = model.config
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(10000.0)
    writer.add_rope_dimension_count(config.hidden_size // HEADS)
    writer.add_vocab_size(config.vocab_size)
    writer.add_token_list(tokens[0])
    writer.add_token_types(kinds or [3 if t in CONTROL else 1 for t in tokens[0]])
    writer.add_token_merges(tokens[1])
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(2)
    for name, weight in stored_tensors(model).items():
        _add(writer, name, weight, kind if weight.ndim > 1 else "F32")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add(writer: Any, name: str, weight: np.ndarray, kind: str) -> None:
    if kind == "I32":  # a kind that nobody dequantizes
        writer.add_tensor(name, weight.astype(np.int32))
        return
    qtype = gguf.GGMLQuantizationType[kind]
    writer.add_tensor(name, gguf.quants.quantize(weight, qtype), raw_dtype=qtype)
