"""The component `open_ner`: prompts, labels, batches, training and saving."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.language import Language
from spacy.tokens import Doc, DocBin
from spacy.training import Example
from spacy.util import fix_random_seed

from spacy_cascade.errors import CascadeError
from spacy_cascade.models.loading import load_model
from spacy_cascade.models.spec import HFSpec
from spacy_cascade.pipeline.open_ner import SHORTENED, OpenNER
from spacy_cascade.prompts.demonstrations import read_demos
from spacy_cascade.prompts.labelset import LabelSet
from spacy_cascade.prompts.open import B2NEROpen, CompactOpen, b2ner_open
from spacy_cascade.prompts.wordings import WORDINGS
from spacy_cascade.taxonomy import Taxonomy
from spacy_cascade.training.augment import gold_doc
from spacy_cascade.training.dev_scores import dev_scores
from spacy_cascade.training.list_noise import ListNoise
from spacy_cascade.training.loop import SFT
from tests import util

LABELS = ["person", "location->city", "location->country"]
COMPACT = {"@prompts": "spacy-cascade.CompactOpen.v1"}
B2NER = {"@prompts": "spacy-cascade.B2NEROpen.v1"}
TEXTS = [
    util.SENTENCES[1],
    util.SENTENCES[5],
    *util.ODD[1:5],
    "",
    " ",
    "x",
    "Ann; person: Bob; city: Rome",
]
LORA = {"rank": 4, "alpha": 8}


def pipeline(base: Path, **config: Any) -> Language:
    nlp = util.blank()
    nlp.add_pipe(
        "open_ner",
        config={
            "model": util.model_config(base),
            "taxonomy": LABELS,
            "adapter": LORA,
            **config,
        },
    )
    return nlp


def pipe_of(nlp: Language) -> OpenNER:
    pipe = nlp.get_pipe("open_ner")
    assert isinstance(pipe, OpenNER)
    return pipe


def result(doc: Doc) -> Any:
    return util.entities(doc), util.spans(doc), doc._.cascade_coverage


def code(err: Any) -> str:
    return err.value.code


@pytest.fixture(scope="module")
def talkative(tmp_path_factory: Any, base: Path) -> Path:
    """A base with random weights that lists many mentions: nothing makes it end an answer."""
    import torch

    path = tmp_path_factory.mktemp("base") / "talkative"
    lm = util.random_lm(base, factor=4.0, seed=5, double=False)
    with torch.no_grad():
        lm.model.get_input_embeddings().weight[lm.token_id("</s>")] = 0
    lm.save(path)
    return path


def exact(base: Path) -> Any:
    """In float64, so that batches of every shape lead to the same decisions: see
    `util.random_lm`.
    """
    lm = load_model(HFSpec(str(base), device="cpu"), private=True)
    lm.model.double()
    return lm


@pytest.fixture(scope="module", params=["compact", "b2ner"])
def nlp_open(request: Any, talkative: Path) -> Language:
    nlp = pipeline(talkative, template=COMPACT if request.param == "compact" else B2NER)
    pipe_of(nlp).weights.lm = exact(talkative)
    return nlp


# -- Prompts -------------------------------------------------------------------------

LABEL_SET = LabelSet.build(Taxonomy.from_labels(LABELS), full_paths=True)


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


# -- Labels --------------------------------------------------------------------------


def test_names_tell_types_apart() -> None:
    taxonomy = Taxonomy(
        {"place": ["address", "other"], "product": ["other", "weapon"], "other": []}
    )
    assert LabelSet.build(taxonomy).names == (
        "address",
        "place->other",
        "product->other",
        "weapon",
        "other",
    )
    assert LabelSet.build(taxonomy, level=1).names == ("place", "product", "other")
    assert LabelSet.build(taxonomy, full_paths=True).names[0] == "place->address"


def test_names_of_the_big_taxonomy_differ() -> None:
    taxonomy = Taxonomy.from_object(
        spacy.registry.get("taxonomies", "spacy-cascade.DynamicNER.v1")()
    )  # type: ignore[attr-defined]
    for level in range(4):
        names = LabelSet.build(taxonomy, level=level).names
        assert len(set(names)) == len(names) > 5


def test_labels_that_are_given_twice_are_one(talkative: Path) -> None:
    nlp = pipeline(talkative, taxonomy=["Person", "city", "CI TY", "city", "Person"])
    assert pipe_of(nlp).labels == ("Person", "city", "CI TY")


@pytest.mark.parametrize("other", ["person", " PERSON", "PERSON"])
def test_labels_that_differ_in_case_or_white_space_alone_are_refused(
    talkative: Path, other: str
) -> None:
    pipe = pipe_of(pipeline(talkative))
    with pytest.raises(CascadeError) as err:
        pipe.set_labels(["Person", other, "city"])
    assert (
        code(err) == "C005"
        and "'Person'" in str(err.value)
        and repr(other) in str(err.value)
    )
    assert pipe.labels == ("person", "city", "country"), "the old set stays"


@pytest.mark.parametrize("labels", [[], {}, ["->"], [""], ["a>b"], [3], "person", 3])
def test_label_sets_that_cannot_be_used(talkative: Path, labels: Any) -> None:
    pipe = pipe_of(pipeline(talkative))
    with pytest.raises(CascadeError) as err:
        pipe.set_labels(labels)
    assert code(err) in ("C003", "C004", "C006")
    assert pipe.labels == ("person", "city", "country"), "the old set stays"


SEPARATORS = ["a: b", "a; b", "a, b", "a", "b", "none", "; ", ":", "person->a: b"]


@pytest.mark.slow
@given(
    labels=st.lists(
        st.one_of(st.sampled_from(SEPARATORS), st.text(min_size=1, max_size=6)),
        min_size=1,
        max_size=6,
    ),
    text=st.text(max_size=20),
)
@settings(max_examples=15)
def test_any_label_set_and_any_text(
    nlp_open: Language, labels: list[str], text: str
) -> None:
    doc = nlp_open.make_doc(text)
    doc._.cascade_labels = labels
    try:
        taxonomy = Taxonomy.from_labels(labels)
    except CascadeError as expected:
        with pytest.raises(CascadeError) as err:
            pipe_of(nlp_open)(doc)
        assert code(err) == expected.code
        return
    doc = pipe_of(nlp_open)(doc)
    assert doc.text == text
    for start, end, label, path in util.spans(doc):
        assert tuple(path.split(" > ")) in taxonomy.leaves and path.endswith(label)
        assert (
            doc.char_span(start, end) is not None
            and text[start:end].strip() == text[start:end]
        )


def test_labels_in_another_language_than_the_text(nlp_open: Language) -> None:
    docs = [nlp_open.make_doc(t) for t in TEXTS]
    for doc in docs:
        doc._.cascade_labels = ["人名", "地名", "組織"]
    found = {s.label_ for doc in nlp_open.pipe(docs) for s in doc.spans["cascade"]}
    assert found and found <= {"人名", "地名", "組織"}


@pytest.mark.slow
@pytest.mark.parametrize("template", [COMPACT, B2NER])
def test_a_thousand_labels_fit_or_are_refused(talkative: Path, template: Any) -> None:
    many = [f"type {a}{b}" for a in range(40) for b in "abcdefghijklmnopqrstuvwxy"]
    nlp = pipeline(talkative, template=template, taxonomy=many)
    with pytest.raises(CascadeError) as err:
        nlp("Ann met Bob.")
    assert code(err) == "C050"
    pipe_of(nlp).lm.max_length = 1 << 15
    try:
        doc = nlp("Ann met Bob.")
    finally:
        pipe_of(nlp).lm.max_length = 2048
    assert doc._.cascade_coverage == [(0, 12, "processed")]


def test_a_thousand_labels_without_a_list_in_the_prompt(talkative: Path) -> None:
    many = [f"type {a}{b}" for a in range(40) for b in "abcdefghijklmnopqrstuvwxy"]
    nlp = pipeline(talkative, template={**COMPACT, "list_labels": False}, taxonomy=many)
    assert len(pipe_of(nlp).labels) == 1000
    assert all(s.label_ in many for d in nlp.pipe(TEXTS) for s in d.spans["cascade"])


def test_set_labels_takes_effect_at_once(nlp_open: Language) -> None:
    pipe = pipe_of(nlp_open)
    try:
        pipe.set_labels({"animal": ["dog", "cat"]})
        labels = {s.label_ for d in nlp_open.pipe(TEXTS) for s in d.spans["cascade"]}
        assert labels and labels <= {"dog", "cat"}
        assert pipe.labels == ("dog", "cat")
    finally:
        pipe.set_labels(LABELS)


def test_labels_per_doc_and_per_context(nlp_open: Language) -> None:
    own = ["dog", "cat"]
    docs = [nlp_open.make_doc(t) for t in TEXTS]
    for doc in docs[::2]:
        doc._.cascade_labels = own
    contexts = [
        {"cascade_labels": own, "id": i} if i % 2 == 0 else i for i in range(len(TEXTS))
    ]
    pairs = list(
        nlp_open.pipe(zip(TEXTS, contexts, strict=True), as_tuples=True, batch_size=3)
    )
    assert [c for _, c in pairs] == contexts
    labels: list[set[str]] = [set(), set()]
    for i, (a, (b, _)) in enumerate(zip(nlp_open.pipe(docs), pairs, strict=True)):
        assert result(a) == result(b)
        labels[i % 2] |= {s.label_ for s in b.spans["cascade"]}
    assert labels[0] and labels[0] <= {"dog", "cat"}
    assert labels[1] and labels[1] <= {"person", "city", "country"}


def test_c024_wrong_labels_in_a_context(nlp_open: Language) -> None:
    with pytest.raises(CascadeError) as err:
        list(nlp_open.pipe([("a b", {"cascade_labels": "dog"})], as_tuples=True))
    assert code(err) == "C024"


# -- Running -------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_pipe_equals_single_calls(nlp_open: Language, batch_size: int) -> None:
    single = [nlp_open(t) for t in TEXTS]
    assert sum(len(d.ents) for d in single) > 3, (
        "the model must find something, or nothing is tested"
    )
    for a, b in zip(single, nlp_open.pipe(TEXTS, batch_size=batch_size), strict=True):
        assert result(a) == result(b)
        assert util.scores(a) == pytest.approx(util.scores(b), rel=1e-3)


def test_two_processes_equal_one(talkative: Path) -> None:
    nlp = pipeline(talkative)
    contexts = [
        {"cascade_labels": ["dog", "cat"]} if i % 2 else None for i in range(len(TEXTS))
    ]
    one = list(nlp.pipe(zip(TEXTS, contexts, strict=True), as_tuples=True))
    two = list(
        nlp.pipe(
            zip(TEXTS, contexts, strict=True), as_tuples=True, n_process=2, batch_size=4
        )
    )
    assert [result(d) for d, _ in one] == [result(d) for d, _ in two]


def test_entities_of_others_stay_unless_overwritten(nlp_open: Language) -> None:
    pipe = pipe_of(nlp_open)
    text = next(t for t in TEXTS if nlp_open(t).ents)
    for overwrite in (False, True):
        doc = nlp_open.make_doc(text)
        doc.set_ents(
            [
                doc.char_span(
                    0, len(text.split()[0]), label="OLD", alignment_mode="expand"
                )
            ]
        )
        pipe.overwrite_ents = overwrite
        assert ("OLD" in {e.label_ for e in pipe(doc).ents}) is not overwrite
    pipe.overwrite_ents = False


def test_nested_mentions_stay_in_the_spans(talkative: Path) -> None:
    nlp = pipeline(talkative, nested=True)
    docs = list(nlp.pipe(TEXTS))
    overlaps = [
        (a, b)
        for d in docs
        for a in d.spans["cascade"]
        for b in d.spans["cascade"]
        if a.start <= b.start < a.end and a != b
    ]
    assert overlaps
    for doc in docs:
        assert {(e.start, e.end) for e in doc.ents} <= {
            (s.start, s.end) for s in doc.spans["cascade"]
        }


def test_min_score_drops_mentions(nlp_open: Language) -> None:
    pipe = pipe_of(nlp_open)
    before = [
        s._.cascade_score for d in nlp_open.pipe(TEXTS) for s in d.spans["cascade"]
    ]
    pipe.min_score = sorted(before)[len(before) // 2]
    try:
        after = [
            s._.cascade_score for d in nlp_open.pipe(TEXTS) for s in d.spans["cascade"]
        ]
    finally:
        pipe.min_score = 0.0
    assert 0 < len(after) < len(before)
    assert min(after) >= sorted(before)[len(before) // 2]


def test_long_texts_are_cut_into_windows(nlp_open: Language) -> None:
    pipe = pipe_of(nlp_open)
    text = " ".join(util.SENTENCES[:5]) * 2
    pipe.max_tokens, pipe.overlap = 40, 8
    try:
        doc = nlp_open(text)
    finally:
        pipe.max_tokens, pipe.overlap = 256, 64
    covered = doc._.cascade_coverage
    assert len(covered) > 2 and {status for *_, status in covered} == {"split"}
    assert covered[0][0] == 0 and covered[-1][1] == len(text)


@pytest.mark.slow
def test_a_list_that_does_not_fit_is_reported(talkative: Path, caplog: Any) -> None:
    nlp = pipeline(talkative, template=B2NER, nested=True)
    lm = pipe_of(nlp).weights.lm = exact(talkative)
    text = next(t for t in TEXTS if len(nlp(t).spans["cascade"]) > 2)
    whole = len(nlp(text).spans["cascade"])
    lm.max_length = pipe_of(nlp).template.overhead(lm, LABEL_SET) + 3 * len(
        lm.encode(text)
    )
    found = nlp(text)
    assert len(found.spans["cascade"]) < whole
    assert found._.cascade_coverage == [(0, len(text), SHORTENED)]
    assert "[CW05]" in caplog.text


def test_a_failing_doc_leaves_the_others_alone(nlp_open: Language) -> None:
    failed = []
    pipe = pipe_of(nlp_open)
    pipe.set_error_handler(lambda name, pipe, docs, err: failed.extend(docs))
    docs = [nlp_open.make_doc(t) for t in TEXTS[:3]]
    docs[1].user_data["cascade_labels"] = 3
    try:
        done = list(pipe.pipe(docs))
    finally:
        pipe.set_error_handler(spacy.util.raise_error)
    assert done == [docs[0], docs[2]] and failed == [docs[1]]
    assert docs[1]._.cascade_coverage == [(0, len(docs[1].text), "failed")]


@pytest.mark.parametrize(
    "config",
    [
        {"level": -1},
        {"min_score": 2.0},
        {"max_tokens": 3},
        {"overlap": 500},
        {"window": "page"},
        {"save_weights": "some"},
    ],
)
def test_settings_are_checked(talkative: Path, config: dict[str, Any]) -> None:
    with pytest.raises(CascadeError) as err:
        pipeline(talkative, **config)
    assert code(err) in ("C020", "C021")


# -- Training ------------------------------------------------------------------------


def loop(**more: Any) -> SFT:
    defaults: dict[str, Any] = {
        "max_steps": 60,
        "batch_size": 8,
        "learn_rate": 1e-2,
        "optimizer": "muon",
        "replace_rate": 0.0,
        "save_every": 0,
    }
    return SFT(["open_ner"], **{**defaults, **more})


@pytest.fixture(scope="module")
def overfitted(
    tmp_path_factory: Any, base: Path
) -> tuple[Language, list[Example], Path]:
    nlp = pipeline(base, adapter=None)
    examples, out = util.examples(nlp), tmp_path_factory.mktemp("open")
    loop().run(nlp, examples, examples, out)
    return nlp, examples, out


def test_the_loop_overfits_eight_sentences(overfitted: Any) -> None:
    nlp, examples, _ = overfitted
    scores = nlp.evaluate(
        [Example(nlp.make_doc(eg.reference.text), eg.reference) for eg in examples]
    )
    assert scores["cascade_typed_f"] > 0.9
    found = dev_scores(nlp, nlp.get_pipe("open_ner"), examples)
    assert found["score"] == pytest.approx(scores["cascade_typed_f"])
    assert found["span_f"] == pytest.approx(scores["cascade_extraction_f"])


def test_the_trained_pipeline_is_saved(overfitted: Any) -> None:
    nlp, examples, out = overfitted
    texts = [eg.reference.text for eg in examples]
    again = spacy.load(out / "model-last")
    assert [result(d) for d in again.pipe(texts)] == [
        result(d) for d in nlp.pipe(texts)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("objective", ["decisions", "completion"])
@pytest.mark.parametrize("template", [COMPACT, B2NER], ids=["compact", "b2ner"])
def test_objectives_lower_their_loss(
    base: Path, tmp_path: Path, objective: str, template: Any
) -> None:
    nlp = pipeline(base, template=template, adapter={"rank": 8, "alpha": 16})
    seen: list[dict[str, Any]] = []
    run = loop(
        objective=objective,
        max_steps=8,
        eval_every=2,
        lm_weight=0.1,
        subword_noise=0.2,
        dynamic_lists=0.5,
        label_dropout=0.2,
    )
    run.run(nlp, util.examples(nlp), [], tmp_path, report=seen.append)
    assert seen[-1]["losses"]["open_ner"] < seen[0]["losses"]["open_ner"]


@pytest.mark.slow
def test_a_resumed_run_equals_one_without_a_break(base: Path, tmp_path: Path) -> None:
    run = loop(
        max_steps=8,
        batch_size=3,
        save_every=2,
        eval_every=5,
        dynamic_lists=0.5,
        subword_noise=0.2,
    )

    def stop(info: dict[str, Any]) -> None:
        raise KeyboardInterrupt

    whole, broken, again = (pipeline(base, adapter=None) for _ in range(3))
    examples = util.examples(whole)
    run.run(whole, examples, [], tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run.run(broken, examples, [], tmp_path / "broken", report=stop)
    assert run.run(again, examples, [], tmp_path / "broken")["steps"] == 8
    weights = [dict(pipe_of(nlp).lm.model.named_parameters()) for nlp in (whole, again)]
    assert all(v.equal(weights[1][k]) for k, v in weights[0].items())
    assert any(
        not v.equal(weights[0][k])
        for k, v in pipe_of(broken).lm.model.named_parameters()
    )


def test_spacy_train_drives_it(base: Path) -> None:
    fix_random_seed(0)
    nlp = pipeline(base, adapter=None)
    examples = util.examples(nlp)
    optimizer = nlp.initialize(lambda: examples)
    optimizer.learn_rate = 0.005
    losses = [nlp.update(examples, sgd=optimizer)["open_ner"] for _ in range(8)]
    assert losses[-1] < 0.7 * losses[0]


def test_training_asks_what_decoding_asks(overfitted: Any) -> None:
    """On a model that knows the answer, the training items are the decoder's own questions."""
    nlp, examples, _ = overfitted
    pipe = pipe_of(nlp)
    for items in pipe.training_items(
        [Example(nlp.make_doc(eg.reference.text), eg.reference) for eg in examples]
    ):
        (item,) = items
        (logits,) = pipe.lm.candidate_logits([item.query])
        assert [int(row.argmax()) for row in logits] == item.gold


def test_gold_of_every_kind_becomes_items(talkative: Path) -> None:
    gold = [
        (
            "Ann saw Ann, Ann; Bob.",
            [("Ann", "person"), ("Ann", "person"), ("Bob", "person")],
        ),
        ("a; person: b", [("a; person: b", "person")]),
        ("France beat Spain", [("France beat", "person"), ("Spain", "animal")]),
        ("nothing", []),
        ("香港的李小龙", [("香港", "location > city"), ("李小龙", "person")]),
    ]
    for kind in (B2NER, COMPACT):
        nlp = pipeline(talkative, template=kind)
        items = pipe_of(nlp).training_items(util.examples(nlp, gold))
        assert [len(i) for i in items] == [1] * len(gold)
        for (item,) in items:
            assert len(item.gold) == len(item.query.positions) > 0
            assert item.query.positions[-1] < len(item.query.ids)


def test_nested_gold_is_listed_outer_mention_first(talkative: Path) -> None:
    text, person, city = "New York Times in New York", ("person",), ("location", "city")
    for nested, listed in (
        (
            True,
            " person: New York Times; location->city: New York; location->city: New York",
        ),
        (False, " person: New York Times; location->city: New York"),
    ):
        nlp = pipeline(talkative, template=B2NER, nested=nested)
        gold = gold_doc(nlp, text, [(0, 8, city), (0, 14, person), (18, 26, city)])
        ((item,),) = pipe_of(nlp).training_items([Example(nlp.make_doc(text), gold)])
        assert (
            util.written_bytes(
                pipe_of(nlp).lm, [item.query.ids[n] for n in item.answer]
            ).decode()
            == listed
        )


def test_label_noise_changes_list_and_answer_together() -> None:
    labels, rng = ["a", "b", "c", "d", "e"], random.Random(0)
    dynamic = [
        ListNoise(rng, dynamic=1.0).labels(labels, {"b", "d"}) for _ in range(50)
    ]
    assert all({1, 3} <= set(kept) and len(set(kept)) == len(kept) for kept in dynamic)
    assert {len(k) for k in dynamic} == {2, 3, 4, 5}
    dropped = [
        ListNoise(rng, dropout=0.5).labels(labels, {"b", "d"}) for _ in range(50)
    ]
    assert any(1 not in kept for kept in dropped) and all(
        kept and kept == sorted(kept) for kept in dropped
    )
    assert all(
        ListNoise(rng, dynamic=1.0, dropout=1.0).labels(labels, {"b"}) for _ in range(9)
    )
    assert ListNoise(rng).labels(labels, set()) == [0, 1, 2, 3, 4]


# -- Saving and adapters -------------------------------------------------------------


def test_round_trips(talkative: Path, tmp_path: Path) -> None:
    nlp = pipeline(talkative)
    pipe_of(nlp).set_labels(
        {"tree": {"animal": ["dog", "cat"]}, "descriptions": {"dog": "barks"}}
    )
    expected = [result(d) for d in nlp.pipe(TEXTS)]
    nlp.to_disk(tmp_path / "nlp")
    loaded = spacy.load(tmp_path / "nlp")
    assert [result(d) for d in loaded.pipe(TEXTS)] == expected
    assert pipe_of(loaded).taxonomy.descriptions == {"dog": "barks"}
    fresh = pipeline(talkative).from_bytes(nlp.to_bytes())
    assert [result(d) for d in fresh.pipe(TEXTS)] == expected


@pytest.fixture(scope="module")
def peft_dir(tmp_path_factory: Any, talkative: Path) -> tuple[Path, list[Any]]:
    """An adapter as another program would release it: a peft directory, nothing else."""
    import torch

    nlp = pipeline(talkative, template=B2NER)
    trainable = pipe_of(nlp).start_training()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for p in trainable.parameters.values():
            p.copy_(torch.randn(p.shape, generator=generator) * 0.3)
    path = tmp_path_factory.mktemp("peft") / "adapter"
    pipe_of(nlp).lm.save_adapter(pipe_of(nlp).weights.adapter, path)
    config = json.loads((path / "adapter_config.json").read_text())
    (path / "adapter_config.json").write_text(
        json.dumps({**config, "base_model_name_or_path": "internlm/internlm2-7b"})
    )
    return path, [result(d) for d in nlp.pipe(TEXTS)]


@pytest.mark.slow
def test_a_released_adapter_on_its_base(
    peft_dir: Any, talkative: Path, tmp_path: Path
) -> None:
    path, expected = peft_dir
    nlp = pipeline(talkative, template=B2NER, adapter_path=str(path))
    assert [result(d) for d in nlp.pipe(TEXTS)] == expected
    assert [
        result(d) for d in pipeline(talkative, template=B2NER).pipe(TEXTS)
    ] != expected
    nlp.to_disk(tmp_path / "nlp")
    config = spacy.util.load_config(tmp_path / "nlp" / "config.cfg")
    config["components"]["open_ner"]["adapter_path"] = str(tmp_path / "gone")
    config.to_disk(tmp_path / "nlp" / "config.cfg")
    assert [result(d) for d in spacy.load(tmp_path / "nlp").pipe(TEXTS)] == expected, (
        "the adapter is saved, too"
    )


def test_a_released_adapter_can_be_trained_further(
    peft_dir: Any, talkative: Path
) -> None:
    nlp = pipeline(talkative, template=B2NER, adapter_path=str(peft_dir[0]))
    examples = util.examples(nlp)
    optimizer = nlp.initialize(lambda: examples)
    before = [
        p.detach().clone() for p in pipe_of(nlp).start_training().parameters.values()
    ]
    nlp.update(examples[:2], sgd=optimizer)
    after = list(pipe_of(nlp).start_training().parameters.values())
    assert before and any((a != b).any() for a, b in zip(before, after, strict=True))


def test_c013_no_adapter_there(talkative: Path, tmp_path: Path) -> None:
    nlp = pipeline(talkative, adapter_path=str(tmp_path))
    with pytest.raises(CascadeError) as err:
        nlp("a b")
    assert code(err) == "C013"


@pytest.mark.slow
def test_the_config_trains_and_is_complete(tmp_path: Path, base: Path) -> None:
    from spacy_cascade.cli.finetune import finetune

    path = Path(__file__).parents[2] / "configs" / "open_ner.cfg"
    nlp = util.blank()
    DocBin(
        docs=[eg.reference for eg in util.examples(nlp)], store_user_data=True
    ).to_disk(tmp_path / "gold.spacy")
    data = str(tmp_path / "gold.spacy")
    overrides = {
        "paths.train": data,
        "paths.dev": data,
        "paths.base": str(base),
        "finetune.max_steps": 2,
        "finetune.eval_every": 1,
    }
    assert (
        finetune(path, tmp_path / "out", overrides=overrides, silent=True)["steps"] == 2
    )
    doc = spacy.load(tmp_path / "out" / "model-best")("Ann met Bob.")
    assert "cascade" in doc.spans
