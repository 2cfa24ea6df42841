from __future__ import annotations

import json
import random
import re
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from spacy.language import Language
from spacy.tokens import DocBin
from spacy.training import Corpus, Example
from spacy.util import fix_random_seed

from spacy_cascade.errors import CascadeError
from spacy_cascade.models.loading import load_model
from spacy_cascade.models.losses import group_sizes, item_loss, merge_items, trim
from spacy_cascade.models.spec import HFSpec
from spacy_cascade.models.trainable import Trainable
from spacy_cascade.taxonomy import Taxonomy
from spacy_cascade.training.augment import (
    MentionReplacer,
    gold_doc,
    language_of,
    mention_replacement,
)
from spacy_cascade.training.dev_scores import dev_scores
from spacy_cascade.training.loop import SFT, Run
from tests import util

STAGES = ["cascade_extractor", "cascade_classifier"]
LORA = {"adapter": {"rank": 4, "alpha": 8, "dropout": 0.1}}
FULL: dict[str, Any] = {"adapter": None}


def one(base: Path, **more: Any) -> Language:
    nlp = util.blank()
    nlp.add_pipe("cascade_extractor", config={"model": util.model_config(base), **more})
    return nlp


def two(base: Path, settings: dict[str, Any]) -> Language:
    return util.cascade(base, extractor=settings, classifier=settings)


def state(nlp: Language, stage: str = "cascade_extractor") -> dict[str, torch.Tensor]:
    """All tensors, base and adapters, under names that do not depend on the adapter's."""
    pipe: Any = nlp.get_pipe(stage)
    adapter = f".{pipe.weights.adapter}"
    return {
        k.replace(adapter, ""): v.detach().clone()
        for k, v in pipe.lm.model.state_dict().items()
    }


def changed(
    before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]
) -> set[str]:
    return {k for k in before if not torch.equal(before[k], after[k])}


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: Any, base: Path) -> Callable[[], Path]:
    """Copies of the base that no other test has loaded and changed."""
    folder, count = tmp_path_factory.mktemp("fresh"), iter(range(1000))

    def copy() -> Path:
        path = folder / str(next(count))
        shutil.copytree(base, path)
        config = json.loads((path / "config.json").read_text())
        (path / "config.json").write_text(json.dumps({**config, "copy": path.name}))
        return path

    return copy


# -- spacy train ---------------------------------------------------------------------


def loss_of(nlp: Language, stage: str, examples: list[Example]) -> float:
    """The mean loss of a stage's decisions as the model is used: dropout is off, and
    nothing is learned.
    """
    pipe: Any = nlp.get_pipe(stage)
    items = [
        item for found in pipe.training_items(examples) for item in found if item.gold
    ]
    with torch.no_grad(), pipe.weights.active():
        loss, _ = item_loss(pipe.lm, items, group_sizes(items, "decisions"))
    return float(loss)


def losses_around_updates(
    path: Path, settings: dict[str, Any], rate: float
) -> dict[str, tuple[float, float]]:
    """The loss on the training examples before and after 80 updates, by stage.

    rate (float): Learning rate. With Adam's usual 0.01 this base jumps between valleys,
        and where it is after 80 steps hangs on the last bit of every sum, which differs
        from processor to processor.
    """
    fix_random_seed(0)
    nlp = two(path, settings)
    examples = util.examples(nlp)
    sgd = nlp.initialize(lambda: examples)
    sgd.learn_rate = rate
    before = {stage: loss_of(nlp, stage, examples) for stage in STAGES}
    for _ in range(80):
        nlp.update(examples, sgd=sgd, losses={})
    return {stage: (before[stage], loss_of(nlp, stage, examples)) for stage in STAGES}


@pytest.mark.slow
@pytest.mark.parametrize("settings", [LORA, FULL], ids=["lora", "full"])
def test_nlp_update_lowers_the_loss(fresh: Any, settings: dict[str, Any]) -> None:
    for before, after in losses_around_updates(fresh(), settings, 0.003).values():
        assert after < 0.7 * before


@pytest.mark.slow
def test_the_loss_stays_where_it_is_without_a_step(fresh: Any) -> None:
    """What the test before this one measures moves by learning alone, not by dropout or
    by the order of sums.
    """
    for before, after in losses_around_updates(fresh(), LORA, 0.0).values():
        assert after == pytest.approx(before, abs=1e-6)


def test_update_without_sgd_sums_gradients_until_finish_update(fresh: Any) -> None:
    nlp = one(fresh(), **LORA)
    examples = util.examples(nlp)
    sgd = nlp.initialize(lambda: examples)
    pipe: Any = nlp.get_pipe("cascade_extractor")
    before = state(nlp)
    pipe.update(examples[:4])
    assert not changed(before, state(nlp))
    pipe.update(examples[4:])
    pipe.finish_update(sgd)
    assert changed(before, state(nlp))
    assert all(p.grad is None for p in pipe.start_training().parameters.values())


def test_update_on_examples_without_entities(fresh: Any) -> None:
    nlp = two(fresh(), LORA)
    examples = util.examples(
        nlp, [("Nothing here.", []), ("", []), (" ", []), ("Or there.", [])]
    )
    sgd = nlp.initialize(lambda: util.examples(nlp))
    losses = nlp.update(examples, sgd=sgd, losses={})
    assert losses["cascade_classifier"] == 0.0
    assert losses["cascade_extractor"] > 0


def test_update_where_a_taxonomy_leaves_no_choice(fresh: Any) -> None:
    """One type: the extractor learns, the classifier has nothing to decide."""
    nlp = util.cascade(
        fresh(),
        extractor=LORA,
        classifier={**LORA, "taxonomy": util.labels_config(["thing"])},
    )
    examples = util.examples(nlp, [("Ann left.", [("Ann", "thing")])])
    sgd = nlp.initialize(lambda: examples)
    assert nlp.update(examples, sgd=sgd, losses={})["cascade_classifier"] == 0.0


def test_gold_types_that_the_taxonomy_lacks_are_left_out(fresh: Any) -> None:
    nlp = two(fresh(), LORA)
    pipe: Any = nlp.get_pipe("cascade_classifier")
    (items,) = pipe.training_items(
        util.examples(nlp, [("Ann eats rice.", [("Ann", "person"), ("rice", "food")])])
    )
    (only,) = pipe.training_items(
        util.examples(nlp, [("Ann eats rice.", [("Ann", "person")])])
    )
    assert [i.gold for i in items] == [i.gold for i in only]


def test_training_and_decoding_ask_the_same_questions(rnd: Any, fresh: Any) -> None:
    """The gold copy is among the outputs that the automaton allows, and its loss is the
    decoder's probability.
    """
    nlp = one(fresh(), **LORA)
    pipe: Any = nlp.get_pipe("cascade_extractor")
    for eg in util.examples(nlp):
        ((item,),) = pipe.training_items([eg])
        (logits,) = pipe.lm.candidate_logits([item.query])
        assert len(item.gold) == len(item.query.positions) == len(logits)
        words = [t for t in eg.predicted if not t.is_space]
        marked = sum(
            c[g] == pipe.lm.token_id("<mark>")
            for c, g in zip(item.query.candidates, item.gold, strict=True)
        )
        forced = sum(e.end == len(eg.reference) for e in eg.reference.ents)
        assert marked == 2 * len(eg.reference.ents) - forced
        assert len(item.gold) <= 2 * len(words) + 1


# -- The loop ------------------------------------------------------------------------


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


# -- Gradients -----------------------------------------------------------------------


def _gradients(
    nlp: Language, stage: str, parts: list[list[Example]], batch_tokens: int = 4096
) -> tuple[dict[str, Any], float]:
    pipe: Any = nlp.get_pipe(stage)
    trainable = pipe.start_training()
    pipe.lm.batch_tokens = batch_tokens
    loss = 0.0
    for part in parts:
        items = [i for found in pipe.training_items(part) for i in found if i.gold]
        loss += sum(trainable.backward(items, scale=1 / len(parts)).values()) / len(
            parts
        )
    grads = {
        n: p.grad.clone() for n, p in trainable.parameters.items() if p.grad is not None
    }
    for p in trainable.parameters.values():
        p.grad = None
    return grads, loss


@pytest.mark.parametrize("stage", STAGES)
def test_accumulated_gradients_equal_those_of_one_big_batch(
    fresh: Any, stage: str
) -> None:
    nlp = two(fresh(), FULL)
    text = [
        ("John saw Paris.", [("John", "person"), ("Paris", "location > city")]),
        ("Mary saw Spain.", [("Mary", "person"), ("Spain", "location > country")]),
    ]
    examples = util.examples(nlp, text * 2)
    big, loss = _gradients(nlp, stage, [examples])
    small, other = _gradients(nlp, stage, [examples[:2], examples[2:]])
    assert loss == pytest.approx(other, rel=1e-4)
    assert big.keys() == small.keys() != set()
    for name, g in big.items():
        assert torch.allclose(g, small[name], atol=1e-5, rtol=1e-3), name


@pytest.mark.parametrize("stage", STAGES)
def test_splitting_a_batch_by_tokens_changes_nothing(fresh: Any, stage: str) -> None:
    nlp = two(fresh(), FULL)
    examples = util.examples(nlp)
    whole, loss = _gradients(nlp, stage, [examples])
    split, other = _gradients(nlp, stage, [examples], batch_tokens=60)
    assert loss == pytest.approx(other, rel=1e-4)
    for name, g in whole.items():
        assert torch.allclose(g, split[name], atol=1e-5, rtol=1e-3), name


def test_merged_items_have_the_losses_of_separate_ones(fresh: Any) -> None:
    nlp = two(fresh(), FULL)
    examples = util.examples(nlp)
    pipes: list[Any] = [nlp.get_pipe(s) for s in STAGES]
    trainable = Trainable(pipes[0].lm, None)
    found = [p.training_items(examples) for p in pipes]
    apart = [
        trainable.backward([i for items in per for i in items if i.gold])
        for per in found
    ]
    merged = [
        i
        for per_example in zip(*found, strict=True)
        for i in merge_items(per_example)
        if i.gold
    ]
    together = trainable.backward(merged)
    assert together == pytest.approx({0: apart[0][0], 1: apart[1][0]}, rel=1e-3)
    nodes = sum(len(i.query.ids) for i in merged)
    assert nodes < 0.8 * sum(
        len(i.query.ids) for per in found for items in per for i in items
    )


@pytest.mark.parametrize("stage", STAGES)
def test_trimmed_items_have_the_same_losses(fresh: Any, stage: str) -> None:
    nlp = two(fresh(), FULL)
    examples = util.examples(nlp)
    nlp.initialize(lambda: examples)
    pipe: Any = nlp.get_pipe(stage)
    items = [
        i
        for per_example in pipe.training_items(examples)
        for i in per_example
        if i.gold
    ]
    short = [trim(i) for i in items]
    assert sum(len(i.query.ids) for i in short) < sum(len(i.query.ids) for i in items)
    for a, b in zip(items, short, strict=True):
        sizes = Counter({0: len(a.gold)})
        assert [a.query.ids[n] for n in a.text] == [b.query.ids[n] for n in b.text]
        assert item_loss(pipe.lm, [b], sizes)[0].item() == pytest.approx(
            item_loss(pipe.lm, [a], sizes)[0].item(), rel=1e-4
        )


def test_name_lists_train_the_classifier_alone(fresh: Any, tmp_path: Path) -> None:
    nlp = two(fresh(), FULL)
    examples = util.examples(nlp)
    nlp.initialize(lambda: examples)
    run = Run(
        SFT(STAGES, max_steps=1, name_lists=1.0),
        nlp,
        examples,
        [],
        tmp_path,
        lambda info: None,
    )
    documents, lists = (
        list(range(len(examples))),
        list(range(len(examples), 2 * len(examples))),
    )

    def groups(batch: list[int]) -> set[int]:
        return {
            g
            for _, items in run.data.work(0, 0, batch)
            for i in items
            for g in i.groups
        }

    assert groups(documents) == {0, 1}
    assert groups(lists) == {1}


# -- Resuming ------------------------------------------------------------------------

SETTINGS: dict[str, Any] = {
    "max_steps": 8,
    "batch_size": 3,
    "save_every": 2,
    "subword_noise": 0.25,
    "replace_rate": 0.5,
    "seed": 7,
}


class Killed(Exception):
    pass


def _killed_at(step: int) -> Callable[[dict[str, Any]], None]:
    def report(info: dict[str, Any]) -> None:
        if info["step"] == step:
            raise Killed

    return report


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "optimizer"),
    [(LORA, "adamw"), (FULL, "adamw"), (FULL, "muon")],
    ids=["lora", "full", "full-muon"],
)
def test_a_resumed_run_equals_one_without_a_break(
    fresh: Any, tmp_path: Path, settings: dict[str, Any], optimizer: str
) -> None:
    path = fresh()
    loop = SFT(STAGES, **SETTINGS, eval_every=5, optimizer=optimizer)
    whole = two(path, settings)
    loop.run(whole, util.examples(whole), [], tmp_path / "whole")
    broken = two(path, settings)
    with pytest.raises(Killed):
        loop.run(
            broken, util.examples(broken), [], tmp_path / "broken", report=_killed_at(5)
        )
    again = two(path, settings)
    result = loop.run(again, util.examples(again), [], tmp_path / "broken")
    assert result["steps"] == 8
    for stage in STAGES:
        a, b = _own(state(whole, stage)), _own(state(again, stage))
        assert any(".lora_" in n for n in a) == (settings is LORA)
        assert set(a) == set(b)
        assert all(torch.equal(v, b[k]) for k, v in a.items())


def _own(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Without other adapters on the same base: those keep the counter in their names
    (see `state`).
    """
    return {
        k: v
        for k, v in tensors.items()
        if not re.search(r"\.cascade_(extractor|classifier)_\d+", k)
    }


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(
    fresh: Any, tmp_path: Path
) -> None:
    path, found = fresh(), []
    for i, seed in enumerate((7, 7, 8)):
        nlp = one(path, **FULL)
        SFT(["cascade_extractor"], **{**SETTINGS, "seed": seed, "max_steps": 3}).run(
            nlp, util.examples(nlp), [], tmp_path / str(i)
        )
        found.append(state(nlp))
    assert not changed(found[0], found[1])
    assert changed(found[0], found[2])


@pytest.fixture
def stopped(fresh: Any, tmp_path: Path) -> tuple[Path, Path]:
    path = fresh()
    nlp = one(path, **FULL)
    with pytest.raises(Killed):
        SFT(["cascade_extractor"], **SETTINGS, eval_every=5).run(
            nlp, util.examples(nlp), [], tmp_path / "run", report=_killed_at(5)
        )
    assert (tmp_path / "run" / "checkpoint").is_dir()
    return path, tmp_path / "run"


def _resume(
    path: Path, run: Path, *, resume: bool = True, examples: int = 8, **settings: Any
) -> dict[str, Any]:
    nlp = one(path, **FULL)
    loop = SFT(["cascade_extractor"], **{**SETTINGS, "eval_every": 5, **settings})
    return loop.run(nlp, util.examples(nlp)[:examples], [], run, resume=resume)


@pytest.mark.slow
@pytest.mark.parametrize("file", ["state.safetensors", "meta.json"])
@pytest.mark.parametrize("damage", ["cut", "flipped", "gone"])
def test_c032_damaged_checkpoint(
    stopped: tuple[Path, Path], file: str, damage: str
) -> None:
    path, run = stopped
    target = run / "checkpoint" / file
    data = bytearray(target.read_bytes())
    if damage == "gone":
        target.unlink()
    elif damage == "cut":
        target.write_bytes(data[: len(data) // 2])
    else:
        data[len(data) // 2] ^= 0x40
        target.write_bytes(data)
    with pytest.raises(CascadeError) as err:
        _resume(path, run)
    if (file, damage) == ("meta.json", "flipped"):
        assert err.value.code in ("C032", "C036")
    else:
        assert err.value.code == "C032"
        assert "Delete it to start again" in str(err.value)


def test_c032_checkpoint_of_another_model(
    stopped: tuple[Path, Path], lively: Path, tmp_path: Path
) -> None:
    from spacy_cascade.models.tiny import build_base

    _, run = stopped
    build_base(
        tmp_path / "wide",
        [" a", " b"] * 9,
        vocab_size=300,
        hidden_size=64,
        layers=1,
        heads=2,
    )
    with pytest.raises(CascadeError) as err:
        _resume(tmp_path / "wide", run)
    assert err.value.code == "C032"


def test_a_finished_run_goes_on_if_it_gets_more_steps(
    fresh: Any, tmp_path: Path
) -> None:
    path, run = fresh(), tmp_path / "run"
    assert _resume(path, run, max_steps=2, save_every=1)["steps"] == 2
    assert _resume(path, run, max_steps=4, save_every=1)["steps"] == 4
    # neither with fewer steps, nor with another setting beside
    for changed in ({"max_steps": 3}, {"max_steps": 6, "seed": 1}):
        with pytest.raises(CascadeError) as err:
            _resume(path, run, save_every=1, **changed)
        assert err.value.code == "C036"


@pytest.mark.parametrize(
    ("option", "value"),
    [("learn_rate", 0.5), ("seed", 1), ("batch_size", 2), ("objective", "completion")],
)
def test_c036_checkpoint_of_a_run_with_other_settings(
    stopped: tuple[Path, Path], option: str, value: Any
) -> None:
    with pytest.raises(CascadeError) as err:
        _resume(*stopped, **{option: value})
    assert err.value.code == "C036"
    assert option in str(err.value)
    assert "--output" in str(err.value)


def test_c036_checkpoint_of_a_run_on_other_data(stopped: tuple[Path, Path]) -> None:
    with pytest.raises(CascadeError) as err:
        _resume(*stopped, examples=5)
    assert err.value.code == "C036"
    assert "documents" in str(err.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"subword_noise": 0.3},
        {"replace_rate": 0.6},
        {"learn_rate": 0.0003},
        {"weight_decay": 1e-12},
    ],
)
def test_settings_are_compared_without_rounding(
    fresh: Any, tmp_path: Path, settings: dict[str, Any]
) -> None:
    """ujson, which srsly uses, does not bring every float back."""
    path = fresh()
    for steps in (2, 2):
        assert (
            _resume(path, tmp_path / "run", max_steps=steps, **settings)["steps"] == 2
        )


def test_no_resume_starts_again(stopped: tuple[Path, Path]) -> None:
    path, run = stopped
    assert _resume(path, run, resume=False, seed=1)["steps"] == 8
    assert [
        json.loads(x)["step"] for x in (run / "log.jsonl").read_text().splitlines()
    ] == [
        5,
        8,
    ]


@pytest.mark.slow
def test_a_finished_run_is_not_run_again(stopped: tuple[Path, Path]) -> None:
    path, run = stopped
    _resume(path, run)
    nlp = one(path, **FULL)
    seen: list[Any] = []
    result = SFT(["cascade_extractor"], **SETTINGS, eval_every=5).run(
        nlp, util.examples(nlp), [], run, report=seen.append
    )
    assert result["steps"] == 8


def test_no_pickle_in_a_checkpoint(stopped: tuple[Path, Path]) -> None:
    assert sorted(p.name for p in (stopped[1] / "checkpoint").iterdir()) == [
        "meta.json",
        "state.safetensors",
    ]


# -- Augmentation --------------------------------------------------------------------

NAMES = {
    "": {
        ("person",): ["Bo", "María José", "李小龙"],
        ("location", "city"): ["X", "New York City"],
    }
}


@pytest.mark.slow
@given(
    seed=st.integers(0, 10**6),
    index=st.integers(0, len(util.GOLD) - 1),
    rate=st.sampled_from([0.3, 1.0]),
    invent=st.sampled_from([0.0, 1.0]),
)
def test_replacement_keeps_offsets_exact(
    nlp: Language, seed: int, index: int, rate: float, invent: float
) -> None:
    reference = util.example(nlp, *util.GOLD[index]).reference
    out = MentionReplacer(NAMES, rate=rate, invent=invent)(
        nlp, reference, random.Random(seed)
    )
    if out is None:
        return
    old, new = list(reference.spans["gold"]), list(out.spans["gold"])
    assert out.spans["gold"].attrs["paths"] == reference.spans["gold"].attrs["paths"]
    # what stands between the mentions is what stood there
    assert _between(reference.text, old) == _between(out.text, new)
    for a, b, path in zip(old, new, out.spans["gold"].attrs["paths"], strict=True):
        known = NAMES[""].get(tuple(path.split(" > ")), [])
        assert b.text == a.text or b.text in known or invent
        assert out.text[b.start_char : b.end_char] == b.text


def _between(text: str, spans: list[Any]) -> list[str]:
    cuts = [0, *(x for s in spans for x in (s.start_char, s.end_char)), len(text)]
    return [text[a:b] for a, b in zip(cuts[::2], cuts[1::2], strict=True)]


@given(seed=st.integers(0, 10**6))
def test_replacement_with_nested_mentions_keeps_the_inner_ones(
    nlp: Language, seed: int
) -> None:
    text = "Ann saw the University of Bonn in Bonn"
    gold = [
        ("Ann", "person"),
        ("University of Bonn", "organization"),
        ("Bonn", "location > city"),
        ("Bonn", "location > city"),
    ]
    starts = [0, text.index("University"), text.index("Bonn"), text.rindex("Bonn")]
    reference = gold_doc(
        nlp,
        text,
        [
            (s, s + len(n), tuple(p.split(" > ")))
            for s, (n, p) in zip(starts, gold, strict=True)
        ],
    )
    out = MentionReplacer(NAMES, rate=1.0)(nlp, reference, random.Random(seed))
    assert out is not None
    found = [
        (s.text, p)
        for s, p in zip(
            out.spans["gold"], out.spans["gold"].attrs["paths"], strict=True
        )
    ]
    assert found[1:3] == [
        ("University of Bonn", "organization"),
        ("Bonn", "location > city"),
    ]
    assert found[0][0] in NAMES[""][("person",)]
    assert found[3][0] in NAMES[""][("location", "city")]
    outer, inner = out.spans["gold"][1], out.spans["gold"][2]
    assert outer.start <= inner.start and inner.end <= outer.end


def test_a_sentence_whose_mentions_cross_is_left_alone(nlp: Language) -> None:
    crossing = gold_doc(
        nlp, "Ann Bob Eve Ann", [(0, 7, ("person",)), (4, 15, ("person",))]
    )
    assert MentionReplacer(NAMES, rate=1.0)(nlp, crossing, random.Random(0)) is None


def test_nothing_to_replace(nlp: Language, gold: list[Example]) -> None:
    assert MentionReplacer({}, rate=1.0)(nlp, gold[0].reference) is None
    assert MentionReplacer(NAMES, rate=0.0)(nlp, gold[0].reference) is None
    assert MentionReplacer(NAMES, rate=1.0)(nlp, gold[3].reference) is None


def test_names_of_the_documents_language_are_used(nlp: Language) -> None:
    doc = util.example(nlp, "Ann left", [("Ann", "person")]).reference
    doc.user_data["cascade_record"] = {"language": "de"}
    assert language_of(doc) == "de"
    replacer = MentionReplacer(
        {"de": {("person",): ["Uwe"]}, "": {("person",): ["Bo"]}}, rate=1.0
    )
    out = replacer(nlp, doc, random.Random(0))
    assert out is not None
    assert out.text == "Uwe left"
    assert language_of(out) == "de"


def test_names_are_learned_from_a_corpus(nlp: Language, gold: list[Example]) -> None:
    replacer = MentionReplacer({}, rate=1.0)
    replacer.learn(eg.reference for eg in gold)
    assert set(replacer.names[""][("person",)]) == {
        "John Smith",
        "Mary Jones",
        "Peter Brown",
    }


def test_lexicon_directory(tmp_path: Path) -> None:
    (tmp_path / "de.json").write_text(
        json.dumps({"city": ["Köln"], "person": []}), "utf8"
    )
    replacer = MentionReplacer.from_dir(tmp_path, Taxonomy.from_labels(util.LABELS))
    assert replacer.names == {"de": {("location", "city"): ["Köln"]}}


def test_augmenter_under_spacys_corpus(
    tmp_path: Path, nlp: Language, gold: list[Example]
) -> None:
    lexicon = tmp_path / "lexicon"
    lexicon.mkdir()
    (lexicon / "en.json").write_text(json.dumps({"person": ["Zed"]}), "utf8")
    docs = [eg.reference.copy() for eg in gold]
    for doc in docs:
        doc.user_data["cascade_record"] = {"language": "en"}
    DocBin(docs=docs, store_user_data=True).to_disk(tmp_path / "a.spacy")
    augment = mention_replacement(
        str(lexicon), rate=1.0, taxonomy=Taxonomy.from_labels(util.LABELS)
    )
    found = list(Corpus(tmp_path / "a.spacy", augmenter=augment)(nlp))
    texts = [eg.reference.text for eg in found]
    assert [t for t in texts if "Zed" not in t] == [t for t, _ in util.GOLD]
    assert "Zed left Spain with Zed." in texts
    for eg in found:
        assert eg.predicted.text == eg.reference.text
        for e in eg.reference.ents:
            if e.label_ == "person" and "Zed" in eg.reference.text:
                assert e.text == "Zed"


def test_gold_doc_widens_to_whole_tokens(nlp: Language) -> None:
    doc = gold_doc(nlp, "Annika left", [(0, 3, ("person",))])
    assert [e.text for e in doc.ents] == ["Annika"]


def test_private_copies_do_not_change_the_shared_model(base: Path) -> None:
    shared = load_model(HFSpec(str(base), device="cpu", batch_tokens=99))
    before = shared.fingerprint()
    private = load_model(HFSpec(str(base), device="cpu", batch_tokens=99), private=True)
    with torch.no_grad():
        for p in private.model.parameters():
            p.zero_()
    assert shared.fingerprint() == before != private.fingerprint()
