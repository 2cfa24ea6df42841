"""The registered fine-tuning loop `spacy-cascade.SFT.v1`: its settings."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.training import Example

from ..errors import CascadeError, Errors
from ..models.losses import OBJECTIVES
from ..registry import training_loops
from .optim import OPTIMIZERS

Report = Callable[[dict[str, Any]], None]

SCHEDULES: dict[str, Callable[[float], float]] = {
    "cosine": lambda p: 0.5 + 0.5 * math.cos(math.pi * p),
    "linear": lambda p: 1.0 - p,
    "constant": lambda p: 1.0,
}


# No `from __future__ import annotations` here: spaCy validates the config against these
# annotations.
@training_loops("spacy-cascade.SFT.v1")
@dataclass(frozen=True)
class SFT:
    """Supervised fine-tuning on accelerate: mixed precision, accumulation, data
    parallel by `accelerate launch`.

    components (list[str]): Components to train. Several are trained together, their
        losses added: with one shared base and no adapters this trains the base itself.
    objective (str): decisions or completion (see `training.objectives`).
    lm_weight (float): Weight of a language-model loss on the text.
    optimizer (str): adamw, or muon (see `training.optim`), which learns faster from
        random initialization.
    learn_rate (float), weight_decay (float), clip (float): Of the optimizer, and
        gradient clipping (0: off).
    warmup (float), schedule (str): Share of the run with a rising rate; then cosine,
        linear or constant.
    max_steps (int), max_epochs (int), max_minutes (float): The run ends at whichever
        comes first; 0: no such limit. The schedule follows the nearest limit. Runs
        limited by time depend on the machine.
    batch_size (int), accumulate (int): Documents per batch, batches per step.
    precision (str): no, bf16 or fp16.
    gradient_checkpointing (bool): Keep no activations inside of layers for the backward
        pass but compute them again: a third more time, a fraction of the memory, the
        same gradients.
    subword_noise (float): Rate at which words are written in two parts instead of their
        usual tokens.
    eval_every (int): Steps between dev evaluations, with the real decoder; 0: only at the end.
    patience (int): Stop after so many evaluations without a better score; 0: never.
    dev_limit (int): Most dev documents; 0: all.
    save_every (int): Steps between checkpoints; 0: none.
    lexicon (Optional[str]), replace_rate (float): Directory of `<language>.json` with
        names by type; gold mentions are replaced by other names of their type at this
        rate.
    invent_rate (float): Share of these that are invented names, which can't be learned by heart.
    replace_from_train (bool): Use the training split's own mentions for that, too.
    name_lists (float): Lists of names that the classifier trains on beside the
        documents, as a share of the documents.
    dynamic_lists (float), label_dropout (float): The classifier's type lists in
        training: chance of a list to be cut to a random part in random order; chance of
        every wrong type to be left out.
    label_sets (float): Chance of a text that brings its own label set to get a random
        part of it, without the mentions of other labels (for label-aware templates).
    own_lists (bool): Train the classifier on the type lists that mentions bring along
        (`corpus_tools dynamic`) instead of the taxonomy's. Names are not replaced then,
        since a list is made for its mention.
    train_corpus (str), dev_corpus (str): Names of the corpora in the config.
    RAISES CascadeError: C020, C021.
    """

    components: list[str]
    objective: str = "decisions"
    lm_weight: float = 0.0
    optimizer: str = "adamw"
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
    gradient_checkpointing: bool = False
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
    dynamic_lists: float = 0.0
    label_dropout: float = 0.0
    label_sets: float = 0.0
    own_lists: bool = False
    train_corpus: str = "corpora.train"
    dev_corpus: str = "corpora.dev"

    def __post_init__(self) -> None:
        choices = {
            "objective": OBJECTIVES,
            "schedule": tuple(SCHEDULES),
            "precision": ("no", "bf16", "fp16"),
            "optimizer": OPTIMIZERS,
        }
        for option, allowed in choices.items():
            value = getattr(self, option)
            if value not in allowed:
                raise CascadeError(
                    Errors.C020.format(
                        option=option, value=value, choices=", ".join(allowed)
                    )
                )
        if not (self.max_steps or self.max_epochs or self.max_minutes):
            rule = "above 0 (or max_epochs, or max_minutes)"
            raise CascadeError(
                Errors.C021.format(option="max_steps", rule=rule, value=self.max_steps)
            )
        for option in (
            "subword_noise",
            "replace_rate",
            "invent_rate",
            "dynamic_lists",
            "label_dropout",
            "label_sets",
        ):
            if not 0 <= getattr(self, option) <= 1:
                raise CascadeError(
                    Errors.C021.format(
                        option=option, rule="from 0 to 1", value=getattr(self, option)
                    )
                )
        for option in ("batch_size", "accumulate"):
            if getattr(self, option) < 1:
                raise CascadeError(
                    Errors.C021.format(
                        option=option, rule="1 or more", value=getattr(self, option)
                    )
                )

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

        resume (bool): Go on from a checkpoint in `output` if there is one; the result
            is the same as without a break (on a CPU, with the same number of threads).
        RETURNS (dict): Steps, minutes, best dev scores.
        RAISES CascadeError: C030, C032, C034, C035, C036.
        """
        from .loop import Run

        return Run(self, nlp, train, dev, Path(output), report).run(resume=resume)
