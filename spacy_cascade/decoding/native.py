"""The automaton over a tokenizer's whole vocabulary, for models that write text as they
were trained to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from typing import TypeVar

from ..types import Unit
from .automaton import Choice, Guess

# (byte offset, inside?, bytes of a begun marker, mention still empty?). Plain tuples, since
# noise is keyed by what they print.
_State = tuple[int, bool, int, bool]
_END: _State = (-1, False, 0, False)

StateT = TypeVar("StateT")


class Vocabulary:
    """The bytes of all tokens, with the set of their prefixes: a trie in two hash tables.

    table (Sequence[bytes | None]): What each token writes. None for special tokens.
    """

    def __init__(self, table: Sequence[bytes | None]):
        self.table = table
        self.ids: dict[bytes, int] = {}
        self.prefixes: set[bytes] = set()
        # what `free` and `written` have found
        self._free: dict[bytes, tuple[int, ...]] = {}
        self._writes: dict[str, bytes] = {}

        for token, data in enumerate(table):
            if not data:
                continue
            self.ids.setdefault(data, token)
            for n in range(1, len(data)):
                self.prefixes.add(data[:n])

    def longest(self, data: bytes) -> list[int]:
        """Greedy longest-match tokens of `data`.

        data (bytes): What is written.
        RETURNS (list[int]): Token ids.
        RAISES KeyError: If the vocabulary can't write it.
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

        char (str): The character.
        RETURNS (bytes): Its bytes in UTF-8, or none.
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
        """Tokens, sorted, that write none of these bytes.

        stops (bytes): The bytes.
        RETURNS (tuple[int, ...]): Token ids.
        """
        found = self._free.get(stops)
        if found is None:
            tokens = []
            for data, token in self.ids.items():
                if not any(stop in data for stop in stops):
                    tokens.append(token)
            found = self._free[stops] = tuple(sorted(tokens))
        return found

    def following(
        self,
        state: StateT,
        moves: Callable[[StateT], Iterable[tuple[int, StateT]]],
    ) -> set[int]:
        """Tokens whose bytes may follow.

        state (object): Where something written byte by byte stands.
        moves (Callable): The bytes that may follow a state, each with the state behind it.
        RETURNS (set[int]): Token ids.
        """
        out: set[int] = set()
        ids = self.ids
        prefixes = self.prefixes
        stack = [(state, b"")]
        while stack:
            here, data = stack.pop()
            for byte, behind in moves(here):
                spelled = data + bytes((byte,))
                if spelled in ids:
                    out.add(ids[spelled])
                if spelled in prefixes:
                    stack.append((behind, spelled))
        return out

    def spell(self, text: str, tokenize: Callable[[str], list[int]]) -> list[int]:
        """Tokens of a text in the model's own way, or else the longest matches.

        The model's own way is taken if it writes the text exactly. Characters that no
        token writes are left out.

        text (str): The text.
        tokenize (Callable): Text to token ids, in the model's own way.
        RETURNS (list[int]): Token ids.
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
            first = at[start]
            last = at[stop]
            if first < last and not is_space:
                self.opens[first] = i
                self.closes[last] = i + 1
        self._allowed: dict[_State, tuple[int, ...]] = {}

    def start(self) -> _State:
        """The state before the copy."""
        return (0, False, 0, False)

    def done(self, state: _State) -> bool:
        """Whether the end is written."""
        return state == _END

    def _may_mark(self, state: _State) -> bool:
        """Whether a marker may begin in a state.

        Where the sentence goes on with the marker's first character, it may not.
        """
        offset, inside, begun, fresh = state
        if begun:
            return False
        marker = self.markers[inside]
        if self.text[offset : offset + 1] == marker[:1]:
            return False
        if inside:
            return offset in self.closes and not fresh
        return offset in self.opens

    def _bytes(self, state: _State) -> list[tuple[int, _State]]:
        """The bytes that may follow, and where they lead.

        state (tuple): Where the copy stands.
        RETURNS (list): Each byte with the state behind it.
        """
        offset, inside, begun, fresh = state
        text = self.text
        out: list[tuple[int, _State]] = []
        if not begun and offset < len(text):
            byte = text[offset]
            copied = (offset + 1, inside, 0, False)
            out.append((byte, copied))

        if begun or self._may_mark(state):
            marker = self.markers[inside]
            byte = marker[begun]
            behind = (offset, inside, begun + 1, fresh)
            if begun + 1 == len(marker):
                behind = (offset, not inside, 0, not inside)
            out.append((byte, behind))
        return out

    def allowed(self, state: _State) -> Sequence[int]:
        """Token ids that may follow, sorted.

        state (tuple): Where the copy stands.
        RETURNS (Sequence[int]): Never empty.
        """
        found = self._allowed.get(state)
        if found is None:
            found = self._allowed[state] = self._find(state)
        return found

    def _find(self, state: _State) -> tuple[int, ...]:
        """Search the vocabulary for tokens whose bytes may follow.

        state (tuple): Where the copy stands.
        RETURNS (tuple[int, ...]): Token ids, sorted.
        """
        offset, inside, begun, _ = state
        if offset == len(self.text) and not inside and not begun:
            return (self.end,)
        return tuple(sorted(self.vocabulary.following(state, self._bytes)))

    def step(self, state: _State, token: int) -> _State:
        """The state behind a token.

        state (tuple): Where the copy stands.
        token (int): What is written.
        RETURNS (tuple): Where the copy stands then.
        RAISES KeyError: If the token is not allowed.
        """
        offset, inside, _, _ = state
        if token == self.end and offset == len(self.text) and not inside:
            return _END

        data = self.vocabulary.table[token] or b""
        for byte in data:
            moves = dict(self._bytes(state))
            state = moves[byte]
        return state

    def choices(self, state: _State, token: int) -> list[Choice]:
        """The places for markers that this token comes by, in order.

        state (tuple): Where the copy stands.
        token (int): An allowed token.
        RETURNS (list[Choice]): Marked or not.
        """
        if token == self.end:
            return []

        out = []
        data = self.vocabulary.table[token] or b""
        for byte in data:
            offset, inside, _, _ = state
            moves = dict(self._bytes(state))
            behind = moves[byte]
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
        """The rest of the copy, with markers where the guess has them.

        state (tuple): Where the copy stands.
        guess (Guess): What is believed about the markers.
        RETURNS (list[int]): Token ids, with the end.
        """
        if state == _END:
            return []

        offset, inside, begun, fresh = state
        opening, closing = self.markers
        out = bytearray()
        if begun:
            out += self.markers[inside][begun:]
            inside = fresh = not inside

        while True:
            if inside and self._drafts_end(offset, fresh, guess):
                out += closing
                inside = False
            if not inside and self._drafts_start(offset, guess):
                out += opening
                inside = fresh = True

            if offset == len(self.text):
                break
            out.append(self.text[offset])
            offset += 1
            fresh = False
        return [*self._tokens(bytes(out)), self.end]

    def _drafts_end(self, offset: int, fresh: bool, guess: Guess) -> bool:
        """Whether the open mention is drafted to end here.

        offset (int): Bytes of the sentence that were copied.
        fresh (bool): Whether the mention is still empty.
        guess (Guess): What is believed about the markers.
        """
        if not self._may_mark((offset, True, 0, fresh)):
            return False
        at_end = offset == len(self.text)
        return at_end or guess.closes(self.closes[offset])

    def _drafts_start(self, offset: int, guess: Guess) -> bool:
        """Whether a mention is drafted to begin here.

        offset (int): Bytes of the sentence that were copied.
        guess (Guess): What is believed about the markers.
        """
        if not self._may_mark((offset, False, 0, False)):
            return False
        return guess.opens(self.opens[offset])

    def _tokens(self, data: bytes) -> list[int]:
        """The model's own tokens of the continuation, if they spell it.

        Otherwise the longest matches: where the state lies inside a character, some
        tokens end there.

        data (bytes): What is written.
        RETURNS (list[int]): Token ids.
        """
        try:
            return self.vocabulary.spell(data.decode("utf8"), self.tokenize)
        except UnicodeDecodeError:
            return self.vocabulary.longest(data)
