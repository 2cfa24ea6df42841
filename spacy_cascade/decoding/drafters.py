"""Where the first draft of a marked copy comes from.

A draft never changes the result, only the number of passes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from ..errors import CascadeError, Errors
from ..registry import drafters
from ..types import Unit
from .automaton import Guess
from .tagger import Tagger

# Mentions of a unit as token indices, end exclusive.
Spans = Sequence[tuple[int, int]]

# More gold texts than this are no use for drafts.
_MOST_FITTED = 20_000


class CuesDrafter:
    """No mention is drafted.

    Where the model opens one, capital letters and scripts without spaces tell how far
    it goes.
    """

    def guess(self, unit: Unit, known: Spans) -> Guess:
        return Guess(unit)

    def learn(self, unit: Unit, spans: Spans) -> None:
        pass

    def fit(self, gold: Sequence[tuple[Unit, Spans]]) -> None:
        pass

    def to_disk(self, path: Path) -> None:
        pass

    def from_disk(self, path: Path) -> None:
        pass


class EntsDrafter(CuesDrafter):
    """The entities of earlier components."""

    def guess(self, unit: Unit, known: Spans) -> Guess:
        """Draft the entities that are already there."""
        return Guess(unit, known)


class TaggerDrafter(CuesDrafter):
    """A small tagger, or the entities of earlier components where there are any.

    online (bool): Learn from what the language model marks.
    reach (float): A mention that the model opens and the tagger did not see is drafted
        to go on as long as the tagger finds that this likely. Low, since a mention
        drafted too long shows its end in one pass.
    """

    def __init__(self, *, online: bool = True, reach: float = 0.3):
        self.online = online
        self.reach = reach
        self.tagger = Tagger()
        self._learned = False

    def guess(self, unit: Unit, known: Spans) -> Guess:
        """Draft those entities, or what the tagger finds.

        unit (Unit): The text.
        known (Spans): Entities that earlier components set.
        RETURNS (Guess): Where the first draft has markers.
        """
        if not self._learned:
            return Guess(unit, known)
        spans, probabilities = self.tagger.spans(unit)
        goes_on = [p > self.reach for p in probabilities]
        return Guess(unit, known or spans, goes_on)

    def learn(self, unit: Unit, spans: Spans) -> None:
        """Take one step towards what the language model marked.

        unit (Unit): The text.
        spans (Spans): The mentions that were marked.
        """
        if self.online:
            self.tagger.learn(unit, spans)
            self._learned = True

    def fit(self, gold: Sequence[tuple[Unit, Spans]]) -> None:
        """Learn from gold, or from a part if there is very much of it.

        gold (Sequence): Texts with their mentions.
        """
        step = max(1, math.ceil(len(gold) / _MOST_FITTED))
        self.tagger.fit(gold[::step])
        self._learned = self._learned or bool(gold)

    def to_disk(self, path: Path) -> None:
        """Write the tagger's weights in half precision, if it has learned.

        path (Path): The directory.
        """
        if not self._learned:
            return
        weights = self.tagger.weights.astype(np.float16)
        save_file({"weights": weights}, str(path / "drafter.safetensors"))

    def from_disk(self, path: Path) -> None:
        """Read the tagger's weights, if there are any.

        path (Path): The directory.
        RAISES CascadeError: C018 if the file is damaged.
        """
        file = path / "drafter.safetensors"
        self.tagger = Tagger()
        self._learned = file.is_file()
        if not self._learned:
            return

        expected = self.tagger.weights.shape
        try:
            weights = load_file(str(file))["weights"]
            if weights.shape != expected:
                why = f"weights of shape {weights.shape} instead of {expected}"
                raise ValueError(why)
        except (SafetensorError, KeyError, ValueError) as err:
            raise CascadeError(Errors.C018.format(path=file, why=err)) from err
        self.tagger = Tagger(weights)


@drafters("spacy-cascade.CuesDrafter.v1")
def cues_drafter() -> CuesDrafter:
    """Nothing is drafted as a mention. The cheapest, and the one with most passes."""
    return CuesDrafter()


@drafters("spacy-cascade.EntsDrafter.v1")
def ents_drafter() -> EntsDrafter:
    """Begin with the entities of earlier components. The better they are, the fewer passes."""
    return EntsDrafter()


@drafters("spacy-cascade.TaggerDrafter.v1")
def tagger_drafter(online: bool = True, reach: float = 0.3) -> TaggerDrafter:
    """Begin with the entities of earlier components, else with what a small tagger finds.

    online (bool): Learn from what the language model marks.
    reach (float): How likely a mention has to go on to be drafted so, between 0 and 1.
    RAISES CascadeError: C021 if `reach` is out of bounds.
    """
    if not 0 < reach < 1:
        rule = "between 0 and 1"
        raise CascadeError(Errors.C021.format(option="reach", rule=rule, value=reach))
    return TaggerDrafter(online=online, reach=reach)
