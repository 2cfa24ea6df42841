"""A lossless tokenizer for `spacy.blank("xx")` that splits scripts without spaces by character."""

from __future__ import annotations

from collections.abc import Callable

from spacy.language import Language
from spacy.tokenizer import Tokenizer
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


@registry.tokenizers("spacy-cascade.MultilingualTokenizer.v1")
def create_multilingual_tokenizer() -> Callable[[Language], Tokenizer]:
    """Registered factory for `[nlp.tokenizer]`.

    Han, Kana, Hangul and Thai become one token per character, so that a mention in Chinese, Japanese, Korean or Thai
    always ends at token boundaries; everything else follows the language's own rules. No character is lost.
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
        return Tokenizer(
            nlp.vocab,
            rules=defaults.tokenizer_exceptions,
            prefix_search=prefixes.search,
            suffix_search=suffixes.search,
            infix_finditer=infixes.finditer,
        )

    return make
