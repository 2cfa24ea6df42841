"""Linear layers in int8: close to the float ones, and invisible to adapters, training
and saving.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from spacy_cascade.errors import CascadeError
from spacy_cascade.models.int8 import Int8Linear
from spacy_cascade.models.loading import load_model
from spacy_cascade.models.spec import HFSpec, hf_spec
from spacy_cascade.types import Query
from tests import util


@pytest.fixture
def linear() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(48, 32)


def _error(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).norm() / b.norm())


def test_close_to_the_float_product(linear: nn.Linear) -> None:
    x = torch.randn(3, 7, 48)
    with torch.no_grad():
        found, expected = Int8Linear(linear)(x), linear(x)
    assert found.shape == expected.shape
    assert 0 < _error(found, expected) < 0.03


def test_with_gradients_it_is_the_float_layer(linear: nn.Linear) -> None:
    x = torch.randn(5, 48)
    layer = Int8Linear(linear)
    layer(x).sum().backward()
    assert torch.equal(layer(x), linear(x))
    assert layer.weight.grad is not None
    assert list(layer.state_dict()) == list(linear.state_dict())


@torch.no_grad()
def test_changed_weights_are_seen(linear: nn.Linear) -> None:
    x = torch.randn(5, 48)
    layer = Int8Linear(linear)
    before = layer(x)
    linear.weight.mul_(2)
    assert _error(layer(x) - linear.bias, 2 * (before - linear.bias)) < 0.02


@torch.no_grad()
def test_no_token_depends_on_others(linear: nn.Linear) -> None:
    x = torch.randn(9, 48)
    x[1] *= 100
    layer = Int8Linear(linear)
    together = layer(x)
    assert all(torch.equal(layer(x[i : i + 1])[0], together[i]) for i in range(9))


@torch.no_grad()
def test_a_row_of_zeros_stays_one(linear: nn.Linear) -> None:
    linear.weight[3], linear.bias[3] = 0, 0
    assert Int8Linear(linear)(torch.randn(5, 48))[:, 3].tolist() == [0.0] * 5


def test_a_model_in_int8(base: Path) -> None:
    exact, rough = (
        load_model(HFSpec(str(base), device="cpu", quantization=q), private=True)
        for q in (None, "int8")
    )
    assert (
        sum(isinstance(m, Int8Linear) for m in rough.model.modules()) == 14
    )  # two layers of seven
    assert (rough.rows, rough.trees, rough.exact_rows) == (
        exact.rows,
        exact.trees,
        exact.exact_rows,
    )
    assert rough.fingerprint() == exact.fingerprint()
    query = Query([5, 20, 30, 40], [1, 3], [range(100), range(100)])
    (a,), (b,) = exact.candidate_logits([query]), rough.candidate_logits([query])
    assert 0 < _error(torch.from_numpy(b), torch.from_numpy(a)) < 0.05


@pytest.mark.slow
def test_adapters_are_trained_saved_and_loaded(
    base: Path, gold: list[Any], tmp_path: Path
) -> None:
    nlp = util.cascade(
        base, extractor={"model": util.model_config(base, quantization="int8")}
    )
    optimizer = nlp.initialize(lambda: gold)
    for _ in range(2):
        nlp.update(gold, sgd=optimizer)
    nlp.to_disk(tmp_path)
    again = type(nlp).from_config(nlp.config).from_disk(tmp_path)
    assert again.get_pipe("cascade_extractor").weights.spec.quantization == "int8"
    for text in util.SENTENCES:
        assert util.spans(again(text)) == util.spans(nlp(text))


def test_only_on_a_cpu(base: Path) -> None:
    with pytest.raises(CascadeError, match=r"C052.*'cuda:1'"):
        load_model(hf_spec(str(base), device="cuda:1", quantization="int8"))
