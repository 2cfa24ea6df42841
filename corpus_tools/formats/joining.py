"""How the tokens of column files become text: with spaces, but where the script has none."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from spacy_cascade.doc.words import (
    has_unspaced,
    is_hangul,
    is_mark,
    is_unspaced,
    is_word_character,
)

# Two neighbouring tokens -> what stands between them.
Joiner = Callable[[str, str], str]


def detect_joiner(tokens: Iterable[str]) -> Joiner:
    """The joiner for a file, by a sample of its tokens. Thai, Lao, Khmer, Burmese, Chinese and
    Japanese have no spaces between words; Korean has, unless every token is a single syllable."""
    words = [t for t in tokens if any(map(str.isalpha, t))]
    unspaced = sum(map(has_unspaced, words))
    korean = [t for t in words if is_hangul(t[0])]
    single = 2 * len(korean) > len(words) and all(len(t) == 1 for t in korean)
    if single or 2 * unspaced > len(words):
        return _join_unspaced
    return _join_spaced


def _join_spaced(left: str, right: str) -> str:
    return "" if is_unspaced(_last(left)) and is_unspaced(right[0]) else " "


def _join_unspaced(left: str, right: str) -> str:
    """Words of another script keep their space, but not the letters of a file of letters."""
    a, b = _last(left), right[0]
    if min(len(left), len(right)) == 1 or is_unspaced(a) or is_unspaced(b):
        return ""
    return " " if is_word_character(a) and is_word_character(b) else ""


def _last(token: str) -> str:
    return next((ch for ch in reversed(token) if not is_mark(ch)), token[-1])


def join(
    tokens: Sequence[str], joiner: Joiner | str, glued: Collection[int] = ()
) -> tuple[str, list[tuple[int, int]]]:
    """The text, and where each token stands in it (start and end character).

    glued (Collection[int]): Tokens that nothing stands behind.
    """
    text, offsets = "", []
    for i, token in enumerate(tokens):
        if i and i - 1 not in glued:
            text += joiner if isinstance(joiner, str) else joiner(tokens[i - 1], token)
        offsets.append((len(text), len(text) + len(token)))
        text += token
    return text, offsets


def find_tokens(text: str, tokens: Iterable[str]) -> list[tuple[int, int]] | None:
    """Where the tokens stand in a text that has nothing else but white space. None: it has."""
    offsets, at = [], 0
    for token in tokens:
        start = text.find(token, at)
        if start < 0 or text[at:start].strip():
            return None
        at = start + len(token)
        offsets.append((start, at))
    return None if text[at:].strip() else offsets
