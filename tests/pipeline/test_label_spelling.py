"""Labels come back as users spell them; case and white space make no difference where
they are looked up.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.language import Language
from spacy.scorer import Scorer
from spacy.tokens import DocBin, Span
from spacy.training import Example

from spacy_cascade.cli.evaluate import evaluate
from spacy_cascade.decoding.automaton import Guess
from spacy_cascade.doc.gold import known_path
from spacy_cascade.errors import CascadeError
from spacy_cascade.pipeline.windows import make_unit
from spacy_cascade.prompts.chat import ChatClassify, ChatLabeledExtract
from spacy_cascade.prompts.compact import CompactClassify
from spacy_cascade.prompts.demonstrations import read_demos
from spacy_cascade.prompts.labelset import LabelSet
from spacy_cascade.prompts.open import b2ner_open
from spacy_cascade.scoring.analysis import Analysis
from spacy_cascade.scoring.scorers import cascade_score
from spacy_cascade.taxonomy import Taxonomy
from spacy_cascade.taxonomy.names import normalize_name
from spacy_cascade.types import MentionQuery
from tests import util

LABELS = ["PERSON", "Location > CITY", "Location > Country_Name"]
NAMES = {
    "John": ("person",),
    "Paris": ("location", "city"),
    "France": ("location", "country_name"),
}
TEXT = "John saw Paris in France"
PERFECT = [(0, 4, "PERSON"), (9, 14, "CITY"), (18, 24, "Country_Name")]


def gold(nlp: Language, labels: list[str] | None = None) -> Example:
    """Flat gold entities of `TEXT`, with their labels or with these."""
    ents = [
        (s, e, label)
        for (s, e, _), label in zip(
            PERFECT, labels or [p[-1] for p in PERFECT], strict=True
        )
    ]
    return Example.from_dict(nlp.make_doc(TEXT), {"entities": ents})


# -- In pipelines --------------------------------------------------------------------


@pytest.mark.parametrize("strategy", ["progressive", "beam", "path"])
def test_entities_spans_paths_and_n_best_are_spelled_as_given(strategy: str) -> None:
    nlp, _ = util.scripted(
        NAMES, LABELS, classifier={"strategy": strategy, "n_best": 2}
    )
    doc = nlp(TEXT)
    assert util.entities(doc) == PERFECT
    assert [p for *_, p in util.spans(doc)] == [
        "PERSON",
        "Location > CITY",
        "Location > Country_Name",
    ]
    assert [e._.cascade_path for e in doc.ents] == [
        "PERSON",
        "Location > CITY",
        "Location > Country_Name",
    ]
    assert [e["label"] for e in doc._.cascade_entities] == [
        "PERSON",
        "CITY",
        "Country_Name",
    ]
    assert {
        p for found in doc.spans["cascade"].attrs.get("n_best", ()) for p, _ in found
    } <= set(LABELS)


def test_labels_of_a_text_are_spelled_as_given() -> None:
    nlp, _ = util.scripted(NAMES)
    own = ["Person", "CITY", "country_NAME"]
    flat, _ = util.scripted(
        {"John": ("person",), "Paris": ("city",), "France": ("country_name",)}
    )
    ((doc, _),) = flat.pipe([(TEXT, {"cascade_labels": own})], as_tuples=True)
    assert [e.label_ for e in doc.ents] == own
    doc = nlp.make_doc(TEXT)
    doc._.cascade_labels = LABELS
    assert util.entities(nlp(doc)) == PERFECT


def test_the_same_types_in_any_case_are_found_alike(lively: Path) -> None:
    """The tiny templates write types in lower case, so that trained models know them in
    all spellings.
    """
    found = []
    for labels in (util.LABELS, [label.upper() for label in util.LABELS]):
        nlp = util.cascade(lively, classifier={"taxonomy": util.labels_config(labels)})
        docs = list(nlp.pipe(util.SENTENCES))
        found.append([(s.start, s.end, s.label_) for doc in docs for s in doc.ents])
        assert {label for *_, label in found[-1]} <= {
            label.split(" > ")[-1] for label in labels
        }
    lower, upper = found
    assert len(lower) > 5
    assert [(s, e, label.upper()) for s, e, label in lower] == upper


def test_a_pipeline_that_was_saved_spells_them_alike(
    lively: Path, tmp_path: Path
) -> None:
    nlp = util.cascade(lively, classifier={"taxonomy": util.labels_config(LABELS)})
    nlp.to_disk(tmp_path / "pipeline")
    back = spacy.load(tmp_path / "pipeline")
    pipe: Any = back.get_pipe("cascade_classifier")
    assert pipe.labels == ("PERSON", "Location", "CITY", "Country_Name")
    assert list(pipe.taxonomy) == list(Taxonomy.from_labels(LABELS))
    assert [util.entities(d) for d in back.pipe(util.SENTENCES)] == [
        util.entities(d) for d in nlp.pipe(util.SENTENCES)
    ]


NAME = st.text(
    st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters=">-"),
    min_size=1,
    max_size=8,
)
ODD_NAMES = [
    "US",
    "I-PER",
    "_",
    "ORG_Group",
    "İl",
    "STRASSE",
    "straße",
    "ΟΔΟΣ",
    " white  space ",
    "B-",
    "MENTION",
    "unknown",
    "ﬁ",
]


@given(
    labels=st.lists(
        st.one_of(st.sampled_from(ODD_NAMES), NAME).filter(str.strip),
        min_size=1,
        max_size=5,
        unique_by=normalize_name,
    )
)
@settings(max_examples=25)
def test_labels_of_entities_are_letter_by_letter_those_given(
    nlp_lively: Language, labels: list[str]
) -> None:
    doc = nlp_lively.make_doc(
        "John Smith flew from New York to Paris with ACME Corp. on Monday."
    )
    doc._.cascade_labels = labels
    doc = nlp_lively(doc)
    assert doc.ents
    assert {e.label_ for e in doc.ents} <= set(labels)
    assert {s._.cascade_path for s in doc.ents} <= set(labels)


@pytest.fixture(scope="module")
def nlp_lively(lively: Path) -> Language:
    return util.cascade(lively)


@pytest.mark.slow
@pytest.mark.parametrize("factory", ["open_ner", "gpt_ner", "prompt_ner"])
def test_single_stage_components(factory: str, base: Path, tmp_path: Path) -> None:
    import torch

    lm = util.random_lm(base, factor=4.0, seed=3, double=False)
    with torch.no_grad():
        lm.model.get_input_embeddings().weight[lm.token_id("</s>")] = 0
    lm.save(tmp_path / "base")
    settings = {
        "gpt_ner": {"verify_threshold": 0.0},
        "prompt_ner": {
            "template": {"@prompts": "spacy-cascade.PromptNER.v1", "reasons": 2}
        },
    }.get(factory, {})
    nlp = util.blank()
    labels = ["PERSON", "Place->CITY", "Place->Far  Away"]
    nlp.add_pipe(
        factory,
        config={
            "model": util.model_config(tmp_path / "base"),
            "taxonomy": labels,
            **settings,
        },
    )
    docs = list(nlp.pipe(util.SENTENCES[1:6]))
    found = {(s.label_, s._.cascade_path) for doc in docs for s in doc.spans["cascade"]}
    assert found
    assert found <= {
        ("PERSON", "PERSON"),
        ("CITY", "Place > CITY"),
        ("Far  Away", "Place > Far  Away"),
    }


# -- In prompts ----------------------------------------------------------------------


def test_chat_prompts_name_types_as_users_do(rnd: Any, nlp: Language) -> None:
    (unit,) = util.units(nlp, ["Paris"])
    asked = MentionQuery(unit, 0, 1)
    text = rnd.tokenizer.decode(
        ChatClassify().prompt(rnd, asked, (), ["DNA", "cell  Line"])[0]
    )
    assert rnd.encode("DNA", control=True) == ChatClassify().answer(rnd, "DNA")
    labelled = make_unit(nlp.make_doc("Paris"), 0, 1, ("DNA", "cell  Line"))
    job = ChatLabeledExtract().job(rnd, labelled, Guess(labelled))
    for written in (text, rnd.tokenizer.decode(job.prompt)):
        assert "DNA, cell Line" in written
    labels = LabelSet.build(
        Taxonomy.from_labels(["DNA", "Cell  Line->T Cell"]), full_paths=True
    )
    assert labels.names == ("DNA", "Cell Line->T Cell")
    assert "DNA, Cell Line->T Cell" in b2ner_open().text("x", labels)


def test_compact_prompts_know_one_spelling(rnd: Any) -> None:
    assert (
        CompactClassify().answer(rnd, "PERSON")
        == CompactClassify().answer(rnd, "person")
        == rnd.encode(" person", control=True)
    )


def test_short_names_differ_in_more_than_case() -> None:
    assert LabelSet.build(Taxonomy({"A": ["US"], "B": ["us", "x"]})).names == (
        "A->US",
        "B->us",
        "x",
    )


def test_demonstrations_are_looked_up_in_any_case() -> None:
    labels = LabelSet.build(Taxonomy.from_labels(LABELS))
    entities = [
        {"name": "Ann", "type": "Person"},
        {"name": "Rome", "type": "location->city"},
        {"name": "x", "type": "z"},
    ]
    (demo,) = read_demos([{"text": "Ann in Rome x", "entities": entities}])
    assert demo.known(labels) == [("Ann", 0), ("Rome", 1)]


# -- Looking up ----------------------------------------------------------------------


def test_a_name_that_is_spelled_just_so_comes_first() -> None:
    taxonomy = Taxonomy({"Country": ["US"], "Pronoun": ["us"]})
    assert taxonomy.resolve("US") == ("Country", "US")
    assert taxonomy.resolve("us") == ("Pronoun", "us")
    assert taxonomy.resolve("COUNTRY > us") == ("Country", "US")
    with pytest.raises(CascadeError) as err:
        taxonomy.resolve("Us")
    assert err.value.code == "C002"


def test_everything_that_a_taxonomy_holds_is_found_in_any_case() -> None:
    taxonomy = Taxonomy(
        {"PERSON": None, "Location": ["CITY"]},
        descriptions={"person": "who", "location > city": "where"},
        aliases={"per": "Person"},
        names={"de": {"LOCATION > city": "Stadt"}},
    )
    assert [taxonomy.resolve(n) for n in ("person", "PER", "stadt", "city")] == [
        ("PERSON",),
        ("PERSON",),
        ("Location", "CITY"),
        ("Location", "CITY"),
    ]
    assert (
        taxonomy.description(("PERSON",)),
        taxonomy.description(("Location", "CITY")),
    ) == ("who", "where")
    assert taxonomy.localized(("Location", "CITY"), "de") == "Stadt"
    assert taxonomy.find(("location", "city")) == ("Location", "CITY")
    assert (
        known_path(taxonomy, ("city",))
        == known_path(taxonomy, ("x", "location", "city"))
        == ("Location", "CITY")
    )
    assert list(Taxonomy.from_object(taxonomy.to_dict())) == list(taxonomy)
    assert list(taxonomy.subset(["city"])) == [("Location",), ("Location", "CITY")]


@pytest.mark.parametrize(
    "name", ["İstanbul", "Straße", "STRASSE", "ΟΔΟΣ", "ﬁlm", "ǅ", "ẞ"]
)
def test_letters_whose_case_is_no_simple_matter_stay_as_they_are(name: str) -> None:
    taxonomy = Taxonomy([name, "x"])
    assert taxonomy.leaves[0] == (name,)
    assert taxonomy.resolve(name) == taxonomy.resolve(name.lower()) == (name,)


@pytest.mark.parametrize("labels", [["US", "us"], ["x", "Real Person", "real  person"]])
def test_labels_that_differ_in_case_or_white_space_alone_are_an_error_that_names_both(
    labels: list[str],
) -> None:
    nlp, _ = util.scripted({})
    pipe: Any = nlp.get_pipe("cascade_classifier")
    with pytest.raises(CascadeError) as err:
        pipe.set_taxonomy(labels)
    assert err.value.code == "C005"
    assert all(repr(label) in str(err.value) for label in labels[-2:])


def test_a_type_of_ones_own_may_be_called_unknown() -> None:
    nlp, _ = util.scripted(
        {"John": ("unknown",), "Paris": ("city",)}, ["Unknown", "CITY"]
    )
    assert [e.label_ for e in nlp("John saw Paris").ents] == ["Unknown", "CITY"]
    offered, _ = util.scripted(
        {"John": ("unknown",), "Paris": ("city",)},
        ["Unknown", "CITY"],
        classifier={"unknown": True},
    )
    assert [e.label_ for e in offered("John saw Paris").ents] == ["CITY"]


# -- Scores --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "labels", [["PERSON", "CITY", "COUNTRY"], ["Person", "cIty", "Country Name"]]
)
def test_a_perfect_result_scores_one_everywhere(
    labels: list[str], tmp_path: Path
) -> None:
    names = {
        name: (normalize_name(label),)
        for name, label in zip(("John", "Paris", "France"), labels, strict=True)
    }
    nlp, _ = util.scripted(names, labels)
    perfect = gold(nlp, labels)
    scores = nlp.evaluate([perfect])
    for name in (
        "extraction_f",
        "fine_f",
        "typed_f",
        "hierarchical_f",
        "accuracy",
        "string_set_f",
    ):
        assert scores[f"cascade_{name}"] == 1.0, name
    assert set(scores["cascade_per_type"]) == set(labels)
    assert (
        Scorer.score_spans([Example(nlp(TEXT), perfect.reference)], "ents")["ents_f"]
        == 1.0
    )
    DocBin(docs=[perfect.reference]).to_disk(tmp_path / "gold.spacy")
    assert evaluate(nlp, [tmp_path / "gold.spacy"])["all"]["cascade_fine_f"] == 1.0


def test_gold_in_another_case_is_scored_in_the_spelling_of_the_pipeline(
    tmp_path: Path,
) -> None:
    nlp, _ = util.scripted(
        {"John": ("person",), "Paris": ("city",), "France": ("country",)},
        ["PERSON", "CITY", "COUNTRY"],
    )
    lower = gold(nlp, ["person", "city", "country"])
    scores = nlp.evaluate([lower])
    assert (scores["cascade_fine_f"], scores["cascade_accuracy"]) == (1.0, 1.0)
    assert set(scores["cascade_per_type"]) == {"PERSON", "CITY", "COUNTRY"}
    DocBin(docs=[lower.reference]).to_disk(tmp_path / "gold.spacy")
    assert evaluate(nlp, [tmp_path / "gold.spacy"])["all"]["cascade_fine_f"] == 1.0
    analysis = Analysis(taxonomy=nlp.get_pipe("cascade_classifier").taxonomy)  # type: ignore[attr-defined]
    analysis.add(nlp(TEXT), lower.reference)
    assert analysis.total.scores()["typed_f"] == 1.0
    wrong = gold(nlp, ["city", "city", "country"])
    assert nlp.evaluate([wrong])["cascade_accuracy"] == pytest.approx(2 / 3)


def test_a_texts_own_label_set_is_the_spelling_that_counts(nlp: Language) -> None:
    eg = gold(nlp, ["person", "city", "country"])
    eg.reference.user_data["cascade_labels"] = ["Person", "City", "Country"]
    eg.predicted.set_ents(
        [
            Span(eg.predicted, e.start, e.end, label=e.label_.upper())
            for e in eg.reference.ents
        ]
    )
    scores = cascade_score([eg], taxonomy=Taxonomy(["PERSON", "CITY", "COUNTRY"]))
    assert scores["cascade_fine_f"] == 1.0
    assert set(scores["cascade_per_type"]) == {"Person", "City", "Country"}


def test_gold_in_another_case_is_trained_on(base: Path) -> None:
    nlp = util.cascade(
        base, classifier={"taxonomy": util.labels_config(["PERSON", "CITY", "Country"])}
    )
    pipe: Any = nlp.get_pipe("cascade_classifier")
    items = pipe.training_items([gold(nlp, ["person", "city", "COUNTRY"])])
    assert [len(item.gold) > 0 for found in items for item in found] == [True]
