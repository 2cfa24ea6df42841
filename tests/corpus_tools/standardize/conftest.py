"""The universal taxonomy and the maps that come along."""

from __future__ import annotations

import pytest

from corpus_tools.b2nerd.labelmap import (
    LabelMap,
    load_maps,
)
from spacy_cascade.taxonomy import Taxonomy, builtin


@pytest.fixture(scope="module")
def universal() -> Taxonomy:
    return builtin("universal")


@pytest.fixture(scope="module")
def maps() -> dict[str, LabelMap]:
    return load_maps()
