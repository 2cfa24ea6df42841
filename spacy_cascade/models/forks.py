"""What `nlp.pipe(n_process=2)` does to tokenizers and locks where processes are forked."""

from __future__ import annotations

import os
from typing import Any
from weakref import WeakSet

_NAME = "TOKENIZERS_PARALLELISM"
_ours = False
_models: WeakSet[Any] = WeakSet()


def _before() -> None:
    global _ours
    if _NAME not in os.environ:
        os.environ[_NAME], _ours = "false", True


def _in_parent() -> None:
    global _ours
    if _ours:
        del os.environ[_NAME]
        _ours = False


def _in_child() -> None:
    for model in list(_models):
        model.after_fork()


def watch(model: Any) -> None:
    """Call `model.after_fork()` in every forked process, where locks that other threads
    held would never be opened.
    """
    _models.add(model)


def keep_tokenizers_quiet() -> None:
    """Tokenizers switch their threads off in a forked process anyway; told so
    beforehand, they do it without printing four lines of warnings in each. Words are
    encoded one by one here, so that nothing is lost. To be called once.
    """
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=_before, after_in_parent=_in_parent, after_in_child=_in_child
        )
