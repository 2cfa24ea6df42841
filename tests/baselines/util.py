"""Settings and pipelines that the tests of the baselines share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from spacy.cli._util import app
from spacy.language import Language
from typer.testing import CliRunner

from spacy_cascade.prompts.labelset import LabelSet
from spacy_cascade.taxonomy import Taxonomy
from tests import util

CONFIGS = Path(__file__).parents[2] / "configs"
LABELS = ["person", "location > city", "location > country"]
LABEL_SET = LabelSet.build(Taxonomy.from_labels(LABELS))
METHODS = ["gpt_ner", "prompt_ner"]

# settings under which models with random weights find something, and soon come to an end
FREE: dict[str, dict[str, Any]] = {
    "gpt_ner": {"verify_threshold": 0.0},
    "prompt_ner": {
        "template": {"@prompts": "spacy-cascade.PromptNER.v1", "reasons": 2}
    },
}


def pipeline(method: str, base: Path | str, **config: Any) -> Language:
    nlp = util.blank()
    nlp.add_pipe(
        method, config={"model": util.model_config(base), "taxonomy": LABELS, **config}
    )
    return nlp


def call(*args: Any) -> str:
    result = CliRunner().invoke(app, [str(a) for a in args])
    assert result.exit_code == 0, f"{result.output}\n{result.exception!r}"
    return result.output
