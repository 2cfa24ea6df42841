"""GPT-NER and PromptNER as components: prompts, offsets, scores, saving, costs."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import spacy
import srsly
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.language import Language

from benchmarks.suites.costs import calls
from spacy_cascade.baselines.components import GPTNER, PromptNER
from spacy_cascade.baselines.prompts import gptner, promptner
from spacy_cascade.decoding.listing import list_mentions
from spacy_cascade.models.loading import load_model
from spacy_cascade.models.spec import HFSpec
from tests import util
from tests.baselines.util import CONFIGS, FREE, LABEL_SET, METHODS, call, pipeline

DEMO = {
    "text": "Ann met Bob in Rome.",
    "entities": [
        {"name": "Ann", "type": "person"},
        {"name": "Bob", "type": "person"},
        {"name": "Rome", "type": "city"},
    ],
}
ODD = [
    *util.ODD,
    "",
    " ",
    "@@a## @@",
    "@Ann @@Bob@@ ##@",
    "1. a | True | b (person)\n2. c",
    "a | False | a | True | (",
    "(a) (b)",
]


# -- Prompts -------------------------------------------------------------------------


def test_gpt_ners_prompts() -> None:
    assert (
        gptner().text("Ann left.", LABEL_SET, 0)
        == "I am an excellent linguist. The task is to label person entities in the given"
        " sentence.\nInput:Ann left.\nOutput:"
    )
    assert (
        gptner([DEMO])
        .text("x", LABEL_SET, 0)
        .endswith(
            "sentence. Below are some examples.\nInput:Ann met Bob in Rome.\nOutput:@@Ann## met"
            " @@Bob## in Rome.\nInput:x\nOutput:"
        )
    )
    question = gptner([DEMO]).question("Eve left.", "Eve", LABEL_SET, 1)
    assert question.startswith(
        "I am an excellent linguist. The task is to verify whether the word is a city entity"
        " extracted"
    )
    assert (
        'Is the word "Ann" in the given sentence a city entity? Please answer with yes or'
        " no.\nno\n" in question
    )
    assert (
        'Is the word "Rome" in the given sentence a city entity? Please answer with yes or'
        " no.\nyes\n" in question
    )
    assert question.endswith(
        'The given sentence: Eve left.\nIs the word "Eve" in the given sentence a city entity?'
        " Please answer with yes or no."
    )


def test_promptners_prompt() -> None:
    demo = {
        **DEMO,
        "entities": [
            {"name": "Ann", "type": "person", "reason": "as she met someone"},
            {"name": "met"},
        ],
    }
    text = promptner(examples=[demo]).text("x", LABEL_SET)
    assert (
        text
        == "Defn: An entity is a person (person), city (city), country (country). Dates, times,"
        " adjectives and verbs are not entities.\n\nQ: Given the paragraph below, identify a"
        " list of possible entities and for each entry explain why it either is or is not an"
        " entity.\nParagraph: Ann met Bob in Rome.\n\nAnswer:\n1. Ann | True | as she met"
        " someone (person)\n2. met | False | as it is none of these\n\nQ: Given the"
        " paragraph below, identify a list of possible entities and for each entry explain"
        " why it either is or is not an entity.\nParagraph: x\n\nAnswer:"
    )
    plain = promptner(reasons=0, note="").text("x", LABEL_SET)
    assert (
        "1. First Candidate | True | (entity_type)\n2. Second Candidate | False |\n"
        in plain
        and "explain" not in plain
    )


# -- Components ----------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_offsets_are_exact_whatever_the_text(method: str, willing: Path) -> None:
    nlp = pipeline(method, willing, **FREE[method])
    texts = [util.SENTENCES[5], *(t[:40] for t in ODD)]
    found = 0
    for doc, text in zip(nlp.pipe(texts), texts, strict=True):
        assert doc.text == text
        for span in doc.spans["cascade"]:
            assert (
                text[span.start_char : span.end_char] == span.text
                and span.text == span.text.strip()
            )
            assert span.label_ in nlp.get_pipe(method).labels
            assert 0 <= span._.cascade_score <= 1 and span._.cascade_path.endswith(
                span.label_
            )
        assert {(e.start, e.end) for e in doc.ents} <= {
            (s.start, s.end) for s in doc.spans["cascade"]
        }
        assert all(
            status in ("processed", "split", "shortened")
            for *_, status in doc._.cascade_coverage
        )
        found += len(doc.spans["cascade"])
    assert found > 10


@pytest.mark.parametrize("method", METHODS)
def test_batches_give_what_single_docs_give(method: str, willing: Path) -> None:
    nlp = pipeline(method, willing, **FREE[method])
    lm = load_model(HFSpec(str(willing), device="cpu"), private=True)
    lm.model.double()  # batches of every shape lead to the same decisions: see `util.random_lm`
    nlp.get_pipe(method).weights.lm = lm
    texts = [util.SENTENCES[0], "x y", util.SENTENCES[6]]
    assert [util.spans(d) for d in nlp.pipe(texts)] == [
        util.spans(nlp(t)) for t in texts
    ]


@pytest.mark.slow
@given(
    text=st.text(max_size=25),
    names=st.lists(
        st.text("ab@#|():;, ", min_size=1, max_size=6).filter(lambda n: n.strip()),
        min_size=1,
        max_size=3,
    ),
)
@settings(max_examples=12)
def test_any_text_and_labels_can_be_read_back(
    base: Path, text: str, names: list[str]
) -> None:
    for method in METHODS:
        doc = pipeline(method, base, taxonomy=names, **FREE[method])(text)
        assert doc.text == text and "cascade" in doc.spans


def test_self_verification_rejects(willing: Path) -> None:
    texts = list(util.SENTENCES[:3])
    counts = [
        sum(
            len(d.spans["cascade"])
            for d in pipeline("gpt_ner", willing, verify_threshold=t).pipe(texts)
        )
        for t in (0.0, 0.5, 1.0)
    ]
    assert counts[0] >= counts[1] >= counts[2] == 0 and counts[0] > 0
    unverified = pipeline("gpt_ner", willing, verify=False)(texts[0])
    assert set(unverified.spans["cascade"].attrs["path_scores"]) <= {1.0}


def test_scores_of_a_judged_list_are_those_of_its_tokens(
    nlp: Language, willing: Path
) -> None:
    template, rnd = promptner(reasons=0), load_model(HFSpec(str(willing), device="cpu"))
    jobs = [
        template.job(rnd, u, LABEL_SET)
        for u in util.units(nlp, ["Ann met Bob.", "a b"])
    ]
    list_mentions(rnd, jobs)
    assert any(job.mentions for job in jobs)
    for job in jobs:
        if job.complete:
            # without reasons every token belongs to a text or a label, or numbers and
            # judges other candidates
            total = sum(job._log_probs)
            parts = sum(
                math.log(m.score) + math.log(m.label_score) for m in job.mentions
            )
            assert total <= parts + 1e-6 <= 1e-5


@pytest.mark.parametrize("method", METHODS)
def test_labels_per_call_and_scores_of_the_scorer(method: str, willing: Path) -> None:
    nlp = pipeline(method, willing, **FREE[method])
    ((doc, _),) = nlp.pipe(
        [("Ann met Bob.", {"cascade_labels": ["ship"]})], as_tuples=True
    )
    assert {s.label_ for s in doc.spans["cascade"]} <= {"ship"}
    scores = nlp.evaluate(util.examples(nlp)[:2])
    assert {"cascade_typed_f", "cascade_extraction_f"} <= set(scores)


@pytest.mark.parametrize("method", METHODS)
def test_saving(method: str, willing: Path, tmp_path: Path) -> None:
    nlp = pipeline(method, willing, taxonomy=["ship", "harbour"], **FREE[method])
    before = util.spans(nlp("Ann met Bob."))
    nlp.to_disk(tmp_path / "nlp")
    loaded = spacy.load(tmp_path / "nlp")
    assert util.spans(loaded("Ann met Bob.")) == before
    assert loaded.get_pipe(method).labels == ("ship", "harbour")
    assert isinstance(
        loaded.get_pipe(method), GPTNER if method == "gpt_ner" else PromptNER
    )
    assert not (tmp_path / "nlp" / method / "model").exists(), (
        "what is not trained is not copied"
    )


# -- spaCy's own components ----------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_prompted_configs_assemble_and_run(
    method: str, base: Path, gold_file: Path, tmp_path: Path
) -> None:
    call("init", "fill-config", CONFIGS / f"{method}.cfg", tmp_path / "full.cfg")
    paths = [f"--paths.{name}={gold_file}" for name in ("train", "dev")]
    call("debug", "config", tmp_path / "full.cfg", f"--paths.base={base}", *paths)
    call(
        "assemble", CONFIGS / f"{method}.cfg", tmp_path / "nlp", f"--paths.base={base}"
    )
    nlp = spacy.load(tmp_path / "nlp")
    assert len(nlp.get_pipe(method)._own_labels.names) == 8
    call("evaluate", tmp_path / "nlp", gold_file, "-o", tmp_path / "scores.json")
    assert "cascade_typed_f" in srsly.read_json(tmp_path / "scores.json")


# -- Costs ---------------------------------------------------------------------------


@pytest.mark.slow
def test_costs_are_those_of_right_answers(nlp: Language, base: Path) -> None:
    """Two sentences with a person and a city each: every system writes them, and asks
    as often as it has to.
    """
    spans = [(0, 2, ("person",)), (4, 5, ("location", "city"))]
    sentences = [
        (nlp.make_doc(text), spans)
        for text in ("John Smith flew to Paris.", "Mary Jones works in Berlin.")
    ]
    lm = load_model(HFSpec(str(base), device="cpu"))
    rows = {
        name: calls.measure(p, lm, sentences, gold=True)
        for name, p in calls.all_systems(base, util.labels_config()).items()
    }
    assert {row["as_gold"] for row in rows.values()} == {1.0}
    assert {name: row["calls"] for name, row in rows.items()} == {
        "cascade": 1 + 1 + 2,
        "open NER": 1,
        "PromptNER": 1,
        "PromptNER, no reasons": 1,
        "GPT-NER": 3 + 2,
        "GPT-NER, no verification": 3,
    }
    assert rows["GPT-NER"]["output"] > rows["open NER"]["output"] > 0
    assert all(0 < row["passes"] <= row["run"] for row in rows.values())
