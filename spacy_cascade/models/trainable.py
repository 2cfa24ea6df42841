"""What is trained: an adapter's tensors or all of a base, and the gradient steps over them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch

from ..errors import CascadeError, Errors
from ..types import TrainingItem
from .losses import group_sizes, item_loss, trim

_LORA_DEFAULTS: dict[str, Any] = {
    "rank": 16,
    "alpha": 32,
    "dropout": 0.0,
    "targets": "all-linear",
    "rslora": False,
}


def lora_config(settings: dict[str, Any]) -> Any:
    """A `peft.LoraConfig`.

    settings (dict): rank, alpha, dropout, targets ("all-linear" or module names), rslora.
    RAISES CascadeError: C020 for an unknown setting, C021 for an impossible value.
    """
    from peft import LoraConfig

    for key in settings:
        if key not in _LORA_DEFAULTS:
            raise CascadeError(
                Errors.C020.format(
                    value=key, option="adapter", choices=", ".join(_LORA_DEFAULTS)
                )
            )
    s = {**_LORA_DEFAULTS, **settings}
    if not isinstance(s["rank"], int) or s["rank"] < 1:
        raise CascadeError(
            Errors.C021.format(option="adapter.rank", rule="1 or more", value=s["rank"])
        )
    return LoraConfig(
        r=s["rank"],
        lora_alpha=s["alpha"],
        lora_dropout=s["dropout"],
        target_modules=s["targets"],
        use_rslora=s["rslora"],
        bias="none",
        task_type="CAUSAL_LM",
    )


class Trainable:
    """The trainable tensors of a language model, for one adapter (or None: the whole base)."""

    def __init__(self, lm: Any, adapter: str | None):
        self.lm = lm
        self.adapter = adapter
        if adapter is None:
            self.parameters = {
                n: p for n, p in lm.model.named_parameters() if ".lora_" not in n
            }
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
            raise CascadeError(
                Errors.C110.format(path=self.lm.name, kind=type(model).__name__)
            )
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
        accelerator: Any = None,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> dict[int, float]:
        """Sum up gradients of the mean loss times `scale`.

        RETURNS (dict): The mean loss of every group of decisions.

        accelerator (Optional[accelerate.Accelerator]): For mixed precision.
        meanwhile (Callable): Called before gradients are computed, which leaves Python
            to other threads.
        """
        sizes = group_sizes(items, objective)
        total = dict.fromkeys(sizes, 0.0)
        if objective == "decisions":
            items = [trim(item) for item in items]
        with self.active():
            for part in self.lm.batches([item.query for item in items]):
                with (
                    accelerator.autocast() if accelerator is not None else nullcontext()
                ):
                    loss, shares = item_loss(
                        self.lm,
                        [items[i] for i in part],
                        sizes,
                        objective=objective,
                        lm_weight=lm_weight,
                    )
                meanwhile()
                if accelerator is not None:
                    accelerator.backward(loss * scale)
                else:
                    (loss * scale).backward()
                for g, value in shares.items():
                    total[g] += value
        return total

    def thinc_step(self, sgd: Any) -> None:
        """Step with a thinc optimizer (schedules, clipping and weight decay as in
        spaCy's [training.optimizer]).
        """
        with self.lm.alone(self.adapter), torch.no_grad():
            for name, p in self.parameters.items():
                if p.grad is None:
                    continue
                value, grad = p.float().cpu().numpy(), p.grad.float().cpu().numpy()
                updated, _ = sgd((id(self), name), value, grad)
                p.copy_(
                    torch.from_numpy(updated)
                )  # not its `data`: whoever keeps what was made of it must see the change
                p.grad = None
