"""What may be written when candidates are listed and judged: `1. mention | True |
reason (label)`, one in each line (PromptNER, arXiv 2305.15444).

As in `answers`: mentions are stretches of the text, each tied to an occurrence of its
own, labels come from a trie, and every answer is finite and can be read back. A reason
is free text up to a number of tokens. It holds no line break and, where a label
follows, no opening bracket; a candidate ends where a verdict follows it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..decoding.answers import AnswerAutomaton
from ..decoding.listing import Listed, ListJob
from ..decoding.native import Vocabulary
from ..decoding.readings import (
    DONE,
    LABEL,
    MENTION,
    Found,
    Grammar,
    Move,
    Reading,
    State,
)
from ..decoding.symbols import Labels, TextIndex

NUMBER, BAR, VERDICT, REASON, BRACKET, CLOSED = range(DONE + 1, DONE + 7)
VERDICTS = (b"False |", b"True |")
_BAR = b" | "
_BRACKET = b" ("
_NO_GRAMMAR = Grammar(b"", b"", b"", b"")


class ReasonAutomaton(AnswerAutomaton):
    """See the module.

    A candidate that is judged False leaves its tokens to others, but is not listed
    again.

    text (TextIndex), labels (Labels): Over bytes. vocabulary (Vocabulary): Bytes of all tokens.
    end (int): Id of the token behind the answer.
    nested (bool): True candidates may overlap.
    reasons (int): Most tokens of a reason; 0: none is given.
    """

    def __init__(
        self,
        text: TextIndex,
        labels: Labels,
        *,
        vocabulary: Vocabulary,
        end: int,
        nested: bool = False,
        reasons: int = 32,
    ):
        super().__init__(
            text, labels, _NO_GRAMMAR, vocabulary=vocabulary, end=end, nested=nested
        )
        self.vocabulary: Vocabulary = vocabulary
        self.reasons = reasons
        n = len(text.token_at)
        self.most = min(2 * n, n * (n + 1) // 2)
        self._ends_at = sorted(text.end_at.items())

    # -- Over tokens
    # ------------------------------------------------------------------------------------------

    def start(self) -> State:
        return State(0, (Reading(NUMBER, 0, None),))

    def allowed(self, state: State) -> tuple[int, ...]:
        """Token ids that may follow, sorted. Empty only if the vocabulary can't write the text."""
        reading = state.readings[0]
        if reading.phase != REASON:
            return super().allowed(state)
        verdict, left = reading.label, self.reasons - reading.at
        out = (
            set(self.vocabulary.free(b"\n(" if verdict else b"\n"))
            if left > 0
            else set()
        )
        # a space that was written behind the last token of a reason is that of the bracket
        begins = (
            [(BRACKET, at) for at in (0, 1) if left > 0 or at == (left < 0)]
            if verdict
            else [(CLOSED, 0)]
        )
        for phase, at in begins:
            out.update(
                super().allowed(
                    State(state.written, (reading._replace(phase=phase, at=at),))
                )
            )
        return tuple(sorted(out))

    def step(self, state: State, token: int) -> State:
        """RAISES KeyError: if the token is not allowed."""
        reading = state.readings[0]
        if token == self.end or reading.phase != REASON:
            return super().step(state, token)
        data = self.symbols_of(token)
        longer = reading._replace(at=reading.at + 1)
        if not any(stop in data for stop in (b"\n(" if reading.label else b"\n")):
            return State(state.written + len(data), (longer,))
        return super().step(state, token)

    # -- Over bytes
    # -------------------------------------------------------------------------------------------

    def _next(self, state: State) -> dict[int, tuple[Reading, ...]]:
        found = super()._next(state)
        # behind a verdict there is no doubt any more where the candidate ended
        return {
            s: next(((r,) for r in readings if r.phase == REASON), readings)
            for s, readings in found.items()
        }

    def _ends(self, state: State) -> list[Reading]:
        return [
            r
            for r in state.readings
            if r.phase == CLOSED
            or (r.phase == REASON and not r.label)
            or (r.phase == NUMBER and r.found is None and not r.at)
        ]

    def _moves(self, reading: Reading, written: int) -> Iterator[Move]:
        """The symbols that may follow in one reading, the preferred first."""
        return self._RULES_OF_REASONS[reading.phase](self, reading, written)

    def _moves_in_number(self, reading: Reading, written: int) -> Iterator[Move]:
        """In `1. `, or behind a line break in the number of the next candidate."""
        at = reading.at
        found = reading.found
        number = b"\n%d. " % (found.number + 1) if found else b"1. "
        if at + 1 < len(number):
            behind = reading._replace(at=at + 1)
        else:
            root = self.text.substrings.root
            behind = Reading(MENTION, 0, found, node=root, begun=written + 1)
        yield number[at], behind

    def _moves_in_mention(self, reading: Reading, written: int) -> Iterator[Move]:
        """The bar if the candidate may end here, or a longer candidate."""
        found = self._finish(reading, written) if reading.node.length else None
        if found is not None:
            yield _BAR[0], Reading(BAR, 1, found)
        yield from self._longer(reading)

    def _moves_in_bar(self, reading: Reading, written: int) -> Iterator[Move]:
        """In ` | ` before a verdict."""
        at = reading.at
        if at + 1 < len(_BAR):
            yield _BAR[at], reading._replace(at=at + 1)
        else:
            yield _BAR[at], Reading(VERDICT, 0, reading.found)

    def _moves_in_verdict(self, reading: Reading, written: int) -> Iterator[Move]:
        """In `True |` or `False |`. The first letter decides."""
        at = reading.at
        for verdict, word in enumerate(VERDICTS):
            if at > 0 and reading.label != verdict:
                continue
            judged = reading._replace(at=at + 1, label=verdict)
            if at + 1 == len(word):
                judged = self._judged(judged)
            yield word[at], judged

    def _moves_in_reason(self, reading: Reading, written: int) -> Iterator[Move]:
        """In free text, or at its end: a label follows a true candidate."""
        stops = b"\n(" if reading.label else b"\n"
        if self.reasons:
            for symbol in range(256):
                if symbol not in stops:
                    yield symbol, reading
        elif reading.label:
            yield _BRACKET[0], reading._replace(phase=BRACKET, at=1)

        behind = BRACKET if reading.label else CLOSED
        yield from self._moves(reading._replace(phase=behind, at=1), written)

    def _moves_in_bracket(self, reading: Reading, written: int) -> Iterator[Move]:
        """In ` (` before a label."""
        at = reading.at
        if at == 0:
            yield _BRACKET[at], reading._replace(at=at + 1)
        else:
            yield _BRACKET[at], Reading(LABEL, 0, reading.found)

    def _moves_in_label(self, reading: Reading, written: int) -> Iterator[Move]:
        """A longer label, or the closing bracket if one ends here."""
        at = reading.at
        for symbol, child in self.labels.children[at].items():
            yield symbol, reading._replace(at=child)

        label = self.labels.label[at]
        if label >= 0 and reading.found is not None:
            named = reading.found._replace(label=label)
            yield ord(")"), Reading(CLOSED, 0, named)

    def _moves_when_closed(self, reading: Reading, written: int) -> Iterator[Move]:
        """A line break, if there is room for another candidate."""
        found = reading.found
        if found is not None and self._room(found):
            yield ord("\n"), Reading(NUMBER, 1, found)

    _RuleOfReasons = Callable[["ReasonAutomaton", Reading, int], Iterator[Move]]
    _RULES_OF_REASONS: ClassVar[Mapping[int, _RuleOfReasons]] = {
        NUMBER: _moves_in_number,
        MENTION: _moves_in_mention,
        BAR: _moves_in_bar,
        VERDICT: _moves_in_verdict,
        REASON: _moves_in_reason,
        BRACKET: _moves_in_bracket,
        LABEL: _moves_in_label,
        CLOSED: _moves_when_closed,
        DONE: lambda automaton, reading, written: iter(()),
    }

    def _judged(self, reading: Reading) -> Reading:
        found = reading.found
        assert found is not None
        if not reading.label:
            found = found._replace(used=found.before.used if found.before else 0)
        return Reading(REASON, 0, found, label=reading.label)

    # -- Occurrences
    # ------------------------------------------------------------------------------------------

    def _free(self, start: int, end: int, found: Found | None) -> bool:
        if (
            found is not None
            and not self.nested
            and found.used & ((1 << end) - (1 << start))
        ):
            return False
        here = found
        while here is not None:
            if (here.start, here.end) == (start, end):
                return False
            here = here.before
        return True

    def _alive(self, reading: Reading) -> bool:
        low, high, length = reading.node
        for begin in self.text.substrings.order[low:high]:
            start = self.text.token_at[begin]
            ends = (
                e
                for offset, e in self._ends_at
                if offset >= begin + length and e > start
            )
            if any(self._free(start, e, reading.found) for e in ends):
                return True
        return False

    def _room(self, found: Found) -> bool:
        fresh = Reading(MENTION, 0, found, node=self.text.substrings.root)
        return found.number < self.most and self._alive(fresh)


@dataclass
class ReasonJob(ListJob):
    """A list of judged candidates; those that are judged True are its mentions."""

    def finish(self) -> None:
        """Read mentions and probabilities off what was written; that of a label
        includes the verdict's.
        """
        found = self.automaton.mentions(self.state)
        self.complete = self.automaton.done(self.state)
        data = b"".join(bytes(self.automaton.symbols_of(t)) for t in self.tokens)
        ends = np.cumsum([len(self.automaton.symbols_of(t)) for t in self.tokens])
        begins = np.concatenate([[0], ends[:-1]])
        values = np.array(self._log_probs)
        self.mentions = []
        for k, f in enumerate(found):
            if f.label < 0:
                continue
            verdict = f.ended + len(_BAR + VERDICTS[1])
            bracket = data.index(b"(", verdict)
            behind = data.find(b"\n", bracket) if k + 1 < len(found) else len(data)
            # the token behind a candidate decides that it ends
            text = (ends > f.begun) & (begins <= f.ended)
            label = (
                (ends > f.ended) & (begins < verdict)
                | (ends > bracket) & (begins < behind)
            ) & ~text
            score, label_score = (
                math.exp(values[text].sum()),
                math.exp(values[label].sum()),
            )
            self.mentions.append(Listed(f.start, f.end, f.label, score, label_score))
