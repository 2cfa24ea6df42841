from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus_tools.locate import ABSENT, NO_MORE, Nearest, Place, assign, nearest
from tests import util


def test_repeated_names_from_left_to_right():
    assert assign("Ann met Ann", ["Ann", "Ann"]) == [Place(0, 3), Place(8, 11)]


def test_longest_first_whatever_the_order():
    text = "York and New York"
    assert assign(text, ["York", "New York"]) == [Place(0, 4), Place(9, 17)]
    assert assign("New York", ["York", "New York"]) == [
        Place(4, 8, nested=True),
        Place(0, 8),
    ]


def test_the_free_occurrence_is_taken_before_the_inner_one():
    assert assign("New York, York", ["New York", "York"]) == [
        Place(0, 8),
        Place(10, 14),
    ]


def test_whole_words_before_pieces_of_words():
    assert assign("a party for art", ["art"]) == [Place(12, 15)]
    assert assign("a party", ["art"]) == [Place(3, 6)]
    assert assign("我在北京人北京", ["北京"]) == [Place(2, 4)]


def test_what_is_not_there():
    assert assign("Ann", ["Bob", "Ann", "Ann", ""]) == [
        ABSENT,
        Place(0, 3),
        NO_MORE,
        ABSENT,
    ]
    assert assign("aaa", ["aa", "aa"]) == [Place(0, 2), NO_MORE]


def test_nearest():
    assert nearest("Ann Ann Ann", "Ann", 7, set()) == (8, 11)
    assert nearest("Ann Ann Ann", "Ann", 7, {(8, 11)}) == (4, 7)
    assert nearest("Ann", "Bob", 0, set()) is None


@given(
    st.text(alphabet="ab 中", max_size=20),
    st.lists(st.text(alphabet="ab 中", max_size=4), max_size=6),
)
def test_places_spell_their_names_and_are_unique(text, names):
    places = assign(text, names)
    found = [(p.start, p.end) for p in places if isinstance(p, Place)]
    assert len(set(found)) == len(found)
    for name, place in zip(names, places, strict=True):
        if isinstance(place, Place):
            assert text[place.start : place.end] == name
        else:
            assert (place == ABSENT) == (not name or name not in text)
    top = [p for p in places if isinstance(p, Place) and not p.nested]
    assert all(
        a.end <= b.start or b.end <= a.start for i, a in enumerate(top) for b in top[:i]
    )


@pytest.mark.parametrize(
    ("text", "name", "start"),
    [
        ("दिल्ली में मेरा दिल है।", "दिल", 16),
        ("கடல் கட", "கட", 5),
        ("Rene\u0301e met Rene there.", "Rene", 11),
        ("مُحَمَّد و حَمَّ", "حَمَّ", 11),
        ("ปลากรุงเทพ กรุง", "กรุง", 11),
        ("👩\u200d👧 and 👧", "👧", 8),
        ("부산서울 서울은", "서울", 2),
    ],
)
def test_letters_are_not_taken_apart_and_words_come_first(text, name, start):
    assert assign(text, [name]) == [Place(start, start + len(name))]
    assert nearest(text, name, start, set()) == (start, start + len(name))


def test_a_letter_without_its_mark_is_not_there():
    assert assign("दिल्ली", ["दिल"]) == [ABSENT]
    assert assign("Rene\u0301", ["Rene"]) == [ABSENT]


def test_nearest_is_never_inside_a_word():
    assert nearest("Anna met Ann", "Ann", 0, set()) == (9, 12)
    assert nearest("the environment", "on", 8, set()) is None
    assert nearest("ในกรุงเทพ", "กรุงเทพ", 0, set()) == (2, 9)


def test_equal_names_stay_in_the_order_of_the_text():
    assert assign("北京人和北京", ["北京", "北京"]) == [Place(0, 2), Place(4, 6)]
    assert assign("Annas Ann Ann", ["Ann"] * 3) == [
        Place(0, 3),
        Place(6, 9),
        Place(10, 13),
    ]


def _equal(n):
    return "Ann " * n, ["Ann"] * n


def _one_place_for_many(n):
    return "Ann " * n, ["Ann " * n, *["Ann"] * 2 * n]


def _within_itself(n):
    return "a" * n, ["aaaa"] * n


@pytest.mark.parametrize("make", [_equal, _one_place_for_many, _within_itself])
def test_the_work_grows_with_the_length(make):
    """Twice the text and names take about twice the steps."""
    small, large = (util.steps(lambda n=n: assign(*make(n))) for n in (300, 600))
    assert large < 2.4 * small


@pytest.mark.parametrize("make", [_equal, _one_place_for_many, _within_itself])
def test_the_work_of_repairs_grows_with_the_length(make):
    def repair(n):
        text, names = make(n)
        search = Nearest(text, {(0, 3)})
        return [search(name, 0) for name in names]

    small, large = (util.steps(lambda n=n: repair(n)) for n in (300, 600))
    assert large < 2.4 * small


@given(st.text("ab ,", max_size=20), st.lists(st.text("ab ", max_size=4), max_size=8))
def test_places_do_not_cross(text, names):
    """Of equal names none shares a letter; a place that is not nested lies in no longer one."""
    places = assign(text, names)
    for name, place in zip(names, places, strict=True):
        if isinstance(place, Place):
            assert text[place.start : place.end] == name
    for (a, p), (b, q) in itertools.combinations(zip(names, places, strict=True), 2):
        if (
            isinstance(p, Place)
            and isinstance(q, Place)
            and p.start < q.end
            and q.start < p.end
        ):
            assert a != b
            assert p.nested or q.nested
