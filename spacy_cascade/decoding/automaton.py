"""Which tokens may come next when a sentence is copied with markers put into it.

An automaton's state is (offset in the sentence, inside a mention?). From a state only
those tokens are allowed that spell the next characters of the sentence, or a marker
where one may stand. Whatever the model prefers, the result is the sentence itself with
well-formed markers, and offsets are read off the states.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol

from ..types import Unit


class Choice(NamedTuple):
    """A place where a marker may stand, and whether it does."""

    kind: str  # "open" or "close"
    token: int  # index of the text token behind the marker
    marked: bool


class CopyAutomaton(Protocol):
    """What copy-verified and step-by-step decoding share. States are hashable."""

    def start(self) -> Any: ...

    def done(self, state: Any) -> bool: ...

    def allowed(self, state: Any) -> Sequence[int]:
        """Token ids that may follow; a single one needs no model."""

    def step(self, state: Any, token: int) -> Any: ...

    def choices(self, state: Any, token: int) -> list[Choice]:
        """The places for markers that this token comes by, in order."""

    def draft(self, state: Any, guess: Guess) -> list[int]:
        """A complete continuation from this state, marked as guessed."""

    def offset(self, state: Any) -> int:
        """How much of the sentence was copied before this state, in tokens or bytes."""


class Guess:
    """What is believed about the marks before the model has confirmed them.

    Never changes the result, only how many passes it takes.

    unit (Unit): The sentence.
    spans (Iterable): (start, end) token indices to begin with.
    goes_on (list[bool] | None): For every token, whether it is taken to continue a
        mention that the one before is in, as long as nothing else is known. Rather too
        often than not: a mention that is drafted too long shows its end in one pass,
        one that is drafted too short needs a pass per token. None: if it looks like
        part of a name (capitalized, or of a script without capitals).
    """

    longest = 8

    def __init__(
        self,
        unit: Unit,
        spans: Iterable[tuple[int, int]] = (),
        goes_on: list[bool] | None = None,
    ):
        self.known: dict[tuple[str, int], bool] = {}
        if goes_on is None:
            words = [unit.text[s:e] for s, e in unit.tokens]
            goes_on = [
                bool(w) and (w[0].isupper() or (w[0].isalpha() and not w[0].islower()))
                for w in words
            ]
        self._goes_on = goes_on
        self._start = 0
        self._ends: dict[int, int] = {}  # drafted end -> start of that mention
        self._refused: dict[
            int, tuple[int, int]
        ] = {}  # start -> the last drafted end that was none, and how many were
        for start, end in spans:
            self.known["open", start] = True
            self.known["close", end] = True
            for i in range(start + 1, end):
                self.known["close", i] = False

    def learn(self, choices: Iterable[Choice]) -> None:
        for kind, token, marked in choices:
            self.known[kind, token] = marked
            if kind == "close" and not marked and token in self._ends:
                start = self._ends.pop(token)
                self._refused[start] = (token, self._refused.get(start, (0, 0))[1] + 1)

    def opens(self, i: int) -> bool:
        self._start = i
        return self.known.get(("open", i), False)

    def closes(self, i: int) -> bool:
        found = self.known.get(("close", i))
        if found is None:
            # Where the model has gone on beyond a drafted end again, the next one is twice as far.
            last, times = self._refused.get(self._start, (0, 0))
            on = (
                i < last + 2**times
                if times > 1
                else i - self._start < self.longest
                and self._goes_on[i : i + 1] == [True]
            )
            found = not on
        if found:
            self._ends[i] = self._start
        return found


# (index of the segment, tokens of it written, inside?, may not mark here); the last is
# set behind an opening marker, since a mention is never empty
_State = tuple[int, int, bool, bool]


class SegmentAutomaton:
    """The sentence's tokens are fixed segment by segment, so the only freedom left are the markers.

    Suits tokenizers trained on the same segments, and any tokenizer that has the marker
    as one token. A marker stands before the white space of its segment, so that a word
    has the same tokens inside and outside of a mention.

    segments (Sequence[Sequence[int]]): Token ids of every segment of the unit.
    spaces (Sequence[bool]): Segments that are only white space: no mention starts or ends there.
    marker (int), end (int): Ids of the marker and of the token behind the copy.
    """

    def __init__(
        self,
        segments: Sequence[Sequence[int]],
        spaces: Sequence[bool],
        *,
        marker: int,
        end: int,
    ):
        self.segments = segments
        self.spaces = spaces
        self.marker = marker
        self.end = end
        self.n = len(segments)
        self._offsets = [0]
        for segment in segments:
            self._offsets.append(self._offsets[-1] + len(segment))
        self._offsets.append(self._offsets[-1])  # behind the end

    def start(self) -> _State:
        return (0, 0, False, False)

    def done(self, state: _State) -> bool:
        return state[0] > self.n

    def allowed(self, state: _State) -> Sequence[int]:
        i, k, inside, fresh = state
        if i == self.n:
            return (self.marker,) if inside else (self.end,)
        token = self.segments[i][k]
        if k or fresh or self.spaces[i - 1 if inside else i]:
            return (token,)
        return (token, self.marker)

    def step(self, state: _State, token: int) -> _State:
        i, k, inside, fresh = state
        if i == self.n:
            return (i, 0, False, False) if inside else (i + 1, 0, False, False)
        if token == self.marker and k == 0 and not fresh:
            return (i, 0, not inside, not inside)
        if k + 1 < len(self.segments[i]):
            return (i, k + 1, inside, False)
        return (i + 1, 0, inside, False)

    def choices(self, state: _State, token: int) -> list[Choice]:
        i, k, inside, fresh = state
        if k or fresh or (i == self.n and not inside):
            return []
        if i < self.n and self.spaces[i - 1 if inside else i]:
            return []
        return [Choice("close" if inside else "open", i, token == self.marker)]

    def offset(self, state: _State) -> int:
        return self._offsets[state[0]] + state[1]

    def draft(self, state: _State, guess: Guess) -> list[int]:
        out = []
        i, k, inside, fresh = state
        while i < self.n:
            if k == 0 and not fresh:
                if inside and not self.spaces[i - 1] and guess.closes(i):
                    out.append(self.marker)
                    inside = False
                if not inside and not self.spaces[i] and guess.opens(i):
                    out.append(self.marker)
                    inside = True
            out += self.segments[i][k:]
            i, k, fresh = i + 1, 0, False
        if i == self.n:
            if inside:
                out.append(self.marker)
            out.append(self.end)
        return out


def spans_of(unit: Unit, choices: Iterable[Choice]) -> list[tuple[int, int]]:
    """The marked choices of a whole copy -> character spans."""
    out, begin = [], 0
    for kind, i, marked in choices:
        if marked and kind == "open":
            begin = unit.tokens[i][0]
        elif marked:
            out.append((begin, unit.tokens[i - 1][1]))
    return out
