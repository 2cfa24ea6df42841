"""Which tokens may come next when a sentence is copied with markers put into it.

An automaton's state tells how far the sentence was copied, and whether that is inside
a mention. In each state only those tokens are allowed that spell the next characters of
the sentence, or a marker where one may stand. Whatever the model prefers, the result is
the sentence itself with well-formed markers, and offsets are read off the states.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol

from ..types import Unit

# A state of a `CopyAutomaton`, hashable. What it holds is the automaton's own business.
CopyState = Any


class Choice(NamedTuple):
    """A place where a marker may stand.

    kind (str): "open" or "close".
    token (int): Index of the text token behind the marker.
    marked (bool): Whether the marker stands there.
    """

    kind: str
    token: int
    marked: bool


class CopyAutomaton(Protocol):
    """What copy-verified and step-by-step decoding share."""

    def start(self) -> CopyState:
        """The state before the copy."""

    def done(self, state: CopyState) -> bool:
        """Whether the copy is complete in this state."""

    def allowed(self, state: CopyState) -> Sequence[int]:
        """Token ids that may follow. A single one needs no model."""

    def step(self, state: CopyState, token: int) -> CopyState:
        """The state behind an allowed token."""

    def choices(self, state: CopyState, token: int) -> list[Choice]:
        """The places for markers that this token comes by, in order.

        state (CopyState): Where the copy stands.
        token (int): An allowed token.
        RETURNS (list[Choice]): Marked or not.
        """

    def draft(self, state: CopyState, guess: Guess) -> list[int]:
        """A complete continuation from this state, marked as guessed.

        state (CopyState): Where the copy stands.
        guess (Guess): What is believed about the markers.
        RETURNS (list[int]): Token ids, with the end.
        """

    def offset(self, state: CopyState) -> int:
        """How much of the sentence was copied before this state, in tokens or bytes."""


class Guess:
    """What is believed about the markers before the model has confirmed them.

    A guess never changes the result, only how many passes it takes.

    unit (Unit): The sentence.
    spans (Iterable): (start, end) token indices to begin with.
    goes_on (list[bool] | None): For every token, whether it is taken to continue a
        mention that the one before is in, as long as nothing else is known. Better too
        often than too seldom: a mention drafted too long shows its end in one pass, one
        drafted too short needs a pass per token. None: if it looks like part of a name
        (capitalized, or of a script without capitals).
    """

    longest = 8

    def __init__(
        self,
        unit: Unit,
        spans: Iterable[tuple[int, int]] = (),
        goes_on: list[bool] | None = None,
    ):
        if goes_on is None:
            words = [unit.text[start:end] for start, end in unit.tokens]
            goes_on = [_looks_like_name(word) for word in words]
        self._goes_on = goes_on
        self.known: dict[tuple[str, int], bool] = {}
        self._start = 0
        # drafted end -> start of that mention
        self._ends: dict[int, int] = {}
        # start -> the last drafted end that the model refused, and how many it refused
        self._refused: dict[int, tuple[int, int]] = {}

        for start, end in spans:
            self.known["open", start] = True
            self.known["close", end] = True
            for i in range(start + 1, end):
                self.known["close", i] = False

    def learn(self, choices: Iterable[Choice]) -> None:
        """What the model has decided.

        choices (Iterable[Choice]): Marked or not.
        """
        for kind, token, marked in choices:
            self.known[kind, token] = marked
            if kind == "close" and not marked and token in self._ends:
                start = self._ends.pop(token)
                _, times = self._refused.get(start, (0, 0))
                self._refused[start] = (token, times + 1)

    def opens(self, i: int) -> bool:
        """Whether a mention is drafted to begin at token i."""
        self._start = i
        return self.known.get(("open", i), False)

    def closes(self, i: int) -> bool:
        """Whether the mention that was opened last is drafted to end before token i."""
        found = self.known.get(("close", i))
        if found is None:
            found = not self._continues(i)
        if found:
            self._ends[i] = self._start
        return found

    def _continues(self, i: int) -> bool:
        """Whether nothing that is known speaks for an end before token i."""
        last, times = self._refused.get(self._start, (0, 0))
        if times > 1:
            # The model has gone on beyond a drafted end again: the next one is twice as far.
            return i < last + (1 << times)
        if i - self._start >= self.longest:
            return False
        return i < len(self._goes_on) and self._goes_on[i]


def _looks_like_name(word: str) -> bool:
    """Whether a word is capitalized, or of a script without capitals."""
    if not word:
        return False
    first = word[0]
    return first.isupper() or (first.isalpha() and not first.islower())


# (index of the segment, tokens of it written, inside?, fresh?). A state is fresh behind an
# opening marker: no marker may follow there, since a mention is never empty. Plain tuples,
# since noise is keyed by what they print.
_State = tuple[int, int, bool, bool]


class SegmentAutomaton:
    """Copies a sentence token by token. The only freedom left are the markers.

    The tokens are fixed segment by segment. That suits tokenizers trained on the same
    segments, and any tokenizer that has the marker as one token. A marker stands before
    the white space of its segment, so that a word has the same tokens inside and
    outside of a mention.

    segments (Sequence[Sequence[int]]): Token ids of every segment of the unit.
    spaces (Sequence[bool]): Segments that are only white space. No mention starts or
        ends there.
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
        self.n = len(segments)
        self.spaces = spaces
        self.marker = marker
        self.end = end

        self._offsets = [0]
        for segment in segments:
            self._offsets.append(self._offsets[-1] + len(segment))
        # behind the end
        self._offsets.append(self._offsets[-1])

    def start(self) -> _State:
        """The state before the copy."""
        return (0, 0, False, False)

    def done(self, state: _State) -> bool:
        """Whether the end is written."""
        return state[0] > self.n

    def allowed(self, state: _State) -> Sequence[int]:
        """The next token of the sentence, the marker, or both.

        state (tuple): Where the copy stands.
        RETURNS (Sequence[int]): One or two token ids.
        """
        i, written, inside, fresh = state
        if i == self.n:
            return (self.marker,) if inside else (self.end,)

        token = self.segments[i][written]
        if written or fresh or self.spaces[i - 1 if inside else i]:
            return (token,)
        return (token, self.marker)

    def step(self, state: _State, token: int) -> _State:
        """The state behind an allowed token.

        state (tuple): Where the copy stands.
        token (int): What is written.
        RETURNS (tuple): Where the copy stands then.
        """
        i, written, inside, fresh = state
        if i == self.n:
            behind = i if inside else i + 1
            return (behind, 0, False, False)
        if token == self.marker and written == 0 and not fresh:
            return (i, 0, not inside, not inside)
        if written + 1 < len(self.segments[i]):
            return (i, written + 1, inside, False)
        return (i + 1, 0, inside, False)

    def choices(self, state: _State, token: int) -> list[Choice]:
        """The place for a marker before this token, if there is one.

        state (tuple): Where the copy stands.
        token (int): An allowed token.
        RETURNS (list[Choice]): One choice, or none.
        """
        i, written, inside, fresh = state
        if written or fresh or (i == self.n and not inside):
            return []
        if i < self.n and self.spaces[i - 1 if inside else i]:
            return []

        kind = "close" if inside else "open"
        return [Choice(kind, i, token == self.marker)]

    def offset(self, state: _State) -> int:
        """How many tokens of the sentence were copied."""
        return self._offsets[state[0]] + state[1]

    def draft(self, state: _State, guess: Guess) -> list[int]:
        """The rest of the copy, with markers where the guess has them.

        state (tuple): Where the copy stands.
        guess (Guess): What is believed about the markers.
        RETURNS (list[int]): Token ids, with the end.
        """
        i, written, inside, fresh = state
        if i > self.n:
            return []

        out: list[int] = []
        for k in range(i, self.n):
            begins = k > i or (written == 0 and not fresh)
            if begins and inside and not self.spaces[k - 1] and guess.closes(k):
                out.append(self.marker)
                inside = False
            if begins and not inside and not self.spaces[k] and guess.opens(k):
                out.append(self.marker)
                inside = True
            out += self.segments[k][written:] if k == i else self.segments[k]
        if inside:
            out.append(self.marker)
        out.append(self.end)
        return out


def spans_of(unit: Unit, choices: Iterable[Choice]) -> list[tuple[int, int]]:
    """Character spans of the mentions that the marked choices open and close.

    unit (Unit): The text.
    choices (Iterable[Choice]): In text order.
    RETURNS (list): (start, end) in characters.
    """
    out = []
    begin = 0
    for kind, token, marked in choices:
        if marked and kind == "open":
            begin, _ = unit.tokens[token]
        elif marked:
            _, end = unit.tokens[token - 1]
            out.append((begin, end))
    return out
