"""Errors of models: directories, weights, tokenizers and adapters."""

from __future__ import annotations

import json
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    BertConfig,
    BertLMHeadModel,
    BertModel,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
)

from spacy_cascade.decoding.automaton import Guess
from spacy_cascade.models.loading import load_model
from spacy_cascade.models.spec import HFSpec
from spacy_cascade.models.tiny import SPECIAL_TOKENS
from spacy_cascade.models.trainable import lora_config
from spacy_cascade.prompts.chat import ChatClassify, ChatExtract
from spacy_cascade.types import Unit
from tests import util

from .util import fails


@pytest.mark.parametrize("factory", ["cascade_extractor", "cascade_classifier"])
def test_c010_no_model(factory: str) -> None:
    nlp = util.blank()
    pipe: Any = nlp.add_pipe(factory, name="mine")
    doc = nlp.make_doc("Ann")
    doc.spans["cascade"] = [doc[0:1]]
    fails(
        "C010", lambda: pipe(doc), "'mine'", "[components.mine.model]", "spacy.load()"
    )


def test_c010_load_without_a_name() -> None:
    fails("C010", lambda: load_model(HFSpec("")))


def _save(model: Any, base: Path, path: Path) -> Path:
    model.save_pretrained(str(path))
    PreTrainedTokenizerFast.from_pretrained(str(base)).save_pretrained(str(path))
    return path


def _bert(base: Path) -> BertConfig:
    size = len(PreTrainedTokenizerFast.from_pretrained(str(base)))
    return BertConfig(
        vocab_size=size,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
    )


def test_c011_an_encoder_is_no_causal_lm(base: Path, tmp_path: Path) -> None:
    path = _save(BertModel(_bert(base)), base, tmp_path / "bert")
    fails(
        "C011",
        lambda: load_model(HFSpec(str(path), device="cpu")),
        str(path),
        "language-modelling head",
    )


def test_c011_a_model_that_sees_the_tokens_to_come(base: Path, tmp_path: Path) -> None:
    path = _save(BertLMHeadModel(_bert(base)), base, tmp_path / "bert")
    fails("C011", lambda: load_model(HFSpec(str(path), device="cpu")), "bert")


def test_c011_an_encoder_decoder(base: Path, tmp_path: Path) -> None:
    config = T5Config(
        vocab_size=300, d_model=32, d_kv=16, d_ff=32, num_layers=1, num_heads=2
    )
    path = _save(T5ForConditionalGeneration(config), base, tmp_path / "t5")
    fails("C011", lambda: load_model(HFSpec(str(path), device="cpu")))


def test_c011_an_empty_directory(tmp_path: Path) -> None:
    fails(
        "C011",
        lambda: load_model(HFSpec(str(tmp_path))),
        "no config.json",
        "files: none",
    )


def _copy(base: Path, tmp_path: Path) -> Path:
    shutil.copytree(base, tmp_path / "m")
    return tmp_path / "m"


def test_c011_no_weights(base: Path, tmp_path: Path) -> None:
    path = _copy(base, tmp_path)
    (path / "model.safetensors").unlink()
    fails("C011", lambda: load_model(HFSpec(str(path))), "no *.safetensors file")


def test_c011_no_tokenizer(base: Path, tmp_path: Path) -> None:
    path = _copy(base, tmp_path)
    for file in path.glob("*token*"):
        file.unlink()
    fails("C011", lambda: load_model(HFSpec(str(path), device="cpu")), str(path))


@pytest.mark.parametrize("text", ["{", "{}", '{"model_type": "no_such_thing"}', "[]"])
def test_c011_broken_config(base: Path, tmp_path: Path, text: str) -> None:
    path = _copy(base, tmp_path)
    (path / "config.json").write_text(text)
    fails("C011", lambda: load_model(HFSpec(str(path), device="cpu")), str(path))


def test_c011_weights_of_another_size(base: Path, tmp_path: Path) -> None:
    path = _copy(base, tmp_path)
    config = json.loads((path / "config.json").read_text())
    config.pop("layer_types", None)
    (path / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 5}))
    fails(
        "C011",
        lambda: load_model(HFSpec(str(path), device="cpu")),
        "weights are missing",
    )


def test_c011_config_that_contradicts_itself(base: Path, tmp_path: Path) -> None:
    """What transformers makes of it is not always one of the errors one expects."""
    path = _copy(base, tmp_path)
    config = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(
        json.dumps(
            {**config, "num_hidden_layers": 5, "layer_types": ["full_attention"]}
        )
    )
    fails("C011", lambda: load_model(HFSpec(str(path), device="cpu")), str(path))


@pytest.mark.parametrize(
    "name", ["nobody/nothing", "no-such-directory/at/all", "nothing"]
)
def test_c012_not_on_disk_and_no_hub(name: str) -> None:
    err = fails(
        "C012",
        lambda: load_model(HFSpec(name, device="cpu")),
        f"'{name}'",
        "give a local directory",
    )
    assert isinstance(err, FileNotFoundError)


def test_c012_absolute_path_that_is_not_there(tmp_path: Path) -> None:
    fails(
        "C012",
        lambda: load_model(HFSpec(str(tmp_path / "model"), device="cpu")),
        str(tmp_path),
        "give a local directory",
    )


def test_c013_missing_adapter(base: Path, tmp_path: Path) -> None:
    lm = load_model(HFSpec(str(base), device="cpu"), private=True)
    err = fails(
        "C013",
        lambda: lm.load_adapter("x", tmp_path / "none"),
        "none",
        "adapter_config.json",
    )
    assert isinstance(err, FileNotFoundError)


def test_c013_broken_adapter_config(base: Path, tmp_path: Path) -> None:
    lm = load_model(HFSpec(str(base), device="cpu"), private=True)
    lm.add_adapter("a", lora_config({"rank": 2}))
    lm.save_adapter("a", tmp_path / "a")
    (tmp_path / "a" / "adapter_config.json").write_text("{}")
    fails(
        "C013",
        lambda: load_model(HFSpec(str(base), device="cpu"), private=True).load_adapter(
            "x", tmp_path / "a"
        ),
        str(tmp_path / "a"),
    )


def _without_marks(base: Path, tmp_path: Path) -> Path:
    path = _copy(base, tmp_path)
    for file in path.glob("*.json"):
        text = file.read_text("utf8")
        for i, token in enumerate(SPECIAL_TOKENS[4:6]):
            text = text.replace(json.dumps(token), json.dumps(f"<extra{i}>"))
        file.write_text(text, "utf8")
    config = json.loads((path / "config.json").read_text())
    # equal models are loaded once, and named by the first path
    (path / "config.json").write_text(json.dumps({**config, "copy": str(path)}))
    return path


@pytest.mark.parametrize("factory", ["cascade_extractor", "cascade_classifier"])
def test_c015_tokenizer_without_the_templates_tokens(
    base: Path, tmp_path: Path, factory: str
) -> None:
    path = _without_marks(base, tmp_path)
    nlp = util.blank()
    pipe: Any = nlp.add_pipe(factory, config={"model": util.model_config(path)})
    doc = nlp.make_doc("Ann")
    doc.spans["cascade"] = [doc[0:1]]
    fails("C015", lambda: pipe(doc), str(path), "<mark>")


def test_c015_no_end_of_sequence_token(base: Path) -> None:
    lm = load_model(HFSpec(str(base), device="cpu"), private=True)
    lm.tokenizer.eos_token = None
    unit = Unit("Ann", ((0, 3),), (False,))
    fails("C015", lambda: ChatExtract().job(lm, unit, Guess(unit)), "eos_token")
    fails("C015", lambda: ChatClassify().end_id(lm), "eos_token")


def test_c016_adapter_of_another_base(
    base: Path, other_base: Path, tmp_path: Path
) -> None:
    config = {"adapter": {"rank": 2}, "save_weights": "adapter"}
    pipe: Any = util.blank().add_pipe(
        "cascade_extractor", config={"model": util.model_config(base), **config}
    )
    pipe.start_training()
    pipe.to_disk(tmp_path / "p")
    other: Any = util.blank().add_pipe(
        "cascade_extractor", config={"model": util.model_config(other_base), **config}
    )
    fails(
        "C016",
        lambda: other.from_disk(tmp_path / "p"),
        pipe.lm.fingerprint(),
        other.lm.fingerprint(),
    )


def test_c017_shared_model_of_a_missing_component() -> None:
    nlp = util.blank()
    nlp.add_pipe("sentencizer")
    pipe: Any = nlp.add_pipe(
        "cascade_classifier", config={"model": {**util.SHARED, "component": "nobody"}}
    )
    fails("C017", lambda: pipe.lm, "'nobody'", "sentencizer, cascade_classifier")


def test_c017_shared_model_of_itself_or_of_another_kind() -> None:
    for component in ("cascade_classifier", "sentencizer"):
        nlp = util.blank()
        nlp.add_pipe("sentencizer")
        pipe: Any = nlp.add_pipe(
            "cascade_classifier",
            config={"model": {**util.SHARED, "component": component}},
        )
        fails("C017", lambda pipe=pipe: pipe.lm, component)


def test_c018_cut_off_weights(base: Path, tmp_path: Path) -> None:
    path = _copy(base, tmp_path)
    data = (path / "model.safetensors").read_bytes()
    (path / "model.safetensors").write_bytes(data[:-1])
    fails(
        "C018",
        lambda: load_model(HFSpec(str(path))),
        "model.safetensors",
        str(len(data) - 1),
        str(len(data)),
    )


def _pickled(base: Path, tmp_path: Path) -> Path:
    path = _copy(base, tmp_path)
    state = load_model(HFSpec(str(base), device="cpu"), private=True).model.state_dict()
    torch.save(state, path / "pytorch_model.bin")
    (path / "model.safetensors").unlink()
    return path


def test_c019_pickled_weights(base: Path, tmp_path: Path) -> None:
    path = _pickled(base, tmp_path)
    fails(
        "C019",
        lambda: load_model(HFSpec(str(path), device="cpu")),
        "pytorch_model.bin",
        "allow_pickle = true",
        "safetensors",
    )


def test_pickled_weights_load_when_asked_for(base: Path, tmp_path: Path) -> None:
    lm = load_model(
        HFSpec(str(_pickled(base, tmp_path)), device="cpu", allow_pickle=True)
    )
    assert lm.fingerprint() == load_model(HFSpec(str(base), device="cpu")).fingerprint()


@pytest.mark.skipif(
    find_spec("bitsandbytes") is not None, reason="bitsandbytes is installed"
)
@pytest.mark.parametrize("value", ["8bit", "4bit"])
def test_c053_quantization_without_its_package(base: Path, value: str) -> None:
    fails(
        "C053",
        lambda: load_model(HFSpec(str(base), device="cpu", quantization=value)),
        value,
        "pip install bitsandbytes",
    )
