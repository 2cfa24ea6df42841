"""Registered descriptions of a language model. Nothing is loaded before it is needed."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TypeVar

from .. import trust
from ..errors import CascadeError, Errors
from ..registry import causal_lms

ATTENTIONS = ("sdpa", "eager")
DTYPES = ("auto", "float32", "bfloat16", "float16")
QUANTIZATIONS = ("int8", "8bit", "4bit")
DEVICE_MAPS = ("auto", "balanced", "balanced_low_0", "sequential")

Spec = TypeVar("Spec", bound="HFSpec")


@dataclass(frozen=True)
class HFSpec:
    """Where a Hugging Face causal LM is and how to run it (see `hf_spec`)."""

    name: str
    revision: str | None = None
    dtype: str = "auto"
    device: str = "auto"
    attention: str = "sdpa"
    quantization: str | None = None
    trust_remote_code: bool = False
    allow_pickle: bool = False
    max_length: int = 0
    batch_tokens: int = 4096
    cache_tokens: int = 16384
    merge_adapter: bool = False
    subfolder: str = ""
    device_map: str | None = None

    def as_recorded(self, origin: dict[str, str]) -> HFSpec:
        """This spec, with what a saved adapter knows of its base (see `loading.origin_of`)."""
        return self


@dataclass(frozen=True)
class GGUFSpec(HFSpec):
    """Where a GGUF file is and how to run the model in it (see `gguf_spec`)."""

    file: str = ""
    sha256: str = ""
    # what pip installs where the package that holds the file is missing
    requirement: str = ""

    def as_recorded(self, origin: dict[str, str]) -> HFSpec:
        """See `HFSpec.as_recorded`: the version to install, if it is this file that was
        recorded.
        """
        if origin.get("name") != self.full_name:
            return self
        return replace(self, requirement=origin.get("version", ""))

    @property
    def full_name(self) -> str:
        """Directory, package or repository, and the file in it."""
        return f"{self.name}/{self.file}" if self.file else self.name


@dataclass(frozen=True)
class SharedSpec:
    """The language model of another component of the same pipeline, with its adapter or
    one of one's own.
    """

    component: str
    adapter: bool = False


@causal_lms("spacy-cascade.HF.v1")
def hf_spec(
    name: str,
    revision: str | None = None,
    dtype: str = "auto",
    device: str = "auto",
    attention: str = "sdpa",
    quantization: str | None = None,
    trust_remote_code: bool = False,
    allow_pickle: bool = False,
    max_length: int = 0,
    batch_tokens: int = 4096,
    cache_tokens: int = 16384,
    merge_adapter: bool = False,
    subfolder: str = "",
    device_map: str | None = None,
) -> HFSpec:
    """A causal LM of Hugging Face transformers, run in this process.

    name (str): Local directory or hub name. A file that ends with .gguf is read as by
        `GGUF.v1`. May be empty when the weights come from a saved pipeline.
    revision (Optional[str]): Branch, tag or commit on the hub.
    dtype (str): "float32", "bfloat16" or "float16". "auto": as saved, but float32 on a
        CPU without bfloat16.
    device (str): "cpu", "cuda", "cuda:1" and so on. "auto": spaCy's GPU setting, else
        CUDA if there is any, else the CPU.
    attention (str): Attention implementation of transformers: "sdpa" or "eager".
    quantization (Optional[str]): "int8" for a CPU and wide models. "8bit" or "4bit" for
        CUDA; they need bitsandbytes. All change results a little.
    trust_remote_code (bool): Run the model's own code. It counts only if the environment
        says SPACY_CASCADE_TRUST_REMOTE_CODE=1, because a config may come with the model.
    allow_pickle (bool): Load *.bin weights. It counts only if the environment says
        SPACY_CASCADE_ALLOW_PICKLE=1.
    max_length (int): Longest sequence in tokens. 0: what the model's config says.
    batch_tokens (int): Tokens of a forward pass, with padding.
    cache_tokens (int): Tokens whose keys and values are kept at a time, so that a text
        is run once. 0: every pass runs everything again.
    merge_adapter (bool): Add the adapter to the weights while nothing is trained, which
        is faster. It is made for one adapter for all components, since each change of
        adapters merges anew. The weights without it are kept on the CPU.
    subfolder (str): Folder of the model inside the directory or hub repository.
    device_map (Optional[str]): Spread the layers over all GPUs, for inference: "auto",
        "balanced" or "sequential", as accelerate does. `device` is not used then.
    RAISES CascadeError: C020, C021, C120 for a right that the environment does not grant.
    """
    if trust_remote_code:
        trust.require(trust.REMOTE_CODE, name)
    if allow_pickle:
        trust.require(trust.PICKLE, name)
    kind = GGUFSpec if name.endswith(".gguf") else HFSpec
    return _checked(
        kind(
            name=name,
            revision=revision,
            dtype=dtype,
            device=device,
            attention=attention,
            quantization=quantization,
            trust_remote_code=trust_remote_code,
            allow_pickle=allow_pickle,
            max_length=max_length,
            batch_tokens=batch_tokens,
            cache_tokens=cache_tokens,
            merge_adapter=merge_adapter,
            subfolder=subfolder,
            device_map=device_map,
        )
    )


@causal_lms("spacy-cascade.GGUF.v1")
def gguf_spec(
    name: str,
    file: str = "",
    sha256: str = "",
    revision: str | None = None,
    dtype: str = "auto",
    device: str = "auto",
    attention: str = "sdpa",
    quantization: str | None = None,
    max_length: int = 0,
    batch_tokens: int = 4096,
    cache_tokens: int = 16384,
) -> GGUFSpec:
    """A causal LM from a GGUF file (extra `gguf`).

    It is dequantized once, into the user's cache directory, which $SPACY_CASCADE_CACHE
    moves. It runs as any other model of transformers.

    name (str): A path. "package:NAME/FILE.gguf": a file of an installed package, which
        is not imported. "owner/repository/FILE.gguf": a file on the hub. May be empty
        when the weights come from a saved pipeline.
    file (str): The file's name, where `name` is a directory, "package:NAME" or
        "owner/repository".
    sha256 (str): What the file's SHA-256 has to be. "": anything.
    revision (Optional[str]): Branch, tag or commit on the hub.
    dtype (str): "float32", "bfloat16" or "float16". "auto": the narrowest that holds the
        dequantized numbers exactly. That is float32 for all quantized files.
    device, attention, quantization, max_length, batch_tokens, cache_tokens: As for `HF.v1`.
    RAISES CascadeError: C020, C021.
    """
    if sha256 and not re.fullmatch("[0-9a-fA-F]{64}", sha256):
        rule = "64 hexadecimal digits"
        raise CascadeError(Errors.C021.format(option="sha256", rule=rule, value=sha256))
    return _checked(
        GGUFSpec(
            name=name,
            file=file,
            sha256=sha256.lower(),
            revision=revision,
            dtype=dtype,
            device=device,
            attention=attention,
            quantization=quantization,
            max_length=max_length,
            batch_tokens=batch_tokens,
            cache_tokens=cache_tokens,
        )
    )


def _checked(spec: Spec) -> Spec:
    """RAISES CascadeError: C020, C021."""
    choices = {
        # transformers takes the name of a repository, too, and runs the code in it
        "attention": ATTENTIONS,
        "dtype": DTYPES,
        "quantization": (*QUANTIZATIONS, None),
        "device_map": (*DEVICE_MAPS, None),
    }
    for option, known in choices.items():
        value = getattr(spec, option)
        if value not in known:
            names = ", ".join(name or "null" for name in known)
            raise CascadeError(
                Errors.C020.format(value=value, option=option, choices=names)
            )
    for option, least, rule in (
        ("batch_tokens", 1, "positive"),
        ("cache_tokens", 0, "0 or more"),
    ):
        value = getattr(spec, option)
        if value < least:
            raise CascadeError(
                Errors.C021.format(option=option, rule=rule, value=value)
            )
    return spec


@causal_lms("spacy-cascade.SharedLM.v1")
def shared_spec(component: str, adapter: bool = False) -> SharedSpec:
    """Use the base model of another component: one base in memory and on disk.

    component (str): Name of the other component in the pipeline.
    adapter (bool): Use its adapter, too. Both components run the same weights then and
        are trained together. The second goes on from what the first has run. Its own
        adapter settings are not used. Without it, each component has its own adapter.
    """
    return SharedSpec(component, adapter)
