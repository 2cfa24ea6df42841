"""Weights of GGUF files are those that were written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from spacy_cascade.models.loading import load_model
from spacy_cascade.models.spec import gguf_spec
from tests import gguf_files


def logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        return model(input_ids=torch.arange(4, 60)[None]).logits


# -- Weights -------------------------------------------------------------------------


def test_unquantized_weights_are_those_of_the_model(file: Path) -> None:
    lm = load_model(gguf_spec(str(file), device="cpu"))
    original = gguf_files.tiny_llama()
    assert lm.name == str(file)
    found = lm.model.state_dict()
    for key, value in original.state_dict().items():
        assert torch.equal(found[key], value), key
    assert torch.allclose(logits(lm.model), logits(original), atol=1e-5)


@pytest.mark.parametrize("kind", ["Q8_0", "Q4_1"])
def test_quantized_weights_are_dequantized_exactly(tmp_path: Path, kind: str) -> None:
    import gguf

    model = gguf_files.tiny_llama()
    path = gguf_files.write(tmp_path / "q.gguf", model=model, kind=kind)
    lm = load_model(gguf_spec(str(path), device="cpu"))
    qtype = gguf.GGMLQuantizationType[kind]
    down = model.model.layers[1].mlp.down_proj.weight.detach().numpy()
    expected = gguf.dequantize(gguf.quants.quantize(down, qtype), qtype)
    found = lm.model.model.layers[1].mlp.down_proj.weight.detach()
    assert lm.model.dtype == torch.float32
    assert np.array_equal(found.numpy(), expected)
    assert not np.array_equal(found.numpy(), down)


@pytest.mark.parametrize(
    ("kind", "asked", "stored", "loaded"),
    [
        ("Q8_0", "auto", torch.float32, torch.float32),
        ("Q8_0", "bfloat16", torch.bfloat16, torch.bfloat16),
        ("BF16", "auto", torch.bfloat16, torch.bfloat16),
        ("BF16", "float32", torch.bfloat16, torch.float32),
        ("F16", "float32", torch.float16, torch.float32),
    ],
)
def test_dtypes(
    tmp_path: Path, cache: Path, kind: str, asked: str, stored: Any, loaded: Any
) -> None:
    path = gguf_files.write(tmp_path / "x.gguf", kind=kind)
    lm = load_model(gguf_spec(str(path), dtype=asked, device="cpu"))
    assert lm.model.dtype == loaded
    (weights,) = cache.rglob("*.safetensors")
    assert {v.dtype for v in load_file(weights).values()} == {stored}


def test_half_precision_loses_no_bit_of_single_numbers(
    tmp_path: Path, cache: Path
) -> None:
    """Matrices are in half precision, but the norms beside them need more: all is float32."""
    model = gguf_files.tiny_llama()
    with torch.no_grad():
        model.model.norm.weight.fill_(1.0001)
    path = gguf_files.write(tmp_path / "x.gguf", model=model, kind="BF16")
    lm = load_model(gguf_spec(str(path), device="cpu"))
    assert torch.equal(lm.model.model.norm.weight, model.model.norm.weight)
