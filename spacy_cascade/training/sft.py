"""Settings of the registered fine-tuning loop `spacy-cascade.SFT.v1`."""

# No `from __future__ import annotations` here: spaCy validates the config against these
# annotations.
import logging
from collections.abc import MutableMapping
from dataclasses import dataclass

from ..errors import CascadeError, Errors, Warnings
from ..models.losses import OBJECTIVES
from .optim import OPTIMIZERS

logger = logging.getLogger("spacy_cascade")

PRECISIONS = ("no", "bf16", "fp16")
# Options of older versions, with the values that are always in use now.
REMOVED_OPTIONS = {"schedule": "cosine", "replace_from_train": True}

_SHARES = (
    "subword_noise",
    "replace_rate",
    "invent_rate",
    "dynamic_lists",
    "label_dropout",
    "label_sets",
)
_COUNTS = ("batch_size", "accumulate")


@dataclass(frozen=True)
class SFTSettings:
    """Settings of supervised fine-tuning.

    components (list[str]): Components to train. Several are trained together and their
        losses are added. On one shared base without adapters they train that base.
    objective (str): "decisions" or "completion" (see `models.losses.item_loss`).
    lm_weight (float): Weight of a language-model loss on the text.
    optimizer (str): "adamw", or "muon", which learns faster from random initialization
        (see `training.optim`).
    learn_rate (float): Highest learning rate of the run.
    weight_decay (float): Weight decay of all matrices.
    warmup (float): Share of the run with a rising learning rate. It falls as a cosine
        afterwards, towards the nearest limit of the run.
    max_steps (int): Most steps. The run ends at the limit that comes first. 0: no limit.
    max_epochs (int): Most passes through the data. 0: no limit.
    max_minutes (float): Longest time. Such a run depends on the machine. 0: no limit.
    batch_size (int): Documents per batch.
    accumulate (int): Batches per step.
    clip (float): Largest norm of the gradients. 0: any.
    precision (str): "no" (full precision), "bf16" or "fp16".
    gradient_checkpointing (bool): Compute the activations inside of layers again in the
        backward pass instead of keeping them. The gradients are the same. It takes a
        third more time and a fraction of the memory.
    subword_noise (float): Rate at which words are written in two parts instead of their
        usual tokens.
    eval_every (int): Steps between evaluations with the real decoder. 0: at the end only.
    patience (int): Stop after so many evaluations without a better score. 0: never.
    dev_limit (int): Most documents of an evaluation. 0: all.
    save_every (int): Steps between checkpoints. 0: no checkpoints.
    seed (int): Seed of the weights, the order and all changes to the data.
    lexicon (Optional[str]): Directory of `<language>.json` files with names by type.
    replace_rate (float): Rate at which gold mentions are replaced by other names of their
        type, from the lexicon and the training data.
    invent_rate (float): Share of these names that are invented. A model can't learn them
        by heart.
    name_lists (float): Lists of names that the classifier trains on beside the
        documents, as a share of the documents.
    dynamic_lists (float): Chance of a type list to be cut to a random part in random order.
    label_dropout (float): Chance of every wrong type to be left out of a type list.
    label_sets (float): Chance of a text that brings its own label set to get a random
        part of it, without the mentions of other labels (for label-aware templates).
    own_lists (bool): Train the classifier on the type lists that mentions bring along
        (`corpus_tools dynamic`) instead of the taxonomy's. Names are not replaced then,
        since a list is made for its mention.
    train_corpus (str): Name of the training corpus in the config.
    dev_corpus (str): Name of the development corpus in the config.
    RAISES CascadeError: C020, C021.
    """

    components: list[str]
    objective: str = "decisions"
    lm_weight: float = 0.0
    optimizer: str = "adamw"
    learn_rate: float = 1e-3
    weight_decay: float = 0.01
    warmup: float = 0.05
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
    name_lists: float = 0.0
    dynamic_lists: float = 0.0
    label_dropout: float = 0.0
    label_sets: float = 0.0
    own_lists: bool = False
    train_corpus: str = "corpora.train"
    dev_corpus: str = "corpora.dev"

    def __post_init__(self) -> None:
        self._check_choice("objective", OBJECTIVES)
        self._check_choice("precision", PRECISIONS)
        self._check_choice("optimizer", OPTIMIZERS)
        if not (self.max_steps or self.max_epochs or self.max_minutes):
            rule = "above 0 (or max_epochs, or max_minutes)"
            self._refuse("max_steps", rule)
        for option in _SHARES:
            if not 0 <= getattr(self, option) <= 1:
                self._refuse(option, "from 0 to 1")
        for option in _COUNTS:
            if getattr(self, option) < 1:
                self._refuse(option, "1 or more")

    def _check_choice(self, option: str, allowed: tuple[str, ...]) -> None:
        value = getattr(self, option)
        if value not in allowed:
            choices = ", ".join(allowed)
            message = Errors.C020.format(
                option=option,
                value=value,
                choices=choices,
            )
            raise CascadeError(message)

    def _refuse(self, option: str, rule: str) -> None:
        value = getattr(self, option)
        raise CascadeError(
            Errors.C021.format(
                option=option,
                rule=rule,
                value=value,
            )
        )


def drop_removed_options(block: MutableMapping[str, object]) -> None:
    """Take options of older versions out of a [finetune] block, so that it still loads.

    Warns (CW19) of values that other ones were put in the place of.
    """
    for option, used in REMOVED_OPTIONS.items():
        value = block.pop(option, used)
        if value != used:
            message = Warnings.W019.format(option=option, value=value, used=used)
            logger.warning(message)
