"""The page on metrics, followed to the letter."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from spacy.language import Language
from spacy.tokens import Span
from spacy.training import Example

from spacy_cascade.registry import scorers

PAGE = Path(__file__).parents[2] / "docs" / "guides" / "metric.md"


def test_the_page_works(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    metric, use = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf8"), re.DOTALL)
    (tmp_path / "my_metrics.py").write_text(metric, "utf8")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "path/to/model" in use
    code = use.replace("path/to/model", str(base))
    told: dict[str, object] = {}
    exec(compile(code, PAGE, "exec", dont_inherit=True), told)

    nlp, example = told["nlp"], told["example"]
    assert isinstance(nlp, Language) and isinstance(example, Example)
    scores = nlp.evaluate([example])
    assert scores["perfect_texts"] in (0.0, 1.0)
    assert "cascade_typed_f" in scores

    score = scorers.get("my.PerfectTexts.v1")()
    assert callable(score)
    assert score([]) | {"perfect_texts": None} == score([])
    right = example.reference.copy()
    assert score([Example(right, example.reference)])["perfect_texts"] == 1.0
    right.set_ents([Span(right, 0, 1, label="city")])
    assert score([Example(right, example.reference)])["perfect_texts"] == 0.0
