"""Labels, templates and thresholds that GPT-NER and PromptNER refuse or get along with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from spacy_cascade.baselines.prompts import gptner, promptner
from spacy_cascade.errors import CascadeError
from tests import util
from tests.baselines.util import FREE, METHODS, pipeline


def code(err: Any) -> str:
    return err.value.code


# -- Bad input -----------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("labels", "expected"), [([], "C003"), (["a > "], "C006"), ([" "], "C006")]
)
def test_label_lists_that_cannot_be_used(
    method: str, labels: list[str], expected: str, base: Path
) -> None:
    with pytest.raises(CascadeError) as err:
        pipeline(method, base, taxonomy=labels)
    assert code(err) == expected


@pytest.mark.parametrize("method", METHODS)
def test_labels_with_markers_and_separators_work(method: str, willing: Path) -> None:
    names = ["@@x##", "a | true | b", "1. (y)", "z)"]
    doc = pipeline(method, willing, taxonomy=names, **FREE[method])(
        "Ann met Bob @@ here."
    )
    assert doc.text == "Ann met Bob @@ here." and {
        s.label_ for s in doc.spans["cascade"]
    } <= set(names)


@pytest.mark.parametrize("method", METHODS)
def test_an_empty_label_list_in_the_context(method: str, base: Path) -> None:
    nlp = pipeline(method, base)
    doc = nlp.make_doc("a b")
    doc._.cascade_labels = []
    with pytest.raises(CascadeError) as err:
        nlp(doc)
    assert code(err) == "C003"


@pytest.mark.parametrize("method", METHODS)
def test_too_many_labels(method: str, base: Path) -> None:
    with pytest.raises(CascadeError) as err:
        pipeline(
            method,
            base,
            taxonomy=[
                f"type number {i} " + "long " * (500 if method == "gpt_ner" else 1)
                for i in range(600)
            ],
        )("a")
    assert code(err) == "C050"


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: promptner(reasons=-1), "C021"),
        (
            lambda: promptner(
                examples=[
                    {"text": "a", "entities": [{"name": "a", "reason": "so (x)"}]}
                ]
            ),
            "C051",
        ),
        (
            lambda: promptner(
                examples=[{"text": "a", "entities": [{"name": "a", "reason": 3}]}]
            ),
            "C051",
        ),
        (
            lambda: promptner(examples=[{"text": "a", "entities": [{"name": "b"}]}]),
            "C051",
        ),
        (lambda: promptner(examples=["a"]), "C051"),  # type: ignore[list-item]
        (lambda: gptner([{"text": "a", "entities": [{"name": "a"}]}]), "C051"),
    ],
)
def test_bad_settings_of_templates(make: Any, expected: str) -> None:
    with pytest.raises(CascadeError) as err:
        make()
    assert code(err) == expected


def test_bad_threshold_and_training(base: Path) -> None:
    with pytest.raises(CascadeError) as err:
        pipeline("gpt_ner", base, verify_threshold=1.5)
    assert code(err) == "C021"
    nlp = pipeline("prompt_ner", base)
    assert not nlp.get_pipe("prompt_ner").is_trainable
    with pytest.raises(CascadeError) as err:
        nlp.get_pipe("prompt_ner").training_items(util.examples(nlp))
    assert code(err) == "C035"
