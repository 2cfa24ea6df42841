"""Case and white space make no difference where labels are looked up."""

from __future__ import annotations

from typing import Any

import pytest

from spacy_cascade.doc.gold import known_path
from spacy_cascade.errors import CascadeError
from spacy_cascade.taxonomy import Taxonomy
from tests import util


def test_a_name_that_is_spelled_just_so_comes_first() -> None:
    taxonomy = Taxonomy({"Country": ["US"], "Pronoun": ["us"]})
    assert taxonomy.resolve("US") == ("Country", "US")
    assert taxonomy.resolve("us") == ("Pronoun", "us")
    assert taxonomy.resolve("COUNTRY > us") == ("Country", "US")
    with pytest.raises(CascadeError) as err:
        taxonomy.resolve("Us")
    assert err.value.code == "C002"


def test_everything_that_a_taxonomy_holds_is_found_in_any_case() -> None:
    taxonomy = Taxonomy(
        {"PERSON": None, "Location": ["CITY"]},
        descriptions={"person": "who", "location > city": "where"},
        aliases={"per": "Person"},
        names={"de": {"LOCATION > city": "Stadt"}},
    )
    assert [taxonomy.resolve(n) for n in ("person", "PER", "stadt", "city")] == [
        ("PERSON",),
        ("PERSON",),
        ("Location", "CITY"),
        ("Location", "CITY"),
    ]
    assert (
        taxonomy.description(("PERSON",)),
        taxonomy.description(("Location", "CITY")),
    ) == ("who", "where")
    assert taxonomy.localized(("Location", "CITY"), "de") == "Stadt"
    assert taxonomy.find(("location", "city")) == ("Location", "CITY")
    assert (
        known_path(taxonomy, ("city",))
        == known_path(taxonomy, ("x", "location", "city"))
        == ("Location", "CITY")
    )
    assert list(Taxonomy.from_object(taxonomy.to_dict())) == list(taxonomy)
    assert list(taxonomy.subset(["city"])) == [("Location",), ("Location", "CITY")]


@pytest.mark.parametrize(
    "name", ["İstanbul", "Straße", "STRASSE", "ΟΔΟΣ", "ﬁlm", "ǅ", "ẞ"]
)
def test_letters_whose_case_is_no_simple_matter_stay_as_they_are(name: str) -> None:
    taxonomy = Taxonomy([name, "x"])
    assert taxonomy.leaves[0] == (name,)
    assert taxonomy.resolve(name) == taxonomy.resolve(name.lower()) == (name,)


@pytest.mark.parametrize("labels", [["US", "us"], ["x", "Real Person", "real  person"]])
def test_labels_that_differ_in_case_or_white_space_alone_are_an_error_that_names_both(
    labels: list[str],
) -> None:
    nlp, _ = util.scripted({})
    pipe: Any = nlp.get_pipe("cascade_classifier")
    with pytest.raises(CascadeError) as err:
        pipe.set_taxonomy(labels)
    assert err.value.code == "C005"
    assert all(repr(label) in str(err.value) for label in labels[-2:])


def test_a_type_of_ones_own_may_be_called_unknown() -> None:
    nlp, _ = util.scripted(
        {"John": ("unknown",), "Paris": ("city",)}, ["Unknown", "CITY"]
    )
    assert [e.label_ for e in nlp("John saw Paris").ents] == ["Unknown", "CITY"]
    offered, _ = util.scripted(
        {"John": ("unknown",), "Paris": ("city",)},
        ["Unknown", "CITY"],
        classifier={"unknown": True},
    )
    assert [e.label_ for e in offered("John saw Paris").ents] == ["CITY"]
