"""The page on prompt templates, followed to the letter."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
from spacy.language import Language

from spacy_cascade import contracts
from spacy_cascade.contracts import ClassifyPrompt, ExtractPrompt
from spacy_cascade.registry import missing_members, registry
from tests import util

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "guides" / "prompt-template.md"
MODEL = '{"@causal_lms": "spacy-cascade.HF.v1", "name": "Qwen/Qwen2.5-0.5B-Instruct"}'
# What the page says a template needs.
NAMES = ["my.ProteinExtract.v1", "my.ProteinClassify.v1", "my.ArrowExtract.v1"]


@pytest.fixture(scope="module")
def blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", PAGE.read_text("utf8"), re.DOTALL)


@pytest.fixture(scope="module")
def module(blocks: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The module that the reader saves, in a folder that Python looks into."""
    folder = tmp_path_factory.mktemp("mine")
    (folder / "my_prompts.py").write_text(blocks[0], "utf8")
    return folder


def test_the_page_works(
    blocks: list[str], module: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(module))
    assert MODEL in blocks[1]
    code = blocks[1].replace(MODEL, repr(util.model_config(base)))
    told: dict[str, Language] = {}
    exec(compile(code, PAGE, "exec", dont_inherit=True), told)
    nlp = told["nlp"]
    extractor, classifier = (nlp.get_pipe(name) for name in nlp.pipe_names)
    unit = util.units(nlp, ["Catalase is new."])[0]
    asked = extractor.template.prompt(extractor.lm, unit)  # type: ignore[attr-defined]
    written = extractor.lm.tokenizer.decode(asked)  # type: ignore[attr-defined]
    assert "Put @@ around proteins of mice.\nCatalase is new." in written
    # a random model finds something where it is made to
    extractor.open_threshold = 0.0  # type: ignore[attr-defined]
    doc = nlp("Catalase splits hydrogen peroxide.")
    assert doc.ents
    assert {ent.label_ for ent in doc.ents} <= {"enzyme", "antibody", "unknown"}
    assert classifier.template.user.startswith("Is {mention}")  # type: ignore[attr-defined]

    (module / "my_arrow.py").write_text(blocks[2], "utf8")
    importlib.import_module("my_arrow")
    config = {"template": "my.ArrowExtract.v1", "open_threshold": 0.0}
    other = util.cascade(base, extractor=config)
    assert other("Catalase splits hydrogen peroxide.").ents
    check_members()


def check_members() -> None:
    """The table of the page names the members of the Protocols."""
    for name in NAMES:
        template = registry.prompts.get(name)()  # type: ignore[attr-defined]
        contract = ClassifyPrompt if "Classify" in name else ExtractPrompt
        assert not missing_members(template, contract)
    table = re.findall(r"\| `\w+` \| `(\w+)` \| (.*) \|", PAGE.read_text("utf8"))
    assert len(table) == 3
    for contract_name, listed in table:
        contract = getattr(contracts, contract_name)
        members = missing_members(object(), contract)
        assert re.findall(r"`(\w+)`", listed) == members
