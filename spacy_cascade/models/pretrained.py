"""Causal LMs of transformers, from disk or from the hub."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol, TypedDict, cast

import torch
import transformers
from huggingface_hub.errors import HFValidationError
from transformers import (
    MODEL_FOR_CAUSAL_LM_MAPPING,
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
)

from ..errors import CascadeError, CascadeFileNotFoundError, Errors
from .encoding import CASE_MARKS
from .hf import HFCausalLM
from .int8 import int8_runs, use_int8
from .spec import HFSpec

if TYPE_CHECKING:
    from transformers.tokenization_utils_base import PreTrainedTokenizerBase

    from .protocols import PretrainedLM

logger = logging.getLogger("spacy_cascade")

# transformers 5 has renamed it
DTYPE_OPTION = (
    "dtype" if int(transformers.__version__.split(".")[0]) >= 5 else "torch_dtype"
)


class LoadingInfo(TypedDict):
    """What transformers says of the tensors of a model."""

    missing_keys: list[str]


class ModelClass(Protocol):
    """A class of transformers that loads models."""

    def from_pretrained(
        self,
        name: str,
        **options: object,
    ) -> tuple[PretrainedLM, LoadingInfo]: ...


def read(
    spec: HFSpec,
    name: str,
    device: str,
    *,
    local: bool,
) -> HFCausalLM:
    """A model directory or a name on the hub.

    RAISES CascadeError: C011, C012, C015, C052, C053, C121.
    """
    model, tokenizer = read_parts(spec, name, device, local=local)
    lm = HFCausalLM(model, tokenizer, name=name, spec=spec)
    if spec.quantization == "int8":
        # only now: what a model can do is found out with exact numbers
        use_int8(cast(torch.nn.Module, lm.decoder))
    return lm


def read_parts(
    spec: HFSpec,
    name: str,
    device: str,
    *,
    local: bool,
) -> tuple[PretrainedLM, PreTrainedTokenizerBase]:
    """RETURNS: model and tokenizer."""
    where = _where(spec, local=local)
    options = _options(spec, device)
    try:
        with _quiet():
            model, info = _class_of(name, where).from_pretrained(
                name,
                output_loading_info=True,
                **where,
                **options,
            )
            load_tokenizer = AutoTokenizer.from_pretrained
            tokenizer = load_tokenizer(name, **where)  # type: ignore[no-untyped-call]
    except Exception as err:
        # a wrong directory makes transformers raise almost anything
        raise _explained(err, spec, name, local=local) from err

    _check_model(model, info, name)
    if spec.quantization == "int8" or (
        device == "cpu" and model.dtype == torch.float16
    ):
        model = model.float()
    if spec.quantization not in ("8bit", "4bit") and not spec.device_map:
        model = model.to(device)
    _check_case_marks(tokenizer, name)
    logger.info("Loaded language model '%s' on %s", name, device)
    return model, tokenizer


def _where(
    spec: HFSpec,
    *,
    local: bool,
) -> dict[str, object]:
    """Options that model, config and tokenizer are looked for with."""
    options: dict[str, object] = {
        "trust_remote_code": spec.trust_remote_code,
        "local_files_only": local,
    }
    if spec.revision and not local:
        options["revision"] = spec.revision
    if spec.subfolder and not local:
        options["subfolder"] = spec.subfolder
    return options


def _options(spec: HFSpec, device: str) -> dict[str, object]:
    """Options that the weights are loaded with. RAISES CascadeError: C052, C053."""
    dtype = "auto" if spec.dtype == "auto" else getattr(torch, spec.dtype)
    options: dict[str, object] = {
        "attn_implementation": spec.attention,
        DTYPE_OPTION: dtype,
    }
    if spec.quantization == "int8" and not int8_runs(device):
        raise CascadeError(Errors.C052.format(device=device))
    if spec.quantization in ("8bit", "4bit"):
        if find_spec("bitsandbytes") is None:
            raise CascadeError(Errors.C053.format(value=spec.quantization))
        from transformers.utils.quantization_config import BitsAndBytesConfig

        bits = {f"load_in_{spec.quantization}": True}
        options["quantization_config"] = BitsAndBytesConfig(**bits)  # type: ignore[no-untyped-call]
    if spec.device_map:
        options["device_map"] = spec.device_map
    if not spec.allow_pickle:
        options["use_safetensors"] = True
    return options


@contextmanager
def _quiet() -> Iterator[None]:
    """transformers says nothing but errors."""
    log = transformers.logging
    level = log.get_verbosity()
    log.set_verbosity_error()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        log.set_verbosity(level)


def _explained(
    err: Exception,
    spec: HFSpec,
    name: str,
    *,
    local: bool,
) -> CascadeError | CascadeFileNotFoundError:
    """What to tell of an error of transformers."""
    why = _first_line(err)
    if not spec.trust_remote_code and "trust_remote_code" in str(err):
        return CascadeError(Errors.C121.format(path=name, why=why))
    # a name that is no valid repository name is most likely a path that does not exist
    if isinstance(err, (OSError, HFValidationError)) and not local:
        return CascadeFileNotFoundError(Errors.C012.format(path=name, why=why))
    return CascadeError(Errors.C011.format(path=name, why=why))


def _check_model(
    model: PretrainedLM,
    info: LoadingInfo,
    name: str,
) -> None:
    """RAISES CascadeError: C011 if weights are missing, or it is no decoder."""
    missing = sorted(info["missing_keys"])
    if missing:
        why = f"{len(missing)} weights are missing, such as '{missing[0]}'"
        raise CascadeError(Errors.C011.format(path=name, why=why))
    if model.config.is_encoder_decoder or model.get_output_embeddings() is None:
        why = f"a {model.config.model_type} model is no decoder"
        raise CascadeError(Errors.C011.format(path=name, why=why))


def _check_case_marks(tokenizer: PreTrainedTokenizerBase, name: str) -> None:
    """RAISES CascadeError: C015 if the tokenizer writes case as tokens that it lacks."""
    if not tokenizer.init_kwargs.get("cascade_case_marks"):
        return
    vocab = tokenizer.get_vocab()
    marks = ", ".join(CASE_MARKS.values())
    for mark in CASE_MARKS.values():
        if mark not in vocab:
            raise CascadeError(Errors.C015.format(path=name, what=mark, needed=marks))


def _class_of(name: str, where: dict[str, object]) -> ModelClass:
    """The class of a saved model.

    AutoModelForCausalLM finds it, too, but imports what transformers knows of every
    architecture to do so, which takes longer than loading a small model.
    """
    general = cast(ModelClass, AutoModelForCausalLM)
    if where["trust_remote_code"]:
        return general
    try:
        config = AutoConfig.from_pretrained(name, **where)
    except OSError:
        # the general way knows more kinds of names, and what to say of others
        return general
    found = MODEL_FOR_CAUSAL_LM_MAPPING.get(type(config), None)
    if isinstance(found, type) and not config.sub_configs:
        return cast(ModelClass, found)
    return general


def _first_line(err: BaseException) -> str:
    text = str(err).strip() or type(err).__name__
    return text.splitlines()[0][:300]
