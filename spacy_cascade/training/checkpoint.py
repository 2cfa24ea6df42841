"""Checkpoints that survive a kill at any moment: written beside, then moved into place;
no pickle.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from ..errors import CascadeError, Errors
from ..models.files import atomic_dir

_STATE, _META = "state.safetensors", "meta.json"


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as f:
        while block := f.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def save_checkpoint(
    path: Path, parameters: dict[str, Any], optimizer: Any, meta: dict[str, Any]
) -> None:
    """Trainable tensors, optimizer moments, torch's random state and a JSON of counters.

    parameters (dict): The optimizer's tensors by name, in its order.
    """
    tensors = {
        f"parameter/{k}": p.detach().to("cpu").contiguous().clone()
        for k, p in parameters.items()
    }
    for key, p in parameters.items():
        for field, value in optimizer.state.get(p, {}).items():
            tensors[f"optimizer/{field}/{key}"] = (
                torch.as_tensor(value).detach().to("cpu").contiguous().clone()
            )
    tensors["random/torch"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors["random/cuda"] = torch.cuda.get_rng_state()
    with atomic_dir(path) as tmp:
        save_file(tensors, str(tmp / _STATE))
        # not srsly: its writer rounds floats, and a resumed run compares its settings exactly
        (tmp / _META).write_text(
            json.dumps({**meta, "sha256": _digest(tmp / _STATE)}), encoding="utf8"
        )


def load_checkpoint(
    path: Path, parameters: dict[str, Any], optimizer: Any, settings: dict[str, Any]
) -> dict[str, Any]:
    """Put everything back in place. RETURNS (dict): The counters.

    RAISES CascadeError: C032 if the checkpoint is damaged or of another model, C036 if
        it is of another run.
    """
    try:
        meta = json.loads((path / _META).read_text("utf8"))
        if meta["sha256"] != _digest(path / _STATE):
            raise CascadeError(
                Errors.C032.format(
                    path=path, why="its checksum is wrong, so it was changed or cut off"
                )
            )
        tensors = load_file(str(path / _STATE))
    except CascadeError:
        raise
    except Exception as err:  # whatever a damaged file makes the readers raise
        raise CascadeError(
            Errors.C032.format(path=path, why=str(err) or type(err).__name__)
        ) from err
    differing = [k for k in settings if meta["settings"].get(k) != settings[k]]
    if differing:
        raise CascadeError(
            Errors.C036.format(path=path, keys=", ".join(sorted(differing)))
        )
    for key, p in parameters.items():
        saved = tensors.get(f"parameter/{key}")
        if saved is None or saved.shape != p.shape:
            raise CascadeError(
                Errors.C032.format(
                    path=path, why=f"the tensor '{key}' is missing or of another shape"
                )
            )
        p.data.copy_(saved)
        state = {}
        for name, value in tensors.items():
            parts = name.split("/", 2)
            if parts[0] == "optimizer" and parts[2] == key:
                state[parts[1]] = value if parts[1] == "step" else value.to(p.device)
        if state:
            optimizer.state[p] = state
    torch.set_rng_state(tensors["random/torch"])
    if "random/cuda" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors["random/cuda"])
    return meta
