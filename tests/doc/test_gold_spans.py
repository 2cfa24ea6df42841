"""Gold in span groups, and gold with white space at its edges."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from spacy.language import Language
from spacy.tokens import Span
from spacy.training import Example
from typer.testing import CliRunner

from corpus_tools.cli import app
from corpus_tools.formats.docs import to_record
from spacy_cascade.cli.evaluate import evaluate
from spacy_cascade.doc.corpus import create_corpus
from spacy_cascade.doc.gold import gold_chars
from spacy_cascade.doc.missing import is_annotated, take_spans, trim
from spacy_cascade.errors import CascadeError
from spacy_cascade.scoring.scorers import cascade_score
from tests import util
from tests.doc.missing import PREDICTED, TEXT, doc, found, write

# -- Spans of another name -----------------------------------------------------------


@pytest.fixture
def spancat(nlp: Language, tmp_path: Path) -> Path:
    """A DocBin as spancat is trained on: overlapping spans under "sc", no entities."""
    made = nlp.make_doc(TEXT)
    made.spans["sc"] = [
        made.char_span(0, 4, label="person"),
        made.char_span(0, 13, label="pair"),
    ]
    return write(tmp_path / "sc.spacy", [made])


def test_other_span_groups_are_named_and_can_be_taken(
    spancat: Path, tmp_path: Path
) -> None:
    target = tmp_path / "out.json"
    plain = CliRunner().invoke(
        app, ["convert", str(spancat), str(target), "--to", "b2nerd"]
    )
    assert "doc.spans 'sc' (2 spans)" in " ".join(plain.stdout.split())
    assert json.loads(target.read_text())[0]["entities"] == []
    CliRunner().invoke(
        app,
        ["convert", str(spancat), str(target), "--to", "b2nerd", "--spans-key", "sc"],
    )
    entities = json.loads(target.read_text())[0]["entities"]
    assert {(e["name"], e["type"]) for e in entities} == {
        ("John", "person"),
        ("John met Mary", "pair"),
    }
    stats = json.loads(
        CliRunner().invoke(app, ["stats", str(spancat), "--json"]).stdout
    )
    assert (stats["total"]["mentions"], stats["unread_spans"][0]["group"]) == (0, "sc")
    stats = json.loads(
        CliRunner()
        .invoke(app, ["stats", str(spancat), "--json", "--spans-key", "sc"])
        .stdout
    )
    assert (stats["total"]["mentions"], stats["unread_spans"]) == (2, [])


def test_a_group_that_no_doc_has_is_an_error(
    nlp: Language, spancat: Path, tmp_path: Path
) -> None:
    failed = CliRunner().invoke(
        app,
        [
            "convert",
            str(spancat),
            str(tmp_path / "o.json"),
            "--to",
            "b2nerd",
            "--spans-key",
            "x",
        ],
    )
    assert failed.exit_code == 1
    assert "'sc' (2 spans)" in failed.output
    with pytest.raises(CascadeError, match="'sc'") as err:
        list(create_corpus(spancat, spans_key="x")(nlp))
    assert err.value.code == "C031"


def test_the_reader_takes_a_group(
    nlp: Language, spancat: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(CascadeError, match="spans stand in 'sc'"):
        list(create_corpus(spancat)(nlp))
    (example,) = create_corpus(spancat, spans_key="sc")(nlp)
    assert [TEXT[s:e] for s, e, _ in gold_chars(example.reference)] == [
        "John",
        "John met Mary",
    ]
    assert [e.text for e in example.reference.ents] == ["John met Mary"]
    assert not caplog.records


def test_evaluate_names_and_takes_groups(
    spancat: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pipeline, _ = util.scripted({"John": ("person",)})
    assert evaluate(pipeline, [spancat])["all"]["unannotated"] == 1
    assert "[CW17]" in caplog.text
    assert "'sc' (2 spans)" in caplog.text
    scores = evaluate(pipeline, [spancat], nested=True, spans_key="sc")["all"]
    assert (scores["cascade_extraction_p"], scores["cascade_extraction_r"]) == (
        1.0,
        0.5,
    )


def test_a_doc_without_the_group_is_not_annotated(nlp: Language) -> None:
    made = doc(nlp, TEXT, PREDICTED)
    take_spans(made, "sc")
    assert not is_annotated(made)


# -- White space at the edges --------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"), [(" a b ", (1, 4)), ("ab", (0, 2)), ("  ", (2, 2))]
)
def test_trim(text: str, expected: tuple[int, int]) -> None:
    assert trim(text, 0, len(text)) == expected


def test_white_space_at_the_edges_is_left_out_and_counted(
    nlp: Language, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = nlp.make_doc("John  left")
    assert [t.text for t in made] == ["John", " ", "left"]
    made.ents = [Span(made, 0, 2, label="person")]
    assert gold_chars(made) == [(0, 4, ("person",))]
    assert to_record(made).mentions[0].end == 4
    scores = cascade_score([found(nlp, made.text, [("John", "person")], made)])
    assert scores["cascade_extraction_f"] == 1.0
    from spacy_cascade.doc.gold import report_gold

    report_gold([Example(nlp.make_doc(made.text), made)], marks=True)
    assert "[CW16] 1 gold mention(s) have white space at their edges" in caplog.text
    path = write(tmp_path / "a.spacy", [made])
    out = (
        CliRunner()
        .invoke(
            app,
            [
                "convert",
                str(path),
                str(tmp_path / "b.json"),
                "--to",
                "b2nerd",
                "--json",
            ],
        )
        .stdout
    )
    assert json.loads(out)["total"]["repaired"] == 1
