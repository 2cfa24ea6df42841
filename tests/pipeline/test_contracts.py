"""What a component is given has to follow the Protocols of `spacy_cascade.contracts`."""

from __future__ import annotations

from pathlib import Path

import pytest

from spacy_cascade.contracts import ClassifyPrompt, Drafter, ExtractPrompt, ListPrompt
from spacy_cascade.decoding.drafters import CuesDrafter
from spacy_cascade.errors import CascadeError
from spacy_cascade.pipeline.extractor import CascadeExtractor
from spacy_cascade.prompts.chat import ChatExtract
from spacy_cascade.prompts.compact import CompactClassify, CompactExtract
from spacy_cascade.registry import missing_members, registry
from tests import util

# Each component with a template of another one.
STAGES = {
    "cascade_extractor": "spacy-cascade.CompactClassify.v1",
    "cascade_classifier": "spacy-cascade.CompactExtract.v1",
    "open_ner": "spacy-cascade.CompactExtract.v1",
    "prompt_ner": "spacy-cascade.GPTNER.v1",
    "gpt_ner": "spacy-cascade.PromptNER.v1",
}
OF_STAGE = {
    ExtractPrompt: (
        ["CompactExtract", "ChatExtract", "ChatLabeledExtract", "CascadeNERExtract"]
    ),
    ClassifyPrompt: (
        [
            "CompactClassify",
            "ChatClassify",
            "ChatClassifyContinued",
            "CascadeNERClassify",
            "CascadeNERPaper",
        ]
    ),
    ListPrompt: ["CompactOpen", "B2NEROpen"],
}


@pytest.mark.parametrize("contract", OF_STAGE)
def test_templates_follow_the_contract_of_their_stage_alone(contract: type) -> None:
    for other, names in OF_STAGE.items():
        for name in names:
            template = registry.prompts.get(f"spacy-cascade.{name}.v1")()
            missing = missing_members(template, contract)
            assert bool(missing) == (other is not contract), (name, missing)


@pytest.mark.parametrize("kind", STAGES)
@pytest.mark.parametrize("form", ["block", "name"])
def test_a_template_of_another_stage_is_refused(
    kind: str, form: str, base: Path
) -> None:
    wrong = STAGES[kind]
    template = {"@prompts": wrong} if form == "block" else wrong
    model = util.model_config(base)
    with pytest.raises(CascadeError, match=r"C130.*template.*" + kind) as err:
        util.blank().add_pipe(kind, config={"model": model, "template": template})
    if kind == "cascade_extractor":
        assert str(err.value) == (
            "[C130] The template of the component 'cascade_extractor' can't be a"
            " CompactClassify: it lacks job, cost, overhead, which"
            " ExtractPrompt in spacy_cascade.contracts asks for. It is a template for"
            " 'cascade_classifier'. Here fits @prompts ="
            ' "spacy-cascade.CompactExtract.v1" or "spacy-cascade.ChatExtract.v1".'
        )


def test_what_a_template_of_ones_own_lacks_is_named() -> None:
    class Half:
        labels = False
        job = CompactExtract.job
        cost = CompactExtract.cost
        text_range = CompactExtract.text_range

    nlp = util.blank()
    with pytest.raises(CascadeError, match=r"C130.*Half: it lacks overhead, "):
        CascadeExtractor(nlp, "mine", "", Half())
    with pytest.raises(CascadeError, match=r"C130.*CompactExtract: it lacks job, "):
        CascadeExtractor(nlp, "mine", "", CompactExtract)


def test_a_template_is_checked_when_it_is_replaced() -> None:
    extractor = CascadeExtractor(util.blank(), "mine", "", CompactExtract())
    extractor.template = ChatExtract()
    with pytest.raises(CascadeError, match="C130"):
        extractor.template = CompactClassify()
    assert extractor.template == ChatExtract()


def test_methods_have_to_take_what_they_are_called_with() -> None:
    class Other(CompactExtract):
        def cost(self, segment: str) -> int:  # type: ignore[override]
            return 1

    assert missing_members(Other(), ExtractPrompt) == ["cost"]
    assert missing_members(CompactExtract(), ExtractPrompt) == []


def test_drafters_are_checked_too() -> None:
    class Silent(CuesDrafter):
        fit = None  # type: ignore[assignment]

    assert missing_members(CuesDrafter(), Drafter) == []
    with pytest.raises(CascadeError, match=r"C130.*drafter.*Silent: it lacks fit, "):
        CascadeExtractor(util.blank(), "mine", "", CompactExtract(), drafter=Silent())
