"""A lossless tokenizer for `spacy.blank("xx")`.

It splits scripts without spaces by character.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from spacy.language import Language
from spacy.tokenizer import Tokenizer
from spacy.tokens import Doc
from spacy.util import (
    compile_infix_regex,
    compile_prefix_regex,
    compile_suffix_regex,
)

from ..registry import tokenizers
from .words import MARKS

# One token each: Han (with extensions and iteration marks), Kana, Hangul syllables and
# jamo, CJK punctuation and full-width forms. A combining mark or variation selector
# stays with its character.
_CJK = (
    "々〆〇㐀-䶿一-鿿豈-﫿\U00020000-\U000323af぀-ヿㇰ-ㇿｦ-ﾟᄀ-ᇿ㄰-㆏ꥠ-꥿가-힯ힰ-퟿、-〿！-･￠-￦"
)
_MARKS = "゙゚︀-️\U000e0100-\U000e01ef"
# Thai and Lao: a base character with the vowel and tone signs written above or below it.
_THAI = "฀-ะาำเ-ๆ๏-๛ກ-ະາຳ-ຽເ-ໆ໐-ໟ"
_THAI_MARKS = "ัิ-ฺ็-๎ັິ-ຼ່-໎"

CHARACTER_TOKEN = rf"(?:[{_CJK}][{_MARKS}]*|[{_THAI}][{_THAI_MARKS}]*)"
# spaCy takes one affix after the other off a stretch without white space and looks
# through all of the rest each time, so time grows with the square of its length:
# minutes for a long Chinese text. No stretch is given to it that is longer.
_STRETCH = 256
_LONG = re.compile(rf"\S{{{_STRETCH + 1},}}")
# No URL or protected word is longer.
_LONGEST = 2048
_FLAGS = re.compile(r"\(\?[aiLmsux]+\)")
# Brackets, quotes and dashes inside a word: names in running text are often glued to them.
_GLUE = r"[/\\()\[\]{}<>|\"“”„«»‹›：:;,!?…–—~=+*]"
_APOSTROPHE = rf"(?:(?<=[^\W\d_])|(?<=[{MARKS}]))['’](?=[^\W\d_])"
_BORDER = re.compile(
    rf"{CHARACTER_TOKEN}(?![{_MARKS}{_THAI_MARKS}])(?={CHARACTER_TOKEN})"
    r"|(?P<before>[^\w\s]|_)(?=(?P<behind>[^\w\s]|_))"
)
# How many of a mark, to see whether the tokenizer splits a run of it.
_RUN = 16
_Match = Callable[[str], "re.Match[str] | None"]


class MultilingualTokenizer(Tokenizer):  # type: ignore[misc]
    """spaCy's tokenizer, in time that grows with the length of the text.

    That holds also for text without spaces: longer stretches are cut between two
    characters that are tokens of their own anyway. These are characters of scripts
    without spaces, and marks whose runs are split ("!!!", but not "...").
    """

    def __call__(self, string: str) -> Doc:
        pieces = list(self._pieces(string))
        if len(pieces) == 1:
            return self._tokenize(string)
        docs = [self._tokenize(piece) for piece in pieces]
        # A tokenizer sets norms and nothing else. By default each part would begin a
        # sentence.
        return Doc.from_docs(docs, ensure_whitespace=False, attrs=["NORM"])

    def _tokenize(self, string: str) -> Doc:
        """As spaCy's tokenizer does."""
        doc: Doc = super().__call__(string)
        return doc

    def _pieces(self, text: str) -> Iterator[str]:
        """The text, cut where a stretch without white space is too long."""
        done = 0
        splits: dict[str, bool] = {}
        for stretch in _LONG.finditer(text):
            start, end = stretch.span()
            while end - start > _STRETCH:
                borders = _BORDER.finditer(text, start + _STRETCH - 1, end)
                border = next((b for b in borders if self._parts(b, splits)), None)
                if border is None:
                    break
                start = border.end()
                yield text[done:start]
                done = start
        yield text[done:]

    def _parts(self, border: re.Match[str], splits: dict[str, bool]) -> bool:
        """Whether there is a border between two tokens, where there may be one.

        border (re.Match): The place.
        splits (dict): What is known of marks: whether a run of one is more than one
            token.
        """
        marks = border.group("before", "behind")
        for mark in filter(None, marks):
            if mark not in splits:
                splits[mark] = len(self._tokenize(mark * _RUN)) > 1
        # of two different marks, one that is a token of its own is enough
        return marks[0] is None or any(splits[mark] for mark in marks)


@tokenizers("spacy-cascade.MultilingualTokenizer.v1")
def create_multilingual_tokenizer(
    whole: bool = True,
) -> Callable[[Language], Tokenizer]:
    """Registered factory for `[nlp.tokenizer]`.

    Han, Kana, Hangul and Thai become one token per character, so that a mention in
    Chinese, Japanese, Korean or Thai always ends at token boundaries. Brackets, quotes,
    dashes and slashes inside of a word are tokens, and an apostrophe is, where the
    language has no rule for it. Everything else follows the language's own rules. No
    character is lost. A saved pipeline keeps the rules that it was saved with.

    whole (bool): Keep URLs, e-mail addresses and other words that the language protects
        ("Aix-en-Provence" in French) in one token. Those that hold characters of scripts
        without spaces are split.
    RETURNS (Callable): Language -> MultilingualTokenizer.
    """

    def make(nlp: Language) -> Tokenizer:
        defaults = nlp.Defaults
        piece = [CHARACTER_TOKEN]
        prefixes = compile_prefix_regex([*piece, *(defaults.prefixes or ())])
        suffixes = compile_suffix_regex([*(defaults.suffixes or ()), *piece])
        own = list(defaults.infixes or ())
        knows_elision = own and compile_infix_regex(own).search("l'a")
        elision = [] if knows_elision else [_APOSTROPHE]
        infixes = compile_infix_regex([*piece, *own, _GLUE, *elision])
        return MultilingualTokenizer(
            nlp.vocab,
            rules=defaults.tokenizer_exceptions,
            prefix_search=prefixes.search,
            suffix_search=suffixes.search,
            infix_finditer=infixes.finditer,
            token_match=_protected(defaults.token_match) if whole else None,
            url_match=_protected(defaults.url_match) if whole else None,
        )

    return make


def _protected(match: _Match | None) -> _Match | None:
    """A language's pattern for words that stay whole, with two exceptions.

    Words with a character that is a token of its own do not stay whole, nor do very
    long ones: time may grow with the square of the length.
    """
    if match is None:
        return None
    # the method of a compiled pattern
    pattern: re.Pattern[str] = match.__self__  # type: ignore[attr-defined]
    flags = _FLAGS.match(pattern.pattern)
    rest = pattern.pattern[flags.end() :] if flags else pattern.pattern
    rule = rf"(?!\S{{{_LONGEST + 1}}})(?!\S*?{CHARACTER_TOKEN})(?:{rest})"
    return re.compile((flags[0] if flags else "") + rule).match
