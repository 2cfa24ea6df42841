"""The commands that evaluate a pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import srsly
from spacy.training.loggers import setup_table
from spacy.util import combine_score_weights

from spacy_cascade.cli.evaluate import evaluate, print_scores
from tests import util
from tests.cli.util import PATHS, call


def test_spacy_evaluate(work: Path, corpus: Path, tmp_path: Path) -> None:
    call(
        "evaluate", work / "pipeline", corpus / "test.spacy", "-o", tmp_path / "m.json"
    )
    scores = srsly.read_json(tmp_path / "m.json")
    assert {"cascade_extraction_f", "cascade_fine_f", "cascade_accuracy"} <= set(scores)
    assert {"ents_p", "ents_r", "ents_f"} <= set(scores)


def test_the_columns_of_spacy_train_can_be_told_apart() -> None:
    nlp = util.blank()
    for name in ("cascade_extractor", "cascade_classifier", "open_ner"):
        nlp.add_pipe(name)
    weights = combine_score_weights(
        [nlp.get_pipe_meta(name).default_score_weights for name in nlp.pipe_names]
    )
    columns = [name for name, weight in weights.items() if weight is not None]
    heads, _, _ = setup_table(cols=columns, widths=[6] * len(columns))
    assert "cascade_extraction_f" in columns and len(set(heads)) == len(heads)


def test_the_table_has_precision_and_recall(capsys: Any) -> None:
    found: dict[str, Any] = {"docs": 1, "mentions": 2}
    for k, name in enumerate(("extraction", "typed")):
        for j, key in enumerate("prf"):
            found[f"cascade_{name}_{key}"] = 0.1 * (3 * k + j + 1)
    print_scores({"corpora": {"x": found}, "all": found, "docs_per_second": 1.0})
    lines = capsys.readouterr().out.splitlines()
    head = next(line for line in lines if "docs" in line)
    row = next(line for line in lines if line.strip().startswith("x "))
    for column in ("extraction P", "extraction R", "typed P", "typed R", "typed F1"):
        assert column in head
    values = ["0.100", "0.200", "0.300", "-", "-", "-", "0.400", "0.500", "0.600", "-"]
    assert row.split()[3:] == values


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
