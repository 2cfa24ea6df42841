"""Small decoders run by plain torch give what transformers gives, and turn into
transformers' models when asked for them.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import Qwen2ForCausalLM

from spacy_cascade.errors import CascadeError
from spacy_cascade.models.loading import load_model
from spacy_cascade.models.plain import PlainLM, runs_plain
from spacy_cascade.models.plain_decoder import PlainDecoder
from spacy_cascade.models.spec import HFSpec
from spacy_cascade.models.tiny import build_base
from spacy_cascade.models.trainable import lora_config
from spacy_cascade.types import CachedPrefix, Query
from tests import util

SPEC = HFSpec("", device="cpu")
CANDIDATES = [20, 21, 22, 23]
CHAIN = Query([1, 30, 31, 32, 33, 2], [2, 5], [CANDIDATES, CANDIDATES[:2]])
PLACED = Query(
    [1, 30, 31, 2, 30, 31], [3, 5], [CANDIDATES] * 2, depths=[0, 1, 2, 0, 1, 2]
)
TREE = Query(
    [1, 30, 31, 32, 33, 34], [2, 4, 5], [CANDIDATES] * 3, parents=[-1, 0, 1, 1, 3, 0]
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: Any) -> Path:
    """Three layers of four heads, all weights random, norms and biases, too."""
    path = tmp_path_factory.mktemp("plain") / "base"
    words = util.segments(util.blank(), util.SENTENCES * 3)
    build_base(
        path,
        words,
        vocab_size=500,
        hidden_size=64,
        layers=3,
        heads=4,
        intermediate_size=96,
    )
    model = Qwen2ForCausalLM.from_pretrained(path)
    torch.manual_seed(1)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(torch.randn_like(p) * 0.3 * p.abs().mean().clamp_min(0.3))
    model.save_pretrained(path)
    return path


def general(folder: Path) -> Any:
    return load_model(SPEC, path=folder, private=True)


def own(folder: Path, tmp_path: Path) -> Any:
    """A model that no other test shares."""
    shutil.copytree(folder, tmp_path / "own")
    return PlainLM(tmp_path / "own", name="own", spec=SPEC)


def assert_close(found: Any, expected: Any) -> None:
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "queries",
    [[CHAIN], [PLACED], [TREE], [CHAIN, PLACED, TREE, CHAIN]],
    ids=["chain", "depths", "tree", "all"],
)
def test_logits_are_those_of_transformers(folder: Path, queries: list[Query]) -> None:
    lm, other = load_model(SPEC, path=folder), general(folder)
    assert type(lm) is PlainLM
    assert type(other) is not PlainLM
    assert_close(lm.candidate_logits(queries), other.candidate_logits(queries))
    assert float(np.ptp(other.candidate_logits([CHAIN])[0][0])) > 0.5


def test_states_of_all_tokens_too(folder: Path) -> None:
    lm, other = load_model(SPEC, path=folder), general(folder)
    for query in (CHAIN, TREE):
        assert_close(lm.hidden_states([query]), other.hidden_states([query]).detach())


def test_going_on_from_rows(folder: Path) -> None:
    """Rows of different lengths in one batch, one of them without a question."""
    answers = []
    for lm in (load_model(SPEC, path=folder), general(folder)):
        rows = [lm.cache_pool(40).row() for _ in range(3)]
        first = [
            Query(ids, row=row)
            for ids, row in zip(
                ([1, 30, 31], [1, 40], [1, 41, 42, 43]), rows, strict=True
            )
        ]
        lm.candidate_logits(first)
        assert [len(r) for r in rows] == [3, 2, 4]
        rows[0].truncate(2)
        second = [
            Query([1, 30, 35, 36], [3], [CANDIDATES], row=rows[0]),
            Query(
                [1, 40, 50, 51, 52], [2, 4], [CANDIDATES, CANDIDATES[:3]], row=rows[1]
            ),
            Query([1, 41, 42, 43, 44], row=rows[2]),
        ]
        answers.append(lm.candidate_logits(second))
    assert_close(answers[0][:2], answers[1][:2])
    alone = load_model(SPEC, path=folder).candidate_logits(
        [Query([1, 40, 50, 51, 52], [2, 4], [CANDIDATES, CANDIDATES[:3]])]
    )
    assert_close(answers[0][1:2], alone)


def test_asked_states_are_those_of_all(folder: Path) -> None:
    lm = load_model(SPEC, path=folder)
    ids = torch.tensor([[1, 30, 31, 32], [1, 40, 41, 42]])
    every = lm.decoder(input_ids=ids).last_hidden_state
    asked = torch.tensor([[3, 0], [1, 2]])
    found = lm.decoder(input_ids=ids, output_positions=asked).last_hidden_state
    torch.testing.assert_close(found, torch.stack([every[0, [3, 0]], every[1, [1, 2]]]))


def test_half_precision_files_run_in_single(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "half")
    Qwen2ForCausalLM.from_pretrained(folder).half().save_pretrained(tmp_path / "half")
    lm = load_model(SPEC, path=tmp_path / "half")
    assert type(lm) is PlainLM
    assert lm.head.weight.dtype == torch.float32
    assert_close(
        lm.candidate_logits([CHAIN, TREE]),
        general(tmp_path / "half").candidate_logits([CHAIN, TREE]),
    )


def test_positions_as_transformers_5_saves_them(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text("utf8"))
    state = load_file(str(folder / "model.safetensors"))
    rest = {
        k: v
        for k, v in config.items()
        if k not in ("rope_theta", "rope_scaling", "rope_parameters")
    }
    before = {**rest, "rope_theta": 5000.0, "rope_scaling": None}
    now = {**rest, "rope_parameters": {"rope_theta": 5000.0, "rope_type": "default"}}
    torch.testing.assert_close(
        PlainDecoder(now, state).rotations, PlainDecoder(before, state).rotations
    )


def test_saving_gives_the_files_back(
    folder: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(
        PlainLM, "_read", lambda self: pytest.fail("read by transformers")
    )
    lm = PlainLM(folder, name="x", spec=SPEC)
    print_before = lm.fingerprint()
    lm.save(tmp_path)
    before, after = (
        load_file(str(folder / "model.safetensors")),
        load_file(str(tmp_path / "model.safetensors")),
    )
    assert before.keys() == after.keys()
    assert all(torch.equal(before[k], after[k]) for k in before)
    assert {f.name: f.read_bytes() for f in folder.glob("*.json")} == {
        f.name: f.read_bytes() for f in tmp_path.glob("*.json")
    }
    assert print_before == general(tmp_path).fingerprint()


def test_whoever_asks_for_the_model_gets_it_and_may_change_it(
    folder: Path, tmp_path: Path
) -> None:
    lm = own(folder, tmp_path)
    before, print_before = lm.candidate_logits([CHAIN, TREE]), lm.fingerprint()
    model = lm.model
    assert type(model) is Qwen2ForCausalLM
    assert lm.decoder is model.model
    assert lm.fingerprint() == print_before
    assert_close(lm.candidate_logits([CHAIN, TREE]), before)
    with torch.no_grad():
        model.model.norm.weight.mul_(2)
    assert_close(lm.candidate_logits([CHAIN])[0], 2 * before[0])
    lm.save(tmp_path / "changed")
    assert_close(
        general(tmp_path / "changed").candidate_logits([CHAIN])[0], 2 * before[0]
    )


def test_rows_that_were_kept_are_forgotten_with_the_plain_model(
    folder: Path, tmp_path: Path
) -> None:
    lm = own(folder, tmp_path)
    lm.prefixes.keep("text", CachedPrefix([1], None, lm.cache_pool(4).row()))
    assert len(lm.prefixes) == 1
    assert lm.model is not None
    assert len(lm.prefixes) == 0


def test_an_adapter_brings_transformers_in(folder: Path, tmp_path: Path) -> None:
    lm = own(folder, tmp_path)
    before = lm.candidate_logits([CHAIN])
    lm.add_adapter("mine", lora_config({"rank": 2, "alpha": 4}))
    assert lm.adapters == ["mine"]
    with lm.adapter(None):
        assert_close(lm.candidate_logits([CHAIN]), before)
    lm.save_adapter("mine", tmp_path / "adapter")
    assert (
        json.loads((tmp_path / "adapter" / "adapter_config.json").read_text("utf8"))[
            "base_model_name_or_path"
        ]
        == lm.name
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model_type", "llama"),
        ("hidden_size", 1024),
        ("num_key_value_heads", 2),
        ("head_dim", 32),
        ("tie_word_embeddings", False),
        ("rope_scaling", {"rope_type": "linear", "factor": 2.0}),
        ("rope_parameters", {"rope_theta": 1e4, "rope_type": "yarn"}),
        ("layer_types", ["sliding_attention"]),
        ("hidden_act", "gelu"),
        ("torch_dtype", "bfloat16"),
    ],
)
def test_what_is_left_to_transformers(
    folder: Path, tmp_path: Path, key: str, value: Any
) -> None:
    assert runs_plain(SPEC, folder, "cpu")
    shutil.copytree(folder, tmp_path / "other")
    config = json.loads((folder / "config.json").read_text("utf8"))
    (tmp_path / "other" / "config.json").write_text(
        json.dumps({**config, key: value}), "utf8"
    )
    assert not runs_plain(SPEC, tmp_path / "other", "cpu")


def test_settings_that_are_left_to_transformers(folder: Path) -> None:
    assert not runs_plain(SPEC, folder, "cuda")
    for more in (
        {"attention": "eager"},
        {"quantization": "int8"},
        {"dtype": "bfloat16"},
    ):
        assert not runs_plain(HFSpec("", **more), folder, "cpu")


@pytest.mark.parametrize("name", ["tokenizer.json", "config.json", "model.safetensors"])
def test_damaged_files_are_reported(folder: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(folder, tmp_path / "broken")
    content = (folder / name).read_bytes()
    (tmp_path / "broken" / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(CascadeError, match=r"C01[18]"):
        load_model(SPEC, path=tmp_path / "broken")


def test_a_weight_that_is_missing_is_named(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "less")
    state = load_file(str(folder / "model.safetensors"))
    del state["model.layers.1.mlp.up_proj.weight"]
    save_file(
        state, str(tmp_path / "less" / "model.safetensors"), metadata={"format": "pt"}
    )
    with pytest.raises(CascadeError, match=r"C011.*layers\.1\.mlp\.up_proj"):
        load_model(SPEC, path=tmp_path / "less")


@pytest.mark.slow
def test_running_imports_no_transformers(folder: Path) -> None:
    code = (
        "import sys\n"
        "class Block:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in ('transformers', 'peft', 'accelerate'):\n"
        "            raise ImportError('blocked ' + name)\n"
        "sys.meta_path.insert(0, Block())\n"
        "from pathlib import Path\n"
        "from spacy_cascade.models.loading import load_model\n"
        "from spacy_cascade.models.spec import HFSpec\n"
        "from spacy_cascade.types import Query\n"
        f"lm = load_model(HFSpec(''), path=Path({str(folder)!r}))\n"
        "row = lm.cache_pool(10).row()\n"
        "ids = [lm.token_id('<s>'), *lm.encode('Hello'), lm.token_id('<mark>')]\n"
        "print(lm.candidate_logits([Query(ids, [len(ids) - 1], [[4, 5]], row=row)])[0].shape)"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert out.stdout.strip() == "(1, 2)", out.stderr
