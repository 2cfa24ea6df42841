"""Which types weights were trained with, and the warning of others."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import spacy
from typer.testing import CliRunner

from spacy_cascade.cli import cascade_app
from spacy_cascade.cli.evaluate import evaluate
from spacy_cascade.cli.labels import known_labels, looked_up
from spacy_cascade.models.tiny import build_base
from spacy_cascade.pipeline import known as known_module
from spacy_cascade.taxonomy import builtin
from spacy_cascade.taxonomy.aliases import (
    label_aliases,
    nearest_types,
    unknown_names,
    with_nearest,
)
from tests import util

TYPES = ("person", "location", "company", "medication")


@pytest.fixture(scope="module")
def typed_base(tmp_path_factory: Any) -> Path:
    """A base with random weights that has a token for each of these types."""
    path = tmp_path_factory.mktemp("base") / "typed"
    words = util.segments(util.blank(), [text for text, _ in util.GOLD] * 5)
    build_base(
        path,
        words,
        vocab_size=500,
        hidden_size=32,
        layers=1,
        heads=2,
        intermediate_size=64,
        neighbours=False,
        types=TYPES,
    )
    return path


@pytest.fixture(autouse=True)
def fresh(monkeypatch: Any) -> None:
    """No label set was warned of yet."""
    monkeypatch.setattr(known_module, "_reported", set())


def warnings(caplog: Any) -> list[str]:
    return [text for text in caplog.messages if text.startswith("[CW20]")]


def test_aliases_lead_to_types_that_the_packages_know() -> None:
    open_sm = {"person", "organization", "country", "company"}
    assert {"per", "gpe", "norp", "work of art", "company"} <= set(label_aliases())
    assert nearest_types("PER", open_sm) == ["person"]
    assert nearest_types("GPE", open_sm) == ["country"]
    known = [path[-1] for path in (*builtin("dynamicner"), *builtin("universal"))]
    for alias, types in label_aliases().items():
        assert nearest_types(alias, known), (alias, types)


def test_nearest_types_come_by_name_alias_and_spelling() -> None:
    known = ("Person", "location", "company", "geo-political entity", "city")
    assert nearest_types("person", known) == ["Person"]
    assert nearest_types("WORK_OF_ART", ["creative work"]) == ["creative work"]
    assert nearest_types("GPE", known) == ["geo-political entity", "city"]
    assert nearest_types("persn", known) == ["Person"]
    assert nearest_types("flurbel", known) == []
    assert unknown_names(["PERSON ", "ORG", "ORG"], known) == ["ORG"]
    written = with_nearest(["PER", "flurbel", "x"], known, most=2)
    assert written == "'PER' (nearest: Person), 'flurbel' (nothing near), and 1 more"


def test_a_tiny_base_knows_the_types_that_have_tokens(
    typed_base: Path, caplog: Any
) -> None:
    nlp = util.cascade(typed_base, classifier={"taxonomy": list(TYPES[:2])})
    classifier = nlp.get_pipe("cascade_classifier")
    assert classifier.known_labels == tuple(sorted(TYPES))
    assert nlp.get_pipe("cascade_extractor").known_labels == tuple(sorted(TYPES))
    nlp("John Smith flew to Paris.")
    assert not warnings(caplog)

    classifier.set_taxonomy(["PER", "drug", "flurbel", "Company"])
    nlp("John Smith flew to Paris.")
    [text] = warnings(caplog)
    assert "3 type(s) of 4" in text
    assert "'PER' (nearest: person), 'drug' (nearest: medication)" in text
    assert "'flurbel' (nothing near)" in text
    # labels stay as they were given
    assert classifier.labels == ("PER", "drug", "flurbel", "Company")

    # once per label set, whatever the order, and however it comes
    list(nlp.pipe(["Paris"] * 3))
    classifier.set_taxonomy(["flurbel", "drug", "PER", "Company"])
    nlp("Paris")
    assert len(warnings(caplog)) == 1
    context = {"cascade_labels": ["ORG"]}
    list(nlp.pipe([("Paris", context), ("Berlin", context)], as_tuples=True))
    assert len(warnings(caplog)) == 2


def test_nothing_is_said_where_nothing_is_known(base: Path, caplog: Any) -> None:
    nlp = util.cascade(base)
    assert nlp.get_pipe("cascade_classifier").known_labels == ()
    nlp("John Smith flew to Paris.")
    assert nlp.get_pipe("cascade_classifier").known_labels == ()
    assert not warnings(caplog)


def test_chat_templates_may_be_asked_for_anything(
    typed_base: Path, caplog: Any
) -> None:
    chat = {"@prompts": "spacy-cascade.ChatClassify.v1"}
    nlp = util.cascade(typed_base, classifier={"template": chat, "taxonomy": ["ORG"]})
    nlp.get_pipe("cascade_classifier").warn_unknown(
        [nlp.get_pipe("cascade_classifier").taxonomy]
    )
    assert not warnings(caplog)


def test_an_extractor_alone_warns_of_the_types_it_names(
    typed_base: Path, caplog: Any
) -> None:
    template = {"@prompts": "spacy-cascade.CompactExtract.v1", "labels": True}
    nlp = util.blank()
    nlp.add_pipe(
        "cascade_extractor",
        config={
            "model": util.model_config(typed_base),
            "template": template,
            "taxonomy": ["person", "ORG"],
        },
    )
    nlp("John Smith")
    assert len(warnings(caplog)) == 1


def test_what_was_trained_is_known_after_loading(
    typed_base: Path, tmp_path: Path, caplog: Any
) -> None:
    nlp = util.cascade(typed_base)
    classifier = nlp.get_pipe("cascade_classifier")
    nlp.initialize(lambda: util.examples(nlp))
    nlp.update(util.examples(nlp))
    nlp("John Smith flew to Paris.")  # in training: no word about its labels
    assert not warnings(caplog)
    learned = {"person", "location", "city", "country"}
    assert learned <= set(classifier.known_labels)

    # a label set that was never trained on is not known for having been saved
    classifier.set_taxonomy(["flurbel"])
    nlp.to_disk(tmp_path / "nlp")
    loaded = spacy.load(tmp_path / "nlp")
    found = loaded.get_pipe("cascade_classifier").known_labels
    assert learned <= set(found)
    assert "flurbel" not in found
    loaded("John Smith flew to Paris.")
    assert len(warnings(caplog)) == 1


def test_the_command_prints_types_and_looks_up_labels(
    typed_base: Path, tmp_path: Path
) -> None:
    nlp = util.cascade(typed_base)
    assert known_labels(nlp) == sorted(TYPES)
    assert looked_up(["Person", "PER", "flurbel"], list(TYPES)) == [
        ("Person", "known"),
        ("PER", "person"),
        ("flurbel", "-"),
    ]
    nlp.to_disk(tmp_path / "nlp")
    runner = CliRunner()
    shown = runner.invoke(cascade_app, ["labels", str(tmp_path / "nlp")])
    assert shown.output.split() == sorted(TYPES)
    asked = runner.invoke(cascade_app, ["labels", str(tmp_path / "nlp"), "drug"])
    assert "medication" in asked.output


def test_an_evaluation_tells_of_gold_types_that_the_taxonomy_lacks(
    tmp_path: Path, caplog: Any
) -> None:
    caplog.set_level(logging.WARNING)
    nlp, _ = util.scripted(util.NAMES, ["person", "location", "organization"])
    docs = [util.example(nlp, "John met Paris.", [("John", "PER"), ("Paris", "LOC")])]
    path = tmp_path / "test.spacy"
    spacy.tokens.DocBin(
        docs=[example.reference for example in docs], store_user_data=True
    ).to_disk(path)
    evaluate(nlp, [path])
    [text] = [text for text in caplog.messages if text.startswith("[CW21]")]
    assert "2 gold mention(s)" in text
    assert "'PER' (nearest: person), 'LOC' (nearest: location)" in text

    caplog.clear()
    nlp.get_pipe("cascade_classifier").set_taxonomy(["PER", "LOC"])
    evaluate(nlp, [path])
    assert "CW21" not in caplog.text
