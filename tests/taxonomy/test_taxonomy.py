from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
import srsly
from hypothesis import given
from hypothesis import strategies as st

from spacy_cascade.errors import CascadeError
from spacy_cascade.registry import registry
from spacy_cascade.taxonomy import (
    Taxonomy,
    builtin,
    format_path,
    normalize_name,
    parse_path,
)

TREE = {
    "science": {
        "discipline": ["biological", "physical"],
        "miscellaneous": ["miscellaneous"],
    },
    "product": {"weapon": ["biological", "gun"]},
    "location": {"address": ["address", "road"]},
}


def test_dynamicner_has_8_31_155_types() -> None:
    tax = builtin("dynamicner")
    assert [len(tax.paths(i)) for i in (1, 2, 3)] == [8, 31, 155]
    assert tax.levels == ("coarse", "medium", "fine")


@pytest.mark.parametrize("name", ["dynamicner", "universal"])
def test_builtin_taxonomies_load(name: str) -> None:
    path = Path(__file__).parents[2] / "spacy_cascade" / "data" / f"{name}.json"
    if not path.exists():
        pytest.skip(f"{name} does not ship with this version")
    assert len(builtin(name)) > 3


def test_registered_taxonomy_is_the_builtin_one() -> None:
    assert registry.taxonomies.get("spacy-cascade.DynamicNER.v1")() == builtin(
        "dynamicner"
    )


def test_same_name_on_two_branches_gives_two_paths() -> None:
    tax = Taxonomy(TREE)
    assert ("science", "discipline", "biological") in tax
    assert ("product", "weapon", "biological") in tax


def test_resolve_reports_a_name_on_two_branches_as_ambiguous() -> None:
    with pytest.raises(CascadeError) as err:
        Taxonomy(TREE).resolve("biological")
    assert err.value.code == "C002"
    assert "product > weapon > biological" in str(err.value)


def test_resolve_takes_a_whole_path() -> None:
    assert Taxonomy(TREE).resolve("product > weapon > biological") == (
        "product",
        "weapon",
        "biological",
    )


def test_resolve_takes_a_part_of_a_path() -> None:
    assert Taxonomy(TREE).resolve("weapon->biological") == (
        "product",
        "weapon",
        "biological",
    )


def test_resolve_prefers_the_deepest_node_of_one_branch() -> None:
    assert Taxonomy(TREE).resolve("address") == ("location", "address", "address")


def test_resolve_warns_when_it_chose_between_branches(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tax = Taxonomy({"a": {"b": ["x"]}, "x": None})
    with caplog.at_level(logging.WARNING, logger="spacy_cascade"):
        assert tax.resolve("x") == ("a", "b", "x")
        tax.resolve("x")
    assert sum("CW04" in r.getMessage() for r in caplog.records) == 1


def test_a_finest_type_is_only_taken_for_a_leaf(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tax = Taxonomy({"a": {"b": ["x", "y"]}, "x": None, "y": ["z"]})
    with caplog.at_level(logging.WARNING, logger="spacy_cascade"):
        assert tax.resolve("y", finest=True) == ("a", "b", "y")
        assert not caplog.records
        assert tax.resolve("x", finest=True) == ("a", "b", "x")
        assert tax.resolve("y") == ("a", "b", "y")
    assert ["'x'" in r.getMessage() for r in caplog.records] == [True, False]


def test_resolve_follows_aliases() -> None:
    tax = Taxonomy(
        {"person": None, "location": ["city"]},
        aliases={"PER": "person", "GPE": "location > city"},
    )
    assert tax.resolve("per") == ("person",)
    assert tax.resolve("GPE") == ("location", "city")


def test_unknown_name_gets_suggestions() -> None:
    with pytest.raises(CascadeError) as err:
        builtin("dynamicner").resolve("politicain")
    assert err.value.code == "C001"
    assert "politician" in str(err.value)


def test_names_are_compared_without_case_and_spaces_and_stay_as_they_are_spelled() -> (
    None
):
    assert Taxonomy({"Real  Person": None}).resolve(" real person ") == (
        "Real  Person",
    )


def test_spelling_slips_of_the_published_files_are_corrected_and_noted() -> None:
    tax = Taxonomy({"Transortation": None})
    assert ("transportation",) in tax
    assert tax.notes == ["'Transortation' read as 'transportation'"]


@pytest.mark.parametrize(
    "data",
    [
        {"location": {"city": {}, "road": {}}, "person": {}},
        {"tree": {"location": ["city", "road"], "person": None}},
        ["location->city", "location -> road", "person"],
        ["location > city", "location > road", "person", "person"],
        {"location": "city, road", "person": None},
    ],
)
def test_all_forms_read_to_the_same_tree(data: object) -> None:
    assert Taxonomy.from_object(data) == Taxonomy(
        {"location": ["city", "road"], "person": None}
    )


def test_flat_three_level_json() -> None:
    flat = {
        "dataset": "x",
        "first-level": "a,b",
        "second-level": {"a": "m,n", "b": ""},
        "third-level": {"m": "p, q", "n": ""},
    }
    tax = Taxonomy.from_object(flat)
    assert list(tax) == [
        ("a",),
        ("a", "m"),
        ("a", "m", "p"),
        ("a", "m", "q"),
        ("a", "n"),
        ("b",),
    ]
    assert tax.leaves == (("a", "m", "p"), ("a", "m", "q"), ("a", "n"), ("b",))


def test_labels_json_of_a_data_set() -> None:
    assert list(Taxonomy.from_object({"PER": "person", "LOC": "location"})) == [
        ("person",),
        ("location",),
    ]


@pytest.mark.parametrize("suffix", [".json", ".yml", ".yaml", ".txt"])
def test_files(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"types{suffix}"
    if suffix == ".json":
        srsly.write_json(path, {"location": ["city"], "person": []})
    elif suffix == ".txt":
        path.write_text("location > city\n\nperson\n", "utf8")
    else:
        srsly.write_yaml(path, {"location": ["city"], "person": []})
    assert Taxonomy.from_file(path) == Taxonomy({"location": ["city"], "person": None})


def test_to_dict_round_trip_keeps_everything() -> None:
    tax = Taxonomy(
        TREE,
        name="n",
        descriptions={"science": "what is known"},
        aliases={"SCI": "science"},
    )
    back = Taxonomy.from_object(json.loads(json.dumps(tax.to_dict())))
    assert back == tax
    assert (
        back.name,
        back.levels,
        back.description(("science",)),
        back.resolve("sci"),
    ) == (
        "n",
        tax.levels,
        "what is known",
        ("science",),
    )


def test_taxonomies_with_another_order_of_children_keep_their_order() -> None:
    assert [p[-1] for p in Taxonomy(["b", "a"]).children()] == ["b", "a"]


def test_subset_keeps_ancestors_and_descendants() -> None:
    sub = Taxonomy(TREE).subset(["weapon", "road"])
    assert set(sub) == {
        ("product",),
        ("product", "weapon"),
        ("product", "weapon", "biological"),
        ("product", "weapon", "gun"),
        ("location",),
        ("location", "address"),
        ("location", "address", "road"),
    }


def test_paths_may_contain_a_name_twice() -> None:
    assert Taxonomy(TREE).children(("science", "miscellaneous")) == (
        ("science", "miscellaneous", "miscellaneous"),
    )


@given(
    st.lists(
        st.text(
            st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters=">"),
            min_size=1,
        ),
        min_size=1,
    )
)
def test_format_and_parse_are_inverse(parts: list[str]) -> None:
    names = tuple(normalize_name(p) for p in parts if normalize_name(p))
    names = tuple(n for n in names if not n.endswith("-"))
    assert parse_path(format_path(names)) == names


def test_len_counts_nodes() -> None:
    assert len(Taxonomy(TREE)) == len(list(Taxonomy(TREE))) == 14
