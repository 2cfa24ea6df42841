"""What may be written when all mentions of a text are listed with their labels:
`label: mention; label: mention`.

Labels come from a trie. Mentions are stretches of the text that begin and end at its
tokens, and each is tied to an occurrence that is still free. So every answer is finite,
can be read back, and has exact offsets, whatever the model prefers.

An answer can have several readings: a mention may hold `; `, a label may hold `: `. The
automaton follows them all at once. It prefers, in this order, to end a mention over
going on with it, and a longer label over a shorter one. Reading an answer back takes
the same steps, and so comes to the same mentions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import ClassVar

from .native import Vocabulary
from .readings import (
    COLON,
    DONE,
    EMPTY,
    LABEL,
    LEAD,
    MENTION,
    SEPARATOR,
    Found,
    Grammar,
    Move,
    Reading,
    State,
    bits_of,
    mentions_of,
)
from .symbols import Labels, TextIndex

# Readings that are followed at the same time. Texts that look like answers would have
# too many.
_READINGS = 8


class AnswerAutomaton:
    """Which tokens may follow in an answer.

    text (TextIndex), labels (Labels), grammar (Grammar): All over the same symbols.
    vocabulary (Vocabulary | None): Tokens that write bytes, if the symbols are bytes.
        None: the symbols are tokens.
    end (int): Id of the token behind the answer.
    nested (bool): Mentions may overlap. Otherwise each token belongs to one mention at
        most.
    """

    def __init__(
        self,
        text: TextIndex,
        labels: Labels,
        grammar: Grammar,
        *,
        vocabulary: Vocabulary | None,
        end: int,
        nested: bool,
    ):
        self.text = text
        self.labels = labels
        self.grammar = grammar
        self._parts = {
            LEAD: grammar.lead,
            COLON: grammar.colon,
            SEPARATOR: grammar.separator,
        }
        self.vocabulary = vocabulary
        self.end = end
        self.nested = nested
        words = len(text.token_at)
        stretches = words * (words + 1) // 2
        self.most = min(2 * words, stretches) if nested else words

    # -- Over tokens

    def start(self) -> State:
        """The state before the answer."""
        before = Reading(LEAD, 0, None)
        return State(0, tuple(self._fixed(LEAD, 0, self.grammar.lead, before)))

    def done(self, state: State) -> bool:
        """Whether the answer is complete."""
        return state.readings[0].phase == DONE

    def allowed(self, state: State) -> tuple[int, ...]:
        """Token ids that may follow, sorted. Empty only if the vocabulary can't write the text.

        state (State): Where the answer stands.
        RETURNS (tuple[int, ...]): With the end token, if the answer may end.
        """
        out = {self.end} if self._ends(state) else set()
        if self.vocabulary is None:
            out.update(self._next(state))
        else:
            out |= self.vocabulary.following(state, self._steps)
        return tuple(sorted(out))

    def step(self, state: State, token: int) -> State:
        """The state behind a token.

        state (State): Where the answer stands.
        token (int): What is written.
        RETURNS (State): Where the answer stands then.
        RAISES KeyError: If the token is not allowed.
        """
        if token == self.end:
            complete = self._ends(state)[0]
            return State(state.written, (Reading(DONE, 0, complete.found),))

        for symbol in self.symbols_of(token):
            state = State(state.written + 1, self._next(state)[symbol])
        return state

    def symbols_of(self, token: int) -> Sequence[int]:
        """The symbols that a token writes.

        token (int): A token id.
        RETURNS (Sequence[int]): None for the end token, if symbols are bytes.
        """
        if self.vocabulary is None:
            return (token,)
        return self.vocabulary.table[token] or b""

    def read(self, symbols: Iterable[int]) -> list[Found]:
        """The mentions of a complete answer.

        symbols (Iterable[int]): The answer, without the end token.
        RETURNS (list[Found]): In the order they were written.
        RAISES KeyError: If the answer is not complete.
        """
        state = self.start()
        for symbol in symbols:
            state = State(state.written + 1, self._next(state)[symbol])

        complete = self._ends(state)
        if not complete:
            raise KeyError("the answer is not complete")
        return mentions_of(complete[0].found)

    def mentions(self, state: State) -> list[Found]:
        """The finished mentions of the preferred reading.

        state (State): Where the answer stands.
        RETURNS (list[Found]): In the order they were written.
        """
        return mentions_of(state.readings[0].found)

    def offset(self, state: State) -> int:
        """The text offset, in symbols, of the symbol written last.

        In a mention it is that of its original, else that of the text behind the
        mention before.

        state (State): Where the answer stands.
        RETURNS (int): A position in the text.
        """
        reading = state.readings[0]
        if reading.phase == MENTION and reading.node.length:
            return self._begin(reading) + reading.node.length - 1

        behind = self.text.end_of[reading.found.end] if reading.found else 0
        if reading.phase == LABEL:
            behind += self.labels.depth[reading.at]
        return behind

    # -- Over symbols

    def _next(self, state: State) -> dict[int, tuple[Reading, ...]]:
        """The symbols that may follow, and the readings they leave.

        state (State): Where the answer stands.
        RETURNS (dict): By symbol, the best reading first.
        """
        found: dict[int, list[Reading]] = {}
        for reading in state.readings:
            for symbol, behind in self._moves(reading, state.written):
                found.setdefault(symbol, []).append(behind)

        out: dict[int, tuple[Reading, ...]] = {}
        for symbol, readings in found.items():
            if len(readings) > 1:
                readings = list(dict.fromkeys(readings))[:_READINGS]
            out[symbol] = tuple(readings)
        return out

    def _steps(self, state: State) -> Iterator[tuple[int, State]]:
        """The symbols that may follow, each with the state behind it."""
        for symbol, readings in self._next(state).items():
            yield symbol, State(state.written + 1, readings)

    def _ends(self, state: State) -> list[Reading]:
        """Readings that are complete answers, finished.

        state (State): Where the answer stands.
        RETURNS (list[Reading]): None if the answer may not end here.
        """
        out = []
        for reading in state.readings:
            if reading.phase == EMPTY and reading.at == len(self.grammar.empty):
                out.append(reading)
            elif reading.phase == MENTION:
                found = self._finish(reading, state.written)
                if found is not None:
                    out.append(reading._replace(found=found))
        return out

    def _moves(self, reading: Reading, written: int) -> Iterator[Move]:
        """The symbols that may follow in one reading, the preferred first.

        reading (Reading): One way to read what was written.
        written (int): How many symbols were written.
        YIELDS (Move): A symbol, and the reading behind it.
        """
        return self._RULES[reading.phase](self, reading, written)

    def _moves_in_fixed(self, reading: Reading, written: int) -> Iterator[Move]:
        """In the lead, the colon or the separator."""
        symbols, at = self._parts[reading.phase], reading.at
        for behind in self._fixed(reading.phase, at + 1, symbols, reading):
            yield symbols[at], _mark(behind, written + 1)

    def _moves_in_label(self, reading: Reading, written: int) -> Iterator[Move]:
        """A longer label, or the colon if one ends here."""
        for symbol, child in self.labels.children[reading.at].items():
            yield symbol, reading._replace(at=child)

        label = self.labels.label[reading.at]
        if label < 0:
            return
        named = reading._replace(label=label)
        colon = self.grammar.colon
        for behind in self._fixed(COLON, 1, colon, named):
            yield colon[0], _mark(behind, written + 1)

    def _moves_in_mention(self, reading: Reading, written: int) -> Iterator[Move]:
        """The separator if the mention may end here, or a longer mention."""
        found = self._finish(reading, written) if reading.node.length else None
        if found is not None and self._room(found):
            separator = self.grammar.separator
            before = Reading(SEPARATOR, 1, found)
            for behind in self._fixed(SEPARATOR, 1, separator, before):
                yield separator[0], behind

        yield from self._longer(reading)

    def _longer(self, reading: Reading) -> Iterator[Move]:
        """The longer mentions that have a free occurrence, each by one symbol."""
        for symbol, node in self.text.substrings.steps(reading.node):
            longer = reading._replace(node=node)
            if self._alive(longer):
                yield symbol, longer

    def _moves_in_empty(self, reading: Reading, written: int) -> Iterator[Move]:
        """In the answer that there is no mention."""
        at = reading.at
        if at < len(self.grammar.empty):
            yield self.grammar.empty[at], reading._replace(at=at + 1)

    _Rule = Callable[["AnswerAutomaton", Reading, int], Iterator[Move]]
    _RULES: ClassVar[Mapping[int, _Rule]] = {
        LEAD: _moves_in_fixed,
        LABEL: _moves_in_label,
        COLON: _moves_in_fixed,
        MENTION: _moves_in_mention,
        SEPARATOR: _moves_in_fixed,
        EMPTY: _moves_in_empty,
        DONE: lambda automaton, reading, written: iter(()),
    }

    def _fixed(
        self, phase: int, at: int, symbols: Sequence[int], reading: Reading
    ) -> Iterator[Reading]:
        """Readings inside of a fixed part, or behind it if it is complete.

        phase (int): The phase of the part.
        at (int): How many of its symbols are read.
        symbols (Sequence[int]): The part.
        reading (Reading): What was read before.
        """
        if at < len(symbols):
            yield reading._replace(phase=phase, at=at)
        elif phase == COLON:
            yield reading._replace(phase=MENTION, at=0, node=self.text.substrings.root)
        else:
            yield Reading(LABEL, 0, reading.found)
            if phase == LEAD:
                yield Reading(EMPTY, 0, None)

    # -- Occurrences

    def _free(self, start: int, end: int, found: Found | None) -> bool:
        """Whether tokens [start, end) may become a mention.

        start, end (int): The tokens.
        found (Found | None): The mentions so far.
        RETURNS (bool): Nested mentions are free unless they were listed before.
        """
        if found is None:
            return True
        if not self.nested:
            return not found.used & bits_of(start, end)

        here: Found | None = found
        while here is not None:
            if here.start == start and here.end == end:
                return False
            here = here.before
        return True

    def _alive(self, reading: Reading) -> bool:
        """Whether some occurrence can become a mention, now or when it is longer.

        reading (Reading): A begun mention.
        RETURNS (bool): False: no answer can go on that way.
        """
        text = self.text
        low, high, length = reading.node
        for begin in text.substrings.order[low:high]:
            start = text.token_at[begin]
            offset = begin + length
            end = text.next_end[offset]
            if not end:
                continue
            if self._free(start, end, reading.found):
                return True
            if not self.nested:
                continue
            longer = (end for at, end in text.end_at.items() if at > offset)
            if any(self._free(start, end, reading.found) for end in longer):
                return True
        return False

    def _candidates(self, reading: Reading) -> list[int]:
        """Occurrences, the next behind the mention before first, then those before it.

        reading (Reading): A begun mention.
        RETURNS (list[int]): Offsets where it begins in the text.
        """
        found = reading.found
        begins = self.text.substrings.starts(reading.node)
        if found is None:
            return begins

        behind = found.start if self.nested else found.end
        token_at = self.text.token_at
        return sorted(begins, key=lambda begin: (token_at[begin] < behind, begin))

    def _begin(self, reading: Reading) -> int:
        """Where the occurrence stands that a begun mention is taken for.

        reading (Reading): A begun mention.
        RETURNS (int): The first free occurrence, or else the first.
        """
        text = self.text
        candidates = self._candidates(reading)
        for begin in candidates:
            end = text.next_end[begin + reading.node.length]
            if end and self._free(text.token_at[begin], end, reading.found):
                return begin
        return candidates[0]

    def _finish(self, reading: Reading, written: int) -> Found | None:
        """The mention that ends here, tied to the next free occurrence.

        reading (Reading): A begun mention.
        written (int): How many symbols were written.
        RETURNS (Found | None): None if no mention may end here.
        """
        text = self.text
        before = reading.found
        length = reading.node.length
        for begin in self._candidates(reading):
            end = text.end_at.get(begin + length)
            if end is None:
                continue
            start = text.token_at[begin]
            if not (length and start < end and self._free(start, end, before)):
                continue
            used = (before.used if before else 0) | bits_of(start, end)
            number = before.number + 1 if before else 1
            label, begun = reading.label, reading.begun
            return Found(before, label, start, end, begun, written, used, number)
        return None

    def _room(self, found: Found) -> bool:
        """Whether another mention fits behind this one."""
        if found.number >= self.most:
            return False
        return self.nested or bool(self.text.words & ~found.used)


def _mark(reading: Reading, written: int) -> Reading:
    """The reading, with the place where its mention begins if it is just before one."""
    return reading._replace(begun=written) if reading.phase == MENTION else reading
