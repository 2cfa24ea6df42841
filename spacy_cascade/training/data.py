"""What a run is trained on: its documents, changed anew in every epoch, in batches of items."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import NamedTuple

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from ..doc.missing import GOLD_KEY
from ..errors import CascadeError, Errors
from ..models.losses import merge_items
from ..pipeline.classifier import CascadeClassifier
from ..pipeline.component import LMPipe
from ..taxonomy import Taxonomy, builtin
from ..types import TrainingItem
from .augment import MentionReplacer
from .list_noise import ListNoise
from .sft import SFTSettings

# Documents of similar length are looked for among so many batches.
_POOL = 16
# Length of a list of names, in tokens, for the sorting of batches.
_NAME_LIST_LENGTH = 32


class Work(NamedTuple):
    """Items to learn from, and the components on one set of weights that learn from them."""

    pipes: list[LMPipe]
    items: list[TrainingItem]


class TrainingData:
    """Documents and lists of names.

    All randomness is keyed by (seed, epoch, index or batch), so nothing has to be
    restored. Indices behind the documents stand for lists of names.

    pipes (list[LMPipe]): The components that are trained.
    RAISES CascadeError: C030 if there is no mention, C031 for a lexicon that can't be read.
    """

    def __init__(
        self,
        settings: SFTSettings,
        nlp: Language,
        pipes: list[LMPipe],
        train: Sequence[Example],
    ):
        self.settings = settings
        self.nlp = nlp
        self.pipes = pipes
        self.documents = list(train)
        if not any(_has_mention(example.reference) for example in self.documents):
            why = f"no entity in {len(self.documents)} documents"
            name = settings.components[0]
            raise CascadeError(Errors.C030.format(name=name, why=why))
        self.replacer = self._make_replacer()

    def _make_replacer(self) -> MentionReplacer | None:
        settings = self.settings
        rate, invent = settings.replace_rate, settings.invent_rate
        if not rate or settings.own_lists:
            return None
        if settings.lexicon:
            replacer = MentionReplacer.from_dir(
                settings.lexicon,
                self._taxonomy(),
                rate=rate,
                invent=invent,
            )
        else:
            replacer = MentionReplacer(
                {},
                rate=rate,
                invent=invent,
            )
        replacer.learn(example.reference for example in self.documents)
        return replacer

    def _taxonomy(self) -> Taxonomy:
        """The types that the lexicon's names belong to."""
        for pipe in self.pipes:
            taxonomy = getattr(pipe, "taxonomy", None)
            if isinstance(taxonomy, Taxonomy):
                return taxonomy
        return builtin("dynamicner")

    def __len__(self) -> int:
        """Documents and lists of names of an epoch."""
        documents = len(self.documents)
        if self.replacer is None:
            return documents
        return documents + int(self.settings.name_lists * documents)

    def batches(self, epoch: int) -> list[list[int]]:
        """Indices, shuffled, with documents of similar length together."""
        rng = random.Random(f"{self.settings.seed}/{epoch}")
        order = list(range(len(self)))
        rng.shuffle(order)
        size = self.settings.batch_size
        pool = size * _POOL
        batches = []
        for start in range(0, len(order), pool):
            part = sorted(order[start : start + pool], key=self._length)
            batches += [part[i : i + size] for i in range(0, len(part), size)]
        rng.shuffle(batches)
        return batches

    def _is_document(self, index: int) -> bool:
        return index < len(self.documents)

    def _length(self, index: int) -> int:
        if self._is_document(index):
            return len(self.documents[index].reference)
        return _NAME_LIST_LENGTH

    def example(self, epoch: int, index: int) -> Example:
        """A document, changed as the settings have it, or a list of names.

        A document gets other names and another part of its own label set.
        """
        rng = random.Random(f"{self.settings.seed}/{epoch}/{index}")
        if self.replacer is not None and not self._is_document(index):
            reference = self.replacer.name_list(self.nlp, rng)
        else:
            reference = self._changed(self.documents[index].reference, rng)
        return Example(self.nlp.make_doc(reference.text), reference)

    def _changed(self, reference: Doc, rng: random.Random) -> Doc:
        if self.replacer is not None:
            reference = self.replacer(self.nlp, reference, rng) or reference
        chance = self.settings.label_sets
        if chance:
            noise = ListNoise(
                rng,
                dynamic=chance,
                dropout=chance / 2,
            )
            reference = noise.reduced(self.nlp, reference)
        return reference

    def work(
        self,
        epoch: int,
        number: int,
        batch: Sequence[int],
    ) -> Iterator[Work]:
        """The items of a batch. Components on one set of weights share trees.

        number (int): Of the batch in its epoch.
        """
        found = self._items(epoch, number, batch)
        first, *others = self.pipes
        shared = bool(others) and all(pipe.shares_weights(first) for pipe in others)
        if shared and self.settings.objective == "decisions":
            merged: list[TrainingItem] = []
            for per_pipe in zip(*found, strict=True):
                merged += merge_items(per_pipe)
            if usable := [item for item in merged if item.gold]:
                yield Work(self.pipes, usable)
            return

        for pipe, per_example in zip(self.pipes, found, strict=True):
            usable = [item for items in per_example for item in items if item.gold]
            if usable:
                yield Work([pipe], usable)

    def _items(
        self,
        epoch: int,
        number: int,
        batch: Sequence[int],
    ) -> list[list[list[TrainingItem]]]:
        """Component -> example -> items."""
        examples = [self.example(epoch, index) for index in batch]
        found = []
        with ExitStack() as stack:
            self._enter_noise(stack, epoch, number)
            for pipe in self.pipes:
                found.append(pipe.training_items(examples))

        for pipe, per_example in zip(self.pipes, found, strict=True):
            if isinstance(pipe, CascadeClassifier):
                continue
            # a list of names is no text: it teaches the names' types, not where mentions stand
            for i, index in enumerate(batch):
                if not self._is_document(index):
                    per_example[i] = []
        return found

    def _enter_noise(
        self,
        stack: ExitStack,
        epoch: int,
        number: int,
    ) -> None:
        """Noise of tokens and type lists, until the stack ends."""
        settings = self.settings
        rng = random.Random(f"{settings.seed}/{epoch}/{number}")
        models = {id(pipe.lm): pipe.lm for pipe in self.pipes}
        for lm in models.values():
            stack.enter_context(lm.subword_noise(rng, settings.subword_noise))

        dynamic, dropout = settings.dynamic_lists, settings.label_dropout
        for pipe in self.pipes:
            if dynamic or dropout:
                noise = ListNoise(
                    rng,
                    dynamic=dynamic,
                    dropout=dropout,
                )
                stack.callback(
                    setattr,
                    pipe,
                    "list_noise",
                    None,
                )
                setattr(pipe, "list_noise", noise)  # noqa: B010
            if settings.own_lists:
                stack.callback(setattr, pipe, "use_mention_lists", False)
                setattr(pipe, "use_mention_lists", True)  # noqa: B010


def _has_mention(doc: Doc) -> bool:
    return bool(doc.ents or doc.spans.get(GOLD_KEY))
