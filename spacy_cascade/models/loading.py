"""Loading language models: small ones of our own by plain torch, all others by transformers."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import torch

from ..errors import CascadeError, Errors
from .files import check_model_dir, files_hash, unpack_dir
from .hf import HFCausalLM
from .plain import PlainLM, runs_plain
from .spec import HFSpec

_LOADED: WeakValueDictionary[tuple[Any, ...], HFCausalLM] = WeakValueDictionary()
# two threads that want the same model load it once
_loading = threading.RLock()


def pick_device(device: str) -> str:
    """'auto' follows `spacy.require_gpu()`, else takes CUDA if there is one."""
    if (
        device.startswith("cuda")
        and torch.cuda.is_available()
        and int(os.environ.get("WORLD_SIZE", "1")) > 1
    ):
        # one of several processes: its own GPU, and not the same one for all
        return f"cuda:{torch.cuda.current_device()}"
    if device != "auto":
        return device
    from thinc.api import get_current_ops

    if get_current_ops().name == "cupy" or torch.cuda.is_available():
        return "cuda"
    return "cpu"


def load_model(
    spec: HFSpec, *, path: Path | None = None, private: bool = False
) -> HFCausalLM:
    """Load a spec, from a saved directory if given.

    Equal weights in equal settings are shared in this process.

    RAISES CascadeError: C010 (nothing to load), C011 (no causal LM), C012 (not on disk
        and no hub), C018, C019.
    """
    source = Path(path) if path is not None else Path(spec.name)
    if path is None and source.is_dir():
        source /= spec.subfolder
    if path is None and not spec.name:
        raise CascadeError(
            Errors.C010.format(name="cascade_*", kind="cascade_extractor")
        )
    device = pick_device(spec.device)
    local = source.is_dir()
    settings = (
        device,
        spec.dtype,
        spec.attention,
        spec.quantization,
        spec.batch_tokens,
        spec.cache_tokens,
        spec.max_length,
        spec.merge_adapter,
        spec.device_map,
    )
    if local:
        check_model_dir(source, allow_pickle=spec.allow_pickle)
        key: tuple[Any, ...] = (files_hash(source), *settings)
    else:
        key = (spec.name, spec.revision, spec.subfolder, *settings)
    if private:
        return _read(spec, source, device, local=local)
    with _loading:
        lm = _LOADED.get(key)
        if lm is None:
            lm = (_plain(spec, source, device) if local else None) or _read(
                spec, source, device, local=local
            )
            lm.key, lm.on_hub = key, not local
            _LOADED[key] = lm
    return lm


def _read(spec: HFSpec, source: Path, device: str, *, local: bool) -> HFCausalLM:
    from .pretrained import read

    return read(spec, str(source) if local else spec.name, device, local=local)


def restore(
    spec: HFSpec,
    name: str,
    key: tuple[Any, ...] | None,
    fingerprint: str,
    files: Mapping[str, bytes] | None,
) -> HFCausalLM:
    """A model that was pickled.

    One that is shared under its key is taken, as long as it has the same weights.

    key (tuple | None): None: it was changed, or a component's own. files (Mapping |
        None): None: load it by its name.
    """
    if files is None:
        return load_model(spec)
    with _loading:
        lm = None if key is None else _LOADED.get(key)
        if lm is not None and lm.fingerprint() == fingerprint:
            return lm
        with tempfile.TemporaryDirectory() as tmp:
            unpack_dir(dict(files), Path(tmp))
            device = pick_device(spec.device)
            made = None if key is None else _plain(spec, Path(tmp), device)
            made = made or _read(spec, Path(tmp), device, local=True)
        made.name = name
        if lm is None and key is not None:
            made.key = key
            _LOADED[key] = made
    return made


def _plain(spec: HFSpec, path: Path, device: str) -> HFCausalLM | None:
    if not runs_plain(spec, path, device):
        return None
    try:
        return PlainLM(path, name=str(path), spec=spec)
    except Exception:  # a damaged file: transformers' reader says which
        return None
