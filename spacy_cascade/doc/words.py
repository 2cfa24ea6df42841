r"""Letters, marks and words of all scripts.

`\w`, `\b` and `str.isalnum` know letters and digits only. Here a combining mark (a
vowel sign, an accent that is a character of its own) and a zero-width joiner belong to
the letter they are written with.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterable

JOINERS = "\u200c\u200d"  # zero-width non-joiner and joiner
_ZWJ = "\u200d"
# Combining marks stand in the planes 0 and 1, and the variation selectors in 14.
_MARK_PLANES = (range(0x300, 0x20000), range(0xE0100, 0xE01F0))
_VIRAMA = 9  # canonical combining class
# Of that class, but seen: they end a syllable (Tamil, Sinhala, Thai, Lao, Tibetan,
# Myanmar's asat, the Philippines, Batak, Rejang, Meetei, Tifinagh). To the others the
# next consonant is joined.
_KILLERS = "\u0bcd\u0dca\u0e3a\u0eba\u0f84\u103a\u1714\u1715\u1734\u1bf2\u1bf3\u2d7f\ua953\uabed"
_SARA_AM = "\u0e33\u0eb3"  # Thai and Lao: letters by category, vowel signs by use

# Thai, Lao, Tibetan, Myanmar, Khmer, Tai, Han, Kana, Bopomofo and Yi, with their punctuation.
_UNSPACED = (
    "\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u1950-\u19ff\u1a20-\u1aaf\u2e80-\u312f\u3190-\ua4cf"
    "\ua9e0-\ua9ff\uaa60-\uaadf\uf900-\ufaff\ufe30-\ufe4f\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40"
    "\uff5b-\uff9f\U00016fe0-\U00018dff\U0001aff0-\U0001b2ff\U00020000-\U0003ffff"
)
_HANGUL = "\u1100-\u11ff\u3130-\u318f\ua960-\ua97f\uac00-\ud7ff"
_is_unspaced = re.compile(f"[{_UNSPACED}]").match
_is_hangul = re.compile(f"[{_HANGUL}]").match
_has_unspaced = re.compile(f"[{_UNSPACED}]").search
# What continues the character before it, besides marks and jamo: skin tones, tags of flags,
# half-width voice marks.
_EXTENDS = re.compile(
    f"[{_SARA_AM}\uff9e\uff9f\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]"
).match
_JAMO = re.compile("[\u1160-\u11ff\ud7b0-\ud7fb]").match
_FLAG = "[\U0001f1e6-\U0001f1ff]"
_is_flag = re.compile(_FLAG).match


def _classes(codes: Iterable[int]) -> str:
    """Sorted code points as the inside of a character class.

    codes (Iterable[int]): The code points.
    RETURNS (str): With a range for each run of code points.
    """
    # (first, last) of runs of successive code points
    runs: list[tuple[int, int]] = []
    for code in codes:
        if runs and runs[-1][1] == code - 1:
            first, _ = runs[-1]
            runs[-1] = (first, code)
        else:
            runs.append((code, code))

    out = ""
    for first, last in runs:
        out += chr(first) if first == last else f"{chr(first)}-{chr(last)}"
    return out


def _is_combining(code: int) -> bool:
    """Whether a code point is that of a combining mark."""
    return unicodedata.category(chr(code)).startswith("M")


# For regular expressions: the inside of a character class of all combining marks.
MARKS = _classes(filter(_is_combining, itertools.chain(*_MARK_PLANES)))
# For regular expressions: one character of a word, and one of its letters, each with
# what belongs to it.
WORD_CHARACTER = rf"(?:[^\W_]|[{MARKS}{JOINERS}])"
LETTER = rf"(?:[^\W\d_]|[{MARKS}{JOINERS}])"
_NOT_WORD = re.compile(rf"(?:[^\w{MARKS}{JOINERS}]|_)+")


def is_mark(char: str) -> bool:
    """Whether it is written with the character before it: a combining mark or a joiner."""
    if char in JOINERS:
        return True
    return char > "\u02ff" and unicodedata.category(char)[0] == "M"


def is_word_character(char: str) -> bool:
    """A letter, a digit, or what is written with one."""
    return char.isalnum() or is_mark(char)


def is_word(text: str) -> bool:
    """As `str.isalnum`, with marks."""
    return bool(text) and all(map(is_word_character, text))


def is_letters(text: str) -> bool:
    """As `str.isalpha`, with marks."""
    return bool(text) and all(ch.isalpha() or is_mark(ch) for ch in text)


def words_only(text: str) -> str:
    """The words of a text, with single spaces between them."""
    return _NOT_WORD.sub(" ", text).strip()


def is_unspaced(char: str) -> bool:
    """Whether its script puts no spaces between words (Thai, Chinese, Japanese, Khmer, ...)."""
    return _is_unspaced(char) is not None


def has_unspaced(text: str) -> bool:
    """Whether a character of a text is of a script without spaces."""
    return _has_unspaced(text) is not None


def is_hangul(char: str) -> bool:
    """Whether it is a Korean syllable or a part of one."""
    return _is_hangul(char) is not None


def splits_character(text: str, at: int) -> bool:
    """Whether an offset lies inside of what a reader takes for one character.

    That is before a mark, in an emoji of several parts, in a conjunct or a Korean
    syllable (UAX #29, grapheme clusters).

    text (str): The text.
    at (int): The offset.
    RETURNS (bool): False at both ends of the text.
    """
    if not 0 < at < len(text):
        return False
    before = text[at - 1]
    char = text[at]
    if before < "\u0300" and char < "\u0300":
        return False
    if is_mark(char) or _EXTENDS(char):
        return True
    if _JAMO(char) and is_hangul(before):
        return True
    if before == _ZWJ:
        return not char.isalnum()
    if _is_flag(char) and _is_flag(before):
        return _flags_before(text, at) % 2 == 1

    joins_next = unicodedata.combining(before) == _VIRAMA and before not in _KILLERS
    return joins_next and char.isalpha()


def _flags_before(text: str, at: int) -> int:
    """How many regional indicators stand directly before an offset.

    Two of them are one flag.

    text (str): The text.
    at (int): The offset.
    """
    n = 0
    while n < at and _is_flag(text[at - n - 1]):
        n += 1
    return n


def characters(text: str) -> list[str]:
    """A text in pieces that a reader takes for one character each.

    text (str): The text.
    RETURNS (list[str]): Joined they give the text.
    """
    if not text:
        return []
    inner = [at for at in range(1, len(text)) if not splits_character(text, at)]
    cuts = [0, *inner, len(text)]
    return [text[start:end] for start, end in itertools.pairwise(cuts)]


def inside_word(text: str, at: int) -> bool:
    """Whether an offset lies inside a word.

    Scripts without spaces have no such inside, nor has Korean, where particles follow a
    name without a space.

    text (str): The text.
    at (int): The offset.
    RETURNS (bool): False at both ends of the text.
    """
    if not 0 < at < len(text):
        return False
    if splits_character(text, at):
        return True
    return _holds_together(text[at - 1]) and _holds_together(text[at])


def find_name(text: str, name: str, start: int = 0) -> int:
    """Where a name stands first: as a word, else inside of one.

    text (str): The text.
    name (str): The name.
    start (int): Look at or behind this offset.
    RETURNS (int): The offset. -1 without a place that parts no character.
    """
    inner = -1
    at = text.find(name, start)
    while at >= 0:
        end = at + len(name)
        if not inside_word(text, at) and not inside_word(text, end):
            return at
        if inner < 0:
            parts = splits_character(text, at) or splits_character(text, end)
            inner = -1 if parts else at
        at = text.find(name, at + 1)
    return inner


def _holds_together(char: str) -> bool:
    """Whether a word does not end between two such characters."""
    return is_word_character(char) and not is_unspaced(char) and not is_hangul(char)
