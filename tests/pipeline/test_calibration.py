"""Calibration: scores become probabilities, in the same order, and stay so when saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_cascade.errors import CascadeError
from spacy_cascade.pipeline.calibration import (
    METHODS,
    Calibration,
    expected_calibration_error,
)
from tests import util


def _overconfident(n: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Scores whose log-odds are three times too large."""
    rng = np.random.default_rng(0)
    odds = rng.normal(0, 1.5, n)
    right = rng.random(n) < 1 / (1 + np.exp(-odds))
    return 1 / (1 + np.exp(-3 * odds)), right


@pytest.mark.parametrize("method", METHODS)
def test_calibration_lowers_the_error_on_other_data(method: str) -> None:
    scores, right = _overconfident()
    fitted = Calibration.fit(method, scores[:2000], right[:2000])
    before = expected_calibration_error(scores[2000:], right[2000:])
    after = expected_calibration_error(fitted(scores[2000:]), right[2000:])
    assert before > 0.12
    assert after < 0.04


def test_the_temperature_is_found() -> None:
    assert Calibration.fit("temperature", *_overconfident()).values[0] == pytest.approx(
        3.0, rel=0.1
    )


@given(
    st.sampled_from(METHODS),
    st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=30),
    st.lists(st.floats(0, 1), min_size=1, max_size=30),
)
def test_calibrated_scores_are_probabilities_in_the_same_order(
    method: str, seen: list[tuple[float, bool]], scores: list[float]
) -> None:
    fitted = Calibration.fit(method, [p for p, _ in seen], [y for _, y in seen])
    out = fitted(sorted(scores))
    assert ((out >= 0) & (out <= 1)).all()
    assert (np.diff(out) >= -1e-12).all()
    assert (Calibration.from_dict(fitted.to_dict())(sorted(scores)) == out).all()


def test_isotonic_pools_what_falls() -> None:
    fitted = Calibration.fit(
        "isotonic", [0.1, 0.2, 0.3, 0.4, 0.9], [False, True, False, False, True]
    )
    assert fitted.values == pytest.approx([0, 1 / 3, 1])
    assert fitted.xs == pytest.approx([0.1, 0.3, 0.9])


def test_the_error_of_a_calibrated_score_is_zero() -> None:
    assert expected_calibration_error([0.5] * 4, [True, False] * 2) == 0
    assert expected_calibration_error([1.0, 0.0], [False, True]) == 1
    assert expected_calibration_error([], []) == 0


def test_bad_input() -> None:
    for code, args in (
        ("C020", ("platt", [0.5], [True])),
        ("C030", ("isotonic", [], [])),
    ):
        with pytest.raises(CascadeError) as err:
            Calibration.fit(*args)
        assert err.value.code == code


@pytest.mark.parametrize("method", METHODS)
def test_components_are_calibrated_and_saved(
    lively: Path, tmp_path: Path, method: str
) -> None:
    nlp = util.cascade(lively)
    examples = util.examples(nlp)
    before = [util.scores(d) for d in nlp.pipe(e.reference.text for e in examples)]
    spans = [util.spans(d) for d in nlp.pipe(e.reference.text for e in examples)]
    pipes: list[Any] = [
        nlp.get_pipe(n) for n in ("cascade_extractor", "cascade_classifier")
    ]
    for pipe in pipes:
        report = pipe.calibrate(examples, method=method)
        assert report["n"] == len(pipe.scored(examples)[0]) > 5
        scores, right = pipe.scored(examples)
        assert np.mean(pipe.calibrated(scores)) == pytest.approx(
            np.mean(right), abs=0.35
        )
    after = [util.scores(d) for d in nlp.pipe(e.reference.text for e in examples)]
    assert after != before
    assert spans == [
        util.spans(d) for d in nlp.pipe(e.reference.text for e in examples)
    ], "no decision changes"
    for pipe in pipes:
        pipe.to_disk(tmp_path / pipe.name, exclude=["weights"])
        found, pipe.calibration = pipe.calibration, None
        pipe.from_disk(tmp_path / pipe.name, exclude=["weights"])
        assert pipe.calibration == found
