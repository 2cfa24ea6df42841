"""Matplotlib, where figures are drawn."""

from __future__ import annotations

from typing import Any

from .errors import CorpusError, Errors


def pyplot() -> Any:
    """The module matplotlib.pyplot, drawing into files.

    RAISES CorpusError: T083 if matplotlib is not installed.
    """
    try:
        import matplotlib
    except ImportError as err:
        raise CorpusError(Errors.T083) from err
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    return plt
