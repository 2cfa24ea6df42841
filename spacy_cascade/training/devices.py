"""Which device a process trains on.

It has to be settled before a model is loaded: each process of a launch has its own.
"""

from __future__ import annotations

import os
from collections.abc import Mapping


def several_processes() -> bool:
    """Whether `accelerate launch` or `torchrun` started this process beside others."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def settle_device(gpu_id: int = -1, *, cpu: bool = False) -> int:
    """Make a GPU this process's own.

    Where several processes were launched, each gets the GPU that the launcher gave it,
    whatever `gpu_id` says. One number for all would put every model onto one GPU.

    gpu_id (int): GPU for a single process; -1: leave it to the config.
    cpu (bool): The models run on CPUs.
    RETURNS (int): The GPU, or -1.
    """
    import torch

    if several_processes():
        from accelerate import PartialState

        device = PartialState(cpu=cpu).device
        return int(device.index or 0) if device.type == "cuda" else -1
    if gpu_id >= 0 and torch.cuda.is_available():
        torch.cuda.set_device(gpu_id)
    return gpu_id


def on_cpus(components: Mapping[str, Mapping[str, object]]) -> bool:
    """Whether all models of a config's [components] are told to run on CPUs."""
    models = [block.get("model") for block in components.values()]
    named = [model for model in models if isinstance(model, dict) and "name" in model]
    return bool(named) and all(model.get("device") == "cpu" for model in named)
