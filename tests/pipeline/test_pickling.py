"""Pipelines and components through pickle, and processes that are spawned, as on macOS
and Windows.
"""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cloudpickle
import pytest
import spacy
import torch
from spacy.language import Language

from spacy_cascade.models import loading
from spacy_cascade.scoring.scorers import cascade_score, make_cascade_scorer
from tests import util

ROOT = Path(__file__).parents[2]
PIPELINE = ROOT / "assets" / "open_sm" / "pipeline"
TEXTS = ["Karl Marx lived in Berlin.", "Google bought a house in Paris.", "Nothing."]
WAYS: dict[str, Callable[[Any], Any]] = {
    "pickle": lambda x: pickle.loads(pickle.dumps(x)),
    "cloudpickle": lambda x: pickle.loads(cloudpickle.dumps(x)),
    "deepcopy": copy.deepcopy,
}


def entities(nlp: Language) -> list[Any]:
    return [(util.spans(doc), util.entities(doc)) for doc in nlp.pipe(TEXTS)]


def spawned(script: str) -> str:
    """What a script prints whose processes are spawned.

    It stands in a file, which the processes read again.
    """
    head = (
        "import multiprocessing as mp\nimport spacy\n\nif __name__ == '__main__':\n   "
        " mp.set_start_method('spawn', force=True)\n"
    )
    code = head + textwrap.indent(textwrap.dedent(script), "    ")
    out = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=300,
    )
    assert not out.returncode, out.stderr
    return out.stdout.strip()


@pytest.mark.slow
def test_another_pipeline_in_spawned_processes() -> None:
    """spaCy hands all extension attributes to its workers: ours are there as soon as
    the package is installed.
    """
    out = spawned("""
        nlp = spacy.blank("en")
        nlp.add_pipe("entity_ruler").add_patterns([{"label": "GPE", "pattern": "Berlin"}])
        assert spacy.tokens.Doc.has_extension("cascade_labels")
        docs = nlp.pipe(["I like Berlin."] * 2, n_process=2)
        print([[(e.text, e.label_) for e in doc.ents] for doc in docs])
        """)
    assert out == "[[('Berlin', 'GPE')], [('Berlin', 'GPE')]]"


@pytest.mark.slow
def test_our_pipeline_in_spawned_processes() -> None:
    out = spawned(f"""
        nlp = spacy.load({str(PIPELINE)!r})
        texts = {TEXTS!r} * 2
        def found(docs):
            return [[(e.text, e.label_, e._.cascade_path) for e in doc.ents] for doc in docs]
        alone = found(nlp.pipe(texts))
        print(found(nlp.pipe(texts, n_process=2, batch_size=2)) == alone, sum(map(len, alone)) > 0)
        """)
    assert out == "True True"


@pytest.mark.parametrize("way", WAYS)
def test_the_pipeline_that_ships(way: str) -> None:
    nlp = spacy.load(PIPELINE)
    expected = entities(nlp)
    again = WAYS[way](nlp)
    assert again is not nlp
    assert entities(again) == expected
    assert (
        again.get_pipe("cascade_extractor").lm is nlp.get_pipe("cascade_extractor").lm
    )
    assert again.get_pipe("cascade_extractor").scorer is not None


def test_one_base_is_pickled_once_and_shared() -> None:
    nlp = spacy.load(PIPELINE)
    data = pickle.dumps(list(nlp.components))
    assert data.count(b"model.safetensors") == 1
    first, second = (pipe.lm for _, pipe in pickle.loads(data) if hasattr(pipe, "lm"))
    assert first is second


def test_a_base_that_this_process_does_not_have(monkeypatch: Any) -> None:
    """What is shared here is loaded from the pickle's own files elsewhere, and shared there."""
    nlp = spacy.load(PIPELINE)
    expected, data = entities(nlp), pickle.dumps(nlp)
    monkeypatch.setattr(loading, "_LOADED", type(loading._LOADED)())
    one, two = pickle.loads(data), pickle.loads(data)
    assert one.get_pipe("cascade_extractor").lm is two.get_pipe("cascade_classifier").lm
    assert (
        one.get_pipe("cascade_extractor").lm is not nlp.get_pipe("cascade_extractor").lm
    )  # type: ignore[attr-defined]
    assert entities(one) == expected


def test_a_base_that_is_not_loaded_yet(base: Path) -> None:
    again = pickle.loads(pickle.dumps(util.cascade(base)))
    assert again.get_pipe("cascade_extractor").weights._lm is None
    assert [doc.text for doc in again.pipe(TEXTS)] == TEXTS


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("adapter", [{"rank": 2}, None], ids=["lora", "full"])
def test_what_was_trained_and_not_saved(lively: Path, way: str, adapter: Any) -> None:
    settings = {"adapter": adapter}
    nlp = util.cascade(
        lively, extractor={**settings, "open_threshold": 0.3}, classifier=settings
    )
    untrained = entities(nlp)
    examples = util.examples(nlp)
    sgd = nlp.initialize(lambda: examples)
    sgd.learn_rate = 0.05
    for _ in range(5):
        nlp.update(examples, sgd=sgd, losses={})
    expected = entities(nlp)
    assert expected != untrained
    again = WAYS[way](nlp)
    assert entities(again) == expected
    again.update(examples, sgd=again.create_optimizer(), losses={})
    with torch.no_grad():
        for p in (
            again.get_pipe("cascade_extractor").start_training().parameters.values()
        ):
            p.zero_()
    assert entities(nlp) == expected, "the copy's weights are its own"


def test_a_shared_base_that_somebody_changed_is_no_longer_that_one(
    lively: Path,
) -> None:
    nlp = util.cascade(lively)
    lm: Any = nlp.get_pipe("cascade_extractor").lm  # type: ignore[attr-defined]
    lm.model.requires_grad_(False)
    weight = next(lm.model.parameters())
    weight.mul_(2)
    try:
        again = pickle.loads(pickle.dumps(nlp)).get_pipe("cascade_extractor").lm
        assert again.key is None
        assert torch.equal(next(again.model.parameters()), weight)
    finally:
        weight.div_(2)


@pytest.mark.parametrize("way", WAYS)
def test_settings_and_calibration(base: Path, way: str) -> None:
    nlp = util.cascade(
        base, extractor={"drafter": {"@drafters": "spacy-cascade.TaggerDrafter.v1"}}
    )
    classifier: Any = nlp.get_pipe("cascade_classifier")
    classifier.set_taxonomy(["city", "river"])
    classifier.min_score = 0.25
    again = WAYS[way](nlp).get_pipe("cascade_classifier")
    assert (again.name, again.min_score, again.labels) == (
        "cascade_classifier",
        0.25,
        ("city", "river"),
    )
    assert again._nlp.get_pipe("cascade_classifier") is again


def test_joblib(tmp_path: Path) -> None:
    joblib = pytest.importorskip("joblib")
    nlp = spacy.load(PIPELINE)
    joblib.dump(nlp, tmp_path / "nlp.joblib")
    assert entities(joblib.load(tmp_path / "nlp.joblib")) == entities(nlp)


@pytest.mark.parametrize("nested", [False, True])
def test_the_scorer(nested: bool, gold: Any) -> None:
    scorer = pickle.loads(pickle.dumps(make_cascade_scorer(nested)))
    assert scorer(gold, per_type=True) == cascade_score(gold, nested=nested)


@pytest.mark.parametrize("factory", ["open_ner", "gpt_ner", "prompt_ner", "span_fuser"])
def test_other_components(factory: str, base: Path) -> None:
    nlp = util.blank()
    pipe = nlp.add_pipe(
        factory,
        config={} if factory == "span_fuser" else {"model": util.model_config(base)},
    )
    again = pickle.loads(pickle.dumps(pipe))
    assert type(again) is type(pipe)
