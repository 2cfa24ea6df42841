"""What is trained: an adapter's tensors or all of a base, and the gradient steps over them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch import nn

from ..errors import CascadeError, Errors
from ..types import Query, TrainingItem
from .losses import LossModel, group_sizes, item_loss, trim

if TYPE_CHECKING:
    from peft import LoraConfig

    from .protocols import PretrainedLM

_LORA_DEFAULTS: dict[str, object] = {
    "rank": 16,
    "alpha": 32,
    "dropout": 0.0,
    "targets": "all-linear",
    "rslora": False,
}


class TrainedModel(LossModel, Protocol):
    """What training asks of a model."""

    name: str
    model: PretrainedLM

    def adapter_parameters(self, name: str) -> dict[str, nn.Parameter]: ...

    def alone(self, name: str | None = None) -> AbstractContextManager[None]: ...

    def batches(self, queries: Sequence[Query]) -> Iterator[list[int]]: ...


class Accelerator(Protocol):
    """The part of an `accelerate.Accelerator` that is used here."""

    def autocast(self) -> AbstractContextManager[None]: ...

    def backward(self, loss: torch.Tensor) -> None: ...


class Optimizer(Protocol):
    """A thinc optimizer."""

    def __call__(
        self,
        key: tuple[int, str],
        weights: np.ndarray,
        gradient: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]: ...


def lora_config(settings: Mapping[str, object]) -> LoraConfig:
    """A `peft.LoraConfig`.

    settings (dict): rank, alpha, dropout, targets ("all-linear" or module names), rslora.
    RAISES CascadeError: C020 for an unknown setting, C021 for an impossible value.
    """
    from peft import LoraConfig

    for key in settings:
        if key not in _LORA_DEFAULTS:
            choices = ", ".join(_LORA_DEFAULTS)
            raise CascadeError(
                Errors.C020.format(value=key, option="adapter", choices=choices)
            )
    values: dict[str, Any] = {**_LORA_DEFAULTS, **settings}
    rank = values["rank"]
    if not isinstance(rank, int) or rank < 1:
        raise CascadeError(
            Errors.C021.format(option="adapter.rank", rule="1 or more", value=rank)
        )
    return LoraConfig(
        r=rank,
        lora_alpha=values["alpha"],
        lora_dropout=values["dropout"],
        target_modules=values["targets"],
        use_rslora=values["rslora"],
        bias="none",
        task_type="CAUSAL_LM",
    )


class Trainable:
    """The trainable tensors of a language model, for one adapter (or None: the whole base)."""

    def __init__(
        self,
        lm: TrainedModel,
        adapter: str | None,
    ):
        self.lm = lm
        self.adapter = adapter
        if adapter is None:
            named = lm.model.named_parameters()
            self.parameters = {n: p for n, p in named if ".lora_" not in n}
        else:
            self.parameters = lm.adapter_parameters(adapter)

    def recompute(self, activations: bool) -> None:
        """Whether activations are computed again in the backward pass instead of kept.

        RAISES CascadeError: C110 if the model's code can't do that.
        """
        model = self.lm.model
        if not activations:
            if getattr(model, "is_gradient_checkpointing", False):
                model.gradient_checkpointing_disable()
            return
        if not getattr(model, "supports_gradient_checkpointing", False):
            kind = type(model).__name__
            raise CascadeError(Errors.C110.format(path=self.lm.name, kind=kind))
        # with gradients for whatever is trained, be it the embeddings or nothing but adapters
        model.gradient_checkpointing_enable(
            gradient_checkpointing_kwargs={"use_reentrant": False}
        )

    @contextmanager
    def active(self) -> Iterator[None]:
        """Training mode, with gradients for these tensors alone: the base may carry
        other components' adapters. Other threads wait.
        """
        own = {id(p) for p in self.parameters.values()}
        with self.lm.alone(self.adapter):
            for p in self.lm.model.parameters():
                p.requires_grad_(id(p) in own)
            self.lm.model.train()
            try:
                yield
            finally:
                self.lm.model.eval()

    def backward(
        self,
        items: Sequence[TrainingItem],
        *,
        objective: str = "decisions",
        lm_weight: float = 0.0,
        scale: float = 1.0,
        accelerator: Accelerator | None = None,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> dict[int, float]:
        """Sum up gradients of the mean loss times `scale`.

        accelerator (Optional[accelerate.Accelerator]): For mixed precision.
        meanwhile (Callable): Called before gradients are computed, which leaves Python
            to other threads.
        RETURNS (dict): The mean loss of every group of decisions.
        """
        sizes = group_sizes(items, objective)
        total = dict.fromkeys(sizes, 0.0)
        if objective == "decisions":
            items = [trim(item) for item in items]
        with self.active():
            for part in self.lm.batches([item.query for item in items]):
                chosen = [items[i] for i in part]
                precision = accelerator.autocast() if accelerator else nullcontext()
                with precision:
                    loss, shares = item_loss(
                        self.lm,
                        chosen,
                        sizes,
                        objective=objective,
                        lm_weight=lm_weight,
                    )
                meanwhile()
                scaled = loss * scale
                if accelerator is not None:
                    accelerator.backward(scaled)
                else:
                    scaled.backward()  # type: ignore[no-untyped-call]
                for group, value in shares.items():
                    total[group] += value
        return total

    def thinc_step(self, sgd: Optimizer) -> None:
        """Step with a thinc optimizer (schedules, clipping and weight decay as in
        spaCy's [training.optimizer]).
        """
        with self.lm.alone(self.adapter), torch.no_grad():
            for name, parameter in self.parameters.items():
                if parameter.grad is None:
                    continue
                value = parameter.float().cpu().numpy()
                gradient = parameter.grad.float().cpu().numpy()
                updated, _ = sgd((id(self), name), value, gradient)
                # not its `data`: whoever keeps what was made of it must see the change
                parameter.copy_(torch.from_numpy(updated))
                parameter.grad = None
