"""Loading language models: small ones of our own by plain torch, all others by transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import torch

from ..errors import CascadeError, Errors
from .files import check_model_dir, files_hash
from .hf import HFCausalLM
from .plain import PlainLM, runs_plain
from .spec import HFSpec

_LOADED: WeakValueDictionary[tuple[Any, ...], HFCausalLM] = WeakValueDictionary()


def pick_device(device: str) -> str:
    """'auto' follows `spacy.require_gpu()`, else takes CUDA if there is one."""
    if device != "auto":
        return device
    from thinc.api import get_current_ops

    if get_current_ops().name == "cupy" or torch.cuda.is_available():
        return "cuda"
    return "cpu"


def load_model(spec: HFSpec, *, path: Path | None = None, private: bool = False) -> HFCausalLM:
    """Load a spec, from a saved directory if given. Equal weights in equal settings are shared in this process.

    RAISES CascadeError: C010 (nothing to load), C011 (no causal LM), C012 (not on disk and no hub), C018, C019.
    """
    source = Path(path) if path is not None else Path(spec.name)
    if path is None and not spec.name:
        raise CascadeError(Errors.C010.format(name="cascade_*"))
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
    )
    if local:
        check_model_dir(source, allow_pickle=spec.allow_pickle)
        key: tuple[Any, ...] = (files_hash(source), *settings)
    else:
        key = (spec.name, spec.revision, *settings)
    if not private and key in _LOADED:
        return _LOADED[key]
    lm = None if private or not local else _plain(spec, source, device)
    if lm is None:
        from .pretrained import read

        lm = read(spec, str(source) if local else spec.name, device, local=local)
    if not private:
        _LOADED[key] = lm
    return lm


def _plain(spec: HFSpec, path: Path, device: str) -> HFCausalLM | None:
    def general(copy: Path) -> tuple[Any, Any]:
        from .pretrained import read_parts

        return read_parts(spec, str(copy), device, local=True)

    if not runs_plain(spec, path, device):
        return None
    try:
        return PlainLM(path, name=str(path), spec=spec, general=general)
    except Exception:  # a damaged file: transformers' reader says which
        return None
