"""The synonym tables name every type of the taxonomy in every language, and no name
means two types.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from pathlib import Path

import pytest
import srsly

import corpus_tools
from spacy_cascade.taxonomy import TypePath, builtin, format_path

SYNONYMS = Path(corpus_tools.__file__).parent / "data" / "synonyms"
LANGUAGES = ("en", "zh", "es", "fr", "de", "ja", "ko", "ru")
TAXONOMY = builtin("dynamicner")
# They separate types, levels, labels from mentions, or mark mentions, in one of the prompt formats.
SEPARATORS = set(',;:|#>()[]{}"\n\t，；：、（）')


def read(lang: str) -> dict[TypePath, list[str]]:
    table = srsly.read_json(SYNONYMS / f"{lang}.json")
    return {path: table[format_path(path)] for path in TAXONOMY}


def folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()


def test_there_is_a_table_for_each_language() -> None:
    assert {file.stem for file in SYNONYMS.iterdir()} == set(LANGUAGES)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_type_has_an_entry_in_the_taxonomys_order(lang: str) -> None:
    assert list(srsly.read_json(SYNONYMS / f"{lang}.json")) == [
        format_path(path) for path in TAXONOMY
    ]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_type_has_two_to_four_different_alternatives_beside_its_name(
    lang: str,
) -> None:
    for path, names in read(lang).items():
        assert 3 <= len({folded(name) for name in names}) == len(names) <= 5, (
            path,
            names,
        )


@pytest.mark.parametrize("lang", LANGUAGES)
def test_no_name_means_two_types(lang: str) -> None:
    meant = defaultdict(set)
    for path, names in read(lang).items():
        # In English the taxonomy's own name comes first, even where the taxonomy
        # repeats it ("address").
        for name in names[1:] if lang == "en" else names:
            meant[folded(name)].add(path)
    assert not {name: paths for name, paths in meant.items() if len(paths) > 1}


@pytest.mark.parametrize("lang", LANGUAGES)
def test_no_synonym_is_the_taxonomys_name_of_another_type(lang: str) -> None:
    owners = defaultdict(set)
    for path in TAXONOMY:
        owners[path[-1]].add(path)
    for path, names in read(lang).items():
        for name in names[1:] if lang == "en" else names:
            assert not owners[folded(name)] - {path}, (path, name)


def test_english_entries_start_with_the_taxonomys_name() -> None:
    assert all(names[0] == path[-1] for path, names in read("en").items())


@pytest.mark.parametrize("lang", LANGUAGES)
def test_names_are_clean_text(lang: str) -> None:
    for path, names in read(lang).items():
        for name in names:
            assert name and name == unicodedata.normalize(
                "NFC", " ".join(name.split())
            ), (path, name)
            assert not SEPARATORS & set(name), (path, name)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_table_has_one_type_per_line_in_plain_utf8(lang: str) -> None:
    text = (SYNONYMS / f"{lang}.json").read_text("utf8")
    assert "\\u" not in text
    assert len(text.splitlines()) == len(TAXONOMY) + 2


@pytest.mark.parametrize("lang", ["en", "es", "fr"])
def test_only_the_state_is_capitalized_where_nouns_are_not(lang: str) -> None:
    words = {
        word for names in read(lang).values() for name in names for word in name.split()
    }
    assert {word for word in words if word != word.lower()} <= {"État", "Estado"}
