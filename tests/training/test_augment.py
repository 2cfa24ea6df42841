"""Mentions that are replaced by other names."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spacy.language import Language
from spacy.tokens import DocBin
from spacy.training import Corpus, Example

from spacy_cascade.taxonomy import Taxonomy
from spacy_cascade.training.augment import (
    MentionReplacer,
    gold_doc,
    language_of,
    mention_replacement,
)
from tests import util

NAMES = {
    "": {
        ("person",): ["Bo", "María José", "李小龙"],
        ("location", "city"): ["X", "New York City"],
    }
}


@pytest.mark.slow
@given(
    seed=st.integers(0, 10**6),
    index=st.integers(0, len(util.GOLD) - 1),
    rate=st.sampled_from([0.3, 1.0]),
    invent=st.sampled_from([0.0, 1.0]),
)
def test_replacement_keeps_offsets_exact(
    nlp: Language, seed: int, index: int, rate: float, invent: float
) -> None:
    reference = util.example(nlp, *util.GOLD[index]).reference
    out = MentionReplacer(NAMES, rate=rate, invent=invent)(
        nlp, reference, random.Random(seed)
    )
    if out is None:
        return
    old, new = list(reference.spans["gold"]), list(out.spans["gold"])
    assert out.spans["gold"].attrs["paths"] == reference.spans["gold"].attrs["paths"]
    # what stands between the mentions is what stood there
    assert _between(reference.text, old) == _between(out.text, new)
    for a, b, path in zip(old, new, out.spans["gold"].attrs["paths"], strict=True):
        known = NAMES[""].get(tuple(path.split(" > ")), [])
        assert b.text == a.text or b.text in known or invent
        assert out.text[b.start_char : b.end_char] == b.text


def _between(text: str, spans: list[Any]) -> list[str]:
    cuts = [0, *(x for s in spans for x in (s.start_char, s.end_char)), len(text)]
    return [text[a:b] for a, b in zip(cuts[::2], cuts[1::2], strict=True)]


@given(seed=st.integers(0, 10**6))
def test_replacement_with_nested_mentions_keeps_the_inner_ones(
    nlp: Language, seed: int
) -> None:
    text = "Ann saw the University of Bonn in Bonn"
    gold = [
        ("Ann", "person"),
        ("University of Bonn", "organization"),
        ("Bonn", "location > city"),
        ("Bonn", "location > city"),
    ]
    starts = [0, text.index("University"), text.index("Bonn"), text.rindex("Bonn")]
    reference = gold_doc(
        nlp,
        text,
        [
            (s, s + len(n), tuple(p.split(" > ")))
            for s, (n, p) in zip(starts, gold, strict=True)
        ],
    )
    out = MentionReplacer(NAMES, rate=1.0)(nlp, reference, random.Random(seed))
    assert out is not None
    found = [
        (s.text, p)
        for s, p in zip(
            out.spans["gold"], out.spans["gold"].attrs["paths"], strict=True
        )
    ]
    assert found[1:3] == [
        ("University of Bonn", "organization"),
        ("Bonn", "location > city"),
    ]
    assert found[0][0] in NAMES[""][("person",)]
    assert found[3][0] in NAMES[""][("location", "city")]
    outer, inner = out.spans["gold"][1], out.spans["gold"][2]
    assert outer.start <= inner.start and inner.end <= outer.end


def test_a_sentence_whose_mentions_cross_is_left_alone(nlp: Language) -> None:
    crossing = gold_doc(
        nlp, "Ann Bob Eve Ann", [(0, 7, ("person",)), (4, 15, ("person",))]
    )
    assert MentionReplacer(NAMES, rate=1.0)(nlp, crossing, random.Random(0)) is None


def test_nothing_to_replace(nlp: Language, gold: list[Example]) -> None:
    assert MentionReplacer({}, rate=1.0)(nlp, gold[0].reference) is None
    assert MentionReplacer(NAMES, rate=0.0)(nlp, gold[0].reference) is None
    assert MentionReplacer(NAMES, rate=1.0)(nlp, gold[3].reference) is None


def test_names_of_the_documents_language_are_used(nlp: Language) -> None:
    doc = util.example(nlp, "Ann left", [("Ann", "person")]).reference
    doc.user_data["cascade_record"] = {"language": "de"}
    assert language_of(doc) == "de"
    replacer = MentionReplacer(
        {"de": {("person",): ["Uwe"]}, "": {("person",): ["Bo"]}}, rate=1.0
    )
    out = replacer(nlp, doc, random.Random(0))
    assert out is not None
    assert out.text == "Uwe left"
    assert language_of(out) == "de"


def test_names_are_learned_from_a_corpus(nlp: Language, gold: list[Example]) -> None:
    replacer = MentionReplacer({}, rate=1.0)
    replacer.learn(eg.reference for eg in gold)
    assert set(replacer.names[""][("person",)]) == {
        "John Smith",
        "Mary Jones",
        "Peter Brown",
    }


def test_lexicon_directory(tmp_path: Path) -> None:
    (tmp_path / "de.json").write_text(
        json.dumps({"city": ["Köln"], "person": []}), "utf8"
    )
    replacer = MentionReplacer.from_dir(tmp_path, Taxonomy.from_labels(util.LABELS))
    assert replacer.names == {"de": {("location", "city"): ["Köln"]}}


def test_augmenter_under_spacys_corpus(
    tmp_path: Path, nlp: Language, gold: list[Example]
) -> None:
    lexicon = tmp_path / "lexicon"
    lexicon.mkdir()
    (lexicon / "en.json").write_text(json.dumps({"person": ["Zed"]}), "utf8")
    docs = [eg.reference.copy() for eg in gold]
    for doc in docs:
        doc.user_data["cascade_record"] = {"language": "en"}
    DocBin(docs=docs, store_user_data=True).to_disk(tmp_path / "a.spacy")
    augment = mention_replacement(
        str(lexicon), rate=1.0, taxonomy=Taxonomy.from_labels(util.LABELS)
    )
    found = list(Corpus(tmp_path / "a.spacy", augmenter=augment)(nlp))
    texts = [eg.reference.text for eg in found]
    assert [t for t in texts if "Zed" not in t] == [t for t, _ in util.GOLD]
    assert "Zed left Spain with Zed." in texts
    for eg in found:
        assert eg.predicted.text == eg.reference.text
        for e in eg.reference.ents:
            if e.label_ == "person" and "Zed" in eg.reference.text:
                assert e.text == "Zed"


def test_gold_doc_widens_to_whole_tokens(nlp: Language) -> None:
    doc = gold_doc(nlp, "Annika left", [(0, 3, ("person",))])
    assert [e.text for e in doc.ents] == ["Annika"]
