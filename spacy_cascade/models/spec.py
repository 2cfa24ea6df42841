"""Registered descriptions of a language model. Nothing is loaded before it is needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import CascadeError, Errors
from ..registry import causal_lms

if TYPE_CHECKING:
    from .hf import HFCausalLM

DTYPES = ("auto", "float32", "bfloat16", "float16")


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

    def load(self, path: Any = None, *, private: bool = False) -> HFCausalLM:
        """The model, from `path` if given (a saved component), else by name. Equal weights are loaded once.

        private (bool): A copy of its own, because its weights will be changed.
        RAISES CascadeError: C010, C011, C012, C018, C019.
        """
        from .loading import load_model

        return load_model(self, path=path, private=private)


@dataclass(frozen=True)
class SharedSpec:
    """The language model of another component of the same pipeline."""

    component: str


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
) -> HFSpec:
    """A causal LM of Hugging Face transformers, run in this process.

    name (str): Local directory or hub name. May be empty when the weights come from a saved pipeline.
    revision (Optional[str]): Branch, tag or commit on the hub.
    dtype (str): auto (as saved; float32 on a CPU without bfloat16), float32, bfloat16, float16.
    device (str): auto (spaCy's GPU setting, else CUDA if present, else CPU), cpu, cuda, cuda:1 ...
    attention (str): Attention implementation of transformers: sdpa or eager.
    quantization (Optional[str]): int8 (a CPU's; faster for wide models, see docs/decoding.md), 8bit or 4bit (needs
        bitsandbytes and CUDA). These change results a little.
    trust_remote_code (bool): Run the model's own code from the hub. Off unless you say so.
    allow_pickle (bool): Load *.bin weights. Off unless you say so.
    max_length (int): Longest sequence in tokens; 0: what the model's config says.
    batch_tokens (int): Tokens (with padding) per forward pass.
    cache_tokens (int): Tokens whose keys and values are kept at a time, so that a text is run once; 0: none are, and every
        pass runs everything again. Models that can't go on from kept tokens do so, too.
    RAISES CascadeError: C020, C021.
    """
    if dtype not in DTYPES:
        raise CascadeError(Errors.C020.format(value=dtype, option="dtype", choices=", ".join(DTYPES)))
    if quantization not in (None, "int8", "8bit", "4bit"):
        raise CascadeError(Errors.C020.format(value=quantization, option="quantization", choices="int8, 8bit, 4bit, null"))
    if batch_tokens < 1:
        raise CascadeError(Errors.C021.format(option="batch_tokens", rule="positive", value=batch_tokens))
    if cache_tokens < 0:
        raise CascadeError(Errors.C021.format(option="cache_tokens", rule="0 or more", value=cache_tokens))
    return HFSpec(
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
    )


@causal_lms("spacy-cascade.SharedLM.v1")
def shared_spec(component: str) -> SharedSpec:
    """Use the base model of another component, with an adapter of one's own: one base in memory and on disk.

    component (str): Name of the other component in the pipeline.
    """
    return SharedSpec(component)
