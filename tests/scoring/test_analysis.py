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

from spacy_cascade.cli import cascade_app
from spacy_cascade.cli.analysis_page import render_page
from spacy_cascade.cli.analyze import analyse
from spacy_cascade.errors import CascadeError
from spacy_cascade.scoring.analysis import Analysis
from spacy_cascade.scoring.judging import KINDS, Judged, Tally, judge
from spacy_cascade.scoring.scorers import Item, cascade_score
from spacy_cascade.training.augment import gold_doc
from tests import util

CITY, COUNTRY, PERSON = ("location", "city"), ("location", "country"), ("person",)
TEXT = "Ann Lee met Bob Ray in New York City and Rome, Spain, on Monday."
#       0       8   12      23                  41    47
GOLD = [
    Item(0, 7, PERSON),
    Item(12, 19, PERSON),
    Item(23, 36, CITY),
    Item(41, 45, CITY),
    Item(47, 52, COUNTRY),
]
FOUND = [
    Item(0, 3, PERSON),
    Item(8, 19, COUNTRY),
    Item(27, 40, CITY),
    Item(41, 45, COUNTRY),
    Item(57, 63, PERSON),
]


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


def test_the_prediction_that_shares_most_counts_and_one_may_serve_two_mentions() -> (
    None
):
    (one,) = judge([Item(0, 10, PERSON)], [Item(0, 4, PERSON), Item(5, 10, CITY)])
    assert (one.kind, one.found) == ("short", Item(5, 10, CITY))
    assert [
        j.kind
        for j in judge([Item(0, 3, PERSON), Item(8, 12, PERSON)], [Item(0, 12, PERSON)])
    ] == [
        "long",
        "long",
    ]


def test_neighbours_do_not_touch() -> None:
    assert [j.kind for j in judge([Item(0, 3, PERSON)], [Item(3, 6, PERSON)])] == [
        "missed",
        "spurious",
    ]


def test_paths_part_where_one_ends() -> None:
    assert Judged("type", Item(0, 1, CITY), Item(0, 1, CITY[:1])).parts_at == 2
    assert (
        Judged("type", Item(0, 1, CITY), Item(0, 1, (*CITY, "capital"))).parts_at == 3
    )
    assert Judged("type", Item(0, 1, CITY), Item(0, 1, ())).parts_at == 1


def test_counts_by_hand() -> None:
    tally = Tally(docs=1, found=5)
    tally.add(judge(GOLD, FOUND))
    tally.add(
        judge(
            [Item(0, 3, CITY), Item(5, 8, PERSON)], [Item(0, 3, CITY), Item(5, 8, CITY)]
        )
    )
    tally.found += 2
    assert tally.gold == 7
    assert dict(tally.kinds) == {
        "short": 1,
        "long": 1,
        "overlap": 1,
        "type": 2,
        "missed": 1,
        "spurious": 1,
        "right": 1,
    }
    assert dict(tally.typed) == {"short": 1, "long": 0, "overlap": 1}
    # with right boundaries: Rome (city as country), one city, one person as city
    assert tally.levels() == [
        {"level": 1, "mentions": 3, "right": 2, "part_here": 1},
        {"level": 2, "mentions": 2, "right": 1, "part_here": 1},
    ]
    assert tally.confusions() == {(CITY, COUNTRY): 1, (PERSON, CITY): 1}
    assert tally.confusions(1) == {(PERSON, ("location",)): 1}
    assert tally.scores() == {
        "typed_p": 1 / 7,
        "typed_r": 1 / 7,
        "typed_f": pytest.approx(1 / 7),
        "span_f": pytest.approx(3 / 7),
        "accuracy": 1 / 3,
    }
    gains = {k: v + 1 / 7 for k, v in tally.repaired().items()}
    # 3 right of 7; 4 right of 7 predictions (3 exact, 3 moved, 1 spurious); 2 right of
    # 8; 1 right of 6
    assert gains == pytest.approx(
        {"type": 3 / 7, "boundary": 4 / 7, "missed": 4 / 15, "spurious": 2 / 13}
    )


def test_nothing_to_count() -> None:
    tally = Tally()
    assert tally.scores() == dict.fromkeys(
        ("typed_p", "typed_r", "typed_f", "span_f", "accuracy")
    )
    assert tally.repaired() == {}
    assert tally.levels() == []


SPANS = st.lists(
    st.tuples(
        st.integers(0, 12), st.integers(1, 4), st.sampled_from([CITY, COUNTRY, PERSON])
    ),
    max_size=6,
)


def _flat(drawn: list[tuple[int, int, Any]]) -> list[Item]:
    out: list[Item] = []
    for start, n, path in drawn:
        # words of one letter
        item = Item(2 * start, 2 * (start + n) - 1, path)
        if all(item[1] <= s or e <= item[0] for s, e, _ in out):
            out.append(item)
    return out


@pytest.mark.slow
@given(SPANS, SPANS)
def test_counts_agree_with_the_scorer(nlp: Any, a: Any, b: Any) -> None:
    gold, found = _flat(a), _flat(b)
    tally = Tally(found=len(found))
    tally.add(judge(gold, found))
    assert sum(tally.kinds[k] for k in KINDS[:-1]) == len(gold)
    assert tally.kinds["spurious"] == sum(
        not any(f[0] < g[1] and g[0] < f[1] for g in gold) for f in found
    )
    docs = [gold_doc(nlp, " ".join("x" * 17), items) for items in (found, gold)]
    docs[0].spans["cascade"] = docs[0].spans["gold"]
    scores = cascade_score([Example(*docs)])
    assert tally.scores()["typed_f"] == pytest.approx(scores["cascade_typed_f"])
    assert tally.scores()["span_f"] == pytest.approx(scores["cascade_extraction_f"])
    assert tally.scores()["accuracy"] == pytest.approx(scores["cascade_accuracy"])
    reached = {x["level"]: x["right"] for x in tally.levels()}
    right = sum(g[:2] == f[:2] and g[2][:1] == f[2][:1] for g in gold for f in found)
    assert reached.get(1, 0) == right


# -- Docs and the page ---------------------------------------------------------------


def _gold_docs(nlp: Any) -> list[Doc]:
    docs = []
    for i, (text, mentions) in enumerate(util.GOLD):
        doc = util.example(nlp, text, mentions).reference
        doc.user_data["cascade_record"] = {
            "language": "de" if i % 2 else "en",
            "dataset": "odd" if i % 2 else "even",
        }
        docs.append(doc)
    return docs


@pytest.fixture
def corpus(nlp: Any, tmp_path: Path) -> Path:
    DocBin(docs=_gold_docs(nlp), store_user_data=True).to_disk(tmp_path / "test.spacy")
    return tmp_path / "test.spacy"


# Peter Brown is too short twice; Paris twice and Spain twice of the wrong type; Tokyo
# missed; "rained" spurious
NAMES = {
    "John Smith": PERSON,
    "Mary Jones": PERSON,
    "Peter": PERSON,
    "Paris": COUNTRY,
    "Berlin": CITY,
    "France": COUNTRY,
    "Spain": CITY,
    "rained": PERSON,
}


def test_groups_by_hand(corpus: Path) -> None:
    nlp, _ = util.scripted(NAMES)
    analysis = analyse(nlp, corpus)
    total = analysis.total
    assert (total.docs, total.gold, total.found) == (8, 14, 14)
    assert +total.kinds == {
        "right": 7,
        "type": 4,
        "short": 2,
        "missed": 1,
        "spurious": 1,
    }
    assert total.confusions() == {(CITY, COUNTRY): 2, (COUNTRY, CITY): 2}
    found = {
        name: (t.docs, t.gold, t.found, +t.kinds)
        for groups in analysis.groups.values()
        for name, t in groups.items()
    }
    english = (4, 9, 9, {"right": 4, "type": 4, "short": 1})
    german = (4, 5, 5, {"right": 3, "short": 1, "missed": 1, "spurious": 1})
    assert found == {
        "en": english,
        "even": english,
        "de": german,
        "odd": german,
        "person": (5, 5, 6, {"right": 3, "short": 2, "spurious": 1}),
        "location": (7, 9, 8, {"right": 4, "type": 4, "missed": 1}),
    }


def test_counts_are_those_of_the_evaluation(corpus: Path, nlp: Any) -> None:
    pipeline, _ = util.scripted(NAMES)
    found = pipeline.pipe(doc.text for doc in _gold_docs(nlp))
    scores = cascade_score(
        [Example(doc, gold) for doc, gold in zip(found, _gold_docs(nlp), strict=True)]
    )
    mine = analyse(pipeline, corpus).total.scores()
    assert mine["typed_f"] == pytest.approx(scores["cascade_typed_f"])
    assert mine["span_f"] == pytest.approx(scores["cascade_extraction_f"])
    assert mine["accuracy"] == pytest.approx(scores["cascade_accuracy"])


def test_documents_are_run_with_the_labels_that_they_bring(
    nlp: Any, tmp_path: Path
) -> None:
    doc = util.example(
        nlp, "John Smith flew to Paris.", [("John Smith", "hero"), ("Paris", "town")]
    ).reference
    doc.user_data["cascade_labels"] = ["hero", "town"]
    DocBin(docs=[doc], store_user_data=True).to_disk(tmp_path / "own.spacy")
    pipeline, _ = util.scripted({"John Smith": ("hero",), "Paris": ("town",)})
    analysis = analyse(pipeline, tmp_path / "own.spacy")
    assert +analysis.total.kinds == {"right": 2}
    assert set(analysis.groups["dataset"]) == {"own"}


def test_samples_are_drawn_evenly_and_the_same_every_time(corpus: Path) -> None:
    pipeline, _ = util.scripted(NAMES)
    drawn = [analyse(pipeline, corpus, examples=2, seed=s) for s in (0, 0, 1)]
    assert drawn[0].samples("type", 9) == drawn[1].samples("type", 9)
    assert (
        len(
            {
                str(analyse(pipeline, corpus, examples=1, seed=s).samples("type", 9))
                for s in range(6)
            }
        )
        > 1
    )
    short = drawn[0].samples("short", 2)
    assert [s.language for s in short] == ["de", "en"]
    for sample in short:
        start, end, _ = sample.judged.gold or Item(0, 0, ())
        assert sample.text[start:end] == "Peter Brown"
    assert drawn[0].samples("overlap", 9) == []


def test_a_sample_is_the_sentence_and_not_the_text(nlp: Any) -> None:
    text = "Ann sleeps. Bob met Cem in Rome. Good night."
    gold = util.example(
        nlp, text, [("Ann", "person"), ("Bob", "person"), ("Rome", "location > city")]
    ).reference
    found = util.example(
        nlp, text, [("Ann", "person"), ("Rome", "location > country")]
    ).reference
    found.spans["cascade"] = found.spans["gold"]
    for token in found:
        token.is_sent_start = token.text in ("Ann", "Bob", "Good")
    analysis = Analysis()
    analysis.add(found, gold)
    (missed,), (wrong,) = analysis.samples("missed", 3), analysis.samples("type", 3)
    assert missed.text == wrong.text == "Bob met Cem in Rome."
    assert missed.gold == [Item(0, 3, PERSON), Item(15, 19, CITY)]
    assert wrong.judged == Judged("type", Item(15, 19, CITY), Item(15, 19, COUNTRY))


def test_the_page_shows_every_kind_and_is_self_contained(
    corpus: Path, tmp_path: Path
) -> None:
    pipeline, _ = util.scripted(NAMES)
    page = render_page(analyse(pipeline, corpus), title="<i>t</i>")
    assert not re.search(r"https?:|//[a-z]|<script|<link|<img|@import|url\(|<i>t", page)
    text = re.sub(r"<[^>]+>", " ", page.split("</style>")[1])
    assert "Peter Brown" in text
    assert "location &gt; city" in text
    assert [page.count(f'<h3><i class="k {kind}"') for kind in KINDS] == [
        0,
        1,
        0,
        1,
        0,
        1,
        1,
    ]
    # the outlined mention in gold and in what was predicted
    assert page.count(" focus") == 2 * (4 + 2) + 2


def test_the_page_of_a_perfect_pipeline_and_of_one_that_finds_nothing(
    corpus: Path,
) -> None:
    perfect = {
        n: tuple(path.split(" > ")) for _, mentions in util.GOLD for n, path in mentions
    }
    for names, kind in ((perfect, "right"), ({"Nobody": PERSON}, "missed")):
        pipeline, _ = util.scripted(names)
        analysis = analyse(pipeline, corpus)
        assert +analysis.total.kinds == {kind: 14}
        assert "No type is confused" in render_page(analysis, title="t")


def test_texts_are_escaped(nlp: Any) -> None:
    text = "John <script>alert(1)</script> & co"
    gold = util.example(nlp, text, [("John", "person")]).reference
    gold.user_data["cascade_record"] = {"language": '"><b>', "dataset": "<script>"}
    analysis = Analysis()
    analysis.add(nlp.make_doc(text), gold)
    page = render_page(analysis, title="t")
    assert "<script>" not in page
    assert '"><b>' not in page


@pytest.mark.slow
def test_the_command(corpus: Path, lively: Path, tmp_path: Path) -> None:
    util.cascade(lively).to_disk(tmp_path / "pipeline")
    html, counts = tmp_path / "new" / "e.html", tmp_path / "new" / "e.json"
    args = [
        "errors",
        str(tmp_path / "pipeline"),
        str(corpus),
        str(html),
        "--json",
        str(counts),
    ]
    done = CliRunner().invoke(cascade_app, args)
    assert done.exit_code == 0, done.output
    assert "spurious" in done.output
    written = srsly.read_json(counts)
    assert written["all"]["gold"] == 14 == sum(written["all"][k] for k in KINDS[:-1])
    assert (
        sum(written["language"][k]["found"] for k in ("de", "en"))
        == written["all"]["found"]
    )
    again = CliRunner().invoke(cascade_app, args)
    assert again.exit_code == 1
    assert "C060" in again.output
    assert (
        CliRunner().invoke(cascade_app, [*args, "--overwrite", "--quiet"]).output == ""
    )


def test_gold_without_mentions(nlp: Any, tmp_path: Path) -> None:
    DocBin(docs=[nlp.make_doc("Nothing.")]).to_disk(tmp_path / "none.spacy")
    pipeline, _ = util.scripted(NAMES)
    with pytest.raises(CascadeError, match="C030"):
        analyse(pipeline, tmp_path / "none.spacy")
    with pytest.raises(CascadeError, match="C031"):
        analyse(pipeline, tmp_path / "missing.spacy")
