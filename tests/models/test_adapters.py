from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from spacy_cascade.errors import CascadeError
from spacy_cascade.models.hf import HFCausalLM
from spacy_cascade.models.trainable import lora_config
from spacy_cascade.types import Query
from tests.util import load_private


def _shake(lm: HFCausalLM, name: str) -> None:
    with torch.no_grad():
        for p in lm.adapter_parameters(name).values():
            p.normal_(0, 0.5, generator=torch.Generator().manual_seed(len(name)))


def _ask(lm: HFCausalLM, adapter: str | None) -> np.ndarray:
    with lm.adapter(adapter):
        return lm.candidate_logits([Query([5, 6, 7, 8], [1, 3], [[3, 4, 9]] * 2)])[0]


def test_adapters_change_the_model_only_inside_their_context(base: Path) -> None:
    lm = load_private(base)
    plain = _ask(lm, None)
    for name in ("one", "second"):
        lm.add_adapter(name, lora_config({"rank": 2}))
    assert _ask(lm, "one") == pytest.approx(plain), "a new adapter changes nothing"
    _shake(lm, "one")
    _shake(lm, "second")
    one, second = _ask(lm, "one"), _ask(lm, "second")
    assert not np.allclose(one, plain)
    assert not np.allclose(one, second)
    assert _ask(lm, None) == pytest.approx(plain)
    assert _ask(lm, "one") == pytest.approx(one)


def test_adapter_parameters_are_of_this_adapter_alone(base: Path) -> None:
    lm = load_private(base)
    lm.add_adapter("a", lora_config({"rank": 2}))
    lm.add_adapter("ab", lora_config({"rank": 2}))
    for name in ("a", "ab"):
        found = lm.adapter_parameters(name)
        assert found
        assert all(".lora_" in n and f".{name}." in n for n in found)


def test_adapter_round_trip(base: Path, tmp_path: Path) -> None:
    lm, other = load_private(base), load_private(base)
    lm.add_adapter("x", lora_config({"rank": 2, "alpha": 7}))
    _shake(lm, "x")
    lm.save_adapter("x", tmp_path / "x")
    other.load_adapter("y", tmp_path / "x")
    assert _ask(other, "y") == pytest.approx(_ask(lm, "x"))
    assert sorted(
        p.name for p in (tmp_path / "x").iterdir() if p.suffix not in (".md",)
    ) == [
        "adapter_config.json",
        "adapter_model.safetensors",
    ]


@pytest.mark.parametrize("first", [True, False], ids=["first", "second"])
def test_an_adapter_that_does_not_fit_is_refused_by_its_tensors(
    base: Path, tmp_path: Path, first: bool
) -> None:
    lm, other = load_private(base), load_private(base)
    lm.add_adapter("x", lora_config({"rank": 2}))
    _shake(lm, "x")
    lm.save_adapter("x", tmp_path / "x")
    file = tmp_path / "x" / "adapter_model.safetensors"
    whole = load_file(file)
    plain = _ask(other, None)
    if not first:
        other.add_adapter("z", lora_config({"rank": 2}))

    name = min(whole)
    less = {k: v for k, v in whole.items() if k != name}
    more = {**whole, name.replace("layers.0", "layers.7"): whole[name].clone()}
    for state, what, found in (
        (less, "missing", name.rsplit(".", 1)[0]),
        (more, "of no layer here", "layers.7"),
    ):
        save_file(state, file)
        with pytest.raises(CascadeError) as err:
            other.load_adapter("y", tmp_path / "x")
        assert "C125" in str(err.value)
        assert what in str(err.value)
        assert found in str(err.value)
        assert "y" not in other.adapters
        assert _ask(other, None) == pytest.approx(plain)

    save_file(whole, file)
    other.load_adapter("y", tmp_path / "x")
    assert _ask(other, "y") == pytest.approx(_ask(lm, "x"))


def test_fingerprint_ignores_adapters_and_tells_bases_apart(
    base: Path, other_base: Path
) -> None:
    lm = load_private(base)
    before = lm.fingerprint()
    lm.add_adapter("x", lora_config({"rank": 2}))
    assert lm.fingerprint() == before == load_private(base).fingerprint()
    assert load_private(other_base).fingerprint() != before


def test_save_leaves_adapters_out(base: Path, tmp_path: Path) -> None:
    lm = load_private(base)
    lm.add_adapter("x", lora_config({"rank": 2}))
    _shake(lm, "x")
    lm.save(tmp_path / "m")
    again = load_private(tmp_path / "m")
    assert again.fingerprint() == lm.fingerprint()
    assert _ask(again, None) == pytest.approx(_ask(lm, None))
