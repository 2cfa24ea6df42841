"""Suites that train, in small."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import spacy
from spacy.tokens import Doc, DocBin, Span

from benchmarks.common import Journal
from benchmarks.suites.training import few_shot, spacy_sets
from spacy_cascade.cli.evaluate import evaluate, known_labels
from spacy_cascade.training.augment import gold_doc
from tests import util

EXTRACT = {"@prompts": "spacy-cascade.CompactExtract.v1", "labels": True}
CLASSIFY = {"@prompts": "spacy-cascade.CompactClassify.v1", "labels": True}
NAMES = ["person", "city", "country"]


def gold_docs(nlp: Any, times: int = 1) -> list[Doc]:
    docs = [
        util.example(nlp, text, mentions).reference
        for text, mentions in util.GOLD * times
    ]
    for doc in docs:
        doc._.cascade_labels = NAMES
    return docs


@pytest.fixture(scope="module")
def pipeline(lively: Path, tmp_path_factory: Any) -> Path:
    path: Path = tmp_path_factory.mktemp("training") / "pipeline"
    stage = {"adapter": None}
    util.cascade(
        lively,
        extractor={**stage, "template": EXTRACT},
        classifier={**stage, "template": CLASSIFY},
    ).to_disk(path)
    return path


@pytest.fixture(scope="module")
def sets(pipeline: Path, nlp: Any) -> Path:
    """Data set en/tiny with both files, and the file of sources that names it."""
    folder = pipeline.parent / "sets" / "en" / "tiny"
    folder.mkdir(parents=True)
    for split, times in (("train", 3), ("test", 1)):
        DocBin(docs=gold_docs(nlp, times), store_user_data=True).to_disk(
            folder / f"{split}.spacy"
        )
    (pipeline.parent / "sources.json").write_text('{"en/tiny": {}}')
    return pipeline.parent / "sets"


@pytest.mark.parametrize("k", [1, 2, 5, 100])
@pytest.mark.parametrize("seed", [0, 1])
def test_samples_have_k_mentions_of_every_type_or_all(
    nlp: Any, k: int, seed: int
) -> None:
    docs = gold_docs(nlp, 2)
    few = few_shot.sample(docs, k, seed)
    there, taken = (
        Counter(e.label_ for doc in part for e in doc.ents) for part in (docs, few)
    )
    assert all(taken[t] >= min(k, n) for t, n in there.items())
    assert all(doc.ents for doc in few)
    assert len({id(doc) for doc in few}) == len(few)
    assert [doc.text for doc in few] == [
        doc.text for doc in few_shot.sample(docs, k, seed)
    ]
    # the text that came last was needed
    without = Counter(e.label_ for doc in few[:-1] for e in doc.ents)
    assert any(without[e.label_] < k for e in few[-1].ents)


@pytest.mark.slow
def test_few_shot(run_suite: Any, pipeline: Path, sets: Path, tmp_path: Path) -> None:
    out = tmp_path / "few_shot.json"
    args = [
        "--data",
        sets,
        "--sets",
        "en/tiny",
        "--shots",
        2,
        9,
        "--steps",
        2,
        60,
        "--ner-steps",
        2,
        60,
        "--output",
        out,
    ]
    args += ["--systems", "none", "full", "ner", "--rate", 5e-3, "--batch", 4]
    run_suite("training.few_shot", "--model", pipeline, *args)
    written = out.read_text("utf8")
    found = json.loads(written)
    assert found["about"]["limit"] == 200
    results = found["results"]
    assert set(results) == {
        f"en/tiny {name} 0" for name in ("none 0", "full 2", "full 9", "ner 2", "ner 9")
    }
    assert (
        results["en/tiny none 0 0"]["texts"]
        == results["en/tiny none 0 0"]["train_minutes"]
        == 0
    )
    assert results["en/tiny full 9 0"]["steps"] == 60
    assert (
        results["en/tiny full 9 0"]["typed"]["f"]
        > results["en/tiny none 0 0"]["typed"]["f"]
    )
    assert results["en/tiny ner 9 0"]["typed"]["f"] > 0.5
    for row in results.values():
        assert row["typed"]["f"] <= row["span"]["f"]
        assert (row["test_texts"], row["test_mentions"]) == (8, 14)
    # again: nothing is run; with other settings only what they are for
    run_suite("training.few_shot", "--model", pipeline, *args)
    assert out.read_text("utf8") == written
    run_suite(
        "training.few_shot", "--model", pipeline, *args, "--rate", 1e-3, "--steps", 2, 3
    )
    again = json.loads(out.read_text("utf8"))["results"]
    assert {name for name, row in again.items() if row != results[name]} == {
        "en/tiny full 2 0",
        "en/tiny full 9 0",
    }
    with pytest.raises(SystemExit, match=r"other settings \(limit\)"):
        run_suite("training.few_shot", "--model", pipeline, *args, "--limit", 7)
    with pytest.raises(SystemExit):
        run_suite("training.few_shot", "--model", pipeline, *args, "--steps", 2)


@pytest.mark.slow
def test_spacy_sets(run_suite: Any, sets: Path, tmp_path: Path) -> None:
    assert [spacy_sets.steps_for(n, 6, 100, 300) for n in (10, 800, 6000)] == [
        100,
        150,
        300,
    ]
    out = tmp_path / "sets.json"
    args = ["--data", sets, "--sources", sets.parent / "sources.json", "--output", out]
    run_suite("training.spacy_sets", *args, "--least", 60)
    written = out.read_text("utf8")
    row = json.loads(written)["results"]["en/tiny"]
    assert row["typed"]["f"] > 0.5
    assert (row["texts"], row["steps"], row["docs"], row["mentions"]) == (24, 60, 8, 14)
    run_suite("training.spacy_sets", *args, "--least", 60)
    assert out.read_text("utf8") == written


def test_results_of_several_processes_are_kept(
    tmp_path: Path, monkeypatch: Any
) -> None:
    path = tmp_path / "runs" / "a.json"

    def journal(about: dict[str, Any], command: str) -> Journal:
        monkeypatch.setattr(sys, "argv", [command])
        return Journal(path, about)

    first, second = (journal({"limit": 3, "sets": ("x",)}, name) for name in "ab")
    first.add("x", {"steps": 1, "f": 0.5})
    second.add("y", {"steps": 2, "f": 0.25})
    first.add("z", {"steps": 3, "f": 0.75})
    written = json.loads(path.read_text("utf8"))
    assert (set(written["results"]), written["commands"]) == (
        set("xyz"),
        ["python a", "python b"],
    )
    again = journal({"limit": 3, "sets": ["x"]}, "c")
    assert again.has("y")
    assert again.has("y", steps=2)
    assert not again.has("y", steps=3)
    assert not again.has("other")
    with pytest.raises(SystemExit, match=r"other settings \(limit, seed\)"):
        journal({"limit": 4, "sets": ["x"], "seed": 0}, "d")
    nowhere = Journal(None, {})
    nowhere.add("x", {})
    assert nowhere.has("x")


def found(nlp: Any, labels: list[str], *ents: tuple[int, int, str]) -> Doc:
    doc = nlp.make_doc("Acme sold oil in Bonn.")
    doc.set_ents([Span(doc, *ent) for ent in ents])
    doc._.cascade_labels = labels
    return doc


def test_labels_that_a_text_does_not_have_are_dropped(nlp: Any) -> None:
    """Names, paths, names that are an end of a path; and nothing else that is like them."""
    everything = [
        (0, 1, "organization > company"),
        (2, 3, "substance"),
        (4, 5, "location > geo-political entity > city"),
    ]
    labels = ["company", "city", "product -> others"]
    kept = known_labels(found(nlp, labels, *everything))
    assert [e.text for e in kept.ents] == ["Acme", "Bonn"]
    kept = known_labels(
        found(
            nlp,
            labels,
            (0, 1, "company > organization"),
            (2, 3, "product > others"),
            (4, 5, "location > others"),
        )
    )
    assert [e.text for e in kept.ents] == ["oil"]
    kept = known_labels(
        found(nlp, labels, (0, 1, "company"), (2, 3, "others"), (4, 5, "town"))
    )
    assert [e.text for e in kept.ents] == ["Acme", "oil"]
    free = found(nlp, labels, *everything)
    free._.cascade_labels = None
    assert len(known_labels(free).ents) == 3


def test_labels_that_are_paths_are_scored_as_names_of_the_set(
    nlp: Any, tmp_path: Path
) -> None:
    """What spaCy's `ner` finds after training on merged data: here by rules, as it would be."""
    gold = gold_doc(
        nlp,
        "Acme sold oil in Bonn.",
        [(0, 4, ("organization", "company")), (17, 21, ("location", "city"))],
    )
    gold._.cascade_labels = ["company", "city"]
    DocBin(docs=[gold], store_user_data=True).to_disk(tmp_path / "test.spacy")
    rules = util.blank()
    patterns = {
        "Acme": "organization > company",
        "oil": "substance > oil",
        "Bonn": "location > geo-political entity > city",
    }
    ruler: Any = rules.add_pipe("entity_ruler")
    ruler.add_patterns(
        [{"label": label, "pattern": text} for text, label in patterns.items()]
    )
    scores = evaluate(rules, [tmp_path / "test.spacy"])["all"]
    assert scores["cascade_extraction_f"] == scores["cascade_typed_f"] == 1.0


def test_open_sm_tells_groups_apart(
    run_suite: Any, pipeline: Path, nlp: Any, tmp_path: Path
) -> None:
    for name in ("en/tiny", "en/mit_restaurant", "zh/other"):
        (tmp_path / "sets" / name).mkdir(parents=True)
        DocBin(docs=gold_docs(nlp), store_user_data=True).to_disk(
            tmp_path / "sets" / name / "test.spacy"
        )
    (tmp_path / "sources.json").write_text('{"en/tiny": {}}')
    args = [
        "--data",
        tmp_path / "sets",
        "--sources",
        tmp_path / "sources.json",
        "--output",
        tmp_path / "out.json",
    ]
    run_suite(
        "models.data_sets",
        "--model",
        pipeline,
        *args,
        "--limit",
        5,
        "--note",
        "as it is",
    )
    out = json.loads((tmp_path / "out.json").read_text("utf8"))
    names = {
        "in_domain": "en/tiny",
        "zero_shot": "en/mit_restaurant",
        "others": "zh/other",
    }
    for group, name in names.items():
        assert list(out["figures"][group]) == [name]
        assert out[group]["data_sets"] == 1
        assert out["figures"][group][name]["docs"] == 5
    assert (out["limit"], out["note"]) == (5, "as it is")


@pytest.mark.slow
@pytest.mark.parametrize("adapter", ["full", "lora"])
def test_conll_goes_on_from_a_pipeline(
    run_suite: Any, pipeline: Path, tmp_path: Path, adapter: str
) -> None:
    folder = tmp_path / "b2nerd_style" / "en" / "conll2003"
    folder.mkdir(parents=True)
    types = {
        "person": "person",
        "location > city": "location",
        "location > country": "organisation",
    }
    records = [
        {
            "sentence": text,
            "entities": [
                {
                    "name": n,
                    "type": types[t],
                    "pos": [text.index(n), text.index(n) + len(n)],
                }
                for n, t in mentions
            ],
        }
        for text, mentions in util.GOLD
    ]
    for split in ("train", "dev", "test"):
        (folder / f"{split}.json").write_text(json.dumps(records))
    args = [
        "--data",
        tmp_path,
        "--model",
        pipeline,
        "--adapter",
        adapter,
        "--batch",
        4,
        "--output",
        tmp_path / "out.json",
    ]
    run_suite("training.conll", *args, "--steps", 50)
    run_suite("training.conll", *args, "--steps", 1, "--limit", 4)
    first, second = json.loads((tmp_path / "out.json").read_text("utf8"))[
        "results"
    ].values()
    assert (first["sentences"], first["mentions"], second["sentences"]) == (8, 14, 4)
    assert first["typed"]["f"] > first["before"]["typed"]["f"]
    assert set(first["typed_f_on_dev_by_open_threshold"]) == {"0.3", "0.5"}
    assert first["weights"] == second["weights"]
    assert (
        spacy.load(pipeline).get_pipe("cascade_extractor").lm.fingerprint()
        == first["weights"]
    )  # type: ignore[attr-defined]
