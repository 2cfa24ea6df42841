"""The commands that evaluate a pipeline."""

from __future__ import annotations

from pathlib import Path

import srsly

from spacy_cascade.cli.evaluate import evaluate
from tests import util
from tests.cli.util import PATHS, call


def test_spacy_evaluate(work: Path, corpus: Path, tmp_path: Path) -> None:
    call(
        "evaluate", work / "pipeline", corpus / "test.spacy", "-o", tmp_path / "m.json"
    )
    scores = srsly.read_json(tmp_path / "m.json")
    assert {"cascade_extraction_f", "cascade_fine_f", "cascade_accuracy"} <= set(scores)


def test_cascade_evaluate(work: Path, corpus: Path, tmp_path: Path) -> None:
    output = tmp_path / "new" / "m.json"
    text = call(
        "cascade",
        "evaluate",
        work / "pipeline",
        corpus,
        "-o",
        output,
        "--train",
        corpus / "train.spacy",
        "--nested",
    )
    assert "mini" in text
    scores = srsly.read_json(output)
    assert scores["corpora"]["mini"]["docs"] == len(util.GOLD)
    assert scores["corpora"]["mini"]["mentions"] == sum(len(m) for _, m in util.GOLD)
    assert scores["all"]["docs"] == 2 * len(util.GOLD)
    assert scores["all"]["seen_mentions"] == scores["all"]["mentions"]
    assert scores["all"]["unseen_recall"] is None


def test_cascade_evaluate_scores_a_perfect_pipeline_as_perfect(corpus: Path) -> None:
    names = {
        n: tuple(PATHS.get(n, "location > geo-political entity > city").split(" > "))
        for _, m in util.GOLD
        for n, _ in m
    }
    nlp, _ = util.scripted(names, sorted({" > ".join(p) for p in names.values()}))
    scores = evaluate(nlp, [corpus / "test.spacy"])["all"]
    assert [
        scores[f"cascade_{n}_f"]
        for n in ("extraction", "coarse", "medium", "fine", "typed")
    ] == [1.0] * 5
    assert scores["cascade_accuracy"] == 1.0


def test_cascade_evaluate_limit(work: Path, corpus: Path) -> None:
    assert (
        evaluate(work / "pipeline", [corpus / "test.spacy"], limit=2)["all"]["docs"]
        == 2
    )
