from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import spacy
from hypothesis import example, given
from hypothesis import strategies as st
from spacy.language import Language
from spacy.tokenizer import Tokenizer
from spacy.tokens import Doc

from corpus_tools.formats.docs import TOKENIZER
from tests import util

# spaCy's string store is UTF-8: text with lone surrogates can't become a Doc at all
TEXT = st.text(st.characters(blacklist_categories=["Cs"]), max_size=80)
SCRIPTS = st.text(
    st.sampled_from(
        "aZ1 .,#-'’\n\t東京タワー々ｱ가힣ᄀกัา่é\u0301\u200d\ufe0f👩‍🇫🇷שלع\u3099、。ﾟ\U00020000"
    ),
    max_size=60,
)


@given(text=TEXT)
@example("  leading and trailing  ")
@example("\u3099か\u3099")
@example("a\u00a0b\u2028c\u3000d")
def test_lossless_on_any_unicode(nlp: Language, text: str) -> None:
    assert nlp.make_doc(text).text == text


@given(text=SCRIPTS)
def test_lossless_on_mixed_scripts(nlp: Language, text: str) -> None:
    assert nlp.make_doc(text).text == text


@pytest.mark.parametrize("text", [*util.SENTENCES, *util.ODD])
def test_lossless_on_the_test_sentences(nlp: Language, text: str) -> None:
    assert nlp.make_doc(text).text == text


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("東京都", ["東", "京", "都"]),
        ("カタカナ", ["カ", "タ", "カ", "ナ"]),
        ("ひらがな", ["ひ", "ら", "が", "な"]),
        ("ｱｲ", ["ｱ", "ｲ"]),
        ("서울에서", ["서", "울", "에", "서"]),
        ("ไทย", ["ไ", "ท", "ย"]),
        ("ที่", ["ที่"]),
        ("か\u3099き", ["か\u3099", "き"]),
        ("葛\U000e0100飾", ["葛\U000e0100", "飾"]),
        ("𠀀𠀁", ["𠀀", "𠀁"]),
        ("人々", ["人", "々"]),
        ("（北京）。", ["（", "北", "京", "）", "。"]),
    ],
)
def test_scripts_without_spaces_split_by_character(
    nlp: Language, text: str, tokens: list[str]
) -> None:
    assert [t.text for t in nlp.make_doc(text)] == tokens


@pytest.mark.parametrize(
    "text", ["LG전자의", "NHK東京", "iPhone手机", "第3回", "3公里"]
)
def test_a_name_in_another_script_ends_where_the_script_changes(
    nlp: Language, text: str
) -> None:
    doc = nlp.make_doc(text)
    cut = next(
        i
        for i in range(1, len(text))
        if (text[i] > "\u2e80") != (text[i - 1] > "\u2e80")
    )
    assert cut in {t.idx for t in doc}


def test_words_of_other_scripts_stay_whole(nlp: Language) -> None:
    assert [t.text for t in nlp.make_doc("Владимир met Zoë")] == [
        "Владимир",
        "met",
        "Zoë",
    ]


@pytest.mark.parametrize(
    "text", ["“Hello”–Bob’s", "(Paris)", "l'Espagne", "Berlin/Bonn", "New-York", "a:b"]
)
def test_names_glued_to_punctuation_align(nlp: Language, text: str) -> None:
    doc = nlp.make_doc(text)
    borders = {t.idx for t in doc} | {t.idx + len(t) for t in doc}
    words = [
        w for w in ("Hello", "Bob", "Paris", "Espagne", "Berlin", "Bonn") if w in text
    ]
    assert all({text.index(w), text.index(w) + len(w)} <= borders for w in words)


def _tokens(nlp: Language) -> list[list[str]]:
    return [
        [t.text_with_ws for t in nlp.make_doc(x)] for x in (*util.SENTENCES, *util.ODD)
    ]


def test_to_bytes_round_trip(nlp: Language) -> None:
    assert _tokens(util.blank().from_bytes(nlp.to_bytes())) == _tokens(nlp)


def test_to_disk_round_trip(nlp: Language, tmp_path: Path) -> None:
    nlp.to_disk(tmp_path / "nlp")
    assert _tokens(spacy.load(tmp_path / "nlp")) == _tokens(nlp)


def test_config_round_trip(nlp: Language) -> None:
    again = (
        Language.from_config(nlp.config)
        if nlp.lang is None
        else type(nlp).from_config(nlp.config)
    )
    assert _tokens(again) == _tokens(nlp)


@pytest.mark.slow
@pytest.mark.parametrize("lang", ["en", "de", "fr"])
def test_works_with_the_rules_of_other_languages(lang: str) -> None:
    nlp = spacy.blank(lang, config=TOKENIZER)
    for text in (*util.SENTENCES, *util.ODD):
        assert nlp.make_doc(text).text == text
    assert [t.text for t in nlp.make_doc("東京")] == ["東", "京"]


def test_lone_surrogates_are_refused_by_spacy_itself(nlp: Language) -> None:
    with pytest.raises(UnicodeEncodeError):
        nlp.make_doc("a \ud800 b")


# -- Long texts without spaces -------------------------------------------------------


def _whole(nlp: Language, text: str) -> Doc:
    """What spaCy's tokenizer makes of a text in one go."""
    return Tokenizer.__call__(nlp.tokenizer, text)


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        "居里夫人在巴黎，" * 200,
        "トヨタ自動車はか\u3099っこうを、" * 150,
        "พระบาทสมเด็จพระเจ้าอยู่หัว" * 60,
        "서울특별시에서" * 100,
        "東京タワー(Tokyo-Tower)と大阪 " * 90,
        "x" * 3000,
        "a " * 2000 + "日本" * 300 + "\n" + "日本" * 300 + " b",
    ],
)
def test_long_stretches_are_tokenized_as_in_one_go(nlp: Language, text: str) -> None:
    doc, whole = nlp.make_doc(text), _whole(nlp, text)
    assert doc.text == text
    assert [(t.text, t.whitespace_, t.norm_) for t in doc] == [
        (t.text, t.whitespace_, t.norm_) for t in whole
    ]
    for attr in ("SENT_START", "ENT_IOB"):
        assert doc.has_annotation(attr) == whole.has_annotation(attr)
    assert not doc.user_data


def test_norms_of_exceptions_stay_in_long_texts() -> None:
    nlp = spacy.blank("en", config=TOKENIZER)
    doc = nlp.make_doc("日本" * 300 + " I can't")
    assert [(t.text, t.norm_) for t in doc[-2:]] == [("ca", "can"), ("n't", "not")]


def test_time_grows_with_the_length_of_a_text_without_spaces(nlp: Language) -> None:
    """spaCy looks through the rest of a stretch for every affix that it takes off."""
    search, seen = nlp.tokenizer.suffix_search, []

    def counted(text: str) -> Any:
        seen.append(len(text))
        return search(text)

    nlp.tokenizer.suffix_search = counted
    try:
        doc = nlp.make_doc("".join(chr(0x4E00 + i) for i in range(5000)))
    finally:
        nlp.tokenizer.suffix_search = search
    assert len(doc) == 5000
    assert seen and max(seen) <= 300


# -- Words that stay whole -----------------------------------------------------------


def _texts(nlp: Language, text: str) -> list[str]:
    return [t.text for t in nlp.make_doc(text)]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        (
            "https://www.example.com/path?x=1&y=2",
            ["https://www.example.com/path?x=1&y=2"],
        ),
        ("(see www.a-b.org/c_d#e),", ["(", "see", "www.a-b.org/c_d#e", ")", ","]),
        ("Mail: ann.lee@x-y.de.", ["Mail", ":", "ann.lee@x-y.de", "."]),
        (
            "请看https://example.com/a。谢",
            ["请", "看", "https://example.com/a", "。", "谢"],
        ),
        ("서울은https://a.kr에", ["서", "울", "은", "https://a.kr", "에"]),
    ],
)
def test_urls_and_mail_addresses_are_one_token(
    nlp: Language, text: str, tokens: list[str]
) -> None:
    assert _texts(nlp, text) == tokens


def test_urls_are_known_as_such(nlp: Language) -> None:
    doc = nlp.make_doc("https://a.com/b-c ann@x.de")
    assert (doc[0].like_url, doc[1].like_email) == (True, True)


def test_no_url_hides_a_mention_in_a_script_without_spaces(nlp: Language) -> None:
    tokens = _texts(nlp, "https://a.com/x,北京在a")
    assert {"北", "京"} <= set(tokens)


@pytest.mark.parametrize(
    ("lang", "text"),
    [
        ("fr", "Aix-en-Provence"),
        ("fr", "aujourd'hui prud'hommes"),
        ("fr", "l'Espagne"),
        ("it", "dell'Umbria"),
        ("ca", "l'Hospitalet"),
        ("hu", "10-20%"),
        ("en", "He didn't visit Rome's e.g. https://a.io/b."),
    ],
)
def test_a_language_protects_its_words(lang: str, text: str) -> None:
    assert _texts(spacy.blank(lang, config=TOKENIZER), text) == _texts(
        spacy.blank(lang), text
    )


def test_an_apostrophe_behind_an_accent_of_its_own(nlp: Language) -> None:
    assert _texts(nlp, "d\u0301'Evry") == ["d\u0301", "'", "Evry"]


def test_whole_words_can_be_switched_off() -> None:
    make = {"@tokenizers": "spacy-cascade.MultilingualTokenizer.v1", "whole": False}
    nlp = spacy.blank("fr", config={"nlp": {"tokenizer": make}})
    assert _texts(nlp, "Aix-en-Provence") == ["Aix", "-", "en", "-", "Provence"]
    assert len(_texts(nlp, "https://a.com/b")) > 1


def test_a_saved_pipeline_keeps_its_rules(tmp_path: Path) -> None:
    """Weights are trained on the tokens of then."""
    nlp = util.blank()
    nlp.tokenizer.url_match = None
    before = _texts(nlp, "see https://a.com/b-c")
    nlp.to_disk(tmp_path / "nlp")
    assert _texts(spacy.load(tmp_path / "nlp"), "see https://a.com/b-c") == before
    whole = util.blank()
    whole.to_disk(tmp_path / "whole")
    assert _texts(spacy.load(tmp_path / "whole"), "https://a.com/b-c") == [
        "https://a.com/b-c"
    ]


@pytest.mark.parametrize("lang", ["xx", "fr"])
def test_long_stretches_are_not_looked_through_for_urls(lang: str) -> None:
    nlp = spacy.blank(lang, config=TOKENIZER)
    for text in ("https://a.com/" + "b" * 3000 + ":c", "a:" * 3000, "aix-en-" * 600):
        assert nlp.make_doc(text).text == text
        assert nlp.tokenizer.url_match(text) is None
    assert nlp.tokenizer.url_match("https://a.com/" + "b" * 1000)


@pytest.mark.parametrize(
    "run", [",", "_", "…", "'", "😀", ",;!", "..,", "=)", "-,", "$", "[", "中，"]
)
def test_the_work_grows_with_the_length_of_a_run_of_marks(run: str) -> None:
    """What the affixes' patterns look through, in characters, over the length of the text."""
    tokenizer = util.blank().tokenizer
    looked_through = 0

    def counted(search: Any) -> Any:
        def count(text: str) -> Any:
            nonlocal looked_through
            looked_through += len(text)
            return search(text)

        return count

    tokenizer.prefix_search = counted(tokenizer.prefix_search)
    tokenizer.suffix_search = counted(tokenizer.suffix_search)
    text = f"see {run * (4000 // len(run))} there"
    assert tokenizer(text).text == text
    assert looked_through < 700 * len(text)


@pytest.mark.parametrize("mark", [*',;:!?()[]{}<>*#_&@%$€+=/|\\^~`"“”„«»·–—-.'])
def test_long_runs_of_marks_are_split_as_short_ones(mark: str) -> None:
    tokenizer = util.blank().tokenizer
    found = [token.text for token in tokenizer(mark * 1000)]
    one = len(tokenizer(mark * 20)) == 1
    assert found == ([mark * 1000] if one else [mark] * 1000)
