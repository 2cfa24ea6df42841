"""The systems to compare with: GPT-NER, PromptNER, and spaCy's own components, all scored alike."""

from __future__ import annotations

import importlib.util
import math
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import spacy
import srsly
from hypothesis import example, given, settings
from hypothesis import strategies as st
from spacy.cli._util import app
from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span
from typer.testing import CliRunner

from benchmarks.suites.costs import calls
from spacy_cascade.baselines.components import GPTNER, PromptNER
from spacy_cascade.baselines.prompts import gptner, promptner
from spacy_cascade.baselines.reasons import ReasonAutomaton
from spacy_cascade.decoding.automaton import Guess
from spacy_cascade.decoding.copy import Job, decode
from spacy_cascade.decoding.listing import list_mentions
from spacy_cascade.decoding.native import NativeAutomaton, Vocabulary

# the entry points do this for users
from spacy_cascade.decoding.readings import State
from spacy_cascade.decoding.stepwise import decode_stepwise
from spacy_cascade.decoding.symbols import Labels, byte_index
from spacy_cascade.doc.corpus import create_corpus
from spacy_cascade.errors import CascadeError
from spacy_cascade.models.loading import load_model
from spacy_cascade.models.spec import HFSpec
from spacy_cascade.prompts.labelset import LabelSet
from spacy_cascade.scoring.scorers import cascade_score
from spacy_cascade.taxonomy import Taxonomy
from spacy_cascade.types import Unit
from tests import util

CONFIGS = Path(__file__).parents[2] / "configs"
LABELS = ["person", "location > city", "location > country"]
LABEL_SET = LabelSet.build(Taxonomy.from_labels(LABELS))
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
METHODS = ["gpt_ner", "prompt_ner"]
# settings under which models with random weights find something, and soon come to an end
FREE: dict[str, dict[str, Any]] = {
    "gpt_ner": {"verify_threshold": 0.0},
    "prompt_ner": {
        "template": {"@prompts": "spacy-cascade.PromptNER.v1", "reasons": 2}
    },
}


def pipeline(method: str, base: Path | str, **config: Any) -> Language:
    nlp = util.blank()
    nlp.add_pipe(
        method, config={"model": util.model_config(base), "taxonomy": LABELS, **config}
    )
    return nlp


def call(*args: Any) -> str:
    result = CliRunner().invoke(app, [str(a) for a in args])
    assert result.exit_code == 0, f"{result.output}\n{result.exception!r}"
    return result.output


def code(err: Any) -> str:
    return err.value.code


@pytest.fixture(scope="module")
def willing(tmp_path_factory: Any, base: Path) -> Path:
    """A base with random weights that never likes to end an answer, so that it marks
    and lists much.
    """
    import torch

    path = tmp_path_factory.mktemp("base") / "willing"
    lm = util.random_lm(base, factor=4.0, seed=3, double=False)
    with torch.no_grad():
        lm.model.get_input_embeddings().weight[lm.token_id("</s>")] = 0
    lm.save(path)
    return path


@pytest.fixture(scope="module")
def gold_file(tmp_path_factory: Any) -> Path:
    path = tmp_path_factory.mktemp("gold") / "gold.spacy"
    DocBin(
        docs=[eg.reference for eg in util.examples(util.blank())] * 4,
        store_user_data=True,
    ).to_disk(path)
    return path


# -- Copies with two markers ---------------------------------------------------------

MARKED = Vocabulary(
    [
        None,
        *(bytes([b]) for b in range(256)),
        b"@@",
        b"##",
        b" @@",
        b"##.",
        b"##@@",
        b"a##",
        b"ab",
        b" a",
        b"@@a",
    ]
)
PIECES = [
    "a",
    "b",
    " ",
    "ab",
    "@",
    "@@",
    "#",
    "##",
    ".",
    "é",
    "東京",
    "\n",
    "a##",
    "@@a",
]
texts = st.lists(st.sampled_from(PIECES), min_size=1, max_size=9).map("".join)


def copy_automaton(unit: Unit) -> NativeAutomaton:
    return NativeAutomaton(
        unit,
        MARKED,
        lambda t: MARKED.longest(t.encode()),
        marker="@@",
        close="##",
        end=0,
    )


@given(text=texts, seed=st.integers(0, 99))
@example("@@a##", 0)
@example("a#", 1)
def test_a_copy_with_two_markers_is_the_text(
    nlp: Language, text: str, seed: int
) -> None:
    found = util.units(nlp, [text])
    if not found:
        return
    automaton, rng, out = copy_automaton(found[0]), random.Random(seed), b""
    state, spans, begin = automaton.start(), [], 0
    while not automaton.done(state):
        token = rng.choice(list(automaton.allowed(state)))
        for kind, i, marked in automaton.choices(state, token):
            if marked and kind == "open":
                begin = i
            elif marked:
                spans.append((begin, i))
        state = automaton.step(state, token)
        out += MARKED.table[token] or b""
    unit = found[0]
    expected, at = "", 0
    for s, e in spans:
        start, stop = unit.tokens[s][0], unit.tokens[e - 1][1]
        expected += unit.text[at:start] + "@@" + unit.text[start:stop] + "##"
        at = stop
    assert out.decode() == expected + unit.text[at:]


@given(
    text=texts, marks=st.lists(st.integers(0, 8), max_size=4), seed=st.integers(0, 9)
)
def test_drafts_with_two_markers_are_allowed(
    nlp: Language, text: str, marks: list[int], seed: int
) -> None:
    found = util.units(nlp, [text])
    if not found:
        return
    automaton, rng = copy_automaton(found[0]), random.Random(seed)
    state = automaton.start()
    for _ in range(rng.randrange(6)):  # also from the middle of a marker
        if automaton.done(state):
            return
        state = automaton.step(state, rng.choice(list(automaton.allowed(state))))
    for token in automaton.draft(state, Guess(found[0], [(i, i + 1) for i in marks])):
        assert token in automaton.allowed(state)
        state = automaton.step(state, token)
    assert automaton.done(state)


@pytest.mark.slow
def test_copy_verification_is_stepwise_decoding_with_two_markers(
    nlp: Language, rnd: Any
) -> None:
    template = gptner()
    units = util.units(nlp, [util.SENTENCES[0], util.SENTENCES[5], "@@a## @@ #b#"])
    pairs: list[list[Job]] = [
        [template.job(rnd, u, LABEL_SET, 0) for u in units] for _ in range(2)
    ]
    decode(rnd, pairs[0])
    decode_stepwise(rnd, pairs[1])
    for a, b in zip(*pairs, strict=True):
        assert a.tokens == b.tokens
    assert any(job.mentions for job in pairs[0])


# -- Judged lists --------------------------------------------------------------------

JUDGED = Vocabulary(
    [
        None,
        *(bytes([b]) for b in range(256)),
        b" |",
        b" | ",
        b"True",
        b"False",
        b" True |",
        b" (",
        b"(person",
        b")\n",
        b"\n2",
        b". ",
        b" as",
        b" is (",
        b"a |",
        b"x\n",
        b" (person)",
    ]
)
LISTS = [
    ["person", "location"],
    ["a", "a)", "a) b", "a("],
    ["True", "False |", "| True |"],
    ["人名"],
    ["b"],
]
listed = st.one_of(
    st.lists(
        st.sampled_from(
            [
                "a",
                "b",
                " ",
                " | ",
                "True",
                " | True |",
                "1. ",
                "\n",
                "(",
                "a)",
                "東京",
                "2. a | False |",
            ]
        ),
        min_size=1,
        max_size=5,
    ).map("".join),
    st.text(min_size=1, max_size=6),
)


def judge(
    unit: Unit, names: Sequence[str], *, nested: bool, reasons: int
) -> ReasonAutomaton:
    labels = Labels([n.encode() for n in names])
    return ReasonAutomaton(
        byte_index(unit),
        labels,
        vocabulary=JUDGED,
        end=0,
        nested=nested,
        reasons=reasons,
    )


def wander(
    automaton: ReasonAutomaton, seed: int, *, go_on: bool
) -> tuple[bytes, State]:
    """An answer of random tokens. go_on: end only if nothing else is allowed."""
    rng, state, out = random.Random(seed), automaton.start(), b""
    while not automaton.done(state):
        allowed = list(automaton.allowed(state))
        assert allowed, (
            "the vocabulary can write everything, so there is always a way on"
        )
        if go_on and len(allowed) > 1 and 0 in allowed:
            allowed.remove(0)
        token = rng.choice(allowed)
        state = automaton.step(state, token)
        out += JUDGED.table[token] or b""
    return out, state


@given(
    text=listed,
    names=st.sampled_from(LISTS),
    nested=st.booleans(),
    reasons=st.sampled_from([0, 1, 4]),
    seed=st.integers(0, 99),
    go_on=st.booleans(),
)
@settings(max_examples=25)
@example("a | True | b", ["person", "location"], False, 4, 0, True)
@example("a a a", ["a", "a)"], False, 0, 1, True)
@example("a", ["a"], True, 0, 0, True)
@example("1. a | False |\n2. b", ["b"], True, 1, 5, True)
def test_every_judged_list_is_finite_and_can_be_read_back(
    nlp: Language,
    text: str,
    names: list[str],
    nested: bool,
    reasons: int,
    seed: int,
    go_on: bool,
) -> None:
    found = util.units(nlp, [text])
    if not found:
        return
    unit, automaton = found[0], judge(found[0], names, nested=nested, reasons=reasons)
    answer, state = wander(automaton, seed, go_on=go_on)
    mentions = automaton.mentions(state)
    assert [f[1:4] for f in automaton.read(answer)] == [f[1:4] for f in mentions]
    assert len({(f.start, f.end) for f in mentions}) == len(mentions)
    at = 0
    for number, f in enumerate(mentions, 1):
        surface = unit.text[unit.tokens[f.start][0] : unit.tokens[f.end - 1][1]]
        begin = f"{number}. {surface} | {f.label >= 0} |".encode()
        at = answer.index(begin, at)
        assert answer[f.begun : f.ended] == surface.encode()
        if f.label >= 0:
            assert (
                answer[f.ended :]
                .split(b"(", 1)[1]
                .startswith(names[f.label].encode() + b")")
            )
        at += len(begin)
    if not nested:
        true = [i for f in mentions if f.label >= 0 for i in range(f.start, f.end)]
        assert len(true) == len(set(true))
    if not mentions:
        assert answer == b""
    for f in mentions if reasons == 0 else ():
        tail = f" | True | ({names[f.label]})" if f.label >= 0 else " | False |"
        assert (answer + b"\n")[f.ended :].startswith(f"{tail}\n".encode())


def test_reasons_have_at_most_so_many_tokens(nlp: Language) -> None:
    (unit,) = util.units(nlp, ["a b"])
    automaton = judge(unit, ["person"], nested=False, reasons=3)
    state = automaton.start()
    for byte in b"1. a | True |":
        state = automaton.step(state, byte + 1)
    for _ in range(3):
        assert ord("x") + 1 in automaton.allowed(state)
        state = automaton.step(state, ord("x") + 1)
    allowed = {JUDGED.table[t] for t in automaton.allowed(state)}
    assert allowed == {b" ", b" (", b" (person)"} or allowed == {b" ", b" ("}
    state = automaton.step(state, ord(" ") + 1)
    assert {JUDGED.table[t] for t in automaton.allowed(state)} == {b"(", b"(person"}


def test_a_token_of_the_text_is_given_away_once(nlp: Language) -> None:
    (unit,) = util.units(nlp, ["Rome Rome"])
    automaton = judge(unit, ["city"], nested=False, reasons=0)
    answer = b"1. Rome | False |\n2. Rome | True | (city)\n3. Rome Rome | False |"
    with pytest.raises(KeyError):
        automaton.read(answer)
    assert [f[1:4] for f in automaton.read(answer.split(b"\n3")[0])] == [
        (-1, 0, 1),
        (0, 1, 2),
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


# -- Bad input -----------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("labels", "expected"), [([], "C003"), (["a > "], "C006"), ([" "], "C006")]
)
def test_label_lists_that_cannot_be_used(
    method: str, labels: list[str], expected: str, base: Path
) -> None:
    with pytest.raises(CascadeError) as err:
        pipeline(method, base, taxonomy=labels)
    assert code(err) == expected


@pytest.mark.parametrize("method", METHODS)
def test_labels_with_markers_and_separators_work(method: str, willing: Path) -> None:
    names = ["@@x##", "a | true | b", "1. (y)", "z)"]
    doc = pipeline(method, willing, taxonomy=names, **FREE[method])(
        "Ann met Bob @@ here."
    )
    assert doc.text == "Ann met Bob @@ here." and {
        s.label_ for s in doc.spans["cascade"]
    } <= set(names)


@pytest.mark.parametrize("method", METHODS)
def test_an_empty_label_list_in_the_context(method: str, base: Path) -> None:
    nlp = pipeline(method, base)
    doc = nlp.make_doc("a b")
    doc._.cascade_labels = []
    with pytest.raises(CascadeError) as err:
        nlp(doc)
    assert code(err) == "C003"


@pytest.mark.parametrize("method", METHODS)
def test_too_many_labels(method: str, base: Path) -> None:
    with pytest.raises(CascadeError) as err:
        pipeline(
            method,
            base,
            taxonomy=[
                f"type number {i} " + "long " * (500 if method == "gpt_ner" else 1)
                for i in range(600)
            ],
        )("a")
    assert code(err) == "C050"


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: promptner(reasons=-1), "C021"),
        (
            lambda: promptner(
                examples=[
                    {"text": "a", "entities": [{"name": "a", "reason": "so (x)"}]}
                ]
            ),
            "C051",
        ),
        (
            lambda: promptner(
                examples=[{"text": "a", "entities": [{"name": "a", "reason": 3}]}]
            ),
            "C051",
        ),
        (
            lambda: promptner(examples=[{"text": "a", "entities": [{"name": "b"}]}]),
            "C051",
        ),
        (lambda: promptner(examples=["a"]), "C051"),  # type: ignore[list-item]
        (lambda: gptner([{"text": "a", "entities": [{"name": "a"}]}]), "C051"),
    ],
)
def test_bad_settings_of_templates(make: Any, expected: str) -> None:
    with pytest.raises(CascadeError) as err:
        make()
    assert code(err) == expected


def test_bad_threshold_and_training(base: Path) -> None:
    with pytest.raises(CascadeError) as err:
        pipeline("gpt_ner", base, verify_threshold=1.5)
    assert code(err) == "C021"
    nlp = pipeline("prompt_ner", base)
    assert not nlp.get_pipe("prompt_ner").is_trainable
    with pytest.raises(CascadeError) as err:
        nlp.get_pipe("prompt_ner").training_items(util.examples(nlp))
    assert code(err) == "C035"


# -- spaCy's own components ----------------------------------------------------------


def test_gold_labels_as_paths(nlp: Language, gold_file: Path) -> None:
    eg = next(iter(create_corpus(gold_file, paths=True)(nlp)))
    assert [e.label_ for e in eg.reference.ents] == ["person", "location > city"]
    assert [s.label_ for s in eg.reference.spans["gold"]] == [
        "person",
        "location > city",
    ]
    assert [
        e.label_ for e in next(iter(create_corpus(gold_file)(nlp))).reference.ents
    ] == [
        "person",
        "city",
    ]
    eg.predicted.set_ents(
        [Span(eg.predicted, e.start, e.end, label=e.label_) for e in eg.reference.ents]
    )
    assert cascade_score([eg])["cascade_typed_f"] == 1.0


def test_fused_spans(nlp: Language) -> None:
    nlp = util.blank()
    nlp.add_pipe("span_fuser", config={"spans_key": "sc"})
    doc = Doc(nlp.vocab, words=["New", "York", "City", "x"])
    assert not nlp(doc).ents and len(doc.spans["cascade"]) == 0
    doc.spans["sc"] = [
        Span(doc, 0, 2, "a > b"),
        Span(doc, 0, 3, "c"),
        Span(doc, 3, 4, "d"),
    ]
    doc = nlp(doc)
    assert [(e.text, e.label_) for e in doc.ents] == [
        ("New York City", "c"),
        ("x", "d"),
    ]
    assert doc.spans["cascade"].attrs["paths"] == ["a > b", "c", "d"]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: Any, base: Path) -> Path:
    """A tiny encoder with random weights, saved like any other."""
    from transformers import AutoTokenizer, BertConfig, BertModel

    path = tmp_path_factory.mktemp("encoder") / "tiny"
    tokenizer = AutoTokenizer.from_pretrained(base)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
    )
    BertModel(config).save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["baseline_ner", "baseline_spancat", "baseline_transformer"]
)
def test_trained_baselines_train_and_are_scored(
    name: str, gold_file: Path, tmp_path: Path, request: Any
) -> None:
    paths = [f"--paths.train={gold_file}", f"--paths.dev={gold_file}"]
    if name == "baseline_transformer":
        if importlib.util.find_spec("spacy_transformers") is None:
            pytest.skip(
                "needs spacy-transformers: pip install 'spacy-cascade[transformers]'"
            )
        paths.append(f"--paths.encoder={request.getfixturevalue('encoder')}")
    call("init", "fill-config", CONFIGS / f"{name}.cfg", tmp_path / "full.cfg")
    call("debug", "config", tmp_path / "full.cfg", *paths)
    call(
        "train",
        tmp_path / "full.cfg",
        "-o",
        tmp_path / "out",
        *paths,
        "--training.max_steps",
        2,
        "--training.eval_frequency",
        1,
    )
    call(
        "evaluate",
        tmp_path / "out" / "model-last",
        gold_file,
        "-o",
        tmp_path / "scores.json",
    )
    assert {"cascade_typed_f", "cascade_extraction_f"} <= set(
        srsly.read_json(tmp_path / "scores.json")
    )


@pytest.mark.slow
def test_ner_learns_paths(gold_file: Path, tmp_path: Path) -> None:
    """What the config trains is scored at every level, not by boundaries alone."""
    limits = ["--training.max_steps", 40, "--training.eval_frequency", 40]
    call(
        "train",
        CONFIGS / "baseline_ner.cfg",
        "-o",
        tmp_path,
        f"--paths.train={gold_file}",
        f"--paths.dev={gold_file}",
        *limits,
    )
    performance = spacy.load(tmp_path / "model-last").meta["performance"]
    assert performance["cascade_typed_f"] > 0.5


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
