"""Training `open_ner`: the loop, its items and the noise in label lists."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import spacy
from spacy.language import Language
from spacy.training import Example
from spacy.util import fix_random_seed

from spacy_cascade.training.augment import gold_doc
from spacy_cascade.training.dev_scores import dev_scores
from spacy_cascade.training.list_noise import ListNoise
from spacy_cascade.training.loop import SFT
from tests import util

from .util import B2NER, COMPACT, pipe_of, pipeline, result


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
