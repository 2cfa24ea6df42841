"""Prompts of chat models: the model's own format around the text."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any

import pytest
from spacy.language import Language

from spacy_cascade.decoding.automaton import Guess
from spacy_cascade.models.loading import load_model
from spacy_cascade.models.spec import HFSpec
from spacy_cascade.prompts.chat import ChatClassify, ChatExtract
from spacy_cascade.prompts.chat_format import frame
from tests import util

CHATML = (
    "{% for m in messages %}{{ '[' + m['role'] + ']' + m['content'] + '[end]' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '[assistant]' }}{% endif %}"
)
# As Gemma's: a system turn is refused, the content is trimmed.
NO_SYSTEM = (
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported')"
    " }}{% endif %}{% for m in messages %}{{ '[' + m['role'] + ']' + m['content'] | trim +"
    " '[end]' }}{% endfor %}{% if add_generation_prompt %}{{ '[model]' }}{% endif %}"
)


def _load(base: Path, template: str | None) -> Any:
    lm = load_model(HFSpec(str(base), device="cpu"), private=True)
    lm.tokenizer.chat_template = template
    return lm


@pytest.mark.parametrize(
    ("template", "head", "tail"),
    [
        (None, "Be brief.\n\n", "\n"),
        (CHATML, "[system]Be brief.[end][user]", "[end][assistant]"),
        (NO_SYSTEM, "[user]Be brief.\n\n", "[end][model]"),
    ],
)
def test_the_text_stands_in_the_models_own_format(
    base: Path, nlp: Language, template: str | None, head: str, tail: str
) -> None:
    lm = _load(base, template)
    before, behind, end = frame(lm, "Be brief.")
    assert (lm.tokenizer.decode(before), lm.tokenizer.decode(behind)) == (head, tail)
    assert end == lm.tokenizer.eos_token_id
    unit = util.units(nlp, ["Ann left Rome."])[0]
    prompt = ChatExtract(system="Be brief.").job(lm, unit, Guess(unit)).prompt
    assert prompt[: len(before)] == before
    assert prompt[-len(behind) :] == behind


def test_the_answer_ends_as_turns_do(base: Path) -> None:
    """In Gemma's format that is not the token that ends a sequence."""
    lm = _load(base, CHATML.replace("[end]", "<sep>"))
    end = frame(lm, "Be brief.")[2]
    assert end == lm.token_id("<sep>") != lm.tokenizer.eos_token_id
    assert ChatClassify().end_id(lm) == end


def test_a_model_goes_with_its_pipeline(base: Path) -> None:
    lm = _load(base, CHATML)
    frame(lm, "Be brief.")
    gone = weakref.ref(lm)
    del lm
    gc.collect()
    assert gone() is None
