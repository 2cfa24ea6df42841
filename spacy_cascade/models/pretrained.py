"""Causal LMs of transformers, from disk or from the hub."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from typing import Any

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
from .casing import CASE_MARKS
from .hf import HFCausalLM
from .int8 import int8_runs, use_int8
from .spec import HFSpec

logger = logging.getLogger("spacy_cascade")


def read(spec: HFSpec, name: str, device: str, *, local: bool) -> HFCausalLM:
    """A model directory or a name on the hub.

    RAISES CascadeError: C011, C012, C015, C052, C053, C121.
    """
    model, tokenizer = read_parts(spec, name, device, local=local)
    lm = HFCausalLM(model, tokenizer, name=name, spec=spec)
    if (
        spec.quantization == "int8"
    ):  # only now: what a model can do is found out with exact numbers
        use_int8(lm.decoder)
    return lm


def read_parts(spec: HFSpec, name: str, device: str, *, local: bool) -> tuple[Any, Any]:
    """RETURNS: model and tokenizer."""
    common: dict[str, Any] = {
        "trust_remote_code": spec.trust_remote_code,
        "local_files_only": local,
    }
    if spec.revision and not local:
        common["revision"] = spec.revision
    if spec.subfolder and not local:
        common["subfolder"] = spec.subfolder
    dtype: Any = "auto" if spec.dtype == "auto" else getattr(torch, spec.dtype)
    extra: dict[str, Any] = {}
    if spec.quantization == "int8" and not int8_runs(device):
        raise CascadeError(Errors.C052.format(device=device))
    if spec.quantization in ("8bit", "4bit"):
        if find_spec("bitsandbytes") is None:
            raise CascadeError(Errors.C053.format(value=spec.quantization))
        from transformers import BitsAndBytesConfig

        extra["quantization_config"] = BitsAndBytesConfig(
            **{f"load_in_{spec.quantization}": True}
        )
    if spec.device_map:
        extra["device_map"] = spec.device_map
    extra[
        "dtype" if int(transformers.__version__.split(".")[0]) >= 5 else "torch_dtype"
    ] = dtype
    if not spec.allow_pickle:
        extra["use_safetensors"] = True
    level = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()
    try:
        model, info = _class_of(name, common).from_pretrained(
            name,
            attn_implementation=spec.attention,
            output_loading_info=True,
            **common,
            **extra,
        )
        tokenizer = AutoTokenizer.from_pretrained(name, **common)
    except (
        Exception
    ) as err:  # a wrong directory makes transformers raise almost anything
        if not spec.trust_remote_code and "trust_remote_code" in str(err):
            raise CascadeError(
                Errors.C121.format(path=name, why=_first_line(err))
            ) from err
        # a name that is no valid repository name is most likely a path that does not exist
        missing = isinstance(err, (OSError, HFValidationError)) and not local
        if missing:
            raise CascadeFileNotFoundError(
                Errors.C012.format(path=name, why=_first_line(err))
            ) from err
        raise CascadeError(Errors.C011.format(path=name, why=_first_line(err))) from err
    finally:
        transformers.logging.set_verbosity(level)
    if info["missing_keys"]:
        why = (
            f"{len(info['missing_keys'])} weights are missing, such as"
            f" '{sorted(info['missing_keys'])[0]}'"
        )
        raise CascadeError(Errors.C011.format(path=name, why=why))
    if model.config.is_encoder_decoder or model.get_output_embeddings() is None:
        raise CascadeError(
            Errors.C011.format(
                path=name, why=f"a {model.config.model_type} model is no decoder"
            )
        )
    if spec.quantization == "int8" or (
        device == "cpu" and model.dtype == torch.float16
    ):
        model = model.float()
    if spec.quantization not in ("8bit", "4bit") and not spec.device_map:
        model = model.to(device)
    for mark in CASE_MARKS.values():
        if (
            tokenizer.init_kwargs.get("cascade_case_marks")
            and mark not in tokenizer.get_vocab()
        ):
            raise CascadeError(
                Errors.C015.format(
                    path=name, what=mark, needed=", ".join(CASE_MARKS.values())
                )
            )
    logger.info("Loaded language model '%s' on %s", name, device)
    return model, tokenizer


def _class_of(name: str, common: dict[str, Any]) -> Any:
    """The class of a saved model.

    AutoModelForCausalLM finds it, too, but imports what transformers knows of every
    architecture to do so, which takes longer than loading a small model.
    """
    if not common["trust_remote_code"]:
        try:
            config = AutoConfig.from_pretrained(name, **common)
        except (
            OSError
        ):  # the general way knows more kinds of names, and what to say of others
            return AutoModelForCausalLM
        found = MODEL_FOR_CAUSAL_LM_MAPPING.get(type(config), None)
        if isinstance(found, type) and not config.sub_configs:
            return found
    return AutoModelForCausalLM


def _first_line(err: BaseException) -> str:
    return (str(err).strip() or type(err).__name__).splitlines()[0][:300]
