"""Errors of training: data, lexicons, configs and adapters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from spacy_cascade.taxonomy import builtin
from spacy_cascade.training.augment import MentionReplacer
from spacy_cascade.training.loop import SFT
from tests import util

from .util import extractor, fails


def test_c030_no_entity_in_the_training_data(base: Path, tmp_path: Path) -> None:
    nlp = extractor(base)
    empty = util.examples(nlp, [("Nothing here.", [])] * 3)
    fails(
        "C030",
        lambda: SFT(["cascade_extractor"], max_steps=1).run(nlp, empty, [], tmp_path),
        "3 documents",
        "cascade_extractor",
    )


def test_c030_no_documents(base: Path, tmp_path: Path) -> None:
    fails(
        "C030",
        lambda: SFT(["cascade_extractor"], max_steps=1).run(
            extractor(base), [], [], tmp_path
        ),
        "0 documents",
    )


def test_c031_lexicon_without_files(tmp_path: Path) -> None:
    fails(
        "C031",
        lambda: MentionReplacer.from_dir(tmp_path, builtin("dynamicner")),
        str(tmp_path),
        "no <language>.json",
    )


def test_c001_lexicon_with_an_unknown_type(tmp_path: Path) -> None:
    (tmp_path / "en.json").write_text('{"no such type": ["a"]}')
    fails(
        "C001",
        lambda: MentionReplacer.from_dir(tmp_path, builtin("dynamicner")),
        "no such type",
    )


def test_c033_config_without_finetune(tmp_path: Path) -> None:
    from spacy_cascade.cli.finetune import finetune

    util.blank().config.to_disk(tmp_path / "c.cfg")
    fails(
        "C033",
        lambda: finetune(tmp_path / "c.cfg", tmp_path / "out"),
        "[finetune]",
        "spacy train",
    )


def test_c034_loss_that_is_not_finite(base: Path, tmp_path: Path) -> None:
    nlp = extractor(base)
    loop = SFT(
        ["cascade_extractor"],
        max_steps=20,
        learn_rate=1e30,
        clip=0,
        warmup=0,
        save_every=0,
    )
    fails(
        "C034",
        lambda: loop.run(nlp, util.examples(nlp), [], tmp_path),
        "step",
        "Lower the learning rate",
    )


@pytest.mark.parametrize(
    "names", [[], ["nobody"], ["sentencizer"], ["cascade_extractor", "nobody"]]
)
def test_c035_nothing_to_train(base: Path, tmp_path: Path, names: list[str]) -> None:
    nlp = extractor(base)
    nlp.add_pipe("sentencizer")
    loop = SFT(names, max_steps=1)
    fails(
        "C035",
        lambda: loop.run(nlp, util.examples(nlp), [], tmp_path),
        "cascade_extractor, sentencizer",
        *names,
    )


def test_c037_adapter_targets_that_match_nothing(base: Path) -> None:
    pipe: Any = extractor(
        base, adapter={"rank": 2, "targets": ["no_such_module"]}
    ).get_pipe("cascade_extractor")
    fails("C037", pipe.start_training, "no_such_module", "q_proj")
