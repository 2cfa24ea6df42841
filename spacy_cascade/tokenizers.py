"""A lossless tokenizer for `spacy.blank("xx")` that splits scripts without spaces by character."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from spacy.language import Language
from spacy.tokenizer import Tokenizer
from spacy.tokens import Doc
from spacy.util import compile_infix_regex, compile_prefix_regex, compile_suffix_regex, registry

# One token each: Han (with extensions and iteration marks), Kana, Hangul syllables and jamo, CJK punctuation and
# full-width forms. A combining mark or variation selector stays with its character.
_CJK = (
    "々〆〇㐀-䶿一-鿿豈-﫿"
    "\U00020000-\U000323af"
    "぀-ヿㇰ-ㇿｦ-ﾟ"
    "ᄀ-ᇿ㄰-㆏ꥠ-꥿가-힯ힰ-퟿"
    "、-〿！-･￠-￦"
)
_MARKS = "゙゚︀-️\U000e0100-\U000e01ef"
# Thai and Lao: a base character with the vowel and tone signs written above or below it.
_THAI = "฀-ะาำเ-ๆ๏-๛ກ-ະາຳ-ຽເ-ໆ໐-ໟ"
_THAI_MARKS = "ัิ-ฺ็-๎ັິ-ຼ່-໎"

CHARACTER_TOKEN = rf"(?:[{_CJK}][{_MARKS}]*|[{_THAI}][{_THAI_MARKS}]*)"
# spaCy takes one affix after the other off a stretch without white space and looks through all of the rest each time, so
# time grows with the square of its length: minutes for a long Chinese text. No stretch is given to it that is longer.
_STRETCH = 256
_LONG = re.compile(rf"\S{{{_STRETCH + 1},}}")
_BORDER = re.compile(rf"{CHARACTER_TOKEN}(?![{_MARKS}{_THAI_MARKS}])(?={CHARACTER_TOKEN})")


class MultilingualTokenizer(Tokenizer):
    """spaCy's tokenizer, in time that grows with the length of the text also where that has no spaces: longer stretches are
    cut between two characters that are tokens of their own anyway."""

    def __call__(self, string: str) -> Doc:
        pieces = list(_pieces(string))
        if len(pieces) == 1:
            return super().__call__(string)
        docs = [super(MultilingualTokenizer, self).__call__(piece) for piece in pieces]
        # a tokenizer sets norms and nothing else; by default each part would begin a sentence
        return Doc.from_docs(docs, ensure_whitespace=False, attrs=["NORM"])


def _pieces(text: str) -> Iterator[str]:
    done = 0
    for stretch in _LONG.finditer(text):
        start, end = stretch.span()
        while end - start > _STRETCH:
            border = _BORDER.search(text, start + _STRETCH - 1, end)
            if border is None:
                break
            start = border.end()
            yield text[done:start]
            done = start
    yield text[done:]


@registry.tokenizers("spacy-cascade.MultilingualTokenizer.v1")
def create_multilingual_tokenizer() -> Callable[[Language], Tokenizer]:
    """Registered factory for `[nlp.tokenizer]`.

    Han, Kana, Hangul and Thai become one token per character, so that a mention in Chinese, Japanese, Korean or Thai
    always ends at token boundaries; everything else follows the language's own rules. No character is lost.
    RETURNS (Callable): Language -> MultilingualTokenizer.
    """

    def make(nlp: Language) -> Tokenizer:
        defaults = nlp.Defaults
        piece = [CHARACTER_TOKEN]
        prefixes = compile_prefix_regex([*piece, *(defaults.prefixes or ())])
        suffixes = compile_suffix_regex([*(defaults.suffixes or ()), *piece])
        # Brackets, quotes and dashes inside a word: names in running text are often glued to them.
        infixes = compile_infix_regex(
            [*piece, *(defaults.infixes or ()), r"[/\\()\[\]{}<>|\"“”„«»‹›：:;,!?…–—~=+*]", r"(?<=[^\W\d_])['’](?=[^\W\d_])"]
        )
        return MultilingualTokenizer(
            nlp.vocab,
            rules=defaults.tokenizer_exceptions,
            prefix_search=prefixes.search,
            suffix_search=suffixes.search,
            infix_finditer=infixes.finditer,
        )

    return make
