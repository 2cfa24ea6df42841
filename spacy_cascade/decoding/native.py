"""The automaton over a tokenizer's whole vocabulary, for models that write text as they
were trained to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate

from ..types import Unit
from .automaton import Choice, Guess

# (byte offset, inside?, bytes of a begun marker, mention still empty?). Plain tuples, since
# noise is keyed by what they print.
_State = tuple[int, bool, int, bool]
_END: _State = (-1, False, 0, False)


class Vocabulary:
    """The bytes of all tokens, with the set of their prefixes: a trie in two hash tables.

    table (Sequence[bytes | None]): What each token writes. None for special tokens.
    """

    def __init__(self, table: Sequence[bytes | None]):
        self.table = table
        self.ids: dict[bytes, int] = {}
        self.prefixes: set[bytes] = set()
        self._free: dict[bytes, tuple[int, ...]] = {}
        self._writes: dict[str, bytes] = {}

        for token, data in enumerate(table):
            if not data:
                continue
            self.ids.setdefault(data, token)
            self.prefixes.update(data[:n] for n in range(1, len(data)))

    def longest(self, data: bytes) -> list[int]:
        """Greedy longest-match tokens of `data`.

        RAISES KeyError: if the vocabulary can't write it.
        """
        out = []
        while data:
            found = 0
            for n in range(1, len(data) + 1):
                beginning = data[:n]
                if beginning in self.ids:
                    found = n
                if beginning not in self.prefixes:
                    break
            out.append(self.ids[data[:found]])
            data = data[found:]
        return out

    def written(self, char: str) -> bytes:
        """The bytes of a character.

        None if no tokens write it: some vocabularies lack rare bytes.
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
            tokens = []
            for data, token in self.ids.items():
                if not any(stop in data for stop in stops):
                    tokens.append(token)
            found = self._free[stops] = tuple(sorted(tokens))
        return found

    def spell(self, text: str, tokenize: Callable[[str], list[int]]) -> list[int]:
        """Tokens of a text in the model's own way, or else the longest matches.

        The model's own way is taken if it writes the text exactly. Characters that no
        token writes are left out.
        """
        data = b"".join(map(self.written, text))
        tokens = tokenize(text)
        written = b"".join(self.table[token] or b"" for token in tokens)
        return tokens if written == data else self.longest(data)


class NativeAutomaton:
    """Any token may be written whose bytes continue the sentence.

    Markers are plain characters and may share a token with the text around them (' ##',
    '##.', '####'). Where the sentence itself goes on with the marker's first character,
    copying wins and no marker starts. So the output can always be read back without
    doubt. Characters that no token writes are left out of the copy.

    unit (Unit): The sentence. Markers may stand at the starts and ends of its tokens.
        Must not end in white space.
    vocabulary (Vocabulary): Bytes of all tokens.
    tokenize (Callable): Text to token ids, in the model's own way. Used for drafts.
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
        chars = [vocabulary.written(char) for char in unit.text]
        self.text = b"".join(chars)
        self.vocabulary = vocabulary
        self.tokenize = tokenize
        # what opens a mention, and what closes it
        self.markers = (marker.encode("utf8"), (close or marker).encode("utf8"))
        self.end = end

        # the byte offset of every character
        at = [0, *accumulate(map(len, chars))]
        # byte offset -> index of the token behind the marker
        self.opens: dict[int, int] = {}
        self.closes: dict[int, int] = {}
        borders = zip(unit.tokens, unit.spaces, strict=True)
        for i, ((start, stop), is_space) in enumerate(borders):
            if at[start] < at[stop] and not is_space:
                self.opens[at[start]] = i
                self.closes[at[stop]] = i + 1
        self._allowed: dict[_State, tuple[int, ...]] = {}

    def start(self) -> _State:
        """The state before the copy."""
        return (0, False, 0, False)

    def done(self, state: _State) -> bool:
        """Whether the end is written."""
        return state == _END

    def _may_mark(self, state: _State) -> bool:
        offset, inside, begun, fresh = state
        if begun or self.text[offset : offset + 1] == self.markers[inside][:1]:
            return False
        if inside:
            return offset in self.closes and not fresh
        return offset in self.opens

    def _bytes(self, state: _State) -> list[tuple[int, _State]]:
        """The bytes that may follow, and where they lead."""
        offset, inside, begun, fresh = state
        out: list[tuple[int, _State]] = []
        if not begun and offset < len(self.text):
            copied = (offset + 1, inside, 0, False)
            out.append((self.text[offset], copied))

        if begun or self._may_mark(state):
            marker = self.markers[inside]
            behind = (offset, inside, begun + 1, fresh)
            if begun + 1 == len(marker):
                behind = (offset, not inside, 0, not inside)
            out.append((marker[begun], behind))
        return out

    def allowed(self, state: _State) -> Sequence[int]:
        """Token ids that may follow, sorted."""
        found = self._allowed.get(state)
        if found is None:
            found = self._allowed[state] = self._find(state)
        return found

    def _find(self, state: _State) -> tuple[int, ...]:
        offset, inside, begun, _ = state
        if offset == len(self.text) and not inside and not begun:
            return (self.end,)

        out: set[int] = set()
        ids = self.vocabulary.ids
        prefixes = self.vocabulary.prefixes
        stack = [(state, b"")]
        while stack:
            here, data = stack.pop()
            for byte, behind in self._bytes(here):
                spelled = data + bytes((byte,))
                if spelled in ids:
                    out.add(ids[spelled])
                if spelled in prefixes:
                    stack.append((behind, spelled))
        return tuple(sorted(out))

    def step(self, state: _State, token: int) -> _State:
        """The state behind a token. RAISES KeyError: if the token is not allowed."""
        offset, inside, _, _ = state
        if token == self.end and offset == len(self.text) and not inside:
            return _END

        for byte in self.vocabulary.table[token] or b"":
            state = dict(self._bytes(state))[byte]
        return state

    def choices(self, state: _State, token: int) -> list[Choice]:
        """The places for markers that this token comes by, in order."""
        if token == self.end:
            return []

        out = []
        for byte in self.vocabulary.table[token] or b"":
            offset, inside, _, _ = state
            behind = dict(self._bytes(state))[byte]
            if self._may_mark(state):
                # a byte of the sentence moves on, one of a marker does not
                marked = behind[0] == offset
                kind = "close" if inside else "open"
                place = self.closes[offset] if inside else self.opens[offset]
                out.append(Choice(kind, place, marked))
            state = behind
        return out

    def offset(self, state: _State) -> int:
        """How many bytes of the sentence were copied."""
        return state[0] if state != _END else len(self.text)

    def draft(self, state: _State, guess: Guess) -> list[int]:
        """The rest of the copy, with markers where the guess has them."""
        if state == _END:
            return []

        offset, inside, begun, fresh = state
        opening, closing = self.markers
        out = bytearray()
        if begun:
            out += self.markers[inside][begun:]
            inside = fresh = not inside

        while True:
            here = (offset, inside, 0, fresh)
            if inside and self._may_mark(here) and self._closes(offset, guess):
                out += closing
                inside = False

            here = (offset, inside, 0, False)
            if not inside and self._may_mark(here) and guess.opens(self.opens[offset]):
                out += opening
                inside = fresh = True

            if offset == len(self.text):
                break
            out.append(self.text[offset])
            offset += 1
            fresh = False
        return [*self._tokens(bytes(out)), self.end]

    def _closes(self, offset: int, guess: Guess) -> bool:
        at_end = offset == len(self.text)
        return at_end or guess.closes(self.closes[offset])

    def _tokens(self, data: bytes) -> list[int]:
        """The model's own tokens of the continuation, if they spell it.

        Otherwise the longest matches: where the state lies inside a character, some
        tokens end there.
        """
        try:
            return self.vocabulary.spell(data.decode("utf8"), self.tokenize)
        except UnicodeDecodeError:
            return self.vocabulary.longest(data)
