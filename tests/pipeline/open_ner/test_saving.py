"""Saved pipelines with `open_ner`, released adapters and the shipped config."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import spacy
from spacy.tokens import DocBin

from spacy_cascade.errors import CascadeError
from tests import util

from .util import B2NER, TEXTS, code, pipe_of, pipeline, result


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

    path = Path(__file__).parents[3] / "configs" / "open_ner.cfg"
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
