"""Where the first draft of a marked copy comes from.

A draft never changes the result, only the number of passes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..errors import CascadeError, Errors
from ..registry import drafters
from ..types import Unit
from .automaton import Guess
from .tagger import Tagger

Spans = Sequence[tuple[int, int]]

_MOST_FITTED = 20_000


class CuesDrafter:
    """No mention is drafted; where the model opens one, capital letters and scripts
    without spaces tell how far it goes.
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
        if not self._learned:
            return Guess(unit, known)
        spans, goes_on = self.tagger.spans(unit)
        return Guess(unit, known or spans, [p > self.reach for p in goes_on])

    def learn(self, unit: Unit, spans: Spans) -> None:
        if self.online:
            self.tagger.learn(unit, spans)
            self._learned = True

    def fit(self, gold: Sequence[tuple[Unit, Spans]]) -> None:
        # more than enough for drafts
        self.tagger.fit(gold[:: max(1, math.ceil(len(gold) / _MOST_FITTED))])
        self._learned = self._learned or bool(gold)

    def to_disk(self, path: Path) -> None:
        from safetensors.numpy import save_file

        if self._learned:
            save_file(
                {"weights": self.tagger.weights.astype(np.float16)},
                str(path / "drafter.safetensors"),
            )

    def from_disk(self, path: Path) -> None:
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        file = path / "drafter.safetensors"
        self.tagger, self._learned = Tagger(), file.is_file()
        if self._learned:
            try:
                weights = load_file(str(file))["weights"]
                if weights.shape != self.tagger.weights.shape:
                    raise ValueError(
                        f"weights of shape {weights.shape} instead of {self.tagger.weights.shape}"
                    )
            except (SafetensorError, KeyError, ValueError) as err:
                raise CascadeError(Errors.C018.format(path=file, why=err)) from err
            self.tagger = Tagger(weights)


@drafters("spacy-cascade.CuesDrafter.v1")
def cues_drafter() -> CuesDrafter:
    """Nothing is drafted as a mention. The cheapest, and the one with most passes."""
    return CuesDrafter()


@drafters("spacy-cascade.EntsDrafter.v1")
def ents_drafter() -> EntsDrafter:
    """Begin with the entities that are already there: the better they are, the fewer passes."""
    return EntsDrafter()


@drafters("spacy-cascade.TaggerDrafter.v1")
def tagger_drafter(online: bool = True, reach: float = 0.3) -> TaggerDrafter:
    """Begin with the entities that are already there, else with what a small tagger
    finds (see `TaggerDrafter`).

    RAISES CascadeError: C021.
    """
    if not 0 < reach < 1:
        raise CascadeError(
            Errors.C021.format(option="reach", rule="between 0 and 1", value=reach)
        )
    return TaggerDrafter(online=online, reach=reach)
