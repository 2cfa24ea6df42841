"""Every error has a code, says what was found, and what to do about it."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import pytest

from spacy_cascade.errors import (
    CascadeError,
    CascadeFileNotFoundError,
    CascadeTypeError,
    Errors,
    Warnings,
)


def test_codes_are_unique_and_stand_in_their_messages() -> None:
    for name, text in {**vars(Errors), **vars(Warnings)}.items():
        if name[0] in "CW" and name[1:].isdigit():
            assert text.startswith(
                f"[{name}] " if name[0] == "C" else f"[CW{name[2:]}] "
            )


def test_every_message_is_used() -> None:
    """A message that nothing raises describes a check that is missing."""
    root = Path(__file__).parents[3] / "spacy_cascade"
    source = "".join(
        p.read_text("utf8") for p in root.rglob("*.py") if p != root / "errors.py"
    )
    unused = [
        f"{owner.__name__}.{n}"
        for owner in (Errors, Warnings)
        for n in vars(owner)
        if re.fullmatch(r"[CW]\d{3}", n) and f"{owner.__name__}.{n}" not in source
    ]
    assert unused == []


@pytest.mark.parametrize(
    "kind", [CascadeError, CascadeTypeError, CascadeFileNotFoundError]
)
def test_errors_survive_pickle(kind: type[CascadeError]) -> None:
    """They cross process borders in nlp.pipe(n_process=2)."""
    err = pickle.loads(pickle.dumps(kind(Errors.C003)))
    assert (type(err), err.code, str(err)) == (kind, "C003", Errors.C003)


def test_errors_are_ordinary_python_errors() -> None:
    assert issubclass(CascadeError, ValueError)
    assert issubclass(CascadeTypeError, TypeError)
    assert issubclass(CascadeFileNotFoundError, FileNotFoundError)
