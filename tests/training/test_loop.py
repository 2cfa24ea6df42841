"""The training loop: what it learns, writes and changes, and when it ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from spacy.language import Language
from spacy.training import Example

from spacy_cascade.models.loading import load_model
from spacy_cascade.models.spec import HFSpec
from spacy_cascade.training.dev_scores import dev_scores
from spacy_cascade.training.loop import SFT
from tests import util

from .util import FULL, LORA, STAGES, changed, one, state, two


@pytest.fixture(scope="module")
def overfitted(
    tmp_path_factory: Any, base: Path
) -> tuple[Language, list[Example], Path, dict[str, Any]]:
    nlp = two(base, FULL)
    examples = util.examples(nlp)
    out = tmp_path_factory.mktemp("overfit")
    loop = SFT(
        STAGES,
        max_steps=140,
        batch_size=8,
        learn_rate=1e-2,
        warmup=0.1,
        replace_rate=0.0,
        save_every=0,
        weight_decay=0.0,
    )
    return nlp, examples, out, loop.run(nlp, examples, examples, out)


def test_the_loop_overfits_eight_sentences(overfitted: Any) -> None:
    nlp, examples, _, _ = overfitted
    scores = nlp.evaluate(
        [Example(nlp.make_doc(eg.reference.text), eg.reference) for eg in examples]
    )
    assert scores["cascade_extraction_f"] > 0.9
    assert scores["cascade_accuracy"] > 0.9
    assert scores["cascade_typed_f"] > 0.9


def test_dev_scores_are_those_of_the_pipeline(overfitted: Any) -> None:
    nlp, examples, _, result = overfitted
    scores = nlp.evaluate(
        [Example(nlp.make_doc(eg.reference.text), eg.reference) for eg in examples]
    )
    found = dev_scores(nlp, nlp.get_pipe("cascade_extractor"), examples)
    assert found["f"] == pytest.approx(scores["cascade_extraction_f"])
    assert result["best"]["cascade_extractor"] == found
    assert set(result["best"]["cascade_classifier"]) == {"score", "acc1", "acc2"}


def test_the_loop_writes_models_and_a_log(overfitted: Any) -> None:
    import spacy

    nlp, examples, out, result = overfitted
    assert result["steps"] == 140
    assert sorted(p.name for p in out.iterdir()) == [
        "log.jsonl",
        "model-best",
        "model-last",
    ]
    last = spacy.load(out / "model-last")
    texts = [eg.reference.text for eg in examples]
    assert [util.entities(d) for d in last.pipe(texts)] == [
        util.entities(d) for d in nlp.pipe(texts)
    ]
    (line,) = [json.loads(x) for x in (out / "log.jsonl").read_text().splitlines()]
    assert line["step"] == 140
    assert set(line["losses"]) == set(line["dev"]) == set(STAGES)


@pytest.mark.slow
@pytest.mark.parametrize("objective", ["decisions", "completion"])
@pytest.mark.parametrize("settings", [LORA, FULL], ids=["lora", "full"])
def test_objectives_lower_their_loss(
    fresh: Any, tmp_path: Path, objective: str, settings: dict[str, Any]
) -> None:
    nlp = two(fresh(), settings)
    examples = util.examples(nlp)
    seen: list[dict[str, Any]] = []
    loop = SFT(
        STAGES,
        objective=objective,
        max_steps=12,
        eval_every=4,
        learn_rate=5e-3,
        replace_rate=0.0,
        save_every=0,
        lm_weight=0.1,
    )
    loop.run(nlp, examples, [], tmp_path, report=seen.append)
    assert [s["step"] for s in seen] == [4, 8, 12]
    for stage in STAGES:
        assert seen[-1]["losses"][stage] < seen[0]["losses"][stage]


def test_lora_changes_adapter_tensors_only(fresh: Any, tmp_path: Path) -> None:
    nlp = two(fresh(), LORA)
    for stage in STAGES:
        nlp.get_pipe(stage).start_training()  # type: ignore[attr-defined]
    before = {s: state(nlp, s) for s in STAGES}
    SFT(["cascade_extractor"], max_steps=2, save_every=0).run(
        nlp, util.examples(nlp), [], tmp_path
    )
    moved = changed(before["cascade_extractor"], state(nlp))
    assert moved
    assert all(".lora_" in k for k in moved)
    other = nlp.get_pipe("cascade_classifier").weights.adapter  # type: ignore[attr-defined]
    assert not any(f".{other}." in k for k in moved)


def test_full_training_takes_a_base_of_its_own(fresh: Any, tmp_path: Path) -> None:
    """Another component that was loaded from the same weights must not change with it."""
    path = fresh()
    trained, other = one(path, **FULL), one(path, **FULL)
    before = state(other)
    assert (
        trained.get_pipe("cascade_extractor").lm
        is other.get_pipe("cascade_extractor").lm
    )  # type: ignore[attr-defined]
    SFT(["cascade_extractor"], max_steps=2, save_every=0).run(
        trained, util.examples(trained), [], tmp_path
    )
    assert not changed(before, state(other))
    assert changed(before, state(trained))


def test_patience_stops_the_run(fresh: Any, tmp_path: Path) -> None:
    nlp = one(fresh(), **LORA)
    loop = SFT(
        ["cascade_extractor"],
        max_steps=50,
        eval_every=1,
        patience=2,
        learn_rate=1e-12,
        save_every=0,
    )
    result = loop.run(nlp, util.examples(nlp), util.examples(nlp), tmp_path)
    assert result["steps"] == 3


def test_epochs_limit_the_run(fresh: Any, tmp_path: Path) -> None:
    nlp = one(fresh(), **LORA)
    result = SFT(["cascade_extractor"], max_epochs=2, batch_size=3, save_every=0).run(
        nlp, util.examples(nlp), [], tmp_path
    )
    assert (result["steps"], result["epochs"]) == (6, 2)


def test_a_run_in_bfloat16_after_one_in_full_precision(
    fresh: Any, tmp_path: Path
) -> None:
    """Two runs in one process, as in a notebook."""
    nlp = one(fresh(), **LORA)
    SFT(["cascade_extractor"], max_steps=1, save_every=0).run(
        nlp, util.examples(nlp), [], tmp_path
    )
    seen: list[dict[str, Any]] = []
    SFT(["cascade_extractor"], max_steps=2, precision="bf16", save_every=0).run(
        nlp, util.examples(nlp), [], tmp_path, report=seen.append
    )
    assert seen[-1]["losses"]["cascade_extractor"] > 0


def test_private_copies_do_not_change_the_shared_model(base: Path) -> None:
    shared = load_model(HFSpec(str(base), device="cpu", batch_tokens=99))
    before = shared.fingerprint()
    private = load_model(HFSpec(str(base), device="cpu", batch_tokens=99), private=True)
    with torch.no_grad():
        for p in private.model.parameters():
            p.zero_()
    assert shared.fingerprint() == before != private.fingerprint()
