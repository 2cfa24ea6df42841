"""Text to tokens, and what tokens write."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from ..errors import CascadeError, Errors
from .casing import split_case
from .vocab import token_bytes

_LONGEST_WORD = 256


class _Noise(threading.local):
    """Subword regularization in this thread: where to draw from, at which rate, and
    what was drawn for which text.
    """

    now: tuple[Any, float, dict[str, list[int]]] | None = None


class Encoding:
    """What an HFCausalLM does with its tokenizer.

    backend (tokenizers.Tokenizer | None): Of the tokenizer, if it has one; else the
        tokenizer itself is asked.
    case_marks (bool): Whether case is written as a token of its own (see `models.casing`).
    """

    name: str
    tokenizer: Any
    head: Any

    def __init__(self, backend: Any, case_marks: bool):
        self.case_marks = case_marks
        self._backend = backend
        self._encode_cached = lru_cache(maxsize=1 << 16)(self._encode)
        self._token_ids: dict[str, int] = {}
        self._bytes: list[bytes | None] | None = None
        self._noise = _Noise()
        self._tokenizing = threading.Lock()

    def encode(self, text: str, *, control: bool = False) -> list[int]:
        """Token ids of a piece of text; see `ty.CausalLM.encode`."""
        noise = self._noise.now
        if noise is not None and not control and len(text) > 2:
            rng, rate, known = noise
            if text not in known:
                cut = rng.randrange(1, len(text)) if rng.random() < rate else 0
                known[text] = [
                    *self._encode_cached(text[:cut], False),
                    *self._encode_cached(text[cut:], False),
                ]
            return list(known[text])
        # words come again and again; whole prompts do not, and would fill the memory
        encode = self._encode_cached if len(text) <= _LONGEST_WORD else self._encode
        return list(encode(text, control))

    @contextmanager
    def subword_noise(self, rng: Any, rate: float) -> Iterator[None]:
        """Subword regularization for training: a piece of text is, at this rate,
        written in two parts, the same ones wherever it stands inside the context, in
        this thread. Seeded by `rng`, unlike the tokenizers' own BPE dropout, so that a
        run can be resumed exactly.
        """
        self._noise.now = (rng, rate, {}) if rate else None
        try:
            yield
        finally:
            self._noise.now = None

    def _encode(self, text: str, control: bool) -> tuple[int, ...]:
        if not text:
            return ()
        if self.case_marks and not control:
            mark, text = split_case(text)
            return (
                *((self.token_id(mark),) if mark else ()),
                *self._tokens(text, control=False),
            )
        return tuple(self._tokens(text, control=control))

    def _tokens(self, text: str, *, control: bool) -> list[int]:
        """What the tokenizer makes of a text: what to do with special tokens is a
        setting of its own, not an argument.
        """
        backend = self._backend
        with self._tokenizing:
            if backend is None:
                return self.tokenizer.encode(
                    text, add_special_tokens=False, split_special_tokens=not control
                )
            backend.encode_special_tokens = not control
            try:
                return backend.encode(text, add_special_tokens=False).ids
            finally:
                backend.encode_special_tokens = False

    def token_id(self, token: str) -> int:
        """Id of one token. RAISES CascadeError: C015 if the vocabulary lacks it."""
        found = self._token_ids.get(token)
        if found is None:
            i = self._find(token)
            if i is None:
                raise CascadeError(
                    Errors.C015.format(
                        path=self.name, what=repr(token), needed=repr(token)
                    )
                )
            found = self._token_ids[token] = i
        return found

    def _find(self, token: str) -> int | None:
        i = self.tokenizer.convert_tokens_to_ids(token)
        return (
            None
            if i is None
            or (i == self.tokenizer.unk_token_id and token != self.tokenizer.unk_token)
            else int(i)
        )

    def token_bytes(self) -> Sequence[bytes | None]:
        if self._bytes is None:
            self._bytes = token_bytes(self.tokenizer, self.head.weight.shape[0])
        return self._bytes
