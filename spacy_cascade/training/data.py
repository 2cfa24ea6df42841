"""What a run is trained on: its documents, changed anew in every epoch, in batches of items."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any

from spacy.language import Language
from spacy.training import Example

from ..errors import CascadeError, Errors
from ..models.losses import merge_items
from ..pipeline.classifier import CascadeClassifier
from ..taxonomy import builtin
from ..types import TrainingItem
from .augment import MentionReplacer
from .lists import ListNoise
from .sft import SFT

# components on one set of weights, and their items
Work = tuple[list[Any], list[TrainingItem]]


class TrainingData:
    """Documents and lists of names.

    All randomness is keyed by (seed, epoch, index or batch), so that nothing has to be
    restored. Indices behind the documents stand for lists.

    pipes (list): The components that are trained.
    RAISES CascadeError: C030 if there is no mention, C031 for a lexicon that can't be read.
    """

    def __init__(
        self, s: SFT, nlp: Language, pipes: list[Any], train: Sequence[Example]
    ):
        self.s, self.nlp, self.pipes = s, nlp, pipes
        self.documents = list(train)
        if not any(
            eg.reference.ents or eg.reference.spans.get("gold") for eg in self.documents
        ):
            raise CascadeError(
                Errors.C030.format(
                    name=s.components[0],
                    why=f"no entity in {len(self.documents)} documents",
                )
            )
        self.replacer = self._replacer()

    def _replacer(self) -> MentionReplacer | None:
        s = self.s
        if not s.replace_rate or s.own_lists or not (s.lexicon or s.replace_from_train):
            return None
        if s.lexicon:
            taxonomy = next(
                (p.taxonomy for p in self.pipes if hasattr(p, "taxonomy")), None
            )
            if taxonomy is None:
                taxonomy = builtin("dynamicner")
            replacer = MentionReplacer.from_dir(
                s.lexicon, taxonomy, rate=s.replace_rate, invent=s.invent_rate
            )
        else:
            replacer = MentionReplacer({}, rate=s.replace_rate, invent=s.invent_rate)
        if s.replace_from_train:
            replacer.learn(eg.reference for eg in self.documents)
        return replacer

    def __len__(self) -> int:
        """Documents and lists of names of an epoch."""
        lists = self.s.name_lists if self.replacer is not None else 0.0
        return len(self.documents) + int(lists * len(self.documents))

    def batches(self, epoch: int) -> list[list[int]]:
        """Indices, shuffled, with documents of similar length together."""
        rng = random.Random(f"{self.s.seed}/{epoch}")
        order = list(range(len(self)))
        rng.shuffle(order)
        size, pool = self.s.batch_size, self.s.batch_size * 16
        batches = []
        for i in range(0, len(order), pool):
            part = sorted(order[i : i + pool], key=self._length)
            batches += [part[j : j + size] for j in range(0, len(part), size)]
        rng.shuffle(batches)
        return batches

    def _length(self, index: int) -> int:
        return (
            len(self.documents[index].reference) if index < len(self.documents) else 32
        )

    def example(self, epoch: int, index: int) -> Example:
        """A document with other names and other label sets, as the settings have it, or
        a list of names.
        """
        rng = random.Random(f"{self.s.seed}/{epoch}/{index}")
        if self.replacer is not None and index >= len(self.documents):
            reference = self.replacer.name_list(self.nlp, rng)
        else:
            reference = self.documents[index].reference
            if self.replacer is not None:
                reference = self.replacer(self.nlp, reference, rng) or reference
            if self.s.label_sets:
                reference = ListNoise(
                    rng, self.s.label_sets, self.s.label_sets / 2
                ).reduced(self.nlp, reference)
        return Example(self.nlp.make_doc(reference.text), reference)

    def work(self, epoch: int, number: int, batch: Sequence[int]) -> Iterator[Work]:
        """The items of a batch.

        Components on one set of weights share trees. number (int): Of the batch in its
        epoch.
        """
        examples = [self.example(epoch, i) for i in batch]
        with ExitStack() as stack:
            noise = random.Random(f"{self.s.seed}/{epoch}/{number}")
            for lm in {id(p.lm): p.lm for p in self.pipes}.values():
                stack.enter_context(lm.subword_noise(noise, self.s.subword_noise))
            if self.s.dynamic_lists or self.s.label_dropout:
                for pipe in self.pipes:
                    pipe.list_noise = ListNoise(
                        noise, self.s.dynamic_lists, self.s.label_dropout
                    )
                    stack.callback(setattr, pipe, "list_noise", None)
            if self.s.own_lists:
                for pipe in self.pipes:
                    pipe.own_lists = True
                    stack.callback(setattr, pipe, "own_lists", False)
            found = [p.training_items(examples) for p in self.pipes]
        for pipe, per_example in zip(self.pipes, found, strict=True):
            # a list of names is no text: it teaches the names' types, not where mentions stand
            if not isinstance(pipe, CascadeClassifier):
                per_example[:] = [
                    items if i < len(self.documents) else []
                    for i, items in zip(batch, per_example, strict=True)
                ]
        shared = len(self.pipes) > 1 and all(
            p.shares_weights(self.pipes[0]) for p in self.pipes[1:]
        )
        if shared and self.s.objective == "decisions":
            merged = [
                i
                for per_example in zip(*found, strict=True)
                for i in merge_items(per_example)
                if i.gold
            ]
            if merged:
                yield self.pipes, merged
            return
        for pipe, per_example in zip(self.pipes, found, strict=True):
            items = [i for items in per_example for i in items if i.gold]
            if items:
                yield [pipe], items
