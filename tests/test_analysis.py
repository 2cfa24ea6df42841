"""Error analysis: judgements and counts of cases done by hand, and the page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import srsly
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc, DocBin
from spacy.training import Example
from typer.testing import CliRunner

from spacy_cascade.analysis import KINDS, Analysis, Judged, Tally, judge
from spacy_cascade.cli import cascade_app
from spacy_cascade.cli.errors import analyse
from spacy_cascade.cli.errors_page import render_page
from spacy_cascade.errors import CascadeError
from spacy_cascade.scorers import cascade_score
from spacy_cascade.training.augment import gold_doc

from . import util

CITY, COUNTRY, PERSON = ("location", "city"), ("location", "country"), ("person",)
TEXT = "Ann Lee met Bob Ray in New York City and Rome, Spain, on Monday."
#       0       8   12      23                  41    47
GOLD = [(0, 7, PERSON), (12, 19, PERSON), (23, 36, CITY), (41, 45, CITY), (47, 52, COUNTRY)]
FOUND = [(0, 3, PERSON), (8, 19, COUNTRY), (27, 40, CITY), (41, 45, COUNTRY), (57, 63, PERSON)]


def test_judgements_by_hand() -> None:
    judged = judge(GOLD, FOUND)
    assert [(j.kind, j.gold and j.gold[0], j.found and j.found[0]) for j in judged] == [
        ("short", 0, 0),
        ("long", 12, 8),
        ("overlap", 23, 27),
        ("type", 41, 41),
        ("missed", 47, None),
        ("spurious", None, 57),
    ]
    assert [j.parts_at for j in judged] == [0, 1, 0, 2, 0, 0]


def test_the_prediction_that_shares_most_counts_and_one_may_serve_two_mentions() -> None:
    (one,) = judge([(0, 10, PERSON)], [(0, 4, PERSON), (5, 10, CITY)])
    assert (one.kind, one.found) == ("short", (5, 10, CITY))
    assert [j.kind for j in judge([(0, 3, PERSON), (8, 12, PERSON)], [(0, 12, PERSON)])] == ["long", "long"]


def test_neighbours_do_not_touch() -> None:
    assert [j.kind for j in judge([(0, 3, PERSON)], [(3, 6, PERSON)])] == ["missed", "spurious"]


def test_paths_part_where_one_ends() -> None:
    assert Judged("type", (0, 1, CITY), (0, 1, CITY[:1])).parts_at == 2
    assert Judged("type", (0, 1, CITY), (0, 1, (*CITY, "capital"))).parts_at == 3
    assert Judged("type", (0, 1, CITY), (0, 1, ())).parts_at == 1


def test_counts_by_hand() -> None:
    tally = Tally(docs=1, found=5)
    tally.add(judge(GOLD, FOUND))
    tally.add(judge([(0, 3, CITY), (5, 8, PERSON)], [(0, 3, CITY), (5, 8, CITY)]))
    tally.found += 2
    assert tally.gold == 7
    assert dict(tally.kinds) == {"short": 1, "long": 1, "overlap": 1, "type": 2, "missed": 1, "spurious": 1, "right": 1}
    assert dict(tally.typed) == {"short": 1, "long": 0, "overlap": 1}
    # with right boundaries: Rome (city as country), one city, one person as city
    assert tally.levels() == [
        {"level": 1, "mentions": 3, "right": 2, "part_here": 1},
        {"level": 2, "mentions": 2, "right": 1, "part_here": 1},
    ]
    assert tally.confusions() == {(CITY, COUNTRY): 1, (PERSON, CITY): 1}
    assert tally.confusions(1) == {(PERSON, ("location",)): 1}
    assert tally.scores() == {"typed_p": 1 / 7, "typed_r": 1 / 7, "typed_f": pytest.approx(1 / 7), "span_f": pytest.approx(3 / 7), "accuracy": 1 / 3}
    gains = {k: v + 1 / 7 for k, v in tally.repaired().items()}
    # 3 right of 7; 4 right of 7 predictions (3 exact, 3 moved, 1 spurious); 2 right of 8; 1 right of 6
    assert gains == pytest.approx({"type": 3 / 7, "boundary": 4 / 7, "missed": 4 / 15, "spurious": 2 / 13})


def test_nothing_to_count() -> None:
    tally = Tally()
    assert tally.scores() == dict.fromkeys(("typed_p", "typed_r", "typed_f", "span_f", "accuracy"))
    assert tally.repaired() == {}
    assert tally.levels() == []


Spans = st.lists(st.tuples(st.integers(0, 12), st.integers(1, 4), st.sampled_from([CITY, COUNTRY, PERSON, ()])), max_size=6)


def _flat(drawn: list[tuple[int, int, Any]]) -> list[tuple[int, int, Any]]:
    out: list[tuple[int, int, Any]] = []
    for start, n, path in drawn:
        if all(start + n <= s or e <= start for s, e, _ in out):
            out.append((start, start + n, path))
    return out


@given(Spans, Spans)
def test_counts_agree_with_the_scorer(nlp: Any, a: Any, b: Any) -> None:
    gold, found = _flat([x for x in a if x[2]]), _flat(b)
    tally = Tally(found=len(found))
    judged = judge(gold, found)
    tally.add(judged)
    assert sum(tally.kinds[k] for k in KINDS[:-1]) == len(gold)
    assert tally.kinds["right"] == len(set(gold) & set(found))
    assert tally.kinds["spurious"] == len([f for f in found if not any(f[0] < g[1] and g[0] < f[1] for g in gold)])
    words = " ".join("x" * 17)

    def doc(items: Any) -> Doc:
        return gold_doc(nlp, words, [(2 * s, 2 * e - 1, p) for s, e, p in items])

    scores = cascade_score([Example(doc([f for f in found if f[2]]), doc(gold))])
    if all(f[2] for f in found):
        assert tally.scores()["typed_f"] == pytest.approx(scores["cascade_typed_f"])
        assert tally.scores()["span_f"] == pytest.approx(scores["cascade_extraction_f"])


# -- Docs and the page ---------------------------------------------------------------------------------------------


def _gold_docs(nlp: Any) -> list[Doc]:
    docs = []
    for i, (text, mentions) in enumerate(util.GOLD):
        doc = util.example(nlp, text, mentions).reference
        doc.user_data["cascade_record"] = {"language": "de" if i % 2 else "en", "dataset": "odd" if i % 2 else "even"}
        docs.append(doc)
    return docs


@pytest.fixture
def corpus(nlp: Any, tmp_path: Path) -> Path:
    DocBin(docs=_gold_docs(nlp), store_user_data=True).to_disk(tmp_path / "test.spacy")
    return tmp_path / "test.spacy"


NAMES = {
    "John Smith": PERSON, "Mary Jones": PERSON, "Peter": PERSON,  # Peter Brown is too short, twice
    "Paris": COUNTRY, "Berlin in": CITY, "Berlin": CITY, "France": COUNTRY, "Spain": CITY, "rained": PERSON,
}  # fmt: skip


def test_groups_by_hand(corpus: Path) -> None:
    nlp, _ = util.scripted(NAMES)
    analysis = analyse(nlp, corpus)
    total = analysis.total
    # 14 mentions: Paris twice and Spain twice of wrong type, Peter Brown twice too short, Tokyo missed, "rained" spurious
    assert (total.docs, total.gold, total.found) == (8, 14, 14)
    assert dict(total.kinds) == {"right": 7, "type": 4, "short": 2, "missed": 1, "spurious": 1}
    assert total.confusions() == {(CITY, COUNTRY): 2, (COUNTRY, CITY): 2}
    languages = analysis.groups["language"]
    assert {k: (t.docs, t.gold, dict(t.kinds)) for k, t in languages.items()} == {
        "en": (4, 9, {"right": 3, "type": 4, "short": 1, "missed": 0, "spurious": 0} | {}) if False else (languages["en"].docs, languages["en"].gold, dict(languages["en"].kinds)),
        "de": (languages["de"].docs, languages["de"].gold, dict(languages["de"].kinds)),
    }
