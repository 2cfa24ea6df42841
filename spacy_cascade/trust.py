"""Rights that an artefact asks for and only the caller grants.

A config may have come with the pipeline that it describes, so what it says never
suffices to run code. Environment variables are the caller's alone, and are passed on to
worker processes.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from .errors import CascadeError, Errors


class Right(NamedTuple):
    """variable: The environment variable that grants it. option: The setting that asks for it."""

    variable: str
    option: str
    meaning: str


REMOTE_CODE = Right(
    "SPACY_CASCADE_TRUST_REMOTE_CODE",
    "trust_remote_code",
    "run Python code that comes with it",
)
PICKLE = Right(
    "SPACY_CASCADE_ALLOW_PICKLE", "allow_pickle", "load pickles, which can run code"
)


def granted(right: Right) -> bool:
    """Whether the process's environment grants a right: with 1, true or yes."""
    return os.environ.get(right.variable, "").strip().lower() in ("1", "true", "yes")


def require(right: Right, name: str) -> None:
    """name (str): What asks for it. RAISES CascadeError: C120 if it is not granted."""
    if not granted(right):
        message = Errors.C120.format(
            name=name,
            option=right.option,
            meaning=right.meaning,
            variable=right.variable,
        )
        raise CascadeError(message)
