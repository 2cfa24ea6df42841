"""The embedded corpora keep what the README promises."""

from __future__ import annotations

import json
import logging
from collections import Counter
from pathlib import Path

import pytest
import srsly

from corpus_tools.formats import geic
from corpus_tools.formats.docs import DocMaker, blank_pipeline
from corpus_tools.issues import Report
from corpus_tools.twins import find_twins
from spacy_cascade.doc.gold import gold_chars, known_path
from spacy_cascade.taxonomy import builtin
from spacy_cascade.training.augment import MentionReplacer

ROOT = Path(__file__).parent.parent
GEIC = ROOT / "assets" / "corpora" / "dynamicner_mini"
B2NERD = ROOT / "assets" / "corpora" / "b2nerd_mini"
LEXICON = ROOT / "assets" / "lexicon"
LANGUAGES = ("en", "zh", "es", "fr", "de", "ja", "ko", "ru")


def records(lang: str, split: str) -> list[dict]:
    return list(srsly.read_json(GEIC / lang / f"{split}.json").values())


def all_records(lang: str) -> list[dict]:
    return [r for split in ("train", "dev", "test") for r in records(lang, split)]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_language_has_at_least_150_different_sentences(lang):
    texts = [r["sentence"] for r in all_records(lang)]
    assert len(texts) >= 150
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_medium_type_is_in_every_language_and_in_its_test_split(lang):
    taxonomy = builtin("dynamicner")
    for split_records in (all_records(lang), records(lang, "test")):
        medium = {taxonomy.resolve(c)[:2] for r in split_records for c in r["category"]}
        assert medium == set(taxonomy.paths(2))


def test_english_has_all_155_fine_types_in_training():
    taxonomy = builtin("dynamicner")
    found = {taxonomy.resolve(c) for r in records("en", "train") for c in r["category"]}
    assert found == set(taxonomy.paths(3))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_mention_is_in_its_sentence(lang):
    report = Report()
    for split in ("train", "dev", "test"):
        for record, raw in zip(
            geic.read(GEIC / lang / f"{split}.json", report),
            records(lang, split),
            strict=True,
        ):
            assert not record.rejected
            assert Counter(
                record.text[m.start : m.end] for m in record.mentions
            ) == Counter(raw["entity"])


@pytest.mark.parametrize("lang", LANGUAGES)
def test_hard_cases_are_there(lang):
    found = all_records(lang)
    assert any("##" in r["sentence"] for r in found)
    assert sum(not r["entity"] for r in found) >= 0.05 * len(found)
    assert any(max(Counter(r["entity"]).values(), default=0) > 1 for r in found)
    assert any(
        a != b and a in b for r in found for a in r["entity"] for b in r["entity"]
    )
    assert any(r["entity"] and r["sentence"].startswith(r["entity"][0]) for r in found)
    assert len({len(r["sentence"]) // 10 for r in found}) >= 5


@pytest.mark.parametrize("lang", LANGUAGES)
def test_no_test_sentence_is_a_template_twin_of_a_training_sentence(lang):
    report = Report()
    train = list(geic.read(GEIC / lang / "train.json", report))
    test = list(geic.read(GEIC / lang / "test.json", report))
    assert not list(find_twins(train, test))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_lexicon_has_names_for_every_fine_type(lang):
    taxonomy = builtin("dynamicner")
    data = srsly.read_json(LEXICON / f"{lang}.json")
    assert {taxonomy.resolve(t) for t in data} == set(taxonomy.paths(3))
    assert all(
        len(names) >= 8 and all(n.strip() == n and n for n in names)
        for names in data.values()
    )


def test_what_training_reads_names_every_type_without_doubt(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """There are biological weapons and biological entities."""
    make, gold = DocMaker(blank_pipeline(), taxonomy=builtin("dynamicner")), set()
    for lang in LANGUAGES:
        for record in geic.read(GEIC / lang / "train.json", Report()):
            if any(m.label == "biological" for m in record.mentions):
                gold.update(path for *_, path in gold_chars(make(record)))
    caplog.clear()
    with caplog.at_level(logging.WARNING, logger="spacy_cascade"):
        taxonomy = builtin("dynamicner")
        names = MentionReplacer.from_dir(LEXICON, taxonomy).names
        assert all(known_path(taxonomy, path) == path for path in gold)
    weapons = ("product", "weapon", "biological")
    assert weapons in gold
    assert all(weapons in names[lang] for lang in LANGUAGES)
    assert not caplog.messages


def test_b2nerd_mini_sets_are_aligned_and_their_labels_follow_the_list():
    folders = sorted(p.parent for p in B2NERD.rglob("labels.json"))
    assert len(folders) >= 6
    labels = set()
    for folder in folders:
        allowed = set(srsly.read_json(folder / "labels.json").values())
        labels |= allowed
        for split in ("train", "dev", "test"):
            for record in json.loads((folder / f"{split}.json").read_text("utf8")):
                for e in record["entities"]:
                    start, end = e["pos"]
                    assert record["sentence"][start:end] == e["name"]
                    assert e["type"] in allowed
    assert len(labels) >= 40


def test_universal_list_has_definitions():
    taxonomy = builtin("universal")
    assert len(taxonomy) >= 150
    assert all(taxonomy.description(path) for path in taxonomy)


def test_the_workflow_is_one_that_spacy_runs() -> None:
    project = srsly.read_yaml(Path(__file__).parents[1] / "project.yml")
    commands = [command["name"] for command in project["commands"]]
    assert len(commands) == len(set(commands))
    assert not set(commands) & set(project["workflows"])
    assert {step for steps in project["workflows"].values() for step in steps} <= set(
        commands
    )
