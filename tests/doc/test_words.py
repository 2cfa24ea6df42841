from __future__ import annotations

import random
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_cascade.decoding import features
from spacy_cascade.doc import words
from spacy_cascade.prompts.demonstrations import marked
from spacy_cascade.scoring.scorers import normalize_string
from spacy_cascade.training.augment import MentionReplacer

WORDS = {
    "hindi": "दिल्ली",
    "tamil": "சென்னை",
    "thai": "กรุงเทพ",
    "arabic with harakat": "مُحَمَّد",
    "persian with a non-joiner": "می\u200cروم",
    "decomposed french": unicodedata.normalize("NFD", "Hélène"),
    "korean": "서울은",
    "decomposed korean": unicodedata.normalize("NFD", "서울은"),
}


@pytest.mark.parametrize("word", WORDS.values(), ids=list(WORDS))
def test_a_word_with_marks_is_a_word(word: str) -> None:
    assert words.is_word(word) and words.is_letters(word)
    assert words.words_only(f"«{word}», {word}!") == f"{word} {word}"


def test_what_is_no_word() -> None:
    assert not words.is_word("") and not words.is_letters("")
    assert not words.is_word("a b") and not words.is_letters("a1")
    assert words.words_only("snake_case -- 3.50 €") == "snake case 3 50"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("दिल्ली", ["दि", "ल्ली"]),
        ("தமிழ்நாடு", ["த", "மி", "ழ்", "நா", "டு"]),
        ("น้ำ", ["น้ำ"]),
        ("مُحَ", ["مُ", "حَ"]),
        ("e\u0301t", ["e\u0301", "t"]),
        ("👩\u200d👩\u200d👧x", ["👩\u200d👩\u200d👧", "x"]),
        ("👍🏽1\ufe0f\u20e3", ["👍🏽", "1\ufe0f\u20e3"]),
        ("🇫🇷🇩🇪", ["🇫🇷", "🇩🇪"]),
        (
            unicodedata.normalize("NFD", "서울"),
            [unicodedata.normalize("NFD", s) for s in "서울"],
        ),
        ("서울", ["서", "울"]),
        ("か\u3099き", ["か\u3099", "き"]),
        ("", []),
    ],
)
def test_what_a_reader_takes_for_one_character(text: str, parts: list[str]) -> None:
    assert words.characters(text) == parts


def test_insides_of_words() -> None:
    assert words.inside_word("Anna", 3) and not words.inside_word("Ann a", 3)
    assert words.inside_word("दिल्ली", 3)  # before a virama
    assert words.inside_word("e\u0301t", 2)  # between an accent and a letter
    assert not words.inside_word("กรุงเทพ", 4)
    assert words.inside_word("กรุงเทพ", 3) is False
    assert words.inside_word("ที่", 1)
    assert not words.inside_word("서울은", 2)
    assert not words.inside_word("ភ្នំពេញ", 4)
    assert words.inside_word("ភ្នំ", 1)
    assert not words.inside_word("NHK東京", 3)
    assert words.inside_word("𝐀𝐁", 1)  # other letters beyond U+2E80 have spaces
    assert words.inside_word("ﻣﺤﻤﺪ", 2)


@given(st.text(max_size=30))
def test_characters_lose_nothing_and_begin_with_no_mark(text: str) -> None:
    parts = words.characters(text)
    assert "".join(parts) == text
    assert not any(words.is_mark(part[0]) for part in parts[1:])


@given(st.characters())
def test_marks_agree_with_unicode(char: str) -> None:
    assert words.is_mark(char) == (
        unicodedata.category(char)[0] == "M" or char in "\u200c\u200d"
    )
    if unicodedata.category(char)[0] in "LMN":
        assert words.is_word_character(char)
        assert words.words_only(char) == char


def test_articles_end_where_words_end() -> None:
    assert normalize_string("The a\u0301rt of a lie") == "a\u0301rt of lie"


def test_invented_names_keep_letters_and_their_marks_together() -> None:
    names = {"hi": {("place",): ["दिल्ली", "सिक्किम", "चेन्नई"]}}
    replacer = MentionReplacer(names, invent=1.0)
    known = {part for name in names["hi"]["place",] for part in words.characters(name)}
    rng = random.Random(0)
    found = {replacer._invented("hi", "दिल्ली", rng) for _ in range(30)}
    assert len(found) > 1
    assert all(part in known for name in found for part in words.characters(name))


@pytest.mark.parametrize("accent", ["Hélène", "दिल्ली"])
def test_the_shape_of_a_word_is_that_of_its_letters(accent: str) -> None:
    composed = features._attributes(unicodedata.normalize("NFC", accent))
    assert composed[3] == features._attributes(unicodedata.normalize("NFD", accent))[3]


@pytest.mark.parametrize(
    "text, names, right",
    [
        ("Anna met Ann.", ["Ann"], "Anna met ##Ann##."),
        ("दिल्ली में दिल", ["दिल"], "दिल्ली में ##दिल##"),
        ("Berliner Luft", ["Berlin"], "##Berlin##er Luft"),
        ("Ann, Ann and Anna", ["Ann", "Ann", "Anna"], "##Ann##, ##Ann## and ##Anna##"),
        ("Rene\u0301e", ["Rene"], "Rene\u0301e"),
    ],
)
def test_demonstrations_mark_whole_words(
    text: str, names: list[str], right: str
) -> None:
    assert marked(text, names, "##", "##") == right
