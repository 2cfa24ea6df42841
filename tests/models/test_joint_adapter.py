"""One adapter for both stages: trained on both, saved once, and stage 2 goes on from
what stage 1 has run.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import spacy
import torch
from spacy.language import Language

from spacy_cascade.errors import CascadeError
from spacy_cascade.training.loop import SFT
from tests import util
from tests.models.test_recall import counted
from tests.prompts.test_chat_frames import CHATML

STAGES = ("cascade_extractor", "cascade_classifier")
WORDS = {"system": "Be exact.", "instruction": "Mark {types}."}
JOINT = {**util.SHARED, "adapter": True}
LORA = {"rank": 4, "alpha": 8}


def joint(base: Path, *, model: dict[str, Any] = JOINT, **options: Any) -> Language:
    extract = {"@prompts": "spacy-cascade.ChatLabeledExtract.v1", **WORDS}
    classify = {"@prompts": "spacy-cascade.ChatClassifyContinued.v1", **WORDS}
    own = util.model_config(base, **options)
    extractor = {
        "template": extract,
        "adapter": LORA,
        "model": own,
        "open_threshold": 0.2,
    }
    classifier = {"template": classify, "adapter": LORA, "model": model}
    return util.cascade(base, extractor=extractor, classifier=classifier)


@pytest.fixture(scope="module")
def chat(lively: Path, tmp_path_factory: Any) -> Path:
    """A small random base whose tokenizer has a chat format."""
    path = tmp_path_factory.mktemp("chat") / "base"
    nlp = util.cascade(lively)
    lm = nlp.get_pipe(STAGES[0]).lm  # type: ignore[attr-defined]
    lm.tokenizer.chat_template = CHATML
    lm.save(path)
    lm.tokenizer.chat_template = None
    return path


@pytest.fixture(scope="module")
def trained(chat: Path, tmp_path_factory: Any) -> Path:
    """Saved by the training loop."""
    out = tmp_path_factory.mktemp("joint")
    nlp = joint(chat)
    nlp.initialize(lambda: util.examples(nlp))
    loop = SFT(
        list(STAGES),
        max_steps=12,
        batch_size=8,
        learn_rate=0.01,
        replace_rate=0.0,
        save_every=5,
    )
    result = loop.run(nlp, util.examples(nlp), util.examples(nlp), out)
    assert result["steps"] == 12
    return out


def _pipes(nlp: Language) -> list[Any]:
    return [nlp.get_pipe(name) for name in STAGES]


def _answers(nlp: Language) -> list[Any]:
    return [
        (util.spans(d), [round(x, 4) for x in util.scores(d)])
        for d in nlp.pipe(util.SENTENCES)
    ]


def test_both_stages_train_the_same_tensors(chat: Path) -> None:
    nlp = joint(chat)
    nlp.initialize(lambda: util.examples(nlp))
    first, second = _pipes(nlp)
    assert first.shares_weights(second)
    assert first.start_training() is second.start_training()
    assert len(first.lm.adapters) == 1
    before = {n: p.clone() for n, p in first.start_training().parameters.items()}
    optimizer = nlp.resume_training()
    optimizer.learn_rate = 0.01
    with nlp.select_pipes(disable=[STAGES[0]]):
        nlp.update(util.examples(nlp), sgd=optimizer)
    assert any(
        not torch.equal(before[n], p)
        for n, p in first.start_training().parameters.items()
    )


def test_the_adapter_learns_both_and_is_saved_once(trained: Path) -> None:
    log = [
        json.loads(line) for line in (trained / "log.jsonl").read_text().splitlines()
    ]
    assert set(log[-1]["losses"]) == set(STAGES)
    files = sorted(
        str(p.relative_to(trained))
        for p in (trained / "model-last").rglob("*.safetensors")
    )
    assert files == [
        "model-last/cascade_extractor/adapter/adapter_model.safetensors",
        "model-last/cascade_extractor/drafter.safetensors",
        "model-last/cascade_extractor/model/model.safetensors",
    ]


@pytest.mark.slow
def test_a_loaded_pipeline_answers_like_the_trained_one(
    chat: Path, tmp_path: Path
) -> None:
    nlp = joint(chat)
    nlp.initialize(lambda: util.examples(nlp))
    loop = SFT(
        list(STAGES),
        max_steps=3,
        batch_size=8,
        learn_rate=0.01,
        replace_rate=0.0,
        save_every=0,
    )
    loop.run(nlp, util.examples(nlp), [], tmp_path / "run")
    expected = _answers(nlp)
    assert any(spans for spans, _ in expected)
    loaded = spacy.load(tmp_path / "run/model-last")
    assert _answers(loaded) == expected
    again = joint(chat).from_bytes(loaded.to_bytes())
    assert _answers(again) == expected


@pytest.mark.slow
def test_stage_two_goes_on_from_stage_one(trained: Path) -> None:
    nlp = spacy.load(trained / "model-last")
    first, second = _pipes(nlp)
    lm, run, found = first.lm, [], []
    room = lm._mine.prefixes.tokens
    for tokens in (0, room):
        lm._mine.prefixes.tokens = tokens
        docs = [first(nlp.make_doc(text)) for text in util.SENTENCES]
        with counted(lm) as seen:
            run.append(0)
            for doc in docs:
                first(doc)
                del seen[:]
                second(doc)
                run[-1] += sum(seen)
        found.append([util.spans(doc) for doc in docs])
    assert found[0] == found[1]
    assert any(found[0])
    assert run[1] < 0.7 * run[0]


def test_assembled_stages_share_it_whatever_the_config_says(
    trained: Path, tmp_path: Path
) -> None:
    """`configs/pipeline.cfg` is for one adapter and for two."""
    from tests.cli.util import call, find_config

    weights = [f"--paths.{n[8:]}={trained / 'model-last' / n}" for n in STAGES]
    call("assemble", find_config("pipeline"), tmp_path / "pipeline", *weights)
    nlp = spacy.load(tmp_path / "pipeline")
    first, second = _pipes(nlp)
    assert first.shares_weights(second)
    assert second.weights.adapter is not None


def test_the_stages_of_different_runs_do_not_go_together(
    trained: Path, chat: Path, tmp_path: Path
) -> None:
    other = joint(chat)
    other.initialize(lambda: util.examples(other))
    with pytest.raises(CascadeError, match=r"C107.*cascade_classifier"):
        other.get_pipe(STAGES[1]).from_disk(trained / "model-last" / STAGES[1])
    alone = joint(chat, model=util.model_config(chat))
    with pytest.raises(CascadeError, match=r"C107.*finds none"):
        alone.get_pipe(STAGES[1]).from_disk(trained / "model-last" / STAGES[1])


# -- Merged for inference ------------------------------------------------------------


@pytest.mark.slow
def test_a_merged_adapter_answers_alike_and_costs_no_product_of_its_own(
    trained: Path,
) -> None:
    plain = spacy.load(trained / "model-last")
    merged = spacy.load(
        trained / "model-last",
        config={"components": {STAGES[0]: {"model": {"merge_adapter": True}}}},
    )
    assert _pipes(plain)[0].lm is not _pipes(merged)[0].lm
    calls = []
    for nlp in (plain, merged):
        peft = _pipes(nlp)[0].lm._peft
        used: list[str] = []
        products = [m for n, m in peft.named_modules() if ".lora_A." in n]
        hooks = [
            m.register_forward_hook(lambda *_, used=used: used.append("run"))
            for m in products
        ]
        found = [util.spans(d) for d in nlp.pipe(util.SENTENCES)]
        calls.append((found, len(used)))
        for hook in hooks:
            hook.remove()
    assert calls[0][0] == calls[1][0]
    assert calls[0][1] > 0
    assert calls[1][1] == 0


@pytest.mark.slow
def test_merging_leaves_no_trace_in_the_base(trained: Path, tmp_path: Path) -> None:
    nlp = spacy.load(
        trained / "model-last",
        config={"components": {STAGES[0]: {"model": {"merge_adapter": True}}}},
    )
    nlp(util.SENTENCES[0])
    assert _pipes(nlp)[0].lm._merged
    nlp.to_disk(tmp_path)
    file = "cascade_extractor/model/model.safetensors"
    assert (tmp_path / file).read_bytes() == (
        trained / "model-last" / file
    ).read_bytes()
    # a sum of products, and the product of a sum: equal but for the last digits
    pairs = zip(
        _answers(spacy.load(tmp_path)),
        _answers(spacy.load(trained / "model-last")),
        strict=True,
    )
    for (merged, x), (apart, y) in pairs:
        assert merged == apart
        assert x == pytest.approx(y, abs=1e-3)
    optimizer = nlp.resume_training()
    nlp.update(util.examples(nlp), sgd=optimizer)
    _pipes(nlp)[0].lm.save(tmp_path / "again")
    assert (tmp_path / "again/model.safetensors").read_bytes() == (
        tmp_path / file
    ).read_bytes()


@pytest.mark.parametrize("model", [JOINT, util.SHARED], ids=["joint", "own"])
def test_an_adapter_loaded_after_initialize_is_the_one_that_is_trained(
    chat: Path, tmp_path: Path, model: dict[str, Any]
) -> None:
    """Its weights count in the losses, not those that were made ready before."""
    earlier = joint(chat, model=model).get_pipe(STAGES[0])
    trained = earlier.start_training()  # type: ignore[attr-defined]
    with torch.no_grad():
        for weight in trained.parameters.values():
            weight.normal_(0, 0.3, generator=torch.Generator().manual_seed(1))
    earlier.lm.save_adapter(trained.adapter, tmp_path / "a")  # type: ignore[attr-defined]

    nlp = joint(chat, model=model)
    nlp.initialize(lambda: util.examples(nlp))
    extractor, classifier = _pipes(nlp)
    before = extractor.start_training()
    extractor.weights.load_adapter(tmp_path / "a")

    now = extractor.start_training()
    assert now is not before
    assert now.adapter == extractor.weights.adapter
    values = [weight.detach() for weight in trained.parameters.values()]
    loaded = [weight.detach() for weight in now.parameters.values()]
    assert len(loaded) == len(values)
    for value, other in zip(values, loaded, strict=True):
        assert torch.equal(value, other)
    assert (classifier.start_training() is now) == (model is JOINT)
