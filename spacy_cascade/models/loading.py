"""Loading language models: small ones of our own by plain torch, all others by transformers."""

from __future__ import annotations

import copyreg
import os
import tempfile
import threading
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import NamedTuple
from weakref import WeakValueDictionary

import torch

from ..errors import CascadeError, Errors
from .files import check_model_dir, files_hash, pack_dir, unpack_dir
from .gguf.convert import model_dir
from .gguf.source import Source, locate, sha256_of
from .hf import HFCausalLM
from .plain import PlainLM, runs_plain
from .spec import GGUFSpec, HFSpec

_LOADED: WeakValueDictionary[Hashable, HFCausalLM] = WeakValueDictionary()
# two threads that want the same model load it once
_loading = threading.RLock()


def load_model(
    spec: HFSpec,
    *,
    path: Path | None = None,
    private: bool = False,
) -> HFCausalLM:
    """Load a spec, from a saved directory if given.

    Equal weights in equal settings are shared in this process. A GGUF file is converted
    once.

    path (Path | None): Model directory of a saved component; None: find it by the
        spec's name.
    private (bool): A copy of its own, because its weights will be changed.
    RAISES CascadeError: C010 (nothing to load), C011 (no causal LM), C012 (not on disk
        and no hub), C018, C019; for GGUF files also C092 to C100.
    """
    if not isinstance(spec, GGUFSpec) or path is not None or not spec.name:
        return _load(spec, path, private=private)

    source = _gguf_source(spec)
    folder = model_dir(source, sha256=spec.sha256, dtype=spec.dtype)
    lm = _load(spec, folder, private=private)
    lm.name = spec.name
    return lm


def origin_of(spec: HFSpec) -> dict[str, str]:
    """What a saved adapter records of its base, to find it again. JSON-serializable.

    Of a GGUF file that is not here, it is what the config says.
    """
    if not isinstance(spec, GGUFSpec):
        return {"kind": "hf", "name": spec.name, "version": spec.revision or ""}

    origin = {"kind": "gguf", "name": spec.full_name}
    try:
        source = _gguf_source(spec)
    except CascadeError:
        return {**origin, "version": spec.requirement, "sha256": spec.sha256}
    return {**origin, "version": source.version, "sha256": sha256_of(source.path)}


def pick_device(device: str) -> str:
    """'auto' follows `spacy.require_gpu()`, else takes CUDA if there is one."""
    world_size = int(os.environ.get("WORLD_SIZE", "1"))
    cuda = torch.cuda.is_available()
    if device.startswith("cuda") and cuda and world_size > 1:
        # one of several processes: its own GPU, and not the same one for all
        return f"cuda:{torch.cuda.current_device()}"
    if device != "auto":
        return device

    from thinc.api import get_current_ops

    return "cuda" if cuda or get_current_ops().name == "cupy" else "cpu"


def _gguf_source(spec: GGUFSpec) -> Source:
    return locate(
        spec.name,
        spec.file,
        spec.revision,
        requirement=spec.requirement,
    )


def _load(
    spec: HFSpec,
    path: Path | None,
    *,
    private: bool,
) -> HFCausalLM:
    source = Path(path) if path is not None else Path(spec.name)
    if path is None and source.is_dir():
        source /= spec.subfolder
    if path is None and not spec.name:
        raise CascadeError(
            Errors.C010.format(name="cascade_*", kind="cascade_extractor")
        )

    local = source.is_dir()
    if local:
        check_model_dir(source, allow_pickle=spec.allow_pickle)
    device = pick_device(spec.device)
    key = _sharing_key(spec, source if local else None, device)
    if private:
        return _read(spec, source, device, local=local)

    with _loading:
        lm = _LOADED.get(key)
        if lm is None:
            plain = _read_plain(spec, source, device) if local else None
            lm = plain or _read(spec, source, device, local=local)
            lm.key = key
            lm.on_hub = not local
            _LOADED[key] = lm
    return lm


def _sharing_key(
    spec: HFSpec,
    source: Path | None,
    device: str,
) -> tuple[object, ...]:
    """What two models have in common that may be the same one.

    source (Path | None): A model directory; None: it is found by its name.
    """
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
    if source is not None:
        return (files_hash(source), *settings)
    return (spec.name, spec.revision, spec.subfolder, *settings)


def _read(
    spec: HFSpec,
    source: Path,
    device: str,
    *,
    local: bool,
) -> HFCausalLM:
    from .pretrained import read

    name = str(source) if local else spec.name
    return read(spec, name, device, local=local)


def _read_plain(
    spec: HFSpec,
    path: Path,
    device: str,
) -> HFCausalLM | None:
    if not runs_plain(spec, path, device):
        return None
    try:
        return PlainLM(path, name=str(path), spec=spec)
    except Exception:  # a damaged file: transformers' reader says which
        return None


# -- Pickling


class Pickled(NamedTuple):
    """What a pickle holds of a model.

    key (tuple | None): What it was shared under; None: it was changed, or a
        component's own.
    files (Mapping | None): Its directory; None: load it by its name.
    """

    spec: HFSpec
    name: str
    key: tuple[object, ...] | None
    fingerprint: str
    files: Mapping[str, bytes] | None


def pack(lm: HFCausalLM) -> Pickled:
    """The base: by its name on the hub if that is all there is to it, else as files.

    Adapters go with the components that use them (see `pipeline.weights`).
    """
    changed = lm.key is None or lm.base_changed
    files = None
    if changed or not lm.on_hub:
        with tempfile.TemporaryDirectory() as folder:
            lm.save(Path(folder))
            files = pack_dir(Path(folder))
    key = None if changed else lm.key
    return Pickled(lm.spec, lm.name, key, lm.fingerprint(), files)


def restore(
    spec: HFSpec,
    name: str,
    key: tuple[object, ...] | None,
    fingerprint: str,
    files: Mapping[str, bytes] | None,
) -> HFCausalLM:
    """A model that was pickled; the arguments are those of `Pickled`.

    One that is shared under its key is taken, as long as it has the same weights.
    """
    if files is None:
        return load_model(spec)

    with _loading:
        lm = None if key is None else _LOADED.get(key)
        if lm is not None and lm.fingerprint() == fingerprint:
            return lm

        with tempfile.TemporaryDirectory() as folder:
            unpack_dir(dict(files), Path(folder))
            device = pick_device(spec.device)
            plain = None
            if key is not None:
                plain = _read_plain(spec, Path(folder), device)
            made = plain or _read(spec, Path(folder), device, local=True)
        made.name = name
        if lm is None and key is not None:
            made.key = key
            _LOADED[key] = made
    return made


def _reduce(lm: HFCausalLM) -> tuple[object, ...]:
    return restore, tuple(pack(lm))


# How models are pickled is told here and not in their classes: a model need not know
# how it was loaded.
for _kind in (HFCausalLM, PlainLM):
    copyreg.pickle(_kind, _reduce)  # type: ignore[arg-type]
