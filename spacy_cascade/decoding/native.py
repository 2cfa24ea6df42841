"""The automaton over a tokenizer's whole vocabulary, for models that write text as they
were trained to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate

from ..types import Unit
from .automaton import Choice, Guess

# (byte offset, inside?, bytes of a begun marker, mention still empty?)
_State = tuple[int, bool, int, bool]
_END: _State = (-1, False, 0, False)


class Vocabulary:
    """The bytes of all tokens, with the set of their prefixes: a trie in two hash tables."""

    def __init__(self, table: Sequence[bytes | None]):
        self.table = table
        self.ids: dict[bytes, int] = {}
        self.prefixes: set[bytes] = set()
        self._free: dict[bytes, tuple[int, ...]] = {}
        self._writes: dict[str, bytes] = {}
        for i, b in enumerate(table):
            if b:
                self.ids.setdefault(b, i)
                self.prefixes.update(b[:n] for n in range(1, len(b)))

    def longest(self, data: bytes) -> list[int]:
        """Greedy longest-match tokens of `data`.

        RAISES KeyError: if the vocabulary can't write it.
        """
        out = []
        while data:
            n, found = 1, 0
            while n <= len(data):
                if data[:n] in self.ids:
                    found = n
                if data[:n] not in self.prefixes:
                    break
                n += 1
            out.append(self.ids[data[:found]])
            data = data[found:]
        return out

    def written(self, char: str) -> bytes:
        """The bytes of a character; none if no tokens write it (some vocabularies lack
        rare bytes).
        """
        found = self._writes.get(char)
        if found is None:
            found = char.encode("utf8")
            try:
                self.longest(found)
            except KeyError:
                found = b""
            self._writes[char] = found
        return found

    def free(self, stops: bytes) -> tuple[int, ...]:
        """Tokens, sorted, that write none of these bytes."""
        found = self._free.get(stops)
        if found is None:
            found = tuple(
                sorted(
                    i
                    for b, i in self.ids.items()
                    if not any(stop in b for stop in stops)
                )
            )
            self._free[stops] = found
        return found

    def spell(self, text: str, tokenize: Callable[[str], list[int]]) -> list[int]:
        """Tokens of a text in the model's own way, if these write it exactly; else longest matches.
        Characters that no token writes are left out.
        """
        data = b"".join(map(self.written, text))
        tokens = tokenize(text)
        if b"".join(self.table[t] or b"" for t in tokens) == data:
            return tokens
        return self.longest(data)


class NativeAutomaton:
    """Any token may be written whose bytes continue the sentence.

    Markers are plain characters and may share a token with the text around them (' ##',
    '##.', '####'). Where the sentence itself goes on with the marker's first character,
    copying wins and no marker starts: so the output can always be read back without
    doubt. Characters that no token writes are left out of the copy.

    unit (Unit): The sentence; markers may stand at the starts and ends of its tokens.
        Must not end in white space.
    vocabulary (Vocabulary): Bytes of all tokens.
    tokenize (Callable): Text to token ids, in the model's own way; used for drafts.
    marker (str), end (int): The marker, and the id of the token behind the copy.
    close (str): The marker behind a mention, if it is another one than before it.
    """

    def __init__(
        self,
        unit: Unit,
        vocabulary: Vocabulary,
        tokenize: Callable[[str], list[int]],
        *,
        marker: str,
        end: int,
        close: str = "",
    ):
        chars = [vocabulary.written(ch) for ch in unit.text]
        self.text = b"".join(chars)
        self.vocabulary = vocabulary
        self.tokenize = tokenize
        # what opens a mention, and what closes it
        self.markers = (marker.encode("utf8"), (close or marker).encode("utf8"))
        self.end = end
        at = [0, *accumulate(map(len, chars))]
        borders = [(at[s], at[e]) for s, e in unit.tokens]
        seen = [i for i, (s, e) in enumerate(borders) if s < e and not unit.spaces[i]]
        self.opens = {borders[i][0]: i for i in seen}
        self.closes = {borders[i][1]: i + 1 for i in seen}
        self._allowed: dict[_State, tuple[int, ...]] = {}

    def start(self) -> _State:
        return (0, False, 0, False)

    def done(self, state: _State) -> bool:
        return state == _END

    def _may_mark(self, state: _State) -> bool:
        offset, inside, begun, fresh = state
        if begun or self.text[offset : offset + 1] == self.markers[inside][:1]:
            return False
        return (offset in self.closes and not fresh) if inside else offset in self.opens

    def _bytes(self, state: _State) -> list[tuple[int, _State]]:
        """The bytes that may follow, and where they lead."""
        offset, inside, begun, fresh = state
        out: list[tuple[int, _State]] = []
        if not begun and offset < len(self.text):
            out.append((self.text[offset], (offset + 1, inside, 0, False)))
        if begun or self._may_mark(state):
            marker = self.markers[inside]
            done = begun + 1 == len(marker)
            behind = (
                (offset, not inside, 0, not inside)
                if done
                else (offset, inside, begun + 1, fresh)
            )
            out.append((marker[begun], behind))
        return out

    def allowed(self, state: _State) -> Sequence[int]:
        found = self._allowed.get(state)
        if found is None:
            found = self._allowed[state] = self._find(state)
        return found

    def _find(self, state: _State) -> tuple[int, ...]:
        offset, inside, begun, _ = state
        if offset == len(self.text) and not inside and not begun:
            return (self.end,)
        out = []
        ids, prefixes = self.vocabulary.ids, self.vocabulary.prefixes
        stack = [(state, b"")]
        while stack:
            here, data = stack.pop()
            for byte, behind in self._bytes(here):
                spelled = data + bytes((byte,))
                if spelled in ids:
                    out.append(ids[spelled])
                if spelled in prefixes:
                    stack.append((behind, spelled))
        return tuple(sorted(set(out)))

    def step(self, state: _State, token: int) -> _State:
        if token == self.end and state[0] == len(self.text) and not state[1]:
            return _END
        for byte in self.vocabulary.table[token] or b"":
            state = dict(self._bytes(state))[byte]
        return state

    def choices(self, state: _State, token: int) -> list[Choice]:
        out = []
        for byte in (self.vocabulary.table[token] or b"") if token != self.end else b"":
            behind = dict(self._bytes(state))[byte]
            if self._may_mark(state):
                kind, i = (
                    ("close", self.closes[state[0]])
                    if state[1]
                    else ("open", self.opens[state[0]])
                )
                out.append(Choice(kind, i, behind[0] == state[0]))
            state = behind
        return out

    def offset(self, state: _State) -> int:
        return state[0] if state != _END else len(self.text)

    def draft(self, state: _State, guess: Guess) -> list[int]:
        if state == _END:
            return []
        offset, inside, begun, fresh = state
        out = bytearray()
        if begun:
            out += self.markers[inside][begun:]
            inside = fresh = not inside
        while True:
            if (
                inside
                and self._may_mark((offset, inside, 0, fresh))
                and self._close_here(offset, guess)
            ):
                out += self.markers[1]
                inside = False
            if (
                not inside
                and self._may_mark((offset, False, 0, False))
                and guess.opens(self.opens[offset])
            ):
                out += self.markers[0]
                inside = fresh = True
            if offset == len(self.text):
                break
            out.append(self.text[offset])
            offset, fresh = offset + 1, False
        return [*self._tokens(bytes(out)), self.end]

    def _close_here(self, offset: int, guess: Guess) -> bool:
        return offset == len(self.text) or guess.closes(self.closes[offset])

    def _tokens(self, data: bytes) -> list[int]:
        """The model's own tokens of the continuation, if they spell it; else the
        longest matches.
        """
        try:
            return self.vocabulary.spell(data.decode("utf8"), self.tokenize)
        except UnicodeDecodeError:
            return self.vocabulary.longest(
                data
            )  # the state lies inside a character: some tokens end there
