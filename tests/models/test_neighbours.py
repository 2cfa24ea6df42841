"""Heads that look at neighbours, and layers put below others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from spacy_cascade.cli.deepen import deepen
from spacy_cascade.errors import CascadeError
from spacy_cascade.models.tiny import OFFSETS, build_model, with_layer_below

WORDS = 12


def copied() -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and positions of `<s> text <sep> copy`, as the compact prompts have them."""
    words = torch.randint(10, 300, (WORDS,), generator=torch.Generator().manual_seed(0))
    ids = torch.cat([torch.tensor([1]), words, torch.tensor([2]), words])
    places = torch.arange(1, WORDS + 1)
    return ids[None], torch.cat([torch.tensor([0]), places, torch.tensor([0]), places])[
        None
    ]


def attention(model: Any) -> torch.Tensor:
    """What the copy's tokens look at in the first layer's originals.

    Shape (heads, copied, originals).
    """
    model.config._attn_implementation = "eager"  # others do not say what they look at
    ids, places = copied()
    with torch.no_grad():
        found = model(
            input_ids=ids, position_ids=places, output_attentions=True
        ).attentions[0][0]
    return found[:, WORDS + 2 :, 1 : WORDS + 1]


def test_heads_look_at_neighbours_from_the_first_step() -> None:
    found = attention(build_model(300, hidden_size=128, heads=4, layers=2))
    for head, offset in enumerate(OFFSETS):
        for word in range(3, WORDS - 3):
            assert found[head, word].argmax() == word + offset


def test_without_it_they_do_not() -> None:
    found = attention(
        build_model(300, hidden_size=128, heads=4, layers=2, neighbours=False)
    )
    assert found.max() < 0.2


def test_a_layer_below_changes_nothing_until_it_is_trained() -> None:
    model = build_model(300, hidden_size=64, heads=2, layers=2)
    taller = with_layer_below(model)
    assert taller.config.num_hidden_layers == len(taller.model.layers) == 3
    ids, places = copied()
    assert torch.equal(
        taller(input_ids=ids, position_ids=places).logits,
        model(input_ids=ids, position_ids=places).logits,
    )
    taller(input_ids=ids, position_ids=places, labels=ids).loss.backward()
    assert taller.model.layers[0].self_attn.o_proj.weight.grad.abs().max() > 0
    assert model.config.num_hidden_layers == 2


def test_deepen(base: Path, tmp_path: Path) -> None:
    assert deepen(base, tmp_path / "taller") == 3
    old, new = (
        AutoModelForCausalLM.from_pretrained(path)
        for path in (base, tmp_path / "taller")
    )
    ids, places = copied()
    assert torch.equal(
        old(input_ids=ids, position_ids=places).logits,
        new(input_ids=ids, position_ids=places).logits,
    )


def test_deepen_takes_only_models_of_this_kind(base: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=300,
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
    )
    LlamaForCausalLM(config).save_pretrained(tmp_path / "llama")
    AutoTokenizer.from_pretrained(base).save_pretrained(tmp_path / "llama")
    with pytest.raises(CascadeError, match=r"C020.*llama"):
        deepen(tmp_path / "llama", tmp_path / "taller")
