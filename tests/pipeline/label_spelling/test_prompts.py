"""How prompts spell labels."""

from __future__ import annotations

from typing import Any

from spacy.language import Language

from spacy_cascade.decoding.automaton import Guess
from spacy_cascade.pipeline.windows import make_unit
from spacy_cascade.prompts.chat import ChatClassify, ChatLabeledExtract
from spacy_cascade.prompts.compact import CompactClassify
from spacy_cascade.prompts.demonstrations import read_demos
from spacy_cascade.prompts.labelset import LabelSet
from spacy_cascade.prompts.open import b2ner_open
from spacy_cascade.taxonomy import Taxonomy
from spacy_cascade.types import MentionQuery
from tests import util

from .util import LABELS


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
