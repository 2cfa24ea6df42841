"""A base that lists many mentions, and pipelines on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from spacy.language import Language

from tests import util

from .util import B2NER, COMPACT, exact, pipe_of, pipeline


@pytest.fixture(scope="module")
def talkative(tmp_path_factory: Any, base: Path) -> Path:
    """A base with random weights that lists many mentions: nothing makes it end an answer."""
    import torch

    path = tmp_path_factory.mktemp("base") / "talkative"
    lm = util.random_lm(base, factor=4.0, seed=5, double=False)
    with torch.no_grad():
        lm.model.get_input_embeddings().weight[lm.token_id("</s>")] = 0
    lm.save(path)
    return path


@pytest.fixture(scope="module", params=["compact", "b2ner"])
def nlp_open(request: Any, talkative: Path) -> Language:
    nlp = pipeline(talkative, template=COMPACT if request.param == "compact" else B2NER)
    pipe_of(nlp).weights.lm = exact(talkative)
    return nlp
