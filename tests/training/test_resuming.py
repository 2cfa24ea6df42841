"""Runs that go on from a checkpoint, and checkpoints that are refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from spacy_cascade.errors import CascadeError
from spacy_cascade.training.loop import SFT
from tests import util

from .util import FULL, LORA, STAGES, changed, one, state, two

SETTINGS: dict[str, Any] = {
    "max_steps": 8,
    "batch_size": 3,
    "save_every": 2,
    "subword_noise": 0.25,
    "replace_rate": 0.5,
    "seed": 7,
}


class Killed(Exception):
    pass


def _killed_at(step: int) -> Callable[[dict[str, Any]], None]:
    def report(info: dict[str, Any]) -> None:
        if info["step"] == step:
            raise Killed

    return report


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "optimizer"),
    [(LORA, "adamw"), (FULL, "adamw"), (FULL, "muon")],
    ids=["lora", "full", "full-muon"],
)
def test_a_resumed_run_equals_one_without_a_break(
    fresh: Any, tmp_path: Path, settings: dict[str, Any], optimizer: str
) -> None:
    path = fresh()
    loop = SFT(STAGES, **SETTINGS, eval_every=5, optimizer=optimizer)
    whole = two(path, settings)
    loop.run(whole, util.examples(whole), [], tmp_path / "whole")
    broken = two(path, settings)
    with pytest.raises(Killed):
        loop.run(
            broken, util.examples(broken), [], tmp_path / "broken", report=_killed_at(5)
        )
    again = two(path, settings)
    result = loop.run(again, util.examples(again), [], tmp_path / "broken")
    assert result["steps"] == 8
    for stage in STAGES:
        a, b = _own(state(whole, stage)), _own(state(again, stage))
        assert any(".lora_" in n for n in a) == (settings is LORA)
        assert set(a) == set(b)
        assert all(torch.equal(v, b[k]) for k, v in a.items())


def _own(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Without other adapters on the same base: those keep the counter in their names
    (see `state`).
    """
    return {
        k: v
        for k, v in tensors.items()
        if not re.search(r"\.cascade_(extractor|classifier)_\d+", k)
    }


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(
    fresh: Any, tmp_path: Path
) -> None:
    path, found = fresh(), []
    for i, seed in enumerate((7, 7, 8)):
        nlp = one(path, **FULL)
        SFT(["cascade_extractor"], **{**SETTINGS, "seed": seed, "max_steps": 3}).run(
            nlp, util.examples(nlp), [], tmp_path / str(i)
        )
        found.append(state(nlp))
    assert not changed(found[0], found[1])
    assert changed(found[0], found[2])


@pytest.fixture
def stopped(fresh: Any, tmp_path: Path) -> tuple[Path, Path]:
    path = fresh()
    nlp = one(path, **FULL)
    with pytest.raises(Killed):
        SFT(["cascade_extractor"], **SETTINGS, eval_every=5).run(
            nlp, util.examples(nlp), [], tmp_path / "run", report=_killed_at(5)
        )
    assert (tmp_path / "run" / "checkpoint").is_dir()
    return path, tmp_path / "run"


def _resume(
    path: Path, run: Path, *, resume: bool = True, examples: int = 8, **settings: Any
) -> dict[str, Any]:
    nlp = one(path, **FULL)
    loop = SFT(["cascade_extractor"], **{**SETTINGS, "eval_every": 5, **settings})
    return loop.run(nlp, util.examples(nlp)[:examples], [], run, resume=resume)


@pytest.mark.slow
@pytest.mark.parametrize("file", ["state.safetensors", "meta.json"])
@pytest.mark.parametrize("damage", ["cut", "flipped", "gone"])
def test_c032_damaged_checkpoint(
    stopped: tuple[Path, Path], file: str, damage: str
) -> None:
    path, run = stopped
    target = run / "checkpoint" / file
    data = bytearray(target.read_bytes())
    if damage == "gone":
        target.unlink()
    elif damage == "cut":
        target.write_bytes(data[: len(data) // 2])
    else:
        data[len(data) // 2] ^= 0x40
        target.write_bytes(data)
    with pytest.raises(CascadeError) as err:
        _resume(path, run)
    if (file, damage) == ("meta.json", "flipped"):
        assert err.value.code in ("C032", "C036")
    else:
        assert err.value.code == "C032"
        assert "Delete it to start again" in str(err.value)


def test_c032_checkpoint_of_another_model(
    stopped: tuple[Path, Path], lively: Path, tmp_path: Path
) -> None:
    from spacy_cascade.models.tiny import build_base

    _, run = stopped
    build_base(
        tmp_path / "wide",
        [" a", " b"] * 9,
        vocab_size=300,
        hidden_size=64,
        layers=1,
        heads=2,
    )
    with pytest.raises(CascadeError) as err:
        _resume(tmp_path / "wide", run)
    assert err.value.code == "C032"


def test_a_finished_run_goes_on_if_it_gets_more_steps(
    fresh: Any, tmp_path: Path
) -> None:
    path, run = fresh(), tmp_path / "run"
    assert _resume(path, run, max_steps=2, save_every=1)["steps"] == 2
    assert _resume(path, run, max_steps=4, save_every=1)["steps"] == 4
    # neither with fewer steps, nor with another setting beside
    for other in ({"max_steps": 3}, {"max_steps": 6, "seed": 1}):
        with pytest.raises(CascadeError) as err:
            _resume(path, run, save_every=1, **other)
        assert err.value.code == "C036"


@pytest.mark.parametrize(
    ("option", "value"),
    [("learn_rate", 0.5), ("seed", 1), ("batch_size", 2), ("objective", "completion")],
)
def test_c036_checkpoint_of_a_run_with_other_settings(
    stopped: tuple[Path, Path], option: str, value: Any
) -> None:
    with pytest.raises(CascadeError) as err:
        _resume(*stopped, **{option: value})
    assert err.value.code == "C036"
    assert option in str(err.value)
    assert "--output" in str(err.value)


def test_c036_checkpoint_of_a_run_on_other_data(stopped: tuple[Path, Path]) -> None:
    with pytest.raises(CascadeError) as err:
        _resume(*stopped, examples=5)
    assert err.value.code == "C036"
    assert "documents" in str(err.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"subword_noise": 0.3},
        {"replace_rate": 0.6},
        {"learn_rate": 0.0003},
        {"weight_decay": 1e-12},
    ],
)
def test_settings_are_compared_without_rounding(
    fresh: Any, tmp_path: Path, settings: dict[str, Any]
) -> None:
    """ujson, which srsly uses, does not bring every float back."""
    path = fresh()
    for steps in (2, 2):
        assert (
            _resume(path, tmp_path / "run", max_steps=steps, **settings)["steps"] == 2
        )


def test_no_resume_starts_again(stopped: tuple[Path, Path]) -> None:
    path, run = stopped
    assert _resume(path, run, resume=False, seed=1)["steps"] == 8
    assert [
        json.loads(x)["step"] for x in (run / "log.jsonl").read_text().splitlines()
    ] == [
        5,
        8,
    ]


@pytest.mark.slow
def test_a_finished_run_is_not_run_again(stopped: tuple[Path, Path]) -> None:
    path, run = stopped
    _resume(path, run)
    nlp = one(path, **FULL)
    seen: list[Any] = []
    result = SFT(["cascade_extractor"], **SETTINGS, eval_every=5).run(
        nlp, util.examples(nlp), [], run, report=seen.append
    )
    assert result["steps"] == 8


def test_no_pickle_in_a_checkpoint(stopped: tuple[Path, Path]) -> None:
    assert sorted(p.name for p in (stopped[1] / "checkpoint").iterdir()) == [
        "meta.json",
        "state.safetensors",
    ]
