"""What is in an artefact never grants itself a right."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import spacy
import torch
import transformers.dynamic_module_utils

from corpus_tools.embedding import get_embedder
from corpus_tools.errors import CorpusError
from spacy_cascade import trust
from spacy_cascade.errors import CascadeError
from spacy_cascade.models.loading import load_model
from spacy_cascade.models.spec import HFSpec, gguf_spec, hf_spec
from tests import util

CODE = """
from pathlib import Path
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

Path({marker!r}).write_text("ran")


class OwnConfig(Qwen2Config):
    model_type = "{kind}"


class OwnModel(Qwen2ForCausalLM):
    config_class = OwnConfig


class OwnTokenizer(PreTrainedTokenizerFast):
    pass
"""
AUTO_MAP = {
    "config.json": {
        "AutoConfig": "own_code.OwnConfig",
        "AutoModelForCausalLM": "own_code.OwnModel",
    },
    "tokenizer_config.json": {"AutoTokenizer": [None, "own_code.OwnTokenizer"]},
}
# transformers keeps the architectures that it has met, by name
_number = itertools.count()
VARIABLES = (trust.REMOTE_CODE.variable, trust.PICKLE.variable)


@pytest.fixture(autouse=True)
def _nothing_granted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    # where transformers puts code before it runs it
    modules = str(tmp_path / "modules")
    monkeypatch.setattr(transformers.dynamic_module_utils, "HF_MODULES_CACHE", modules)


def _change(file: Path, **more: Any) -> None:
    file.write_text(
        json.dumps({**json.loads(file.read_text("utf8")), **more}), encoding="utf8"
    )


def _with_code(model: Path, part: str, marker: Path) -> None:
    """Let a part of a model directory ask for a Python file beside it, which leaves a mark."""
    kind = f"own{next(_number)}"
    code = CODE.format(marker=str(marker), kind=kind)
    (model / "own_code.py").write_text(code, encoding="utf8")
    names: dict[str, Any] = {"tokenizer_class": "OwnTokenizer"}
    if part == "config.json":
        names = {"model_type": kind, "architectures": ["OwnModel"]}
    _change(model / part, auto_map=AUTO_MAP[part], **names)


@pytest.fixture(scope="session")
def saved(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    nlp = util.blank()
    nlp.add_pipe(
        "cascade_extractor", config={"model": util.model_config(base), "adapter": None}
    )
    nlp("John Smith")  # loads the base, so that it is saved
    path = tmp_path_factory.mktemp("saved") / "pipeline"
    nlp.to_disk(path)
    return path


@pytest.fixture
def pipeline(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "pipeline"))


def _ask(pipeline: Path, option: str) -> None:
    """What an attacker writes into a pipeline's own config."""
    file = pipeline / "config.cfg"
    text = file.read_text("utf8")
    assert f"{option} = false" in text
    file.write_text(
        text.replace(f"{option} = false", f"{option} = true"), encoding="utf8"
    )


def _fails(code: str, call: Callable[[], Any], *parts: str) -> None:
    with pytest.raises(CascadeError) as err:
        call()
    assert err.value.code == code
    for part in parts:
        assert part in str(err.value)


def _use(pipeline: Path) -> None:
    """A text, and all that training or export would read."""
    nlp = spacy.load(pipeline)
    nlp("John Smith flew to Paris.")
    lm = nlp.get_pipe("cascade_extractor").lm
    assert lm.model.config.hidden_size and len(lm.tokenizer)


@pytest.mark.parametrize("part", list(AUTO_MAP))
def test_a_pipeline_can_not_grant_itself_its_own_code(
    pipeline: Path, part: str, tmp_path: Path
) -> None:
    marker = tmp_path / "marker"
    _with_code(pipeline / "cascade_extractor" / "model", part, marker)
    _ask(pipeline, "trust_remote_code")
    _fails("C120", lambda: _use(pipeline), "trust_remote_code", VARIABLES[0] + "=1")
    assert not marker.exists()


@pytest.mark.parametrize("part", list(AUTO_MAP))
def test_the_caller_can(
    pipeline: Path, part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "marker"
    _with_code(pipeline / "cascade_extractor" / "model", part, marker)
    _ask(pipeline, "trust_remote_code")
    monkeypatch.setenv(trust.REMOTE_CODE.variable, "1")
    _use(pipeline)
    assert marker.read_text("utf8") == "ran"


@pytest.mark.parametrize("environment", ["", "1"])
def test_code_that_no_config_asks_for_never_runs(
    pipeline: Path, environment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "marker"
    _with_code(pipeline / "cascade_extractor" / "model", "config.json", marker)
    monkeypatch.setenv(trust.REMOTE_CODE.variable, environment)
    _fails("C121", lambda: _use(pipeline), "cascade_extractor", VARIABLES[0] + "=1")
    assert not marker.exists()


def test_code_beside_a_known_architecture_never_runs(
    pipeline: Path, tmp_path: Path
) -> None:
    model, marker = pipeline / "cascade_extractor" / "model", tmp_path / "marker"
    code = CODE.format(marker=str(marker), kind="qwen2")
    (model / "own_code.py").write_text(code, encoding="utf8")
    _change(model / "config.json", auto_map=AUTO_MAP["config.json"])
    _use(pipeline)
    assert not marker.exists()


@pytest.mark.parametrize("name", ["owner/model", "package:files/model.gguf", ""])
@pytest.mark.parametrize("right", [trust.REMOTE_CODE, trust.PICKLE])
def test_names_of_all_kinds_need_the_right(
    name: str, right: trust.Right, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fails(
        "C120",
        lambda: hf_spec(name, **{right.option: True}),
        right.option,
        right.variable,
    )
    monkeypatch.setenv(right.variable, "1")
    assert getattr(hf_spec(name, **{right.option: True}), right.option)


@pytest.mark.parametrize("value", ["0", "", "no", "false"])
def test_other_values_grant_nothing(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(trust.PICKLE.variable, value)
    _fails("C120", lambda: hf_spec("owner/model", allow_pickle=True), "allow_pickle")


class _Bomb:
    def __init__(self, marker: Path):
        self.marker = marker

    def __reduce__(self) -> Any:
        return Path.write_text, (self.marker, "ran")


def test_a_pipeline_can_not_grant_itself_pickles(
    pipeline: Path, tmp_path: Path
) -> None:
    model, marker = pipeline / "cascade_extractor" / "model", tmp_path / "marker"
    (model / "model.safetensors").unlink()
    torch.save(_Bomb(marker), model / "pytorch_model.bin")
    _fails("C019", lambda: _use(pipeline), "pytorch_model.bin", VARIABLES[1])
    _ask(pipeline, "allow_pickle")
    _fails("C120", lambda: _use(pipeline), "allow_pickle", VARIABLES[1] + "=1")
    assert not marker.exists()


def test_an_index_of_safetensors_leads_to_nothing_else(
    base: Path, tmp_path: Path
) -> None:
    path, marker = Path(shutil.copytree(base, tmp_path / "model")), tmp_path / "marker"
    torch.save(_Bomb(marker), path / "weights.bin")
    for target in ("weights.bin", "../elsewhere.safetensors"):
        index = {"metadata": {}, "weight_map": {"model.embed_tokens.weight": target}}
        (path / "model.safetensors.index.json").write_text(
            json.dumps(index), encoding="utf8"
        )
        _fails("C122", lambda: load_model(HFSpec(str(path), device="cpu")), target)
    assert not marker.exists()


def test_a_model_directory_leads_to_no_other_base(base: Path, tmp_path: Path) -> None:
    path = Path(shutil.copytree(base, tmp_path / "model"))
    config = {"peft_type": "LORA", "base_model_name_or_path": "owner/elsewhere"}
    (path / "adapter_config.json").write_text(json.dumps(config), encoding="utf8")
    _fails(
        "C122",
        lambda: load_model(HFSpec(str(path), device="cpu")),
        "adapter_config.json",
    )


@pytest.fixture
def adapter(base: Path, tmp_path: Path) -> Iterator[Path]:
    pipe: Any = util.blank().add_pipe(
        "cascade_extractor",
        config={"model": util.model_config(base), "adapter": {"rank": 2}},
    )
    pipe.start_training()
    pipe.to_disk(tmp_path / "component")
    yield tmp_path / "component" / "adapter"


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (
            {
                "peft_type": "PROMPT_TUNING",
                "tokenizer_kwargs": {"trust_remote_code": True},
            },
            "PROMPT",
        ),
        ({"peft_type": "XLORA", "adapters": {"0": "owner/elsewhere"}}, "XLORA"),
        ({"megatron_config": {"x": 1}, "megatron_core": "antigravity"}, "Megatron"),
    ],
)
def test_adapters_are_lora_alone(
    adapter: Path, base: Path, change: dict[str, Any], found: str
) -> None:
    lm = load_model(HFSpec(str(base), device="cpu"), private=True)
    _change(adapter / "adapter_config.json", **change)
    _fails("C122", lambda: lm.load_adapter("a", adapter), "adapter_config.json", found)


def test_an_adapter_reads_no_pickle_and_no_other_base(
    adapter: Path, base: Path, tmp_path: Path
) -> None:
    marker = tmp_path / "marker"
    torch.save(_Bomb(marker), adapter / "adapter_model.bin")
    mapping = {"base_model_class": "Popen", "parent_library": "subprocess"}
    _change(
        adapter / "adapter_config.json",
        auto_mapping=mapping,
        base_model_name_or_path="owner/elsewhere",
    )
    lm = load_model(HFSpec(str(base), device="cpu"), private=True)
    lm.load_adapter("a", adapter)
    assert lm.adapters == ["a"]
    assert not marker.exists()


def test_an_adapter_does_not_say_where_its_base_lay(adapter: Path, base: Path) -> None:
    assert str(base.parent) not in (adapter / "adapter_config.json").read_text("utf8")


@pytest.mark.parametrize("make", [hf_spec, gguf_spec])
def test_attention_is_no_repository_with_code(make: Callable[..., Any]) -> None:
    _fails(
        "C020",
        lambda: make("owner/model", attention="owner/kernels"),
        "attention",
        "sdpa",
    )


def test_an_embedder_can_not_grant_itself_its_own_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(
        "sentence_transformers", reason="needs the package sentence-transformers"
    )
    marker, folder = tmp_path / "marker", tmp_path / "embedder"
    folder.mkdir()
    modules = [{"idx": 0, "name": "0", "path": "", "type": "own_module.Own"}]
    (folder / "modules.json").write_text(json.dumps(modules), encoding="utf8")
    code = f"from pathlib import Path\n\nPath({str(marker)!r}).write_text('ran')\n"
    (folder / "own_module.py").write_text(code, encoding="utf8")
    with pytest.raises(CorpusError, match=trust.REMOTE_CODE.variable) as err:
        get_embedder(str(folder))
    assert err.value.code == "T110"
    assert not marker.exists()
    monkeypatch.setenv(trust.REMOTE_CODE.variable, "1")
    with pytest.raises(CorpusError, match="T041"):  # it runs now, but is no embedder
        get_embedder(str(folder))
    assert marker.exists()


def test_a_chat_template_can_not_leave_its_sandbox(base: Path, tmp_path: Path) -> None:
    path, marker = Path(shutil.copytree(base, tmp_path / "model")), tmp_path / "marker"
    attack = "{{ ''.__class__.__mro__[1].__subclasses__() }}"
    open_file = f"{{{{ cycler.__init__.__globals__.os.mknod('{marker}') }}}}"
    for template in (attack, open_file):
        _change(path / "tokenizer_config.json", chat_template=template)
        tokenizer = load_model(HFSpec(str(path), device="cpu"), private=True).tokenizer
        with pytest.raises(Exception, match=r"unsafe|undefined|security"):
            tokenizer.apply_chat_template(
                [{"role": "user", "content": "x"}], tokenize=False
            )
    assert not marker.exists()
