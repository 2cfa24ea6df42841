"""What may be written when candidates are listed and judged: `1. mention | True |
reason (label)`, one in each line (PromptNER, arXiv 2305.15444).

As in `answers`: mentions are stretches of the text, each tied to an occurrence of its
own, labels come from a trie, and every answer is finite and can be read back. A reason
is free text up to a number of tokens. It holds no line break and, where a label
follows, no opening bracket; a candidate ends where a verdict follows it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

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

    def _moves(self, reading: Reading, written: int) -> Iterator[tuple[int, Reading]]:
        phase, at, found = reading.phase, reading.at, reading.found
        if phase == NUMBER:
            number = b"\n%d. " % (found.number + 1) if found else b"1. "
            inside = Reading(
                MENTION, 0, found, node=self.text.substrings.root, begun=written + 1
            )
            yield (
                number[at],
                reading._replace(at=at + 1) if at + 1 < len(number) else inside,
            )
        elif phase == MENTION:
            ended = self._finish(reading, written) if reading.node.length else None
            if ended is not None:
                yield _BAR[0], Reading(BAR, 1, ended)
            for symbol, node in self.text.substrings.steps(reading.node):
                longer = reading._replace(node=node)
                if self._alive(longer):
                    yield symbol, longer
        elif phase == BAR:
            yield (
                _BAR[at],
                reading._replace(at=at + 1)
                if at + 1 < len(_BAR)
                else Reading(VERDICT, 0, found),
            )
        elif phase == VERDICT:
            for verdict, word in enumerate(VERDICTS):
                if at == 0 or reading.label == verdict:
                    judged = reading._replace(at=at + 1, label=verdict)
                    yield (
                        word[at],
                        judged if at + 1 < len(word) else self._judged(judged),
                    )
        elif phase == REASON:
            if self.reasons:
                yield from (
                    (symbol, reading)
                    for symbol in range(256)
                    if symbol not in (b"\n(" if reading.label else b"\n")
                )
            elif reading.label:
                yield _BRACKET[0], reading._replace(phase=BRACKET, at=1)
            yield from self._moves(
                reading._replace(phase=BRACKET if reading.label else CLOSED, at=1),
                written,
            )
        elif phase == BRACKET:
            yield (
                _BRACKET[at],
                reading._replace(at=at + 1) if at == 0 else Reading(LABEL, 0, found),
            )
        elif phase == LABEL:
            for symbol, child in self.labels.children[at].items():
                yield symbol, reading._replace(at=child)
            if self.labels.label[at] >= 0 and found is not None:
                yield (
                    ord(")"),
                    Reading(CLOSED, 0, found._replace(label=self.labels.label[at])),
                )
        elif phase == CLOSED and found is not None and self._room(found):
            yield ord("\n"), Reading(NUMBER, 1, found)

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
