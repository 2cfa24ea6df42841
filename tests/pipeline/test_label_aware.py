"""Templates that name the label set, and label sets per Doc."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from spacy.training import Example

from spacy_cascade.doc.annotations import labels_of
from spacy_cascade.doc.gold import known_path
from spacy_cascade.errors import CascadeError
from spacy_cascade.models.losses import merge_items
from spacy_cascade.prompts.chat import ChatExtract, ChatLabeledExtract
from spacy_cascade.scoring.scorers import cascade_score
from spacy_cascade.training.augment import gold_doc
from spacy_cascade.training.dev_scores import dev_scores
from spacy_cascade.training.list_noise import ListNoise
from spacy_cascade.training.loop import SFT, Run
from tests import util

EXTRACT = {"@prompts": "spacy-cascade.CompactExtract.v1", "labels": True}
CLASSIFY = {"@prompts": "spacy-cascade.CompactClassify.v1", "labels": True}
TYPES = ["person", "place", "ship", "river"]


def aware(base: Path, **extractor: Any) -> Any:
    return util.cascade(
        base,
        extractor={"adapter": None, "template": EXTRACT, **extractor},
        classifier={
            "adapter": None,
            "template": CLASSIFY,
            "taxonomy": util.labels_config(TYPES),
        },
    )


def own(nlp: Any, labels: list[str] = TYPES) -> Example:
    example = util.example(
        nlp, "Ann left Rome.", [("Ann", "person"), ("Rome", "place")]
    )
    example.reference._.cascade_labels = labels
    return example


def test_the_prompt_names_the_labels_of_the_doc_the_classifier_or_the_extractor(
    base: Path,
) -> None:
    nlp = aware(base, taxonomy=util.labels_config(["river"]))
    pipe = nlp.get_pipe("cascade_extractor")
    lm = pipe.lm

    def prompt(doc: Any) -> list[int]:
        unit = pipe._cut(doc, pipe._labels(doc))[0][0].unit
        return pipe.template.job(lm, unit, pipe.drafter.guess(unit, [])).prompt

    def begins(doc: Any, label: str) -> bool:
        ids = lm.encode(f" {label}", control=True)
        return prompt(doc)[1 : 1 + len(ids)] == ids

    doc = nlp.make_doc("Ann left Rome.")
    assert begins(doc, TYPES[0])
    nlp.get_pipe("cascade_classifier").set_taxonomy(["ship"])
    assert begins(doc, "ship")
    with nlp.select_pipes(disable="cascade_classifier"):
        assert begins(doc, "ship")
    doc._.cascade_labels = ["place", "person"]
    assert begins(doc, "place")
    doc._.cascade_labels = None
    nlp.remove_pipe("cascade_classifier")
    assert begins(doc, "river")
    pipe.set_taxonomy(None)
    assert prompt(doc)[1:] == [
        *(t for s in ("Ann", " left", " Rome", ".") for t in lm.encode(s)),
        lm.token_id("<sep>"),
    ]


def test_other_labels_other_output_and_none_for_a_template_without_labels(
    lively: Path,
) -> None:
    text = "Ann left Rome with Bob and the Queen Mary for the river Rhine."

    def found(nlp: Any, labels: list[str]) -> list[tuple[int, int, float]]:
        doc = next(nlp.pipe([(text, {"cascade_labels": labels})], as_tuples=True))[0]
        group = doc.spans["cascade"]
        return [
            (s.start, s.end, p)
            for s, p in zip(group, group.attrs["scores"], strict=True)
        ]

    nlp = aware(lively)
    assert found(nlp, ["person"]) != found(nlp, ["ship", "river"])
    # a pipeline for each: one that has seen a text drafts it better, so that products
    # have other shapes, and round otherwise
    one, other = (
        util.cascade(lively, extractor={"adapter": None}, classifier={"adapter": None})
        for _ in range(2)
    )
    assert found(one, ["person"]) == found(other, ["ship", "river"])


def test_both_stages_share_the_prompt_in_training(base: Path) -> None:
    nlp = aware(base)
    example = own(nlp)
    items = [
        pipe.training_items(
            [Example(nlp.make_doc("Ann left Rome."), example.reference)]
        )[0]
        for _, pipe in nlp.components
    ]
    merged = merge_items(items)
    assert len(merged) == 1
    assert (
        len(merged[0].query.ids)
        < len(items[0][0].query.ids) + len(items[1][0].query.ids) / 2
    )
    # labels stand at position 0, so that their order means nothing
    depths = merged[0].query.depths
    names = sum(
        len(nlp.get_pipe("cascade_extractor").lm.encode(f" {t}", control=True))
        for t in TYPES
    )
    assert depths is not None
    assert depths[: names + 2] == [0] * (names + 2)
    assert depths[names + 2] == 1


def test_reduced_label_sets_lose_the_mentions_of_what_is_left_out(base: Path) -> None:
    nlp = aware(base)
    reference = own(nlp).reference
    rng, seen = random.Random(0), set()
    for _ in range(200):
        doc = ListNoise(rng, 1.0, 0.5).reduced(nlp, reference)
        labels = doc._.cascade_labels
        assert labels
        assert set(labels) <= set(TYPES)
        assert {e.label_ for e in doc.ents} == {"person", "place"} & set(labels)
        seen.add(tuple(labels))
    assert len(seen) > 20
    assert reference._.cascade_labels == TYPES
    assert ListNoise(rng, 0.0, 0.5).reduced(nlp, reference) is reference


def test_gold_paths_are_read_in_the_label_set_of_their_text(base: Path) -> None:
    """Corpora under standardized names have full paths as gold, and label sets of bare names."""
    nlp = aware(base)
    reference = gold_doc(
        nlp,
        "Acme sold oil.",
        [(0, 4, ("organization", "company")), (10, 13, ("substance",))],
    )
    reference._.cascade_labels = ("company", "substance", "ship", "product -> others")
    taxonomy = labels_of(reference)
    assert taxonomy is not None
    assert known_path(taxonomy, ("organization", "company")) == ("company",)
    assert known_path(taxonomy, ("organization", "party")) is None
    example = Example(nlp.make_doc(reference.text), reference)
    items = nlp.get_pipe("cascade_classifier").training_items([example])[0]
    assert sum(len(i.gold) for i in items) >= 2
    seen = set()
    for seed in range(50):
        doc = ListNoise(random.Random(seed), 1.0, 0.5).reduced(nlp, reference)
        assert {e.label_ for e in doc.ents} == {"company", "substance"} & set(
            doc._.cascade_labels
        )
        seen.add(len(doc.ents))
    assert seen == {0, 1, 2}
    predicted = nlp.make_doc(reference.text)
    predicted.set_ents(
        [
            predicted.char_span(0, 4, label="company"),
            predicted.char_span(10, 13, label="ship"),
        ]
    )
    scores = cascade_score([Example(predicted, reference)])
    assert scores["cascade_typed_f"] == 0.5
    assert dev_scores(nlp, nlp.get_pipe("cascade_classifier"), [example])["acc1"] in (
        0.0,
        0.5,
        1.0,
    )


def test_the_loop_reduces_label_sets_and_learns(base: Path, tmp_path: Path) -> None:
    nlp = aware(base)
    examples = [own(nlp) for _ in range(8)]
    nlp.initialize(lambda: examples)
    settings = SFT(
        ["cascade_extractor", "cascade_classifier"],
        max_steps=3,
        label_sets=1.0,
        replace_rate=0.0,
        save_every=0,
    )
    run = Run(settings, nlp, examples, examples, tmp_path, lambda info: None)
    found = {tuple(run.data.example(0, i).reference._.cascade_labels) for i in range(8)}
    assert len(found) > 1
    assert run.run(resume=False)["steps"] == 3


def test_the_taxonomy_of_the_extractor_is_saved(base: Path, tmp_path: Path) -> None:
    nlp = aware(base, taxonomy=util.labels_config(["river"]))
    nlp.to_disk(tmp_path / "nlp")
    pipe = (
        type(nlp)
        .from_config(nlp.config)
        .from_disk(tmp_path / "nlp")
        .get_pipe("cascade_extractor")
    )
    assert pipe.taxonomy.roots == ("river",)


def test_too_many_labels_for_the_window_are_a_clear_error(base: Path) -> None:
    nlp = aware(base)
    doc = nlp.make_doc("Ann left Rome.")
    doc._.cascade_labels = [f"type number {i}" for i in range(1000)]
    with pytest.raises(CascadeError, match=r"C050.*1000 labels"):
        nlp.get_pipe("cascade_extractor")(doc)


def test_chat_template_names_the_types(base: Path, nlp: Any) -> None:
    from dataclasses import replace

    from spacy_cascade.decoding.automaton import Guess

    lm = aware(base).get_pipe("cascade_extractor").lm
    unit = replace(util.units(nlp, ["Ann left {Rome}."])[0], labels=("person", "place"))
    text = lm.tokenizer.decode(
        ChatLabeledExtract().job(lm, unit, Guess(unit)).prompt
    ).lower()
    assert "types: person, place" in text
    assert not ChatExtract().labels
    assert (
        ChatLabeledExtract(instruction='Types: {types}. Answer {"like this"}.')
        .job(lm, unit, Guess(unit))
        .prompt
    )
    with pytest.raises(CascadeError, match="C020"):
        ChatLabeledExtract(instruction="Mark everything.")
