"""What is used of models of transformers and adapters of peft, as types.

Both libraries declare little of it themselves. The parts of this package ask for no more
than the narrowest of these.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Protocol

import torch
from torch import nn

if TYPE_CHECKING:
    from peft import LoraConfig


class States(Protocol):
    """What a decoder returns."""

    @property
    def last_hidden_state(self) -> torch.Tensor:
        """Shape (rows, tokens, width)."""


class Logits(Protocol):
    """What a whole model returns."""

    @property
    def logits(self) -> torch.Tensor:
        """Shape (rows, tokens, vocabulary)."""


class Decoder(Protocol):
    """The layers of a model."""

    def __call__(self, **inputs: object) -> States: ...


class Config(Protocol):
    """config.json. Its other values depend on the architecture."""

    model_type: str
    is_encoder_decoder: bool


class PretrainedLM(Protocol):
    """A causal LM of transformers."""

    config: Config
    dtype: torch.dtype
    base_model: Decoder
    name_or_path: str

    def __call__(
        self,
        *,
        input_ids: torch.Tensor,
    ) -> Logits: ...

    def train(self) -> PretrainedLM: ...

    def eval(self) -> PretrainedLM: ...

    def float(self) -> PretrainedLM: ...

    def to(self, device: str) -> PretrainedLM: ...

    def get_decoder(self) -> Decoder: ...

    def get_input_embeddings(self) -> nn.Embedding: ...

    def get_output_embeddings(self) -> nn.Linear: ...

    def parameters(self) -> Iterator[nn.Parameter]: ...

    def named_parameters(self) -> Iterator[tuple[str, nn.Parameter]]: ...

    def named_modules(self) -> Iterator[tuple[str, nn.Module]]: ...

    def state_dict(self) -> dict[str, torch.Tensor]: ...

    def save_pretrained(
        self,
        path: str,
        *,
        state_dict: Mapping[str, torch.Tensor] = ...,
        safe_serialization: bool,
    ) -> None: ...

    def gradient_checkpointing_enable(
        self,
        gradient_checkpointing_kwargs: Mapping[str, object],
    ) -> None: ...

    def gradient_checkpointing_disable(self) -> None: ...


class AdapterConfig(Protocol):
    """What peft keeps of an adapter: a `peft.LoraConfig`."""

    base_model_name_or_path: str | None
    inference_mode: bool

    def save_pretrained(self, path: str) -> None: ...


class AdapterLayers(Protocol):
    """Where a `peft.PeftModel` keeps the layers of its adapters."""

    def enable_adapter_layers(self) -> None: ...

    def disable_adapter_layers(self) -> None: ...

    def set_adapter(self, name: str) -> None: ...


class LoadResult(Protocol):
    """What peft says of the tensors of a file."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class AdaptedModel(Protocol):
    """A `peft.PeftModel`."""

    peft_config: dict[str, AdapterConfig]
    base_model: AdapterLayers

    def add_adapter(
        self,
        name: str,
        config: LoraConfig,
    ) -> None: ...

    def delete_adapter(self, name: str) -> None: ...

    def load_adapter(
        self,
        path: str,
        name: str,
        *,
        is_trainable: bool,
        torch_device: str,
    ) -> LoadResult: ...

    def modules(self) -> Iterable[nn.Module]: ...

    def to(self, device: torch.device) -> AdaptedModel: ...

    def eval(self) -> AdaptedModel: ...
