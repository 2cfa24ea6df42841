"""Training in several processes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from spacy_cascade.errors import CascadeError
from spacy_cascade.models.loading import pick_device
from spacy_cascade.models.losses import group_sizes, item_loss
from spacy_cascade.training.devices import on_cpus, settle_device
from spacy_cascade.training.loop import SFT
from tests import util


@pytest.mark.slow
def test_two_processes_train_as_one(base: Path, tmp_path: Path) -> None:
    """Data parallel, limited by time: both end at the same step, with the same weights."""
    script = f"""
import os, sys, torch
from pathlib import Path
from tests import util
from spacy_cascade.training.loop import SFT
torch.set_num_threads(1)
full = {{"adapter": None}}
nlp = util.cascade(Path({str(base)!r}), extractor=full, classifier=full)
loop = SFT(
    ["cascade_extractor", "cascade_classifier"],
    max_minutes=0.03,
    batch_size=2,
    save_every=0,
    replace_rate=0.0,
)
rank = os.environ["RANK"]
output = Path({str(tmp_path)!r}) / "run"
result = loop.run(nlp, util.examples(nlp), [], output, report=lambda info: None)
weights = nlp.get_pipe("cascade_extractor").lm.model.state_dict()
torch.save({{"steps": result["steps"], **weights}}, {str(tmp_path)!r} + f"/{{rank}}.pt")
"""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    world = {
        "WORLD_SIZE": "2",
        "LOCAL_WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
        "ACCELERATE_USE_CPU": "true",
    }
    env = {**os.environ, **world, "PYTHONPATH": str(Path(__file__).parents[2])}
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", script], env={**env, "RANK": r, "LOCAL_RANK": r}
        )
        for r in "01"
    ]
    assert [run.wait(timeout=300) for run in runs] == [0, 0]
    first, second = (torch.load(tmp_path / f"{r}.pt") for r in "01")
    assert first.pop("steps") == second.pop("steps") > 1
    assert all(torch.equal(first[k], second[k]) for k in first)
    before = util.cascade(base).get_pipe("cascade_extractor").lm.model.state_dict()
    assert any(not torch.equal(before[k], first[k]) for k in before)


def test_each_process_of_a_launch_has_its_own_gpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """There is no GPU here: what PyTorch says of its devices is set."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    assert [pick_device(d) for d in ("cuda", "cuda:0", "cpu")] == [
        "cuda",
        "cuda:0",
        "cpu",
    ]
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert [pick_device(d) for d in ("cuda", "cuda:0", "cpu")] == [
        "cuda:1",
        "cuda:1",
        "cpu",
    ]


def test_the_device_is_settled_before_a_model_is_loaded(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from accelerate.state import PartialState

    from spacy_cascade.models import loading

    PartialState._reset_state()
    order = []
    settle, load = settle_device, loading.load_model
    monkeypatch.setattr(
        "spacy_cascade.training.loop.settle_device",
        lambda **kw: order.append("device") or settle(**kw),
    )
    monkeypatch.setattr(
        loading,
        "load_model",
        lambda *args, **kw: order.append("model") or load(*args, **kw),
    )
    nlp = util.cascade(base)
    loop = SFT(
        ["cascade_extractor"], max_steps=1, batch_size=2, save_every=0, replace_rate=0.0
    )
    loop.run(nlp, util.examples(nlp), [], tmp_path)
    assert order[0] == "device"
    assert "model" in order


@pytest.mark.slow
def test_a_gpu_by_number_is_for_a_single_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script = """
from spacy_cascade.training.devices import settle_device
print(settle_device(0))
"""
    free = socket.socket()
    free.bind(("127.0.0.1", 0))
    port = str(free.getsockname()[1])
    free.close()
    world = {
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
        "ACCELERATE_USE_CPU": "true",
    }
    env = {**os.environ, **world, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", script]
    runs = [
        subprocess.Popen(
            command,
            env={**env, "RANK": r, "LOCAL_RANK": r},
            stdout=subprocess.PIPE,
            text=True,
        )
        for r in "01"
    ]
    assert [run.communicate(timeout=200)[0].strip() for run in runs] == ["-1", "-1"]
    assert settle_device(-1) == -1


def test_models_on_cpus_are_told_from_a_config() -> None:
    shared = {"component": "a"}
    assert on_cpus(
        {
            "a": {"model": {"name": "x", "device": "cpu"}},
            "b": {"model": shared},
            "c": {},
        }
    )
    assert not on_cpus({"a": {"model": {"name": "x", "device": "auto"}}})


# -- Less memory ---------------------------------------------------------------------


@pytest.mark.parametrize("adapter", [None, {"rank": 4}], ids=["all", "lora"])
def test_recomputed_activations_give_the_same_gradients_from_less_memory(
    base: Path, adapter: object
) -> None:
    nlp = util.cascade(base, extractor={"adapter": adapter})
    pipe = nlp.get_pipe("cascade_extractor")
    trainable = pipe.start_training()  # type: ignore[attr-defined]
    items = [i for found in pipe.training_items(util.examples(nlp)) for i in found]
    grads, kept = [], []
    for again in (False, True):
        trainable.recompute(again)
        stored = 0

        def store(tensor: torch.Tensor) -> torch.Tensor:
            nonlocal stored
            stored += tensor.numel()
            return tensor

        with (
            trainable.active(),
            torch.autograd.graph.saved_tensors_hooks(store, lambda tensor: tensor),
        ):
            item_loss(pipe.lm, items, group_sizes(items, "decisions"))[0].backward()
        kept.append(stored)
        grads.append(
            {
                n: p.grad.clone()
                for n, p in trainable.parameters.items()
                if p.grad is not None
            }
        )
        for p in trainable.parameters.values():
            p.grad = None
    trainable.recompute(False)
    assert grads[0].keys() == grads[1].keys()
    assert all(torch.allclose(grads[0][n], grads[1][n], atol=1e-6) for n in grads[0])
    assert kept[1] < 0.6 * kept[0]


def test_a_model_that_cannot_do_that_says_so(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainable = util.cascade(base).get_pipe("cascade_extractor").start_training()
    monkeypatch.setattr(
        trainable.lm.model, "supports_gradient_checkpointing", False, raising=False
    )
    with pytest.raises(CascadeError, match="C110"):
        trainable.recompute(True)


def test_a_model_whose_layers_are_spread_answers_alike(lively: Path) -> None:
    plain, spread = (
        util.cascade(
            lively,
            extractor={
                "open_threshold": 0.2,
                "model": util.model_config(lively, **more),
            },
        )
        for more in ({}, {"device_map": "auto"})
    )
    for a, b in zip(
        plain.pipe(util.SENTENCES), spread.pipe(util.SENTENCES), strict=True
    ):
        assert util.spans(a) == util.spans(b)
    assert spread.get_pipe("cascade_extractor").lm.model.hf_device_map  # type: ignore[attr-defined]
