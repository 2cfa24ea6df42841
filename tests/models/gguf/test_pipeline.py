"""Pipelines on a base from a GGUF file: saved with an adapter or whole, and loaded
elsewhere.
"""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
import spacy
import torch
from safetensors.torch import load_file
from spacy.language import Language

from spacy_cascade.cli.export import export
from spacy_cascade.errors import CascadeError
from spacy_cascade.models.encoding import byte_level_alphabet
from spacy_cascade.models.gguf.convert import VARIABLE
from spacy_cascade.models.gguf.source import sha256_of
from tests import gguf_files, util

CHAT = {"system": "NER", "instruction": "{types}"}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: Any) -> Path:
    """A package in a directory of its own that holds `tiny.gguf`."""
    folder = tmp_path / "site" / "tiny_base"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('never imported')\n")
    gguf_files.write(folder / "tiny.gguf", kind="Q8_0")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    return folder


def pipeline(save_weights: str = "adapter", sha256: str = "", **model: Any) -> Language:
    """Both stages with chat templates and adapters of random weights."""
    spec = {
        "@causal_lms": "spacy-cascade.GGUF.v1",
        "name": "package:tiny_base/tiny.gguf",
        **model,
    }
    settings = {"save_weights": save_weights, "adapter": {"rank": 4, "alpha": 8}}
    extract = {"@prompts": "spacy-cascade.ChatLabeledExtract.v1", **CHAT}
    classify = {"@prompts": "spacy-cascade.ChatClassifyContinued.v1", **CHAT}
    nlp = util.blank()
    model = {**spec, "sha256": sha256, "device": "cpu"}
    extractor = {"model": model, "template": extract, **settings}
    classifier = {
        "model": util.SHARED,
        "taxonomy": util.labels_config(),
        "template": classify,
    }
    nlp.add_pipe("cascade_extractor", config=extractor)
    nlp.add_pipe("cascade_classifier", config={**classifier, **settings})
    for seed, name in enumerate(nlp.pipe_names):
        trainable: Any = nlp.get_pipe(name).start_training()  # type: ignore[attr-defined]
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for p in trainable.parameters.values():
                p.copy_(torch.randn(p.shape, generator=generator) * 0.2)
    return nlp


def found(nlp: Language) -> list[Any]:
    return [[list(e) for e in util.entities(doc)] for doc in nlp.pipe(util.SENTENCES)]


_LOAD = """
import json, sys
import spacy
nlp = spacy.load(sys.argv[1])
docs = nlp.pipe(json.loads(sys.argv[2]))
print(json.dumps([[[e.start_char, e.end_char, e.label_] for e in doc.ents] for doc in docs]))
"""


def elsewhere(folder: Path, tmp_path: Path, monkeypatch: Any) -> Any:
    """Loaded by another process with an empty cache."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "another cache"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    command = [sys.executable, "-c", _LOAD, str(folder), json.dumps(util.SENTENCES)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@pytest.mark.slow
def test_an_adapter_finds_its_base_again(
    package: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    nlp = pipeline(sha256=sha256_of(package / "tiny.gguf"))
    expected = found(nlp)
    assert sum(map(len, expected)) > 3
    nlp.to_disk(tmp_path / "nlp")
    assert not list((tmp_path / "nlp").rglob("model*.safetensors"))
    assert elsewhere(tmp_path / "nlp", tmp_path, monkeypatch) == expected
    assert (tmp_path / "another cache" / "gguf").is_dir()


@pytest.mark.slow
def test_saving_again_asks_no_hub(package: Path, tmp_path: Path) -> None:
    pipeline().to_disk(tmp_path / "a")
    nlp = spacy.load(tmp_path / "a")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nlp.to_disk(tmp_path / "b")
    assert found(spacy.load(tmp_path / "b")) == found(nlp)


@pytest.mark.slow
def test_the_base_is_recorded(package: Path, tmp_path: Path) -> None:
    nlp = pipeline()
    nlp.to_disk(tmp_path / "nlp")
    meta = json.loads(
        (tmp_path / "nlp" / "cascade_extractor" / "cascade.json").read_text()
    )
    assert meta["base"] == {
        "kind": "gguf",
        "name": "package:tiny_base/tiny.gguf",
        "version": "",
        "sha256": sha256_of(package / "tiny.gguf"),
        "hash": nlp.get_pipe("cascade_extractor").lm.fingerprint(),  # type: ignore[attr-defined]
    }


@pytest.mark.slow
def test_the_version_of_the_package_is_recorded(package: Path, tmp_path: Path) -> None:
    info = package.parent / "tiny_base-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: tiny-base\nVersion: 1.2\n"
    )
    (info / "top_level.txt").write_text("tiny_base\n")
    pipeline().to_disk(tmp_path / "nlp")
    meta = json.loads(
        (tmp_path / "nlp" / "cascade_extractor" / "cascade.json").read_text()
    )
    assert meta["base"]["version"] == "tiny-base==1.2"


@pytest.mark.slow
def test_a_base_that_has_changed(package: Path, tmp_path: Path) -> None:
    pipeline().to_disk(tmp_path / "nlp")
    gguf_files.write(
        package / "tiny.gguf", kind="Q8_0", model=gguf_files.tiny_llama(seed=1)
    )
    with pytest.raises(CascadeError, match=r"package:tiny_base/tiny\.gguf") as err:
        spacy.load(tmp_path / "nlp")
    assert err.value.code == "C016"


@pytest.mark.slow
def test_a_base_that_has_changed_under_a_pinned_hash(
    package: Path, tmp_path: Path
) -> None:
    pipeline(sha256=sha256_of(package / "tiny.gguf")).to_disk(tmp_path / "nlp")
    gguf_files.write(
        package / "tiny.gguf", kind="Q8_0", model=gguf_files.tiny_llama(seed=1)
    )
    with pytest.raises(CascadeError) as err:
        spacy.load(tmp_path / "nlp")
    assert err.value.code == "C097"


@pytest.mark.slow
def test_a_base_that_is_not_installed(package: Path, tmp_path: Path) -> None:
    pipeline().to_disk(tmp_path / "nlp")
    package.rename(tmp_path / "gone")
    with pytest.raises(CascadeError, match="pip install --no-deps tiny-base`") as err:
        spacy.load(tmp_path / "nlp")
    assert err.value.code == "C092"


@pytest.mark.slow
def test_what_is_installed_is_the_version_that_was_recorded(
    package: Path, tmp_path: Path
) -> None:
    pipeline().to_disk(tmp_path / "nlp")
    record = tmp_path / "nlp" / "cascade_extractor" / "cascade.json"
    meta = json.loads(record.read_text())
    meta["base"]["version"] = "tiny-base==1.2"
    record.write_text(json.dumps(meta))
    package.rename(tmp_path / "gone")
    with pytest.raises(
        CascadeError, match=r"pip install --no-deps tiny-base==1\.2`"
    ) as err:
        spacy.load(tmp_path / "nlp")
    assert err.value.code == "C092"


@pytest.mark.slow
def test_characters_that_no_token_writes(package: Path) -> None:
    """SmolLM2's vocabulary, for one, lacks some control characters: they are left out
    of the copy.
    """
    chars = {byte: char for char, byte in byte_level_alphabet().items()}
    tokens, merges = gguf_files.vocabulary([*util.SENTENCES, *util.ODD] * 3)
    left = [t for t in tokens if t not in (chars[0x04], chars[0x16], chars[0xF1])]
    gguf_files.write(package / "tiny.gguf", tokens=(left, merges))
    nlp = pipeline()
    texts = [
        *util.SENTENCES,
        "John\x04 Smith in \x16 Paris",
        "\x04",
        "\x04 Ann \x04",
        "a\U00045678b c",
    ]
    docs = list(nlp.pipe(texts))
    extractor: Any = nlp.get_pipe("cascade_extractor")
    assert not any(b and b"\x04" in b for b in extractor.lm.token_bytes())
    assert [doc.text for doc in docs] == texts
    assert sum(len(doc.ents) for doc in docs) > 3
    covered = [part[2] for doc in docs for part in doc._.cascade_coverage]
    assert "failed" not in covered
    assert "processed" in covered


@pytest.mark.slow
def test_a_whole_pipeline_needs_no_base(package: Path, tmp_path: Path) -> None:
    nlp = pipeline("full", dtype="float32")
    nlp.to_disk(tmp_path / "nlp")
    package.rename(tmp_path / "gone")
    assert found(spacy.load(tmp_path / "nlp")) == found(nlp)


@pytest.mark.slow
def test_a_whole_pipeline_in_half_precision(package: Path, tmp_path: Path) -> None:
    """Exported weights are stored in bfloat16, and run in what the config says."""
    pipeline("full", dtype="float32").to_disk(tmp_path / "nlp")
    export(tmp_path / "nlp", tmp_path / "out", dtype="bfloat16")
    package.rename(tmp_path / "gone")
    weights = tmp_path / "out" / "cascade_extractor" / "model" / "model.safetensors"
    assert {v.dtype for v in load_file(weights).values()} == {torch.bfloat16}
    nlp = spacy.load(tmp_path / "out")
    lm: Any = nlp.get_pipe("cascade_extractor").lm  # type: ignore[attr-defined]
    assert lm.model.dtype == torch.float32
    assert sum(map(len, found(nlp))) > 3
    saved = load_file(weights)["model.norm.weight"].float()
    assert torch.equal(lm.model.model.norm.weight, saved)
