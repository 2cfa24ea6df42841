"""Steps of the optimizer, and the work for them, which a thread prepares in advance."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING

import torch

from ..models.trainable import Trainable
from ..pipeline.component import LMPipe
from .data import TrainingData, Work
from .optim import make_optimizer
from .sft import SFTSettings

if TYPE_CHECKING:
    from accelerate import Accelerator


class Stepper:
    """The weights of some components, and the optimizer that moves them.

    data (TrainingData): The components and what they are trained on.
    accelerator (Accelerator): For mixed precision and for several processes.
    """

    def __init__(
        self,
        settings: SFTSettings,
        data: TrainingData,
        accelerator: Accelerator,
    ):
        self.settings = settings
        self.data = data
        self.accelerator = accelerator
        trainables: list[Trainable] = [pipe.start_training() for pipe in data.pipes]
        for trainable in trainables:
            trainable.recompute(settings.gradient_checkpointing)
        self.parameters = named_parameters(data.pipes, trainables)
        embeddings: list[torch.Tensor] = []
        for pipe in data.pipes:
            embeddings += pipe.lm.embeddings
        self.optimizer = make_optimizer(
            self.parameters.values(),
            embeddings=embeddings,
            kind=settings.optimizer,
            learn_rate=settings.learn_rate,
            weight_decay=settings.weight_decay,
        )
        self._thread = ThreadPoolExecutor(1)
        self._ahead: Future[list[list[Work]]] | None = None

    def compute_gradients(
        self,
        epoch: int,
        batches: Sequence[list[int]],
        first: int,
    ) -> dict[str, float]:
        """Gradients of one step. Meanwhile the work of the next step is prepared.

        batches (Sequence[list[int]]): All batches of the epoch.
        first (int): The batch that comes next. A step takes `accumulate` of them.
        RETURNS (dict[str, float]): Mean loss of every component.
        """
        if self._ahead is not None:
            prepared = self._ahead.result()
        else:
            prepared = self._prepare(epoch, batches, first)
        self._ahead = None
        following = first + len(prepared)

        def look_ahead() -> None:
            if self._ahead is not None or following >= len(batches):
                return
            self._ahead = self._thread.submit(
                self._prepare,
                epoch,
                batches,
                following,
            )

        losses: dict[str, float] = defaultdict(float)
        for work in prepared:
            for pipes, items in work:
                trainable: Trainable = pipes[0].start_training()
                found = trainable.backward(
                    items,
                    objective=self.settings.objective,
                    lm_weight=self.settings.lm_weight,
                    scale=1.0 / len(prepared),
                    accelerator=self.accelerator,
                    meanwhile=look_ahead,
                )
                for i, loss in found.items():
                    losses[pipes[i].name] += loss / len(prepared)
        return losses

    def apply(self, learn_rate: float) -> None:
        """Move the weights by their gradients."""
        for group in self.optimizer.param_groups:
            group["lr"] = learn_rate
        parameters = list(self.parameters.values())
        if self.accelerator.num_processes > 1:
            # a process whose batch had no item for a component takes part all the same
            for parameter in parameters:
                gradient = parameter.grad
                if gradient is None:
                    gradient = torch.zeros_like(parameter)
                parameter.grad = self.accelerator.reduce(gradient, "mean")
        if self.settings.clip:
            torch.nn.utils.clip_grad_norm_(parameters, self.settings.clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if self._ahead is not None:
            # an evaluation must not meet tokenizers in training mode
            wait([self._ahead])

    def forget_prepared(self) -> None:
        """At the end of an epoch: the batches of the next one are others."""
        self._ahead = None

    def _prepare(
        self,
        epoch: int,
        batches: Sequence[list[int]],
        first: int,
    ) -> list[list[Work]]:
        """The work of so many batches as one step takes."""
        group = batches[first : first + self.settings.accumulate]
        prepared = []
        for number, batch in enumerate(group, start=first):
            work = self.data.work(epoch, number, batch)
            prepared.append(list(work))
        return prepared


def named_parameters(
    pipes: Sequence[LMPipe],
    trainables: Sequence[Trainable],
) -> dict[str, torch.Tensor]:
    """The tensors that are trained, those of the last component first.

    Components that share a base without adapters train the same tensors, which are
    counted once.
    """
    names: dict[torch.Tensor, str] = {}
    backwards = zip(reversed(pipes), reversed(trainables), strict=True)
    for pipe, trainable in backwards:
        for name, tensor in trainable.parameters.items():
            # without the adapter's name, which is counted up in every process
            short = name.replace(f".{trainable.adapter}", "")
            names[tensor] = f"{pipe.name}/{short}"
    return {name: tensor for tensor, name in names.items()}
