"""The device that a model runs on: when it is done, and the memory it takes."""

from __future__ import annotations

import resource
from pathlib import Path

import torch

from spacy_cascade.models.hf import HFCausalLM


def wait(lm: HFCausalLM) -> None:
    """Until the device has done all that it was given."""
    if lm.device.type == "cuda":
        torch.cuda.synchronize()


def peak_mib(lm: HFCausalLM) -> float:
    """Most memory since the last `reset_peak`: of tensors on a GPU, of the process on a CPU."""
    if lm.device.type == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    lines = status.read_text().splitlines()
    peak = next(line for line in lines if line.startswith("VmHWM"))
    return int(peak.split()[1]) / 1024


def reset_peak(lm: HFCausalLM) -> float:
    """Forget what making random weights took (on Linux). RETURNS: what is held now, in MiB."""
    if lm.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    elif Path("/proc/self/clear_refs").exists():
        Path("/proc/self/clear_refs").write_text("5")
    return peak_mib(lm)
