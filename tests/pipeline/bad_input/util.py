"""What the tests of errors share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from spacy.language import Language

from spacy_cascade.errors import CascadeError
from tests import util


def fails(code: str, call: Callable[[], Any], *parts: str) -> CascadeError:
    with pytest.raises(CascadeError) as err:
        call()
    assert err.value.code == code
    assert str(err.value).startswith(f"[{code}] ")
    for part in parts:
        assert part in str(err.value)
    return err.value


def extractor(base: Path, **more: Any) -> Language:
    nlp = util.blank()
    nlp.add_pipe("cascade_extractor", config={"model": util.model_config(base), **more})
    return nlp
