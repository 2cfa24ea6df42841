"""What may be written when all mentions of a text are listed with their labels: `label:
mention; label: mention`.

Labels come from a trie, mentions are stretches of the text that begin and end at its
tokens, and each is tied to an occurrence that is still free. So every answer is finite,
can be read back, and has exact offsets, whatever the model prefers.

An answer can have several readings: a mention may hold `; `, a label may hold `: `. The
    automaton follows them all at
once and prefers, in this order, to end a mention over going on with it, and a longer
label over a shorter one. Reading an answer back takes the same steps, and so comes to
the same mentions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from .native import Vocabulary
from .substrings import Node
from .symbols import Labels, TextIndex

# Readings that are followed at the same time; texts that look like answers would have too many.
_READINGS = 8
LEAD, LABEL, COLON, MENTION, SEPARATOR, EMPTY, DONE = range(7)


@dataclass(frozen=True)
class Grammar:
    """The fixed parts of an answer, as symbols.

    lead: Before the first label. colon: Between label and mention. separator: Between
        two mentions. empty: The answer
    if there is no mention (behind `lead`).
    """

    lead: Sequence[int]
    colon: Sequence[int]
    separator: Sequence[int]
    empty: Sequence[int]


class Found(NamedTuple):
    """A finished mention, linked to the one before it.

    label: Index of its label. start, end: Its tokens, end exclusive. begun, ended:
        Where its text stands in the answer,
    in symbols. used: Bits of the tokens that mentions so far cover. number: Mentions so far.
    """

    before: Found | None
    label: int
    start: int
    end: int
    begun: int
    ended: int
    used: int
    number: int

    def all(self) -> list[Found]:
        """In the order they were written."""
        out: list[Found] = [self]
        while out[-1].before is not None:
            out.append(out[-1].before)
        return out[::-1]


class Reading(NamedTuple):
    """One way to read what was written. at: index in a fixed part or label node, by
    `phase`; in a mention its `node`.
    """

    phase: int
    at: int
    found: Found | None
    label: int = -1
    node: Node = Node(0, 0, 0)
    begun: int = 0


class State(NamedTuple):
    """written: Symbols so far. readings: The best first."""

    written: int
    readings: tuple[Reading, ...]


class AnswerAutomaton:
    """See the module. States are immutable; a token leads from one to the next.

    text (TextIndex), labels (Labels), grammar (Grammar): All over the same symbols.
    vocabulary (Vocabulary | None): Tokens that write bytes, if the symbols are bytes;
        None: the symbols are tokens.
    end (int): Id of the token behind the answer.
    nested (bool): Mentions may overlap; else each token belongs to one mention at most.
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
        self.vocabulary = vocabulary
        self.end = end
        self.nested = nested
        n = len(text.token_at)
        self.most = min(2 * n, n * (n + 1) // 2) if nested else n

    # -- Over tokens
    # ------------------------------------------------------------------------------------------

    def start(self) -> State:
        begin = self._fixed(LEAD, 0, self.grammar.lead, Reading(LEAD, 0, None))
        return State(0, tuple(begin))

    def done(self, state: State) -> bool:
        return state.readings[0].phase == DONE

    def allowed(self, state: State) -> tuple[int, ...]:
        """Token ids that may follow, sorted. Empty only if the vocabulary can't write the text."""
        out = {self.end} if self._ends(state) else set()
        if self.vocabulary is None:
            return tuple(sorted(out | set(self._next(state))))
        ids, prefixes = self.vocabulary.ids, self.vocabulary.prefixes
        stack = [(state, b"")]
        while stack:
            here, data = stack.pop()
            for symbol, readings in self._next(here).items():
                spelled = data + bytes((symbol,))
                if spelled in ids:
                    out.add(ids[spelled])
                if spelled in prefixes:
                    stack.append((State(here.written + 1, readings), spelled))
        return tuple(sorted(out))

    def step(self, state: State, token: int) -> State:
        """RAISES KeyError: if the token is not allowed."""
        if token == self.end:
            return State(state.written, (Reading(DONE, 0, self._ends(state)[0].found),))
        for symbol in self.symbols_of(token):
            state = State(state.written + 1, self._next(state)[symbol])
        return state

    def symbols_of(self, token: int) -> Sequence[int]:
        return (
            (token,) if self.vocabulary is None else self.vocabulary.table[token] or b""
        )

    def read(self, symbols: Iterable[int]) -> list[Found]:
        """The mentions of a complete answer. RAISES KeyError: if it is none."""
        state = self.start()
        for symbol in symbols:
            state = State(state.written + 1, self._next(state)[symbol])
        ends = self._ends(state)
        if not ends:
            raise KeyError("the answer is not complete")
        return mentions_of(ends[0].found)

    def mentions(self, state: State) -> list[Found]:
        """The finished mentions of the preferred reading."""
        return mentions_of(state.readings[0].found)

    def offset(self, state: State) -> int:
        """The text offset, in symbols, of the symbol written last: in a mention that of
        its original, else that of the text behind the mention before.
        """
        reading = state.readings[0]
        if reading.phase == MENTION and reading.node.length:
            begin = self._begin(reading)
            return begin + reading.node.length - 1
        behind = self.text.end_of[reading.found.end] if reading.found else 0
        return behind + (self.labels.depth[reading.at] if reading.phase == LABEL else 0)

    # -- Over symbols
    # -----------------------------------------------------------------------------------------

    def _next(self, state: State) -> dict[int, tuple[Reading, ...]]:
        """The symbols that may follow, and the readings they leave."""
        out: dict[int, list[Reading]] = {}
        for reading in state.readings:
            for symbol, behind in self._moves(reading, state.written):
                out.setdefault(symbol, []).append(behind)
        return {
            symbol: tuple(found)
            if len(found) == 1
            else tuple(dict.fromkeys(found))[:_READINGS]
            for symbol, found in out.items()
        }

    def _ends(self, state: State) -> list[Reading]:
        """Readings that are complete answers, finished."""
        out = []
        for reading in state.readings:
            if reading.phase == EMPTY and reading.at == len(self.grammar.empty):
                out.append(reading)
            elif reading.phase == MENTION:
                found = self._finish(reading, state.written)
                if found is not None:
                    out.append(reading._replace(found=found))
        return out

    def _moves(self, reading: Reading, written: int) -> Iterator[tuple[int, Reading]]:
        phase, at, grammar = reading.phase, reading.at, self.grammar
        if phase == LABEL:
            for symbol, child in self.labels.children[at].items():
                yield symbol, reading._replace(at=child)
            if self.labels.label[at] >= 0:
                named = reading._replace(label=self.labels.label[at])
                for behind in self._fixed(COLON, 1, grammar.colon, named):
                    yield grammar.colon[0], self._mark(behind, written + 1)
        elif phase == MENTION:
            if reading.node.length:
                found = self._finish(reading, written)
                if found is not None and self._room(found):
                    for behind in self._fixed(
                        SEPARATOR, 1, grammar.separator, Reading(SEPARATOR, 1, found)
                    ):
                        yield grammar.separator[0], behind
            for symbol, node in self.text.substrings.steps(reading.node):
                longer = reading._replace(node=node)
                if self._alive(longer):
                    yield symbol, longer
        elif phase == EMPTY:
            if at < len(grammar.empty):
                yield grammar.empty[at], reading._replace(at=at + 1)
        elif phase != DONE:
            fixed = {
                LEAD: grammar.lead,
                COLON: grammar.colon,
                SEPARATOR: grammar.separator,
            }[phase]
            for behind in self._fixed(phase, at + 1, fixed, reading):
                yield fixed[at], self._mark(behind, written + 1)

    def _mark(self, reading: Reading, written: int) -> Reading:
        return reading._replace(begun=written) if reading.phase == MENTION else reading

    def _fixed(
        self, phase: int, at: int, symbols: Sequence[int], reading: Reading
    ) -> Iterator[Reading]:
        """Readings inside of a fixed part, or behind it if it is complete."""
        if at < len(symbols):
            yield reading._replace(phase=phase, at=at)
        elif phase == COLON:
            yield reading._replace(phase=MENTION, at=0, node=self.text.substrings.root)
        else:
            yield Reading(LABEL, 0, reading.found)
            if phase == LEAD:
                yield Reading(EMPTY, 0, None)

    # -- Occurrences
    # ------------------------------------------------------------------------------------------

    def _free(self, start: int, end: int, found: Found | None) -> bool:
        """Whether tokens [start, end) may become a mention."""
        if found is None:
            return True
        if not self.nested:
            return not found.used & ((1 << end) - (1 << start))
        here: Found | None = found
        while here is not None:
            if (here.start, here.end) == (start, end):
                return False
            here = here.before
        return True

    def _alive(self, reading: Reading) -> bool:
        """Whether some occurrence can become a mention, now or when it is longer."""
        text = self.text
        low, high, length = reading.node
        for begin in text.substrings.order[low:high]:
            start, offset = text.token_at[begin], begin + length
            end = text.next_end[offset]
            if not end:
                continue
            if self._free(start, end, reading.found):
                return True
            if self.nested and any(
                self._free(start, e, reading.found)
                for o, e in text.end_at.items()
                if o > offset
            ):
                return True
        return False

    def _candidates(self, reading: Reading) -> list[int]:
        """Occurrences, the next behind the mention before first, then those before it."""
        found = reading.found
        begins = self.text.substrings.starts(reading.node)
        if found is None:
            return begins
        behind = found.start if self.nested else found.end
        return sorted(begins, key=lambda b: (self.text.token_at[b] < behind, b))

    def _begin(self, reading: Reading) -> int:
        """Where the occurrence stands that a begun mention is taken for."""
        text, length = self.text, reading.node.length
        for begin in self._candidates(reading):
            end = text.next_end[begin + length]
            if end and self._free(text.token_at[begin], end, reading.found):
                return begin
        return self._candidates(reading)[0]

    def _finish(self, reading: Reading, written: int) -> Found | None:
        """The mention that ends here, tied to the next free occurrence."""
        text, before = self.text, reading.found
        for begin in self._candidates(reading):
            end = text.end_at.get(begin + reading.node.length)
            if end is None:
                continue
            start = text.token_at[begin]
            if reading.node.length and start < end and self._free(start, end, before):
                used = (before.used if before else 0) | ((1 << end) - (1 << start))
                number = before.number + 1 if before else 1
                return Found(
                    before,
                    reading.label,
                    start,
                    end,
                    reading.begun,
                    written,
                    used,
                    number,
                )
        return None

    def _room(self, found: Found) -> bool:
        """Whether another mention fits behind this one."""
        return found.number < self.most and (
            self.nested or bool(self.text.words & ~found.used)
        )


def mentions_of(found: Found | None) -> list[Found]:
    return found.all() if found is not None else []
