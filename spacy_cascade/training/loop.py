"""One run of the training loop `spacy-cascade.SFT.v1`."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import asdict
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.training import Example

from ..doc.gold import report_missing
from ..errors import CascadeError, Errors
from ..pipeline.component import LMPipe
from .checkpoint import load_checkpoint, save_checkpoint
from .data import TrainingData, Work
from .devices import settle_device
from .evaluate import dev_scores
from .sft import SCHEDULES, SFT, Report

logger = logging.getLogger("spacy_cascade")

# What a checkpoint holds of a run, beside tensors.
_COUNTERS = ("step", "epoch", "batch", "stale", "best", "best_scores", "elapsed")


class Run:
    """One run's state: weights, optimizer and counters.

    All randomness of the data is keyed by these, so that beside them only torch's own
    has to be restored.
    """

    def __init__(
        self,
        s: SFT,
        nlp: Language,
        train: Sequence[Example],
        dev: Sequence[Example],
        output: Path,
        report: Report,
    ):
        from accelerate import Accelerator
        from accelerate.state import AcceleratorState
        from accelerate.utils import set_seed

        # a process may run several loops, with different precisions
        AcceleratorState._reset_state()

        self.s, self.nlp, self.output, self.report = s, nlp, output, report
        pipes = dict(nlp.components)
        self.pipes: list[Any] = [pipes.get(name) for name in s.components]
        if not self.pipes or not all(isinstance(p, LMPipe) for p in self.pipes):
            found, names = (
                ", ".join(s.components) or "nothing",
                ", ".join(pipes) or "nothing",
            )
            raise CascadeError(Errors.C035.format(found=found, pipes=names))
        set_seed(s.seed)
        # before a model is loaded: every process has a device of its own
        settle_device(
            cpu=all(getattr(p.model, "device", "cpu") == "cpu" for p in self.pipes)
        )
        self.accelerator = Accelerator(
            mixed_precision=s.precision, cpu=self.pipes[0].lm.device.type == "cpu"
        )
        self.dev = list(dev)
        if (
            0 < s.dev_limit < len(self.dev)
        ):  # evenly, as corpora are often several in a row
            self.dev = [
                self.dev[i * len(self.dev) // s.dev_limit] for i in range(s.dev_limit)
            ]
        report_missing(self.dev)
        self.data = TrainingData(s, nlp, self.pipes, train)
        self.trainables = [p.start_training() for p in self.pipes]
        for trainable in self.trainables:
            trainable.recompute(s.gradient_checkpointing)
        self.parameters = {
            # without the adapter's name, which is counted up in every process
            f"{pipe.name}/{n.replace(f'.{t.adapter}', '')}": p
            for pipe, t in reversed(list(zip(self.pipes, self.trainables, strict=True)))
            for n, p in t.parameters.items()
        }
        # components that share a base without adapters train the same tensors: count them once
        self.parameters = {
            k: p for p, k in {p: k for k, p in self.parameters.items()}.items()
        }
        self.optimizer = self._optimizer()
        self.step = self.epoch = self.batch = self.stale = 0
        self.best = -1.0
        self.best_scores: dict[str, Any] = {}
        self.elapsed = 0.0
        self._thread = ThreadPoolExecutor(1)
        self._ahead: Future[list[list[Work]]] | None = None

    def _optimizer(self) -> Any:
        from .optim import MuonAdamW

        s = self.s
        embeddings = {id(w) for p in self.pipes for w in p.lm.embeddings}
        groups: dict[str, list[Any]] = {"muon": [], "matrix": [], "plain": []}
        for p in self.parameters.values():
            muon = s.optimizer == "muon" and p.dim() == 2 and id(p) not in embeddings
            groups["muon" if muon else "matrix" if p.dim() > 1 else "plain"].append(p)
        decay = {"muon": s.weight_decay, "matrix": s.weight_decay, "plain": 0.0}
        return MuonAdamW(
            [
                {"params": ps, "weight_decay": decay[k], "muon": k == "muon"}
                for k, ps in groups.items()
                if ps
            ],
            lr=s.learn_rate,
            betas=(0.9, 0.98),
        )

    # -- The run
    # ----------------------------------------------------------------------------------------------

    def run(self, *, resume: bool) -> dict[str, Any]:
        self.output.mkdir(parents=True, exist_ok=True)
        checkpoint = self.output / "checkpoint"
        if resume and checkpoint.exists():
            self._restore(checkpoint)
        elif (self.output / "log.jsonl").exists():
            (self.output / "log.jsonl").unlink()
        start = time.monotonic() - self.elapsed
        losses: dict[str, float] = {}
        seen = 0
        stop = self.stale >= self.s.patience > 0
        while not stop and self._progress() < 1:
            batches = self._batches()
            while self.batch < len(batches) and self._progress() < 1:
                group = batches[self.batch : self.batch + self.s.accumulate]
                for name, value in self._train_step(batches).items():
                    losses[name] = losses.get(name, 0.0) + value
                seen += 1
                self.batch += len(group)
                self.step += 1
                self.elapsed = self._clock(start)
                if self.s.eval_every and self.step % self.s.eval_every == 0:
                    self._evaluate({k: v / seen for k, v in losses.items()})
                    losses, seen = {}, 0
                    stop = self.stale >= self.s.patience > 0
                    if stop:
                        break
                if self.s.save_every and self.step % self.s.save_every == 0:
                    self._save(checkpoint)
            self._ahead = None
            if self.batch >= len(batches):
                self.epoch, self.batch = self.epoch + 1, 0
        if seen or not self.best_scores:
            self._evaluate({k: v / max(1, seen) for k, v in losses.items()})
        if self.s.save_every:
            self._save(checkpoint)
        if self.accelerator.is_main_process:
            self.nlp.to_disk(self.output / "model-last")
        return {
            "steps": self.step,
            "epochs": self.epoch,
            "minutes": self.elapsed / 60,
            "best": self.best_scores,
        }

    def _batches(self) -> list[list[int]]:
        """This process's share of the epoch."""
        batches = self.data.batches(self.epoch)
        world, rank = self.accelerator.num_processes, self.accelerator.process_index
        return batches[rank::world][: len(batches) // world] if world > 1 else batches

    def _clock(self, start: float) -> float:
        """Seconds since the start, by the main process: all have to end at the same
        step, or they wait for each other forever.
        """
        seconds = time.monotonic() - start
        if self.accelerator.num_processes == 1:
            return seconds
        import torch
        from accelerate.utils import broadcast

        return float(
            broadcast(
                torch.tensor(
                    seconds, dtype=torch.float64, device=self.accelerator.device
                )
            )
        )

    def _progress(self) -> float:
        """Share of the run that is done, by the limit that is nearest."""
        s, parts = self.s, [0.0]
        if s.max_steps:
            parts.append(self.step / s.max_steps)
        if s.max_epochs:
            per_epoch = math.ceil(
                len(self.data) / s.batch_size / self.accelerator.num_processes
            )
            parts.append((self.epoch + self.batch / per_epoch) / s.max_epochs)
        if s.max_minutes:
            parts.append(self.elapsed / 60 / s.max_minutes)
        return max(parts)

    def _train_step(self, batches: list[list[int]]) -> dict[str, float]:
        """One step of the optimizer on the batches that come next, while a thread
        prepares those behind them.
        """
        s, here = self.s, self.batch
        prepared = (
            self._ahead.result()
            if self._ahead is not None
            else self._prepare(batches, here)
        )
        following = here + len(prepared)
        self._ahead = None

        def look_ahead() -> None:
            if self._ahead is None and following < len(batches):
                self._ahead = self._thread.submit(self._prepare, batches, following)

        done = self._progress()
        rate = s.learn_rate * (min(1.0, done / s.warmup) if s.warmup else 1.0)
        rate *= SCHEDULES[s.schedule](
            max(0.0, (done - s.warmup) / max(1e-9, 1 - s.warmup))
        )
        for g in self.optimizer.param_groups:
            g["lr"] = max(rate, s.learn_rate * 1e-3)
        losses: dict[str, float] = {}
        for pipes, items in (work for batch in prepared for work in batch):
            found = (
                pipes[0]
                .start_training()
                .backward(
                    items,
                    objective=s.objective,
                    lm_weight=s.lm_weight,
                    scale=1.0 / len(prepared),
                    accelerator=self.accelerator,
                    meanwhile=look_ahead,
                )
            )
            for g, value in found.items():
                name = pipes[g].name
                losses[name] = losses.get(name, 0.0) + value / len(prepared)
        for name, value in losses.items():
            if not math.isfinite(value):
                raise CascadeError(
                    Errors.C034.format(step=self.step, loss=f"{name}: {value}")
                )
        self._apply()
        if self._ahead is not None:
            wait(
                [self._ahead]
            )  # an evaluation must not meet tokenizers in training mode
        return losses

    def _prepare(self, batches: list[list[int]], first: int) -> list[list[Work]]:
        group = batches[first : first + self.s.accumulate]
        return [
            list(self.data.work(self.epoch, first + k, batch))
            for k, batch in enumerate(group)
        ]

    def _apply(self) -> None:
        import torch

        parameters = list(self.parameters.values())
        if self.accelerator.num_processes > 1:
            # a process whose batch had no item for a component takes part all the same
            for p in parameters:
                grad = torch.zeros_like(p) if p.grad is None else p.grad
                p.grad = self.accelerator.reduce(grad, "mean")
        if self.s.clip:
            torch.nn.utils.clip_grad_norm_(parameters, self.s.clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def _evaluate(self, losses: dict[str, float]) -> None:
        scores = (
            {p.name: dev_scores(self.nlp, p, self.dev) for p in self.pipes}
            if self.dev
            else {}
        )
        mean = sum(v["score"] for v in scores.values()) / len(scores) if scores else 0.0
        info = {
            "step": self.step,
            "epoch": self.epoch,
            "minutes": round(self.elapsed / 60, 2),
            "losses": {k: round(v, 5) for k, v in losses.items()},
            "dev": scores,
            "score": mean,
        }
        self.stale = 0 if mean > self.best or not scores else self.stale + 1
        if self.accelerator.is_main_process:
            with (self.output / "log.jsonl").open("a", encoding="utf8") as f:
                f.write(json.dumps(info) + "\n")
            self.report(info)
            if mean > self.best or not scores:
                self.nlp.to_disk(self.output / "model-best")
        if mean > self.best or not scores:
            self.best, self.best_scores = (
                mean,
                {"step": self.step, "score": mean, **scores},
            )

    # -- Checkpoints
    # ------------------------------------------------------------------------------------------

    def _settings(self) -> dict[str, Any]:
        settings = {**asdict(self.s), "documents": len(self.data.documents)}
        del settings["gradient_checkpointing"]  # the same results in less memory
        return json.loads(json.dumps(settings))

    def _save(self, path: Path) -> None:
        if not self.accelerator.is_main_process:
            return
        meta = {
            "settings": self._settings(),
            **{k: getattr(self, k) for k in _COUNTERS},
        }
        save_checkpoint(path, self.parameters, self.optimizer, meta)

    def _restore(self, path: Path) -> None:
        meta = load_checkpoint(path, self.parameters, self.optimizer, self._settings())
        for key in _COUNTERS:
            setattr(self, key, meta[key])
        logger.info("Resumed from %s at step %d", path, self.step)
