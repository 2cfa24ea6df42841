"""The registered fine-tuning loop `spacy-cascade.SFT.v1`."""

from __future__ import annotations

import json
import logging
import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.training import Example

from ..errors import CascadeError, Errors
from ..pipeline.component import LMPipe
from ..registry import training_loops
from ..ty import TrainingItem
from .augment import MentionReplacer
from .checkpoint import load_checkpoint, save_checkpoint
from .evaluate import dev_scores
from .objectives import OBJECTIVES, merge_items

logger = logging.getLogger("spacy_cascade")

Report = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class SFT:
    """Supervised fine-tuning of the components of a pipeline; see `sft_loop` for the settings."""

    components: tuple[str, ...]
    objective: str = "decisions"
    lm_weight: float = 0.0
    learn_rate: float = 1e-3
    weight_decay: float = 0.01
    warmup: float = 0.05
    schedule: str = "cosine"
    max_steps: int = 0
    max_epochs: int = 0
    max_minutes: float = 0.0
    batch_size: int = 32
    accumulate: int = 1
    clip: float = 1.0
    precision: str = "no"
    subword_noise: float = 0.0
    eval_every: int = 0
    patience: int = 0
    dev_limit: int = 0
    save_every: int = 200
    seed: int = 0
    lexicon: str | None = None
    replace_rate: float = 0.5
    invent_rate: float = 0.0
    replace_from_train: bool = True
    name_lists: float = 0.0
    tags: dict[str, Any] = field(default_factory=dict)

    def run(
        self,
        nlp: Language,
        train: Sequence[Example],
        dev: Sequence[Example],
        output: Path,
        *,
        resume: bool = True,
        report: Report = lambda info: None,
    ) -> dict[str, Any]:
        """Train, and write model-best/, model-last/, checkpoint/ and log.jsonl to `output`.

        resume (bool): Go on from a checkpoint in `output` if there is one; the result is the same as without a break
            (on a CPU, with the same number of threads).
        RETURNS (dict): Steps, minutes, best dev scores.
        RAISES CascadeError: C030, C032, C034, C035, C036.
        """
        return _Run(self, nlp, train, dev, Path(output), report).run(resume=resume)


@training_loops("spacy-cascade.SFT.v1")
def sft_loop(
    components: list[str],
    objective: str = "decisions",
    lm_weight: float = 0.0,
    learn_rate: float = 1e-3,
    weight_decay: float = 0.01,
    warmup: float = 0.05,
    schedule: str = "cosine",
    max_steps: int = 0,
    max_epochs: int = 0,
    max_minutes: float = 0.0,
    batch_size: int = 32,
    accumulate: int = 1,
    clip: float = 1.0,
    precision: str = "no",
    subword_noise: float = 0.0,
    eval_every: int = 0,
    patience: int = 0,
    dev_limit: int = 0,
    save_every: int = 200,
    seed: int = 0,
    lexicon: str | None = None,
    replace_rate: float = 0.5,
    invent_rate: float = 0.0,
    replace_from_train: bool = True,
    name_lists: float = 0.0,
    train_corpus: str = "corpora.train",
    dev_corpus: str = "corpora.dev",
) -> SFT:
    """Supervised fine-tuning on accelerate: mixed precision, accumulation, data parallel by `accelerate launch`.

    components (list[str]): Components to train. Several are trained together, their losses added: with one shared
        base and no adapters this trains the base itself.
    objective (str): decisions or completion (see `training.objectives`).
    lm_weight (float): Weight of a language-model loss on the text.
    learn_rate (float), weight_decay (float), clip (float): AdamW and gradient clipping (0: off).
    warmup (float), schedule (str): Share of the run with a rising rate; then cosine, linear or constant.
    max_steps (int), max_epochs (int), max_minutes (float): The run ends at whichever comes first; 0: no such limit.
        The schedule follows the nearest limit. Runs limited by time depend on the machine.
    batch_size (int), accumulate (int): Documents per batch, batches per step.
    precision (str): no, bf16 or fp16.
    subword_noise (float): Rate at which words are written in two parts instead of their usual tokens.
    eval_every (int): Steps between dev evaluations, with the real decoder; 0: only at the end.
    patience (int): Stop after so many evaluations without a better score; 0: never.
    dev_limit (int): Most dev documents; 0: all.
    save_every (int): Steps between checkpoints; 0: none.
    lexicon (Optional[str]), replace_rate (float): Directory of `<language>.json` with names by type; gold mentions
        are replaced by other names of their type at this rate.
    invent_rate (float): Share of these that are invented names, which can't be learned by heart.
    replace_from_train (bool): Use the training split's own mentions for that, too.
    name_lists (float): Lists of names to train on beside the documents, as a share of the documents.
    train_corpus (str), dev_corpus (str): Names of the corpora in the config.
    """
    for option, value, choices in (
        ("objective", objective, OBJECTIVES),
        ("schedule", schedule, tuple(_SCHEDULES)),
        ("precision", precision, ("no", "bf16", "fp16")),
    ):
        if value not in choices:
            raise CascadeError(Errors.C020.format(option=option, value=value, choices=", ".join(choices)))
    if not (max_steps or max_epochs or max_minutes):
        rule = "above 0 (or max_epochs, or max_minutes)"
        raise CascadeError(Errors.C021.format(option="max_steps", rule=rule, value=max_steps))
    for option, number in (("batch_size", batch_size), ("accumulate", accumulate)):
        if number < 1:
            raise CascadeError(Errors.C021.format(option=option, rule="1 or more", value=number))
    return SFT(
        components=tuple(components),
        objective=objective,
        lm_weight=lm_weight,
        learn_rate=learn_rate,
        weight_decay=weight_decay,
        warmup=warmup,
        schedule=schedule,
        max_steps=max_steps,
        max_epochs=max_epochs,
        max_minutes=max_minutes,
        batch_size=batch_size,
        accumulate=accumulate,
        clip=clip,
        precision=precision,
        subword_noise=subword_noise,
        eval_every=eval_every,
        patience=patience,
        dev_limit=dev_limit,
        save_every=save_every,
        seed=seed,
        lexicon=lexicon,
        replace_rate=replace_rate,
        invent_rate=invent_rate,
        replace_from_train=replace_from_train,
        name_lists=name_lists,
        tags={"train_corpus": train_corpus, "dev_corpus": dev_corpus},
    )


_SCHEDULES: dict[str, Callable[[float], float]] = {
    "cosine": lambda p: 0.5 + 0.5 * math.cos(math.pi * p),
    "linear": lambda p: 1.0 - p,
    "constant": lambda p: 1.0,
}


class _Run:
    """One run's state. All randomness but torch's dropout is keyed by (seed, epoch, index), so that only counters
    have to be restored."""

    def __init__(
        self, s: SFT, nlp: Language, train: Sequence[Example], dev: Sequence[Example], output: Path, report: Report
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
            found, names = ", ".join(s.components) or "nothing", ", ".join(pipes) or "nothing"
            raise CascadeError(Errors.C035.format(found=found, pipes=names))
        set_seed(s.seed)
        self.accelerator = Accelerator(mixed_precision=s.precision, cpu=self.pipes[0].lm.device.type == "cpu")
        self.train = list(train)
        self.dev = list(dev)[: s.dev_limit or None]
        if not any(eg.reference.ents or eg.reference.spans.get("gold") for eg in self.train):
            raise CascadeError(Errors.C030.format(name=s.components[0], why=f"no entity in {len(self.train)} documents"))
        self.replacer = self._replacer()
        self.trainables = [p.start_training() for p in self.pipes]
        self.parameters = {
            # without the adapter's name, which is counted up in every process
            f"{pipe.name}/{n.replace(f'.{t.adapter}', '')}": p
            for pipe, t in reversed(list(zip(self.pipes, self.trainables, strict=True)))
            for n, p in t.parameters.items()
        }
        # components that share a base without adapters train the same tensors: count them once
        self.parameters = {k: p for p, k in {p: k for k, p in self.parameters.items()}.items()}
        self.optimizer = self._optimizer()
        self.step = self.epoch = self.batch = self.stale = 0
        self.best = -1.0
        self.best_scores: dict[str, Any] = {}
        self.elapsed = 0.0

    def _replacer(self) -> MentionReplacer | None:
        s = self.s
        if not s.replace_rate or not (s.lexicon or s.replace_from_train):
            return None
        if s.lexicon:
            taxonomy = next((p.taxonomy for p in self.pipes if hasattr(p, "taxonomy")), None)
            if taxonomy is None:
                from ..taxonomy import builtin

                taxonomy = builtin("dynamicner")
            replacer = MentionReplacer.from_dir(s.lexicon, taxonomy, rate=s.replace_rate, invent=s.invent_rate)
        else:
            replacer = MentionReplacer({}, rate=s.replace_rate, invent=s.invent_rate)
        if s.replace_from_train:
            replacer.learn(eg.reference for eg in self.train)
        return replacer

    def _optimizer(self) -> Any:
        import torch

        decay = [p for p in self.parameters.values() if p.dim() > 1]
        plain = [p for p in self.parameters.values() if p.dim() <= 1]
        groups = [{"params": decay, "weight_decay": self.s.weight_decay}, {"params": plain, "weight_decay": 0.0}]
        return torch.optim.AdamW([g for g in groups if g["params"]], lr=self.s.learn_rate, betas=(0.9, 0.98))

    # -- Data -------------------------------------------------------------------------------------------------

    def _batches(self, epoch: int) -> list[list[int]]:
        """Shuffled, with documents of similar length together. The same for the same seed and epoch."""
        rng = random.Random(f"{self.s.seed}/{epoch}")
        order = list(range(self._size()))
        rng.shuffle(order)
        size, pool = self.s.batch_size, self.s.batch_size * 16
        batches = []
        for i in range(0, len(order), pool):
            part = sorted(order[i : i + pool], key=self._length)
            batches += [part[j : j + size] for j in range(0, len(part), size)]
        rng.shuffle(batches)
        world, rank = self.accelerator.num_processes, self.accelerator.process_index
        return batches[rank :: world][: len(batches) // world] if world > 1 else batches

    def _size(self) -> int:
        """Documents and lists of names of an epoch. Indices behind the documents stand for lists."""
        lists = self.s.name_lists if self.replacer is not None else 0.0
        return len(self.train) + int(lists * len(self.train))

    def _length(self, index: int) -> int:
        return len(self.train[index].reference) if index < len(self.train) else 32

    def _example(self, index: int) -> Example:
        rng = random.Random(f"{self.s.seed}/{self.epoch}/{index}")
        if self.replacer is not None and index >= len(self.train):
            reference = self.replacer.name_list(self.nlp, rng)
        else:
            reference = self.train[index].reference
            if self.replacer is not None:
                reference = self.replacer(self.nlp, reference, rng) or reference
        return Example(self.nlp.make_doc(reference.text), reference)

    # -- The run ----------------------------------------------------------------------------------------------

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
            batches = self._batches(self.epoch)
            while self.batch < len(batches) and self._progress() < 1:
                group = batches[self.batch : self.batch + self.s.accumulate]
                for name, value in self._train_step(group).items():
                    losses[name] = losses.get(name, 0.0) + value
                seen += 1
                self.batch += len(group)
                self.step += 1
                self.elapsed = time.monotonic() - start
                if self.s.eval_every and self.step % self.s.eval_every == 0:
                    self._evaluate({k: v / seen for k, v in losses.items()})
                    losses, seen = {}, 0
                    stop = self.stale >= self.s.patience > 0
                    if stop:
                        break
                if self.s.save_every and self.step % self.s.save_every == 0:
                    self._save(checkpoint)
            if self.batch >= len(batches):
                self.epoch, self.batch = self.epoch + 1, 0
        if seen or not self.best_scores:
            self._evaluate({k: v / max(1, seen) for k, v in losses.items()})
        if self.s.save_every:
            self._save(checkpoint)
        if self.accelerator.is_main_process:
            self.nlp.to_disk(self.output / "model-last")
        return {"steps": self.step, "epochs": self.epoch, "minutes": self.elapsed / 60, "best": self.best_scores}

    def _progress(self) -> float:
        """Share of the run that is done, by the limit that is nearest."""
        s, parts = self.s, [0.0]
        if s.max_steps:
            parts.append(self.step / s.max_steps)
        if s.max_epochs:
            per_epoch = math.ceil(self._size() / s.batch_size / self.accelerator.num_processes)
            parts.append((self.epoch + self.batch / per_epoch) / s.max_epochs)
        if s.max_minutes:
            parts.append(self.elapsed / 60 / s.max_minutes)
        return max(parts)

    def _train_step(self, group: list[list[int]]) -> dict[str, float]:
        s = self.s
        done = self._progress()
        rate = s.learn_rate * (min(1.0, done / s.warmup) if s.warmup else 1.0)
        rate *= _SCHEDULES[s.schedule](max(0.0, (done - s.warmup) / max(1e-9, 1 - s.warmup)))
        for g in self.optimizer.param_groups:
            g["lr"] = max(rate, s.learn_rate * 1e-3)
        losses: dict[str, float] = {}
        for batch in group:
            examples = [self._example(i) for i in batch]
            for pipes, trainable, items in self._items(examples):
                found = trainable.backward(
                    items,
                    objective=s.objective,
                    lm_weight=s.lm_weight,
                    scale=1.0 / len(group),
                    accelerator=self.accelerator,
                )
                for g, value in found.items():
                    name = pipes[g].name
                    losses[name] = losses.get(name, 0.0) + value / len(group)
        for name, value in losses.items():
            if not math.isfinite(value):
                raise CascadeError(Errors.C034.format(step=self.step, loss=f"{name}: {value}"))
        self._apply()
        return losses

    def _items(self, examples: list[Example]) -> Iterator[tuple[list[Any], Any, list[TrainingItem]]]:
        """Components, what they train, and the items of a batch. Components on one set of weights share trees."""
        shared = len(self.pipes) > 1 and all(p.lm is self.pipes[0].lm and t.adapter is None for p, t in zip(self.pipes, self.trainables, strict=True))
        with ExitStack() as stack:
            for lm in {id(p.lm): p.lm for p in self.pipes}.values():
                noise = random.Random(f"{self.s.seed}/{self.epoch}/{self.batch}")
                stack.enter_context(lm.subword_noise(noise, self.s.subword_noise))
            found = [p.training_items(examples) for p in self.pipes]
        if shared and self.s.objective == "decisions":
            merged = [i for per_example in zip(*found, strict=True) for i in merge_items(per_example) if i.gold]
            if merged:
                yield self.pipes, self.trainables[0], merged
            return
        for pipe, trainable, per_example in zip(self.pipes, self.trainables, found, strict=True):
            items = [i for items in per_example for i in items if i.gold]
            if items:
                yield [pipe], trainable, items

    def _apply(self) -> None:
        import torch

        parameters = list(self.parameters.values())
        if self.accelerator.num_processes > 1:
            for p in parameters:
                if p.grad is not None:
                    p.grad = self.accelerator.reduce(p.grad, "mean")
        if self.s.clip:
            torch.nn.utils.clip_grad_norm_(parameters, self.s.clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def _evaluate(self, losses: dict[str, float]) -> None:
        scores = {p.name: dev_scores(self.nlp, p, self.dev) for p in self.pipes} if self.dev else {}
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
            self.best, self.best_scores = mean, {"step": self.step, "score": mean, **scores}

    # -- Checkpoints ------------------------------------------------------------------------------------------

    def _settings(self) -> dict[str, Any]:
        return json.loads(json.dumps({**asdict(self.s), "documents": len(self.train)}))

    def _save(self, path: Path) -> None:
        if not self.accelerator.is_main_process:
            return
        counters = ("step", "epoch", "batch", "stale", "best", "best_scores", "elapsed")
        meta = {"settings": self._settings(), **{k: getattr(self, k) for k in counters}}
        save_checkpoint(path, self.parameters, self.optimizer, meta)

    def _restore(self, path: Path) -> None:
        meta = load_checkpoint(path, self.parameters, self.optimizer, self._settings())
        for key in ("step", "epoch", "batch", "stale", "best", "best_scores", "elapsed"):
            setattr(self, key, meta[key])
        logger.info("Resumed from %s at step %d", path, self.step)

