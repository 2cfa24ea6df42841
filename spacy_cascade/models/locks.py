"""One model for several threads, and what becomes of it in forked processes."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import NamedTuple, Protocol
from weakref import WeakSet

_UNKNOWN = object()


class _Held(NamedTuple):
    """What a thread has been let in for."""

    state: Hashable
    alone: bool


class _Mine(threading.local):
    held: _Held | None = None


class StateLock:
    """Threads that want a model in the same state use it together.

    Others wait until those have left: first come, first served, so that nobody waits
    forever.

    set_state (Callable): Puts the model into a state. Nobody is inside when it is called.
    """

    def __init__(self, set_state: Callable[[Hashable], None]):
        self._set_state = set_state
        self._changed = threading.Condition()
        self._queue: deque[object] = deque()
        self._state: Hashable = _UNKNOWN
        self._inside = 0
        self._alone = False
        self._mine = _Mine()

    @property
    def state(self) -> Hashable:
        """The state that the model is in. Only threads that are inside can rely on it."""
        return self._state

    @contextmanager
    def hold(
        self,
        state: Hashable,
        *,
        alone: bool = False,
    ) -> Iterator[None]:
        """Use the model in this state inside the context.

        A thread that is inside may ask for another state. It leaves, waits until it is
        let in again, and comes back afterwards. One that is alone stays alone.

        alone (bool): Let nobody else in, whatever state they want: the model is changed.
        """
        outer = self._mine.held
        if outer is not None and outer.state == state and outer.alone >= alone:
            yield
            return

        stays_alone = outer is not None and outer.alone
        held = _Held(state, alone or stays_alone)
        self._swap(outer, held)
        try:
            yield
        finally:
            self._swap(held, outer)

    def after_fork(self) -> None:
        """In a child process only the thread that forked is left; the others will never leave."""
        held = self._mine.held
        self._changed = threading.Condition()
        self._queue.clear()
        self._inside = int(held is not None)
        self._alone = held is not None and held.alone
        if held is None:
            self._state = _UNKNOWN

    def _swap(
        self,
        old: _Held | None,
        new: _Held | None,
    ) -> None:
        if old is not None and new is not None and old.alone and new.alone:
            with self._changed:
                self._put_into(new.state)
        else:
            if old is not None:
                self._leave()
            if new is not None:
                self._enter(new)
        self._mine.held = new

    def _enter(self, held: _Held) -> None:
        ticket = object()
        with self._changed:
            self._queue.append(ticket)
            try:
                while self._queue[0] is not ticket or not self._fits(held):
                    self._changed.wait()
                self._put_into(held.state)
                self._alone = held.alone
                self._inside += 1
            finally:
                self._queue.remove(ticket)
                self._changed.notify_all()

    def _fits(self, held: _Held) -> bool:
        if not self._inside:
            return True
        return not (held.alone or self._alone or held.state != self._state)

    def _put_into(self, state: Hashable) -> None:
        if state != self._state:
            self._state = _UNKNOWN  # should it fail on the way
            self._set_state(state)
            self._state = state

    def _leave(self) -> None:
        with self._changed:
            self._inside -= 1
            self._alone = False
            self._mine.held = None
            self._changed.notify_all()


# -- Forked processes (`nlp.pipe(n_process=2)`)


class Forkable(Protocol):
    """What holds locks."""

    def after_fork(self) -> None: ...


_VARIABLE = "TOKENIZERS_PARALLELISM"
_models: WeakSet[Forkable] = WeakSet()
_variable_is_ours = False


def watch(model: Forkable) -> None:
    """Call `model.after_fork()` in every forked process, where locks that other threads
    held would never be opened.
    """
    _models.add(model)


def keep_tokenizers_quiet() -> None:
    """Keep tokenizers from printing four lines of warnings in each forked process.

    They switch their threads off there anyway; told so beforehand, they do it silently.
    Words are encoded one by one here, so that nothing is lost. To be called once.
    """
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=_before,
            after_in_parent=_in_parent,
            after_in_child=_in_child,
        )


def _before() -> None:
    global _variable_is_ours
    if _VARIABLE not in os.environ:
        os.environ[_VARIABLE] = "false"
        _variable_is_ours = True


def _in_parent() -> None:
    global _variable_is_ours
    if _variable_is_ours:
        del os.environ[_VARIABLE]
        _variable_is_ours = False


def _in_child() -> None:
    for model in list(_models):
        model.after_fork()
