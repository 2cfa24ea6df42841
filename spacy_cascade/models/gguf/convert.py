"""A GGUF file as an ordinary directory of safetensors, config and tokenizer: written once, then
found by its content."""

from __future__ import annotations

import logging
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ...errors import CascadeError, Errors
from ..files import atomic_dir, check_model_dir
from .reading import GGUFFile
from .source import Source, sha256_of

if TYPE_CHECKING:
    from ..protocols import PretrainedLM

logger = logging.getLogger("spacy_cascade")

VARIABLE = "SPACY_CASCADE_CACHE"
_NAME = "spacy-cascade"
# The narrowest dtype that holds every number of the file.
EXACT = "exact"
# Part of the name of a converted directory: change it when the converter writes something else.
_FORM = 1


def cache_dir() -> Path:
    """Where converted files are kept: $SPACY_CASCADE_CACHE, else the user's directory for caches.

    RAISES CascadeError: C099 if the variable holds a relative path, or there is no home directory.
    """
    own = os.environ.get(VARIABLE)
    try:
        if own:
            path = Path(own).expanduser()
        elif sys.platform == "win32":
            usual = Path.home() / "AppData" / "Local"
            path = _named("LOCALAPPDATA", usual) / _NAME
        elif sys.platform == "darwin":
            path = Path.home() / "Library" / "Caches" / _NAME
        else:
            usual = Path.home() / ".cache"
            path = _named("XDG_CACHE_HOME", usual) / _NAME
    except RuntimeError as err:
        raise _no_cache("~", err) from err
    if not path.is_absolute():
        raise _no_cache(path, "it is a relative path")
    return path


def _no_cache(path: Path | str, why: object) -> CascadeError:
    return CascadeError(Errors.C099.format(path=path, why=why, variable=VARIABLE))


def _named(variable: str, default: Path) -> Path:
    """A relative path there is to be ignored, says the XDG specification."""
    value = Path(os.environ.get(variable, ""))
    return value if value.is_absolute() else default


def model_dir(
    source: Source,
    *,
    sha256: str = "",
    dtype: str = "auto",
) -> Path:
    """The directory of a GGUF file, converted now if need be. Two processes may ask at once.

    sha256 (str): What the file's SHA-256 has to be; "": anything.
    dtype (str): What the weights will be loaded as. They are stored exactly for auto and float32,
        else in this dtype.
    RAISES CascadeError: C094 to C099.
    """
    found = sha256_of(source.path)
    if sha256 and sha256.lower() != found:
        message = Errors.C097.format(path=source.path, expected=sha256, found=found)
        raise CascadeError(message)
    dtype = EXACT if dtype in ("auto", "float32") else dtype
    path = cache_dir() / "gguf" / f"{found}-{dtype}-{_FORM}"
    if _is_whole(path):
        return path
    try:
        _convert_alone(source.path, path, dtype)
    except CascadeError:
        raise
    except OSError as err:
        raise _no_cache(path.parent, err) from err
    return path


def _is_whole(path: Path) -> bool:
    try:
        check_model_dir(path, allow_pickle=False)
    except (OSError, CascadeError):
        return False
    return True


def _convert_alone(
    file: Path,
    path: Path,
    dtype: str,
) -> None:
    """Convert under a lock, unless another process has done it meanwhile."""
    from filelock import FileLock

    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(f"{path.name}.lock")):
        if _is_whole(path):
            return
        # of a process that was killed
        for left_over in path.parent.glob(f".{path.name}.*"):
            shutil.rmtree(left_over, ignore_errors=True)
        logger.info("Converting '%s' once, into '%s'", file, path)
        with atomic_dir(path) as folder:
            convert(file, folder, dtype)


def convert(
    file: Path,
    folder: Path,
    dtype: str = EXACT,
) -> None:
    """Write model and tokenizer of a GGUF file, weights in a dtype of torch or `EXACT`.

    RAISES CascadeError: C094, C095, C096, C098.
    """
    from .tokenizer import tokenizer_of

    gguf = GGUFFile(file)
    gguf.check_tensors()
    tokenizer = tokenizer_of(gguf)
    if dtype == EXACT:
        dtype = gguf.narrowest_dtype()
    model = _model_of(gguf, dtype)
    model.save_pretrained(str(folder), safe_serialization=True)
    tokenizer.save_pretrained(str(folder))


def _model_of(gguf: GGUFFile, dtype: str) -> PretrainedLM:
    """The dequantized model. RAISES CascadeError: C095."""
    import torch
    import transformers

    from ..pretrained import DTYPE_OPTION

    options = {DTYPE_OPTION: getattr(torch, dtype)}
    try:
        model, info = transformers.AutoModelForCausalLM.from_pretrained(
            str(gguf.path.parent),
            gguf_file=gguf.path.name,
            local_files_only=True,
            output_loading_info=True,
            **options,
        )
    except Exception as err:
        # of an architecture or names that transformers does not know
        raise gguf.unreadable(err) from err

    missing = sorted(info["missing_keys"])
    if missing:
        why = f"{len(missing)} weights are missing, such as '{missing[0]}'"
        raise gguf.unreadable(why)
    # transformers 5 still calls it quantized, and would not save it
    if getattr(model, "hf_quantizer", None) is not None:
        model.hf_quantizer = None
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    return cast("PretrainedLM", model)
