"""Gold labels in another case count as right, in scores and in training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from spacy.language import Language
from spacy.scorer import Scorer
from spacy.tokens import DocBin, Span
from spacy.training import Example

from spacy_cascade.cli.evaluate import evaluate
from spacy_cascade.scoring.analysis import Analysis
from spacy_cascade.scoring.scorers import cascade_score
from spacy_cascade.taxonomy import Taxonomy
from spacy_cascade.taxonomy.names import normalize_name
from tests import util

from .util import TEXT, gold


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
    analysis = Analysis(taxonomy=nlp.get_pipe("cascade_classifier").taxonomy)
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
