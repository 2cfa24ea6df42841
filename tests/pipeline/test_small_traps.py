"""Settings that are wrong, keys that are misspelled, options where there are none."""

from __future__ import annotations

from typing import Any

import pytest

from spacy_cascade.doc import attributes
from spacy_cascade.errors import CascadeError
from tests import util

STAGES = ("cascade_extractor", "cascade_classifier")


@pytest.fixture(autouse=True)
def fresh_keys() -> None:
    attributes._check_key.cache_clear()


def test_a_threshold_out_of_range_is_refused_on_the_object() -> None:
    nlp, _ = util.scripted(util.NAMES)
    with pytest.raises(CascadeError, match=r"C021.*open_threshold.*from 0 to 1") as err:
        nlp.get_pipe("cascade_extractor").open_threshold = 7
    assert err.value.code == "C021"
    assert len(nlp("John flew to Paris.").ents) == 2


def test_a_misspelled_key_of_a_context_is_told_once(caplog: Any) -> None:
    nlp, _ = util.scripted(util.NAMES)
    own = ["person", "location"]
    texts = [
        ("John", {"cascade_label": own, "id": 1}),
        ("Paris", {"cascade_label": own}),
        ("Paris", {"cascade-labels": own}),
        ("Paris", {"cascade_labels": own, "cascade_label": own}),
        ("Paris", {"labels": own, "cascade_score": 1, 5: 1}),
    ]
    list(nlp.pipe(texts, as_tuples=True))
    found = [text for text in caplog.messages if "CW22" in text]
    assert len(found) == 2
    assert "'cascade_label', which means nothing here" in found[0]
    assert "Did you mean 'cascade_labels'?" in found[0]


def test_a_nested_dict_is_a_taxonomy_in_a_context_too() -> None:
    nlp, _ = util.scripted({"John": ("human",), "Paris": ("place", "town")})
    context = {"cascade_labels": {"human": {}, "place": {"town": {}, "land": {}}}}
    [(doc, _)] = nlp.pipe([("John flew to Paris.", context)], as_tuples=True)
    paths = [ent._.cascade_path for ent in doc.ents]
    assert paths == ["human", "place > town"]


@pytest.mark.parametrize("name", STAGES)
def test_component_cfg_tells_what_it_can_give(name: str) -> None:
    nlp, _ = util.scripted(util.NAMES)
    wrong = {name: {"open_thresh": 0.3}}
    for call in (
        lambda: nlp("John", component_cfg=wrong),
        lambda: list(nlp.pipe(["John"], component_cfg=wrong)),
    ):
        with pytest.raises(CascadeError, match=rf"C131.*{name}.*open_thresh") as err:
            call()
        assert isinstance(err.value, TypeError)
    with pytest.raises(CascadeError, match=r"get_pipe\('.*'\)\.max_tokens = "):
        nlp("John", component_cfg={name: {"max_tokens": 64}})

    right = {name: {"batch_size": 1}}
    assert len(nlp("John", component_cfg=right).ents) == 1
    [doc] = nlp.pipe(["John"], component_cfg=right)
    assert len(doc.ents) == 1
