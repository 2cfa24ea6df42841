"""Ablations: mentions without their context, and the benchmark from texts to table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import srsly
from spacy.language import Language
from spacy.tokens import DocBin

from benchmarks.suites.ablations._data import NEW, SETS, TYPES, Collections
from benchmarks.suites.ablations._variants import VARIANTS
from benchmarks.suites.ablations.variants import EXTRACTION, STRATEGIES
from benchmarks.tables.ablations import ABLATIONS
from spacy_cascade.models.losses import merge_items
from spacy_cascade.models.trainable import Trainable
from tests import util

ALONE = {"@prompts": "spacy-cascade.CompactClassify.v1", "context": False}
STAGES = ["cascade_extractor", "cascade_classifier"]


def alone(base: Path) -> Language:
    return util.cascade(
        base,
        extractor={"adapter": None},
        classifier={"adapter": None, "template": ALONE},
    )


# -- Mentions without their context --------------------------------------------------


def test_the_prompt_is_the_mention_alone(base: Path) -> None:
    nlp = alone(base)
    pipe: Any = nlp.get_pipe("cascade_classifier")
    asked = next(
        pipe._asked([nlp.make_doc("Ann saw New York today.")], [[(2, 4, 1.0)]])
    )[2]
    begin, mark, ask = (pipe.lm.token_id(t) for t in ("<s>", "<mark>", "<type>"))
    words = [t for s in (" New", " York") for t in pipe.lm.encode(s)]
    ids, depths = pipe.template.prompt(pipe.lm, asked, (), ["person"])
    assert ids == [begin, mark, *words, mark, ask]
    assert depths[0] == 0 and depths[2 : 2 + len(words)] == list(
        range(1, len(words) + 1)
    )


def test_the_text_does_not_matter_but_does_with_context(lively: Path) -> None:
    nlp = util.cascade(lively, classifier={"template": ALONE})
    pipe: Any = nlp.get_pipe("cascade_classifier")
    docs = [
        nlp.make_doc(t)
        for t in ("We saw Paris .", "Bob and Ann met Paris who laughed .")
    ]
    spans = [[(2, 3, 1.0)], [(4, 5, 1.0)]]
    one, other = (found[0][-1] for found in pipe.classify(docs, spans))
    assert one.path == other.path and one.step_scores == pytest.approx(
        other.step_scores, abs=1e-5
    )
    pipe.template = type(pipe.template)()
    one, other = (found[0][-1] for found in pipe.classify(docs, spans))
    assert one.step_scores != pytest.approx(other.step_scores, abs=1e-5)


def test_items_without_context_can_be_merged_with_the_extractors(base: Path) -> None:
    nlp = alone(base)
    examples = util.examples(nlp)
    pipes: list[Any] = [nlp.get_pipe(s) for s in STAGES]
    pipes[0].start_training()
    trainable = Trainable(pipes[0].lm, None)
    found = [p.training_items(examples) for p in pipes]
    apart = [
        trainable.backward([i for items in per for i in items if i.gold])[0]
        for per in found
    ]
    merged = [
        i
        for per_example in zip(*found, strict=True)
        for i in merge_items(per_example)
        if i.gold
    ]
    assert trainable.backward(merged) == pytest.approx(dict(enumerate(apart)), rel=1e-3)


# -- The benchmark -------------------------------------------------------------------


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Each data set of the benchmark with the same eight sentences, standardized and as it is."""
    nlp = util.blank()
    docs = [eg.reference for eg in util.examples(nlp)]
    for doc in docs:
        doc._.cascade_labels = ["person", "city", "country"]
    for name in {*SETS, *NEW, TYPES}:
        for split in ("train", "test"):
            folder = tmp_path / "standard" / name
            folder.mkdir(parents=True, exist_ok=True)
            DocBin(docs=docs, store_user_data=True).to_disk(folder / f"{split}.spacy")
            records = [
                {
                    "sentence": d.text,
                    "entities": [
                        {
                            "name": e.text,
                            "type": f"x {e.label_}",
                            "pos": [e.start_char, e.end_char],
                        }
                        for e in d.ents
                    ],
                }
                for d in docs
            ]
            (tmp_path / "real" / name).mkdir(parents=True, exist_ok=True)
            srsly.write_json(tmp_path / "real" / name / f"{split}.json", records)
            srsly.write_json(
                tmp_path / "real" / name / "labels.json",
                {f"x {t}": f"x {t}" for t in ("person", "city", "country")},
            )
    return tmp_path


@pytest.fixture
def call(data: Path, run_suite: Any) -> Any:
    """Runs the suite. RETURNS: what is in its output."""
    output = data / "out.json"
    files = ["--data", data / "standard", "--real", data / "real", "--output", output]

    def run(*more: str) -> Any:
        run_suite("ablations.variants", *files, "--train", 8, "--test", 4, *more)
        return json.loads(output.read_text("utf8"))

    return run


# one of every kind
KINDS = (
    "cascade",
    "context_free",
    "raw_names",
    "label_sets",
    "pruned",
    "random_part",
    "taxonomy",
    "dynamic_lists",
    "single_taxonomy",
)


@pytest.mark.slow
def test_variants_run_once_and_their_runs_are_kept(call: Any) -> None:
    found = call("--steps", "2", "--seeds", "0", "--variants", *KINDS)
    runs = {r["variant"]: r for r in found["runs"]}
    assert tuple(runs) == KINDS
    assert all(r["steps"] == 2 and r["test"]["own"]["mentions"] for r in runs.values())
    assert set(runs["cascade"]["decoding"]) == set(EXTRACTION)
    assert set(runs["taxonomy"]["decoding"]) == set(STRATEGIES)
    assert set(runs["label_sets"]["test"]) == {"own", "parts", "new"}
    assert set(runs["dynamic_lists"]["lists"]) == {"base", "dynamic"}
    assert (
        runs["pruned"]["texts"]
        == runs["random_part"]["texts"]
        <= runs["label_sets"]["texts"]
    )
    again = call("--steps", "2", "--seeds", "0", "1", "--variants", "cascade")
    assert again["runs"][:-1] == found["runs"]
    assert (again["runs"][-1]["variant"], again["runs"][-1]["seed"]) == ("cascade", 1)
    with pytest.raises(SystemExit, match="other settings"):
        call("--steps", "3")


def test_every_variant_has_a_name_in_the_tables() -> None:
    assert set(VARIANTS) == set(ABLATIONS)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_scores(data: Path, call: Any) -> None:
    runs = []
    for _ in range(2):
        found = call("--steps", "2", "--seeds", "3", "--variants", "cascade")["runs"][0]
        runs.append({k: v for k, v in found.items() if not k.endswith("seconds")})
        (data / "out.json").unlink()
    assert runs[0] == runs[1]


def test_raw_names_are_those_of_the_data_sets(data: Path) -> None:
    make = Collections(util.blank(), data / "standard", data / "real", train=8, test=4)
    raw, standard = make("raw"), make("sets")
    assert [d.text for d in raw.train] == [d.text for d in standard.train]
    assert {e.label_ for d in raw.train for e in d.ents} == {
        "x person",
        "x city",
        "x country",
    }
    reduced = [
        d
        for d, whole in zip(standard.tests["parts"], standard.tests["own"], strict=True)
        if len(d.ents) < len(whole.ents)
    ]
    assert reduced and all(
        {e.label_ for e in d.ents} <= set(d._.cascade_labels) for d in reduced
    )


def test_missing_data_is_said(data: Path) -> None:
    with pytest.raises(SystemExit, match="open-data"):
        Collections(util.blank(), data / "nowhere", data)("names")
