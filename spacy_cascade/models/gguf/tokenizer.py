"""The tokenizer that a GGUF file describes.

transformers builds one, too, but by the architecture alone: where text is cut before pieces are
merged (`tokenizer.ggml.pre`) is lost, and so are the special tokens' roles. Then digits, for one,
are read in pieces that the model has never seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, cast

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    normalizers,
    pre_tokenizers,
    processors,
)
from tokenizers.models import BPE
from transformers import PreTrainedTokenizerFast

from ...errors import CascadeError, Errors
from .reading import GGUFFile

if TYPE_CHECKING:
    from transformers.tokenization_utils_base import PreTrainedTokenizerBase

# `tokenizer.ggml.token_type`
_NORMAL, _UNKNOWN, _CONTROL, _USER_DEFINED, _UNUSED, _BYTE = range(1, 7)

_QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_LLAMA3 = _QWEN2.replace(r"|\p{N}|", r"|\p{N}{1,3}|")


@dataclass(frozen=True)
class _Cut:
    """How a kind of byte-level BPE cuts text before merging.

    pattern (str): Of the pieces; "": GPT-2's, which ByteLevel brings along.
    digits (bool): Every digit is a piece.
    """

    pattern: str = ""
    digits: bool = False
    nfc: bool = False
    ignore_merges: bool = False
    add_bos: bool = False


_CUTS = {
    "gpt-2": _Cut(),
    "llama-bpe": _Cut(_LLAMA3, ignore_merges=True, add_bos=True),
    "qwen2": _Cut(_QWEN2, nfc=True),
    "refact": _Cut(digits=True),
    "smollm": _Cut(digits=True),
    "starcoder": _Cut(digits=True),
}


@dataclass(frozen=True)
class _Pieces:
    """The vocabulary: token -> id, and what else is told from it."""

    vocab: dict[str, int]
    kinds: list[int]
    tokens: list[str]

    def of(self, *kinds: int) -> Iterator[tuple[int, str]]:
        """Ids and tokens of these kinds."""
        for i, (token, kind) in enumerate(zip(self.tokens, self.kinds, strict=True)):
            if kind in kinds:
                yield i, token


class _Backend(NamedTuple):
    """add_bos (bool): Whether a text begins with the token for that, if the file is silent."""

    tokenizer: Tokenizer
    add_bos: bool


class _Merge(NamedTuple):
    """Two tokens that are put together."""

    rank: float
    left: str
    right: str


def tokenizer_of(gguf: GGUFFile) -> PreTrainedTokenizerBase:
    """RETURNS (PreTrainedTokenizerFast). RAISES CascadeError: C096 for a kind not known here."""
    kind = str(gguf.get("tokenizer.ggml.model"))
    if kind not in ("gpt2", "llama"):
        raise _unknown(gguf, f"no kind that is read here: {kind!r}")
    pieces = _pieces(gguf)
    make = _byte_level if kind == "gpt2" else _sentencepiece
    try:
        backend, add_bos = make(gguf, pieces)
    except CascadeError:
        raise
    except Exception as err:  # merges of tokens that are not there
        raise _unknown(gguf, f"damaged: {err}") from err
    _add_bos_and_eos(gguf, backend, pieces, add_bos)
    length = int(gguf.get(f"{gguf.architecture}.context_length", 0))
    tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=backend,
        clean_up_tokenization_spaces=False,
        model_max_length=length or None,
        padding_side="right",
        **_roles(gguf, pieces),
    )
    return cast("PreTrainedTokenizerBase", tokenizer)


def _unknown(gguf: GGUFFile, why: str) -> CascadeError:
    known = ", ".join(sorted(_CUTS))
    return CascadeError(Errors.C096.format(path=gguf.path, why=why, known=known))


def _pieces(gguf: GGUFFile) -> _Pieces:
    tokens = gguf.get("tokenizer.ggml.tokens")
    if not tokens:
        raise _unknown(gguf, "without tokens")
    kinds = gguf.get("tokenizer.ggml.token_type") or [_NORMAL] * len(tokens)
    if len(kinds) != len(tokens):
        why = f"damaged: {len(tokens)} tokens, but kinds of {len(kinds)}"
        raise _unknown(gguf, why)

    vocab = {}
    for i, (token, kind) in enumerate(zip(tokens, kinds, strict=True)):
        if kind != _UNUSED:  # tokens that only fill up the matrix write nothing
            vocab[token] = i
    return _Pieces(vocab, kinds, tokens)


def _merges(gguf: GGUFFile) -> list[tuple[str, str]]:
    merges = []
    for line in gguf.get("tokenizer.ggml.merges") or ():
        left, _, right = line.partition(" ")
        merges.append((left, right))
    return merges


def _byte_level(gguf: GGUFFile, pieces: _Pieces) -> _Backend:
    """BPE over the bytes of the text. A byte without a token is left out, as by the original."""
    pre = gguf.get("tokenizer.ggml.pre")
    cut = _CUTS.get(pre)
    if cut is None:
        why = f"a byte-level BPE that cuts text in a way not known here: {pre!r}"
        raise _unknown(gguf, why)

    model = BPE(pieces.vocab, _merges(gguf), ignore_merges=cut.ignore_merges)
    backend = Tokenizer(model)
    if cut.nfc:
        backend.normalizer = normalizers.NFC()
    steps: list[object] = []
    if cut.digits:
        steps.append(pre_tokenizers.Digits(individual_digits=True))
    if cut.pattern:
        steps.append(pre_tokenizers.Split(Regex(cut.pattern), behavior="isolated"))
    steps.append(
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=not cut.pattern)
    )
    backend.pre_tokenizer = pre_tokenizers.Sequence(steps)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens(_added(pieces, _CONTROL, _UNKNOWN))
    backend.add_tokens(_added(pieces, _USER_DEFINED))
    return _Backend(backend, cut.add_bos)


def _sentencepiece(gguf: GGUFFile, pieces: _Pieces) -> _Backend:
    """SentencePiece's BPE: scores order the merges; what has no token is written byte by byte."""
    prefix = bool(gguf.get("tokenizer.ggml.add_space_prefix", True))
    unknown = next((token for _, token in pieces.of(_UNKNOWN)), None)
    merges = _merges_by_score(pieces, gguf.get("tokenizer.ggml.scores") or ())
    model = BPE(
        pieces.vocab,
        merges,
        unk_token=unknown,
        fuse_unk=True,
        byte_fallback=True,
    )
    backend = Tokenizer(model)
    space = normalizers.Replace(" ", "▁")
    before = [normalizers.Prepend("▁")] if prefix else []
    backend.normalizer = normalizers.Sequence([*before, space])
    steps: list[object] = [
        decoders.Replace("▁", " "),
        decoders.ByteFallback(),
        decoders.Fuse(),
    ]
    if prefix:
        steps.append(decoders.Strip(" ", 1, 0))
    backend.decoder = decoders.Sequence(steps)
    backend.add_special_tokens(_added(pieces, _CONTROL, _UNKNOWN))
    # runs of spaces are such tokens, so they are looked for where spaces are written as '▁'
    backend.add_tokens(_added(pieces, _USER_DEFINED, normalized=not prefix))
    return _Backend(backend, add_bos=True)


def _merges_by_score(pieces: _Pieces, scores: Sequence[float]) -> list[tuple[str, str]]:
    """All ways to put a token together from two others; the token with the highest score first."""
    vocab = pieces.vocab
    parts = {token for _, token in pieces.of(_NORMAL)}
    merges: list[_Merge] = []
    for i, token in pieces.of(_NORMAL):
        ways = []
        for at in range(1, len(token)):
            left = token[:at]
            right = token[at:]
            if left in parts and right in parts:
                ways.append(_Merge(-scores[i], left, right))
        ways.sort(key=lambda merge: (vocab[merge.left], vocab[merge.right]))
        merges += ways
    merges.sort(key=lambda merge: merge.rank)
    return [(merge.left, merge.right) for merge in merges]


def _added(
    pieces: _Pieces,
    *kinds: int,
    normalized: bool = False,
) -> list[AddedToken]:
    special = _USER_DEFINED not in kinds
    return [
        AddedToken(token, special=special, normalized=normalized)
        for _, token in pieces.of(*kinds)
    ]


def _add_bos_and_eos(
    gguf: GGUFFile,
    backend: Tokenizer,
    pieces: _Pieces,
    add_bos: bool,
) -> None:
    """Let the tokenizer put them around a text where the file wants it so."""
    roles = _roles(gguf, pieces)
    before = []
    if roles.get("bos_token") and gguf.get("tokenizer.ggml.add_bos_token", add_bos):
        before.append(roles["bos_token"])
    behind = []
    if roles.get("eos_token") and gguf.get("tokenizer.ggml.add_eos_token", False):
        behind.append(roles["eos_token"])
    if before or behind:
        backend.post_processor = processors.TemplateProcessing(
            single=[*before, "$A", *behind],
            pair=[*before, "$A", *behind, *before, "$B", *behind],
            special_tokens=[(t, pieces.vocab[t]) for t in {*before, *behind}],
        )


def _roles(gguf: GGUFFile, pieces: _Pieces) -> dict[str, str]:
    """What the special tokens are for, and the chat template."""
    names = {
        "bos_token": "bos",
        "eos_token": "eos",
        "unk_token": "unknown",
        "pad_token": "padding",
    }
    roles: dict[str, str] = {}
    for role, name in names.items():
        i = gguf.get(f"tokenizer.ggml.{name}_token_id")
        if i is not None and 0 <= i < len(pieces.tokens):
            roles[role] = pieces.tokens[i]
    if gguf.get("tokenizer.chat_template"):
        roles["chat_template"] = gguf.get("tokenizer.chat_template")
    return roles
