"""The pipeline that ships, and threads that change often."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
import spacy
from spacy.language import Language

from .util import PIPELINE


@pytest.fixture(autouse=True)
def switch_often() -> Iterator[None]:
    """Python changes threads 25 times as often, so that what can go wrong does."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(2e-4)
    yield
    sys.setswitchinterval(before)


@pytest.fixture(scope="module")
def shipped() -> Language:
    return spacy.load(PIPELINE)
