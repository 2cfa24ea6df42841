"""Checkpoints that survive a kill at any moment.

They are written beside their place and then moved into it, without pickle.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.optim import Optimizer

from ..errors import CascadeError, Errors
from ..files import JsonObject
from ..models.files import atomic_dir

_STATE = "state.safetensors"
_META = "meta.json"
_BLOCK = 1 << 20


def save_checkpoint(
    path: Path,
    parameters: Mapping[str, Tensor],
    optimizer: Optimizer,
    meta: JsonObject,
) -> None:
    """Write trainable tensors, the optimizer's moments, torch's random state and counters.

    parameters (Mapping): The optimizer's tensors by name, in its order.
    meta (JsonObject): Counters, and the settings of the run under "settings".
    """
    tensors: dict[str, Tensor] = {}
    for key, parameter in parameters.items():
        tensors[f"parameter/{key}"] = _copied(parameter)
        state = optimizer.state.get(parameter, {})
        for field, value in state.items():
            tensors[f"optimizer/{field}/{key}"] = _copied(torch.as_tensor(value))
    tensors["random/torch"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors["random/cuda"] = torch.cuda.get_rng_state()

    with atomic_dir(path) as temp:
        save_file(tensors, str(temp / _STATE))
        checked = {**meta, "sha256": _digest(temp / _STATE)}
        # not srsly: its writer rounds floats, and a resumed run compares its settings exactly
        (temp / _META).write_text(json.dumps(checked), encoding="utf8")


def load_checkpoint(
    path: Path,
    parameters: Mapping[str, Tensor],
    optimizer: Optimizer,
    settings: JsonObject,
) -> JsonObject:
    """Put everything back in place.

    RETURNS (JsonObject): The counters.
    RAISES CascadeError: C032 if the checkpoint is damaged or of another model, C036 if
        it is of another run. A finished run may get a higher `max_steps`.
    """
    meta, tensors = _read(path)
    saved = meta["settings"]
    differing = [key for key in settings if saved.get(key) != settings[key]]
    if _goes_further(meta, settings):
        differing = [key for key in differing if key != "max_steps"]
    if differing:
        keys = ", ".join(sorted(differing))
        raise CascadeError(Errors.C036.format(path=path, keys=keys))

    states = _optimizer_states(tensors)
    for key, parameter in parameters.items():
        found = tensors.get(f"parameter/{key}")
        if found is None or found.shape != parameter.shape:
            why = f"the tensor '{key}' is missing or of another shape"
            raise CascadeError(Errors.C032.format(path=path, why=why))
        parameter.data.copy_(found)
        if key in states:
            optimizer.state[parameter] = {
                field: value if field == "step" else value.to(parameter.device)
                for field, value in states[key].items()
            }

    torch.set_rng_state(tensors["random/torch"])
    if "random/cuda" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors["random/cuda"])
    return meta


def _read(path: Path) -> tuple[JsonObject, dict[str, Tensor]]:
    try:
        meta = json.loads((path / _META).read_text("utf8"))
        whole = meta["sha256"] == _digest(path / _STATE)
        tensors = load_file(str(path / _STATE)) if whole else {}
    except Exception as err:  # whatever a damaged file makes the readers raise
        why = str(err) or type(err).__name__
        raise CascadeError(Errors.C032.format(path=path, why=why)) from err
    if not whole:
        why = "its checksum is wrong, so it was changed or cut off"
        raise CascadeError(Errors.C032.format(path=path, why=why))
    return meta, tensors


def _goes_further(meta: JsonObject, settings: JsonObject) -> bool:
    """Whether a run that was finished is given more steps."""
    limit: int = meta["settings"].get("max_steps", 0)
    done: int = meta.get("step", 0)
    wanted: int = settings.get("max_steps", 0)
    return 0 < limit <= done and wanted > limit


def _optimizer_states(tensors: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """Parameter -> field -> value."""
    states: dict[str, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        kind, _, rest = name.partition("/")
        if kind == "optimizer":
            field, _, key = rest.partition("/")
            states.setdefault(key, {})[field] = value
    return states


def _copied(tensor: Tensor) -> Tensor:
    return tensor.detach().to("cpu").contiguous().clone()


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as f:
        while block := f.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
