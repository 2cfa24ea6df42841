"""Gradients and losses of batches that are split, merged or trimmed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from spacy.language import Language
from spacy.training import Example

from spacy_cascade.models.losses import item_loss, merge_items, trim
from spacy_cascade.models.trainable import Trainable
from spacy_cascade.training.loop import SFT, Run
from tests import util

from .util import FULL, STAGES, two


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
