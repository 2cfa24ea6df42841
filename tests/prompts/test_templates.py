"""Templates belong to the weights that were trained with them: saved along, taken over,
and never exchanged unseen.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import spacy
import srsly
from spacy.language import Language

from spacy_cascade.errors import CascadeError
from spacy_cascade.prompts.chat import ChatExtract, ChatLabeledExtract
from spacy_cascade.prompts.compact import CompactClassify, CompactExtract
from spacy_cascade.prompts.continued import ChatClassifyContinued
from tests import util
from tests.cli.util import call, find_config

WORDS = {"system": "Be exact.", "instruction": "Mark {types}."}
CHAT = {"template": {"@prompts": "spacy-cascade.ChatLabeledExtract.v1", **WORDS}}
CONTINUED = {
    "template": {"@prompts": "spacy-cascade.ChatClassifyContinued.v1", **WORDS}
}


@pytest.fixture(scope="module")
def trained(base: Path, tmp_path_factory: Any) -> Path:
    """Both stages, each trained by itself on the same base with chat templates: two
    saved pipelines.
    """
    out = tmp_path_factory.mktemp("trained")
    for name, prompt in (("extractor", CHAT), ("classifier", CONTINUED)):
        nlp = util.blank()
        more = {"taxonomy": util.labels_config(), "model": util.model_config(base)}
        nlp.add_pipe(f"cascade_{name}", config={**prompt, **more})
        nlp.initialize(lambda nlp=nlp: util.examples(nlp))
        nlp.to_disk(out / name)
    return out


def _assemble(trained: Path, output: Path, *more: str, code: int = 0) -> str:
    weights = [
        f"--paths.{n}={trained / n / f'cascade_{n}'}"
        for n in ("extractor", "classifier")
    ]
    return call("assemble", find_config("pipeline"), output, *weights, *more, code=code)


@pytest.mark.slow
def test_assembled_components_ask_as_they_were_trained(
    trained: Path, tmp_path: Path
) -> None:
    _assemble(trained, tmp_path / "pipeline")
    nlp = spacy.load(tmp_path / "pipeline")
    extractor, classifier = (
        nlp.get_pipe(n) for n in ("cascade_extractor", "cascade_classifier")
    )
    assert extractor.template == ChatLabeledExtract(**WORDS)  # type: ignore[attr-defined]
    assert classifier.template == ChatClassifyContinued(**WORDS)  # type: ignore[attr-defined]
    for text, _ in util.GOLD:
        alone = spacy.load(trained / "extractor")(text)
        assert util.spans(alone) == [
            (*s[:2], "MENTION", "") for s in util.spans(nlp(text))
        ]


@pytest.mark.slow
def test_what_was_taken_over_is_saved_again(trained: Path, tmp_path: Path) -> None:
    _assemble(trained, tmp_path / "first")
    spacy.load(tmp_path / "first").to_disk(tmp_path / "second")
    for name in ("first", "second"):
        nlp = spacy.load(tmp_path / name)
        assert nlp.get_pipe("cascade_extractor").template == ChatLabeledExtract(**WORDS)
    data = spacy.load(tmp_path / "second").to_bytes()
    other = spacy.util.load_model_from_config(
        spacy.util.load_config(tmp_path / "second/config.cfg"), auto_fill=True
    )
    other.from_bytes(data)
    assert other.get_pipe("cascade_classifier").template.extract == ChatLabeledExtract(
        **WORDS
    )  # type: ignore[attr-defined]


@pytest.mark.parametrize("stage", ["extractor", "classifier"])
def test_another_template_is_refused_when_the_weights_are_loaded(
    trained: Path, tmp_path: Path, stage: str
) -> None:
    prompt = {"extractor": "CompactExtract", "classifier": "CompactClassify"}[stage]
    section = f"components.cascade_{stage}.template"
    text = find_config("pipeline").read_text()
    head, behind = text.split(f'factory = "cascade_{stage}"')
    behind = behind.replace("template = null\n", "", 1)
    block = f'\n[{section}]\n@prompts = "spacy-cascade.{prompt}.v1"\n'
    (tmp_path / "own.cfg").write_text(
        f'{head}factory = "cascade_{stage}"{behind}{block}'
    )
    weights = {
        f"paths.{n}": str(trained / n / f"cascade_{n}")
        for n in ("extractor", "classifier")
    }
    config = spacy.util.load_config(tmp_path / "own.cfg", overrides=weights)
    nlp = spacy.util.load_model_from_config(config, auto_fill=True)
    with pytest.raises(
        CascadeError, match=r"C105.*(ChatLabeledExtract|ChatClassifyContinued)"
    ) as found:
        nlp.initialize()
    assert "template = null" in str(found.value)


def test_variables_are_saved_with_their_values(base: Path, tmp_path: Path) -> None:
    config = spacy.util.load_config(
        find_config("cascade_pretrained"), {"paths.base": str(base)}
    )
    nlp = spacy.util.load_model_from_config(config, auto_fill=True)
    extractor, classifier = (
        nlp.get_pipe(f"cascade_{n}") for n in ("extractor", "classifier")
    )
    assert classifier.template.goes_on_from(extractor.template)  # type: ignore[attr-defined]
    saved = classifier._template_of.description()  # type: ignore[attr-defined]
    assert saved["system"] == extractor.template.system  # type: ignore[attr-defined]
    assert "${" not in str(saved)


def test_other_wording_is_another_template(trained: Path) -> None:
    with pytest.raises(CascadeError, match=r"C105.*Be exact"):
        spacy.load(
            trained / "extractor",
            config={
                "components": {
                    "cascade_extractor": {"template": {"system": "Be brief."}}
                }
            },
        )


def test_a_model_that_was_not_trained_may_be_asked_otherwise(
    base: Path, tmp_path: Path
) -> None:
    nlp = util.cascade(base, extractor=CHAT, classifier=CONTINUED)
    nlp("Ann left Rome.")
    nlp.to_disk(tmp_path)
    other = {"components": {"cascade_extractor": {"template": {"system": "Be brief."}}}}
    assert (
        spacy.load(tmp_path, config=other).get_pipe("cascade_extractor").template.system
        == "Be brief."
    )  # type: ignore[attr-defined]


def test_a_component_without_template_is_a_clear_error(base: Path) -> None:
    nlp = util.cascade(base, extractor={"template": None})
    with pytest.raises(CascadeError, match=r"C106.*cascade_extractor"):
        nlp("Ann left Rome.")


def test_weights_of_older_versions_load_with_a_configured_template(
    trained: Path, tmp_path: Path
) -> None:
    nlp = spacy.load(trained / "extractor")
    nlp.to_disk(tmp_path)
    file = tmp_path / "cascade_extractor/cascade.json"
    meta = srsly.read_json(file)
    del meta["template"], meta["trained"]
    srsly.write_json(file, meta)
    assert util.spans(spacy.load(tmp_path)(util.SENTENCES[0])) == util.spans(
        nlp(util.SENTENCES[0])
    )


# -- Stages that go on from each other -----------------------------------------------


def _both(
    base: Path, extractor: dict[str, Any], classifier: dict[str, Any]
) -> Language:
    nlp = util.cascade(
        base,
        extractor={**extractor, "adapter": None},
        classifier={**classifier, "adapter": None},
    )
    nlp.get_pipe("cascade_extractor").weights.lm = util.random_lm(base)
    return nlp


@pytest.mark.slow
def test_frames_that_differ_are_reported_once(base: Path, caplog: Any) -> None:
    other = {"template": {**CONTINUED["template"], "system": "Be brief."}}
    nlp = _both(base, CHAT, other)
    with caplog.at_level(logging.WARNING, "spacy_cascade"):
        list(nlp.pipe([*util.SENTENCES] * 2, batch_size=3))
    (reported,) = (r.message for r in caplog.records if "CW18" in r.message)
    assert "Be brief." in reported
    assert "Be exact." in reported
    assert not len(nlp.get_pipe("cascade_extractor").lm.prefixes)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "prompts", [(CHAT, CONTINUED), ({}, {})], ids=["chat", "compact"]
)
def test_frames_that_agree_are_not(base: Path, caplog: Any, prompts: Any) -> None:
    nlp = _both(base, *prompts)
    with caplog.at_level(logging.WARNING, "spacy_cascade"):
        nlp(util.SENTENCES[0])
    assert "CW18" not in caplog.text


@pytest.mark.parametrize(
    ("classify", "extract", "expected"),
    [
        (CompactClassify(), CompactExtract(), True),
        (CompactClassify(labels=True), CompactExtract(labels=True), True),
        (CompactClassify(labels=True), CompactExtract(), False),
        (CompactClassify(context=False), CompactExtract(), False),
        (CompactClassify(), ChatExtract(), False),
        (ChatClassifyContinued(), ChatExtract(), True),
        (ChatClassifyContinued(), ChatExtract(system="NER"), False),
    ],
)
def test_what_goes_on_from_what(classify: Any, extract: Any, expected: bool) -> None:
    assert classify.goes_on_from(extract) is expected
