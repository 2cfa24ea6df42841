"""What each token of a tokenizer writes, as bytes."""

from __future__ import annotations

import json
import re
from typing import Any

_BYTE_TOKEN = re.compile(r"<0x([0-9A-Fa-f]{2})>")


def byte_level_alphabet() -> dict[str, int]:
    """The GPT-2 mapping from printable characters to bytes, used by every byte-level BPE."""
    keep = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    table = {chr(b): b for b in keep}
    extra = 0
    for b in range(256):
        if b not in keep:
            table[chr(256 + extra)] = b
            extra += 1
    return table


def is_byte_level(backend: Any) -> bool:
    """Whether a `tokenizers.Tokenizer` writes byte-level tokens (the other kind is
    SentencePiece's).
    """
    spec = json.loads(backend.to_str())
    return "ByteLevel" in json.dumps([spec.get("decoder"), spec.get("pre_tokenizer")])


def token_bytes(tokenizer: Any, size: int) -> list[bytes | None]:
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
        if i >= size or i in special or (i in added and added[i].special):
            continue
        if i in added:
            out[i] = token.encode("utf8")
        elif byte_level:
            if all(ch in alphabet for ch in token):
                out[i] = bytes(alphabet[ch] for ch in token)
        else:
            byte = _BYTE_TOKEN.fullmatch(token)
            out[i] = (
                bytes([int(byte.group(1), 16)])
                if byte
                else token.replace("▁", " ").encode("utf8")
            )
    return out
