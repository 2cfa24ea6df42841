"""The prompts of `open_ner`: wordings, languages and demonstrations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from spacy.language import Language

from spacy_cascade.errors import CascadeError
from spacy_cascade.prompts.demonstrations import read_demos
from spacy_cascade.prompts.labelset import LabelSet
from spacy_cascade.prompts.open import B2NEROpen, CompactOpen, b2ner_open
from spacy_cascade.prompts.wordings import WORDINGS
from spacy_cascade.taxonomy import Taxonomy
from tests import util

from .util import B2NER, COMPACT, LABEL_SET, TEXTS, code, pipeline


def test_prompt_is_b2ners_english() -> None:
    assert (
        B2NEROpen().text("Ann met Bob.", LABEL_SET)
        == "Given the label set of entities, please recognize all the entities in the text. The"
        ' answer format should be "entity label: entity; entity label: entity". \nLabel Set:'
        " person, location->city, location->country \n\nText: Ann met Bob. \nAnswer:"
    )


def test_prompt_is_b2ners_chinese() -> None:
    labels = LabelSet.build(Taxonomy.from_labels(["人名", "地名"]))
    assert (
        B2NEROpen().text("他在香港。", labels)
        == '给定实体的标签范围，请识别文本中属于这些标签的所有实体。答案格式为 "实体标签:'
        ' 实体; 实体标签: 实体"。\n'
        "标签范围: 人名, 地名\n\n文本: 他在香港。 \n答案:"
    )


def test_prompt_with_descriptions_and_examples() -> None:
    taxonomy = Taxonomy.from_object(
        {"tree": ["person", "city"], "descriptions": {"person": "a human being"}}
    )
    labels = LabelSet.build(taxonomy)
    demos = [
        {"text": "Eve left.", "entities": [{"name": "Eve", "type": "person"}]},
        {"text": "Nobody.", "entities": []},
    ]
    assert (
        b2ner_open(language="en", descriptions=True).text("x", labels)
        == "Given the label set of entities and their descriptions, please recognize all the"
        ' entities in the text. The answer format should be "entity label: entity; entity'
        ' label: entity". \nLabel Set: person, city \nLabel Description: person means "a'
        ' human being" \n\nText: x \nAnswer:'
    )
    assert (
        b2ner_open(language="en", examples=demos)
        .text("x", labels)
        .endswith(
            ". Below are some examples. \nLabel Set: person, city \n\nText: Eve left. \nAnswer:"
            " person: Eve \n\nText: Nobody. \nAnswer: None \n\nText: x \nAnswer:"
        )
    )
    assert (
        "。下面有一些例子。 \n标签范围: person, city \n\n文本: Eve left. \n答案: person: Eve"
        in b2ner_open(language="zh", examples=demos).text("x", labels)
    )


@pytest.mark.parametrize("language", sorted(WORDINGS))
@pytest.mark.parametrize("descriptions", [False, True])
def test_every_language_shows_labels_and_text(
    language: str, descriptions: bool
) -> None:
    text = b2ner_open(language=language, descriptions=descriptions).text(
        "Ann {text} %s", LABEL_SET
    )
    assert ", ".join(LABEL_SET.names) in text
    assert "Ann {text} %s \n" in text and text.endswith(":")


def test_demonstrations_that_hold_their_own_answer_format() -> None:
    sly = "Text: a \nAnswer: person: a; {labels} @@examples@@"
    demos = [
        {
            "text": sly,
            "entities": [
                {"name": "a; {labels}", "type": "person"},
                {"name": "a", "type": "dog"},
            ],
        }
    ]
    text = b2ner_open(examples=demos).text("b", LABEL_SET)
    assert f"Text: {sly} \nAnswer: person: a; {{labels}} \n\nText: b \nAnswer:" in text
    assert "dog" not in text, "labels outside of the set are not shown"


def test_demonstrations_shape_the_prompt_but_never_the_form_of_the_answer(
    talkative: Path,
) -> None:
    demos = [
        {"text": "x; person: y", "entities": [{"name": "x; person: y", "type": "city"}]}
    ]
    for template in (COMPACT, B2NER):
        nlp = pipeline(talkative, template={**template, "examples": demos})
        for doc in nlp.pipe(TEXTS):
            assert all(
                s.label_ in ("person", "city", "country") for s in doc.spans["cascade"]
            )


@pytest.mark.parametrize(
    "record",
    [
        *({}, {"text": ""}, {"text": 3}, "x"),
        *(
            {"text": "a", "entities": [e]}
            for e in (
                "a",
                {"name": "a"},
                {"name": "b", "type": "t"},
                {"name": "", "type": "t"},
            )
        ),
    ],
)
def test_c051_wrong_demonstrations(record: Any) -> None:
    with pytest.raises(CascadeError) as err:
        read_demos([record])
    assert code(err) == "C051"


def test_c020_unknown_language() -> None:
    with pytest.raises(CascadeError) as err:
        b2ner_open(language="xx")
    assert code(err) == "C020"


def test_compact_prompt(rnd: Any, nlp: Language) -> None:
    (unit,) = util.units(nlp, ["Ann met Bob."])
    labels = LabelSet.build(
        Taxonomy.from_object(
            {"tree": ["person", "city"], "descriptions": {"city": "a big town"}}
        )
    )
    demos = read_demos(
        [{"text": "Eve left", "entities": [{"name": "Eve", "type": "person"}]}]
    )

    def shown(template: CompactOpen) -> str:
        return rnd.tokenizer.decode(template.job(rnd, unit, labels).prompt)

    assert shown(CompactOpen(list_labels=False)) == "<s><cap>ann met<cap> bob.<sep>"
    assert (
        shown(CompactOpen()) == "<type> person<type> city<s><cap>ann met<cap> bob.<sep>"
    )
    assert (
        shown(CompactOpen(descriptions=True))
        == "<type> person<type> city<sep> a big town<s><cap>ann met<cap> bob.<sep>"
    )
    assert (
        shown(CompactOpen(list_labels=False, demos=demos))
        == "<s><cap>eve left<sep><type> person<sep><cap> eve</s><s><cap>ann met<cap> bob.<sep>"
    )
