"""Label maps: their checks, and those that come along."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from corpus_tools.b2nerd.labelmap import (
    LabelMap,
    check_map,
    check_names,
    find_clashes,
    load_map,
    load_maps,
    refuse_clashes,
    refuse_pairs,
)
from corpus_tools.b2nerd.overview import homonyms
from corpus_tools.b2nerd.standardize import (
    count_labels,
)
from corpus_tools.errors import CorpusError
from corpus_tools.issues import Report
from corpus_tools.units import DEFAULT_RUN, find_units

from .util import MINI, TYPES, code, make


@pytest.mark.parametrize(
    "targets, expected",
    [
        ({"country": "location -> city", "city": "location -> country"}, "T050"),
        (
            {
                "politician": "person",
                "person": "person -> others",
                "person->others": "person -> politician",
            },
            "T050",
        ),
        ({"town": "location -> city", "city": "location -> country"}, "T051"),
        ({"human": "person", "person": None}, "T051"),
        ({"town": "location -> village"}, "T052"),
        ({"town": "city"}, "T052"),  # a target is a whole path
    ],
)
def test_bad_targets(targets, expected):
    assert code(check_map, LabelMap("en/x", targets, {}), TYPES) == expected


def test_messages_name_the_way_and_the_remedy():
    with pytest.raises(CorpusError, match="'country' -> 'city' -> 'country'"):
        check_map(make(country="location -> city", city="location -> country"), TYPES)
    with pytest.raises(CorpusError, match="Close names: location -> city"):
        check_map(make(town="city"), TYPES)


def test_a_name_may_point_to_itself_and_two_to_one_target():
    label_map = make(city="location -> city", town="location -> city", person="person")
    check_map(label_map, TYPES)
    assert label_map.merged() == {"location -> city": ["city", "town"]}


def test_labels_of_map_and_data_must_agree():
    label_map = make(PER="person", LOC="location -> city")
    check_names(label_map, {"PER": 3, "LOC": 1})
    assert code(check_names, label_map, {"PER": 3, "LOC": 1, "MISC": 2}) == "T053"
    assert code(check_names, label_map, {"PER": 3}) == "T054"


def test_coarse_type_beside_its_subtype_clashes_with_the_whole_type_elsewhere():
    whole = make("en/a", PER="person", PERSON="person")
    rest = make("en/b", human="person", statesman="person -> politician")
    assert not find_clashes(
        [whole, make("en/c", statesman="person -> politician")], TYPES
    )
    (clash,) = find_clashes([whole, rest], TYPES)
    assert (clash.target, clash.part, clash.narrow) == (
        "person",
        "person -> politician",
        ("en/b", "human"),
    )
    with pytest.raises(
        CorpusError, match="Point the former to 'person -> others'"
    ) as err:
        refuse_clashes([whole, rest], TYPES)
    assert err.value.code == "T057"
    mended = make("en/b", human="person -> others", statesman="person -> politician")
    refuse_clashes([whole, mended], TYPES)


def test_alternatives_in_a_name_include_their_subtypes():
    clashes = find_clashes(
        [
            make("en/a", LOC="location or city"),
            make("en/b", LOC="location or city", C="location -> country"),
        ],
        TYPES,
    )
    assert [c.part for c in clashes] == ["location -> country"]


def test_two_raw_names_on_one_target_across_sets_known_to_conflict():
    known = {
        m.name: m
        for m in (
            make("en/a", LOC="location"),
            make("en/b", PLACE="location", GPE="location -> city"),
        )
    }
    assert code(refuse_pairs, known, [(("en/a", "LOC"), ("en/b", "PLACE"))]) == "T059"
    refuse_pairs(
        known,
        [(("en/a", "LOC"), ("en/b", "GPE")), (("en/a", "LOC"), ("en/unknown", "LOC"))],
    )


@pytest.mark.parametrize(
    "content, expected",
    [
        ("[]", "T055"),
        ("{", "T055"),
        ('{"language": "en", "dataset": "x", "labels": {}}', "T055"),
        ('{"dataset": "x", "labels": {"a": "person"}}', "T055"),
        ('{"language": "en", "dataset": "x", "labels": {"a": ["person"]}}', "T055"),
        (
            '{"language": "en", "dataset": "x", "labels": {"a": "person", "a": "location"}}',
            "T055",
        ),
        ('{"language": "en", "dataset": "x", "labels": {"a": null}}', "T056"),
        (
            '{"language": "en", "dataset": "x", "labels": {"a": null}, "reasons": {"a": " "}}',
            "T056",
        ),
        (
            (
                '{"language": "en", "dataset": "x", "labels": {"a": "person"}, "reasons": {"a":'
                ' "why"}}'
            ),
            "T056",
        ),
    ],
)
def test_files_that_are_no_label_map(tmp_path, content, expected):
    path = tmp_path / "x.json"
    path.write_text(content, "utf8")
    assert code(load_map, path) == expected


def test_a_map_stands_where_its_content_says(tmp_path):
    assert code(load_maps, tmp_path) == "T001"
    (tmp_path / "de").mkdir()
    (tmp_path / "de" / "x.json").write_text(
        '{"language": "en", "dataset": "x", "labels": {"a": "person"}}', "utf8"
    )
    assert code(load_maps, tmp_path) == "T055"


def test_packaged_maps_are_sound(maps, universal):
    for label_map in maps.values():
        check_map(label_map, universal)
    refuse_clashes(maps.values(), universal)


def test_types_of_chinese_sets_have_chinese_names(maps, universal):
    targets = {
        t
        for name, m in maps.items()
        if name.startswith("zh/")
        for t in m.targets.values()
        if t is not None
    }
    assert len(targets) > 40
    assert not [
        t for t in targets if not universal.localized(universal.resolve(t), "zh")
    ]


def test_location_means_different_things(maps):
    """CoNLL's location includes countries and cities; OntoNotes-style sets give these a
    type of their own.
    """
    found = homonyms(maps)["location"]
    assert "en/conll2003" in found["location or geo-political entity"]
    assert "ja/ud_gsd_ne" in found["location -> geographic feature or region"]
    assert "en/crossner_politics" in found["location or geo-political entity -> others"]
    assert "en/wetlab_protocols" in found["science -> laboratory container"]


def test_mini_corpora_agree_with_their_maps(maps):
    counts = count_labels(
        find_units(MINI, Path("out"), Report(), DEFAULT_RUN), DEFAULT_RUN
    )
    assert len(counts) == 7
    for name, found in counts.items():
        check_names(maps[name], found)


@pytest.mark.real_data
def test_every_real_data_set_agrees_with_its_map(data, maps):
    index = json.loads((data / "index.json").read_text("utf8"))
    assert len(index) == 86
    for entry in index:
        check_names(maps[f"{entry['lang']}/{entry['dataset']}"], entry["types"])
