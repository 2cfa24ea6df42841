"""Text to tokens, and what tokens write."""

from __future__ import annotations

import json
import random
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, cast

from torch import nn

from ..errors import CascadeError, Errors

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers.tokenization_utils_base import PreTrainedTokenizerBase

# How case is written as a token of its own, by tokenizers trained by `models.tiny`: KENYA,
# Kenya and kenya share their letters' tokens. Measured on CoNLL-2003: two points of type
# accuracy for models trained from random initialization.
CASE_MARKS = {"title": "<cap>", "upper": "<upper>"}

_LONGEST_WORD = 256
_BYTE_TOKEN = re.compile(r"<0x([0-9A-Fa-f]{2})>")


class _Noise(NamedTuple):
    """Subword regularization: where to draw from, at which rate, and what was drawn for
    which text.
    """

    rng: random.Random
    rate: float
    drawn: dict[str, list[int]]


class _ThreadNoise(threading.local):
    now: _Noise | None = None


class Encoding:
    """What an HFCausalLM does with its tokenizer.

    backend (tokenizers.Tokenizer | None): Of the tokenizer, if it has one; else the
        tokenizer itself is asked.
    case_marks (bool): Whether case is written as a token of its own (see `split_case`).
    """

    name: str
    tokenizer: PreTrainedTokenizerBase
    head: nn.Linear

    def __init__(
        self,
        backend: Tokenizer | None,
        case_marks: bool,
    ):
        self.case_marks = case_marks
        self._backend = backend
        self._encode_cached = lru_cache(maxsize=1 << 16)(self._encode)
        self._token_ids: dict[str, int] = {}
        self._bytes: list[bytes | None] | None = None
        self._noise = _ThreadNoise()
        self._tokenizing = threading.Lock()

    def encode(
        self,
        text: str,
        *,
        control: bool = False,
    ) -> list[int]:
        """Token ids of a piece of text; see `ty.CausalLM.encode`."""
        noise = self._noise.now
        if noise is not None and not control and len(text) > 2:
            return self._encode_with_noise(text, noise)
        # words come again and again; whole prompts do not, and would fill the memory
        encode = self._encode_cached if len(text) <= _LONGEST_WORD else self._encode
        return list(encode(text, control))

    def _encode_with_noise(
        self,
        text: str,
        noise: _Noise,
    ) -> list[int]:
        if text not in noise.drawn:
            cut = 0
            if noise.rng.random() < noise.rate:
                cut = noise.rng.randrange(1, len(text))
            first = self._encode_cached(text[:cut], False)
            second = self._encode_cached(text[cut:], False)
            noise.drawn[text] = [*first, *second]
        return list(noise.drawn[text])

    @contextmanager
    def subword_noise(
        self,
        rng: random.Random,
        rate: float,
    ) -> Iterator[None]:
        """Subword regularization for training, in this thread.

        A piece of text is, at this rate, written in two parts, the same ones wherever it
        stands inside the context. Seeded by `rng`, unlike the tokenizers' own BPE
        dropout, so that a run can be resumed exactly.
        """
        self._noise.now = _Noise(rng, rate, {}) if rate else None
        try:
            yield
        finally:
            self._noise.now = None

    def _encode(
        self,
        text: str,
        control: bool,
    ) -> tuple[int, ...]:
        if not text:
            return ()
        if control or not self.case_marks:
            return tuple(self._tokens(text, control=control))
        mark, text = split_case(text)
        before = [self.token_id(mark)] if mark else []
        return (*before, *self._tokens(text, control=False))

    def _tokens(
        self,
        text: str,
        *,
        control: bool,
    ) -> list[int]:
        """What the tokenizer makes of a text.

        What to do with special tokens is a setting of its own, not an argument.
        """
        backend = self._backend
        with self._tokenizing:
            if backend is None:
                ids = self.tokenizer.encode(
                    text,
                    add_special_tokens=False,
                    split_special_tokens=not control,
                )
                return cast("list[int]", ids)
            backend.encode_special_tokens = not control
            try:
                found = backend.encode(text, add_special_tokens=False)
            finally:
                backend.encode_special_tokens = False
        return cast("list[int]", found.ids)

    def token_id(self, token: str) -> int:
        """Id of one token. RAISES CascadeError: C015 if the vocabulary lacks it."""
        known = self._token_ids.get(token)
        if known is not None:
            return known

        found = self._find(token)
        if found is None:
            name = repr(token)
            raise CascadeError(
                Errors.C015.format(path=self.name, what=name, needed=name)
            )
        self._token_ids[token] = found
        return found

    def _find(self, token: str) -> int | None:
        found = self.tokenizer.convert_tokens_to_ids(token)
        if found is None:
            return None
        unknown = found == self.tokenizer.unk_token_id
        if unknown and token != self.tokenizer.unk_token:
            return None
        return int(cast(int, found))

    @property
    def type_names(self) -> tuple[str, ...]:
        """Names of the types that have a token of their own, as `models.tiny` makes them."""
        added = getattr(self.tokenizer, "added_tokens_decoder", {})
        names = []
        for token in added.values():
            if token.special and token.content.startswith(" "):
                names.append(token.content[1:])
        return tuple(names)

    def token_bytes(self) -> Sequence[bytes | None]:
        """See `ty.CausalLM.token_bytes`."""
        if self._bytes is None:
            self._bytes = token_bytes(self.tokenizer, self.head.weight.shape[0])
        return self._bytes


# -- Case


def split_case(segment: str) -> tuple[str | None, str]:
    """' Paris' -> ('<cap>', ' paris'); leading white space stays.

    It is lossless: a word whose case can't be restored exactly is written as it stands.

    RETURNS: mark or None, and the text to encode.
    """
    word = segment.lstrip()
    low = word.lower()
    if word == low:
        return None, segment

    space = segment[: len(segment) - len(word)]
    if low[:1].upper() + low[1:] == word:
        return CASE_MARKS["title"], space + low
    if low.upper() == word:
        return CASE_MARKS["upper"], space + low
    return None, segment


def join_case(mark: str | None, text: str) -> str:
    """The reverse of `split_case`."""
    word = text.lstrip()
    space = text[: len(text) - len(word)]
    if mark == CASE_MARKS["title"]:
        return space + word[:1].upper() + word[1:]
    if mark == CASE_MARKS["upper"]:
        return space + word.upper()
    return text


# -- Bytes of tokens


def byte_level_alphabet() -> dict[str, int]:
    """The GPT-2 mapping from printable characters to bytes, used by every byte-level BPE."""
    printable = [
        *range(ord("!"), ord("~") + 1),
        *range(0xA1, 0xAD),
        *range(0xAE, 0x100),
    ]
    table = {chr(byte): byte for byte in printable}
    extra = 256
    for byte in range(256):
        if byte not in printable:
            table[chr(extra)] = byte
            extra += 1
    return table


def is_byte_level(backend: Tokenizer) -> bool:
    """Whether a tokenizer writes byte-level tokens (the other kind is SentencePiece's)."""
    spec = json.loads(backend.to_str())
    parts = [spec.get("decoder"), spec.get("pre_tokenizer")]
    return "ByteLevel" in json.dumps(parts)


def token_bytes(tokenizer: PreTrainedTokenizerBase, size: int) -> list[bytes | None]:
    """Bytes of every token id below `size`; None for special tokens and ids without a token.

    tokenizer (PreTrainedTokenizerBase): A Hugging Face tokenizer, fast or slow.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    byte_level = backend is not None and is_byte_level(backend)
    alphabet = byte_level_alphabet()
    special = set(tokenizer.all_special_ids)
    added = dict(getattr(tokenizer, "added_tokens_decoder", {}).items())

    out: list[bytes | None] = [None] * size
    for token, i in tokenizer.get_vocab().items():
        if i >= size or i in special:
            continue
        if i in added:
            if not added[i].special:
                out[i] = token.encode("utf8")
        elif not byte_level:
            out[i] = _sentencepiece_bytes(token)
        elif all(char in alphabet for char in token):
            out[i] = bytes(alphabet[char] for char in token)
    return out


def _sentencepiece_bytes(token: str) -> bytes:
    byte = _BYTE_TOKEN.fullmatch(token)
    if byte:
        return bytes([int(byte.group(1), 16)])
    return token.replace("▁", " ").encode("utf8")
