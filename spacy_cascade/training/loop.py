"""The registered fine-tuning loop `spacy-cascade.SFT.v1`, and one run of it."""

from __future__ import annotations

import json
import logging
import math
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import torch
from spacy.language import Language
from spacy.training import Example

from ..doc.gold import report_missing
from ..errors import CascadeError, Errors
from ..files import JsonObject
from ..pipeline.component import LMPipe
from ..registry import training_loops
from .checkpoint import load_checkpoint, save_checkpoint
from .data import TrainingData
from .dev_scores import dev_scores
from .devices import settle_device
from .sft import SFTSettings
from .steps import Stepper

if TYPE_CHECKING:
    from accelerate import Accelerator

logger = logging.getLogger("spacy_cascade")

# What a checkpoint holds of a run, beside tensors.
_COUNTERS = ("step", "epoch", "batch", "stale", "best", "best_scores", "elapsed")
# The learning rate never falls below this share of the highest one.
_LOWEST_RATE = 1e-3


class Progress(TypedDict):
    """What is reported after each evaluation, and written to log.jsonl."""

    step: int
    epoch: int
    minutes: float
    losses: dict[str, float]
    dev: dict[str, dict[str, float]]
    score: float


class Result(TypedDict):
    """What a run returns. best (JsonObject): Step, score and dev scores of the best model."""

    steps: int
    epochs: int
    minutes: float
    best: JsonObject


Report = Callable[[Progress], None]


@training_loops("spacy-cascade.SFT.v1")
class SFT(SFTSettings):
    """Supervised fine-tuning on accelerate.

    It knows mixed precision, accumulation and, by `accelerate launch`, data parallel
    training. All settings are those of `SFTSettings`.
    """

    def run(
        self,
        nlp: Language,
        train: Sequence[Example],
        dev: Sequence[Example],
        output: Path,
        *,
        resume: bool = True,
        report: Report = lambda info: None,
    ) -> Result:
        """Train, and write model-best/, model-last/, checkpoint/ and log.jsonl to `output`.

        resume (bool): Go on from a checkpoint in `output` if there is one. The result
            is the same as without a break (on a CPU, with the same number of threads).
        RETURNS (Result): Steps, minutes, best dev scores.
        RAISES CascadeError: C030, C032, C034, C035, C036.
        """
        return Run(
            self,
            nlp,
            train,
            dev,
            Path(output),
            report,
        ).run(resume=resume)


class Run:
    """One run's state: weights, optimizer and counters.

    All randomness of the data is keyed by the counters. Beside them only torch's own has
    to be restored.
    """

    def __init__(
        self,
        settings: SFTSettings,
        nlp: Language,
        train: Sequence[Example],
        dev: Sequence[Example],
        output: Path,
        report: Report,
    ):
        self.settings = settings
        self.nlp = nlp
        self.output = output
        self.report = report
        self.pipes = self._find_pipes()
        self.accelerator = self._make_accelerator()
        self.dev = _evenly(dev, settings.dev_limit)
        report_missing(self.dev)
        self.data = TrainingData(settings, nlp, self.pipes, train)
        self.stepper = Stepper(settings, self.data, self.accelerator)

        self.step = 0
        self.epoch = 0
        self.batch = 0
        self.stale = 0
        self.best = -1.0
        self.best_scores: JsonObject = {}
        self.elapsed = 0.0

    def _find_pipes(self) -> list[LMPipe]:
        available = dict(self.nlp.components)
        names = self.settings.components
        found = [available.get(name) for name in names]
        pipes = [pipe for pipe in found if isinstance(pipe, LMPipe)]
        if not pipes or len(pipes) < len(found):
            named = ", ".join(names) or "nothing"
            known = ", ".join(available) or "nothing"
            raise CascadeError(Errors.C035.format(found=named, pipes=known))
        return pipes

    def _make_accelerator(self) -> Accelerator:
        from accelerate import Accelerator
        from accelerate.state import AcceleratorState
        from accelerate.utils import set_seed

        # a process may run several loops, with different precisions
        AcceleratorState._reset_state()
        set_seed(self.settings.seed)
        # before a model is loaded: every process has a device of its own
        devices = [getattr(pipe.model, "device", "cpu") for pipe in self.pipes]
        settle_device(cpu=all(device == "cpu" for device in devices))
        on_cpu = self.pipes[0].lm.device.type == "cpu"
        return Accelerator(mixed_precision=self.settings.precision, cpu=on_cpu)

    # -- The run

    def run(self, *, resume: bool) -> Result:
        """See `SFT.run`."""
        self.output.mkdir(parents=True, exist_ok=True)
        checkpoint = self.output / "checkpoint"
        if resume and checkpoint.exists():
            self._restore(checkpoint)
        else:
            self._log.unlink(missing_ok=True)

        save_every = self.settings.save_every
        start = time.monotonic() - self.elapsed
        losses: dict[str, float] = defaultdict(float)  # sums since the last evaluation
        seen = 0
        stop = self._out_of_patience()
        while not stop and self._progress() < 1:
            batches = self._batches()
            while self.batch < len(batches) and self._progress() < 1:
                group = batches[self.batch : self.batch + self.settings.accumulate]
                for name, loss in self._train_step(batches).items():
                    losses[name] += loss
                seen += 1
                self.batch += len(group)
                self.step += 1
                self.elapsed = self._clock(start)
                if _every(self.settings.eval_every, self.step):
                    self._evaluate(_mean(losses, seen))
                    losses.clear()
                    seen = 0
                    stop = self._out_of_patience()
                    if stop:
                        break
                if _every(save_every, self.step):
                    self._save(checkpoint)
            self.stepper.forget_prepared()
            if self.batch >= len(batches):
                self.epoch += 1
                self.batch = 0

        if seen or not self.best_scores:
            self._evaluate(_mean(losses, seen))
        if save_every:
            self._save(checkpoint)
        if self.accelerator.is_main_process:
            self.nlp.to_disk(self.output / "model-last")
        return {
            "steps": self.step,
            "epochs": self.epoch,
            "minutes": self.elapsed / 60,
            "best": self.best_scores,
        }

    @property
    def _log(self) -> Path:
        return self.output / "log.jsonl"

    def _out_of_patience(self) -> bool:
        return self.stale >= self.settings.patience > 0

    def _batches(self) -> list[list[int]]:
        """This process's share of the epoch."""
        batches = self.data.batches(self.epoch)
        processes = self.accelerator.num_processes
        if processes == 1:
            return batches
        own = batches[self.accelerator.process_index :: processes]
        return own[: len(batches) // processes]

    def _clock(self, start: float) -> float:
        """Seconds since the start, by the main process.

        All processes have to end at the same step, or they wait for each other forever.
        """
        seconds = time.monotonic() - start
        if self.accelerator.num_processes == 1:
            return seconds
        from accelerate.utils import broadcast

        device = self.accelerator.device
        own = torch.tensor(
            seconds,
            dtype=torch.float64,
            device=device,
        )
        return float(broadcast(own))

    def _progress(self) -> float:
        """Share of the run that is done, by the limit that is nearest."""
        settings = self.settings
        parts = [0.0]
        if settings.max_steps:
            parts.append(self.step / settings.max_steps)
        if settings.max_epochs:
            processes = self.accelerator.num_processes
            per_epoch = math.ceil(len(self.data) / settings.batch_size / processes)
            epochs = self.epoch + self.batch / per_epoch
            parts.append(epochs / settings.max_epochs)
        if settings.max_minutes:
            parts.append(self.elapsed / 60 / settings.max_minutes)
        return max(parts)

    def _learn_rate(self) -> float:
        """Rising during the warm-up, then falling as a cosine."""
        highest = self.settings.learn_rate
        warmup = self.settings.warmup
        done = self._progress()
        rising = min(1.0, done / warmup) if warmup else 1.0
        after = max(0.0, (done - warmup) / max(1e-9, 1 - warmup))
        cosine = 0.5 + 0.5 * math.cos(math.pi * after)
        return max(highest * rising * cosine, highest * _LOWEST_RATE)

    def _train_step(self, batches: list[list[int]]) -> dict[str, float]:
        """RETURNS (dict[str, float]): Mean loss of every component."""
        losses = self.stepper.compute_gradients(self.epoch, batches, self.batch)
        for name, value in losses.items():
            if not math.isfinite(value):
                loss = f"{name}: {value}"
                raise CascadeError(Errors.C034.format(step=self.step, loss=loss))
        self.stepper.apply(self._learn_rate())
        return losses

    def _evaluate(self, losses: dict[str, float]) -> None:
        scores: dict[str, dict[str, float]] = {}
        if self.dev:
            for pipe in self.pipes:
                scores[pipe.name] = dev_scores(self.nlp, pipe, self.dev)
        total = sum(found["score"] for found in scores.values())
        mean = total / len(scores) if scores else 0.0
        better = mean > self.best or not scores
        self.stale = 0 if better else self.stale + 1

        if self.accelerator.is_main_process:
            info: Progress = {
                "step": self.step,
                "epoch": self.epoch,
                "minutes": round(self.elapsed / 60, 2),
                "losses": {name: round(loss, 5) for name, loss in losses.items()},
                "dev": scores,
                "score": mean,
            }
            with self._log.open("a", encoding="utf8") as f:
                f.write(json.dumps(info) + "\n")
            self.report(info)
            if better:
                self.nlp.to_disk(self.output / "model-best")
        if better:
            self.best = mean
            self.best_scores = {
                "step": self.step,
                "score": mean,
                **scores,
            }

    # -- Checkpoints

    def _run_settings(self) -> JsonObject:
        """What a checkpoint must have in common with the run that goes on from it."""
        described = {**asdict(self.settings), "documents": len(self.data.documents)}
        del described["gradient_checkpointing"]  # the same results in less memory
        as_saved: JsonObject = json.loads(json.dumps(described))
        return as_saved

    def _save(self, path: Path) -> None:
        if not self.accelerator.is_main_process:
            return
        meta: JsonObject = {"settings": self._run_settings()}
        for name in _COUNTERS:
            meta[name] = getattr(self, name)
        save_checkpoint(path, self.stepper.parameters, self.stepper.optimizer, meta)

    def _restore(self, path: Path) -> None:
        meta = load_checkpoint(
            path,
            self.stepper.parameters,
            self.stepper.optimizer,
            self._run_settings(),
        )
        for name in _COUNTERS:
            setattr(self, name, meta[name])
        logger.info("Resumed from %s at step %d", path, self.step)


def _evenly(examples: Sequence[Example], limit: int) -> list[Example]:
    """So many examples from everywhere, as corpora are often several in a row; 0: all."""
    if not 0 < limit < len(examples):
        return list(examples)
    return [examples[i * len(examples) // limit] for i in range(limit)]


def _every(steps: int, step: int) -> bool:
    return steps > 0 and step % steps == 0


def _mean(losses: dict[str, float], steps: int) -> dict[str, float]:
    return {name: total / max(1, steps) for name, total in losses.items()}
