"""Threads that use one model, each in the state that it needs."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

_UNKNOWN = object()


class _Held(NamedTuple):
    """What a thread has been let in for."""

    state: Hashable
    alone: bool


class _Mine(threading.local):
    held: _Held | None = None


class Turns:
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
        """The one that the model is in; of worth to threads that are inside."""
        return self._state

    @contextmanager
    def turn(self, state: Hashable, *, alone: bool = False) -> Iterator[None]:
        """Use the model in this state inside the context.

        A thread that is inside may ask for another state: it leaves, waits for its
            turn, and comes back afterwards. One
        that is alone stays so.

        alone (bool): Let nobody else in, whatever state they want: the model is changed.
        """
        outer = self._mine.held
        if outer is not None and outer.state == state and outer.alone >= alone:
            yield
            return
        held = _Held(state, alone or (outer is not None and outer.alone))
        self._swap(outer, held)
        try:
            yield
        finally:
            self._swap(held, outer)

    def _swap(self, old: _Held | None, new: _Held | None) -> None:
        if old is not None and new is not None and old.alone and new.alone:
            with self._changed:
                self._be(new.state)
        else:
            if old is not None:
                self._leave()
            if new is not None:
                self._enter(new)
        self._mine.held = new

    def _enter(self, wanted: _Held) -> None:
        ticket = object()
        with self._changed:
            self._queue.append(ticket)
            try:
                while self._queue[0] is not ticket or not self._fits(wanted):
                    self._changed.wait()
                self._be(wanted.state)
                self._alone = wanted.alone
                self._inside += 1
            finally:
                self._queue.remove(ticket)
                self._changed.notify_all()

    def _fits(self, wanted: _Held) -> bool:
        return not self._inside or not (
            wanted.alone or self._alone or wanted.state != self._state
        )

    def _be(self, state: Hashable) -> None:
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

    def after_fork(self) -> None:
        """In a child process only the thread that forked is left; the others will never leave."""
        held = self._mine.held
        self._changed = threading.Condition()
        self._queue.clear()
        self._inside = int(held is not None)
        self._alone = held is not None and held.alone
        if held is None:
            self._state = _UNKNOWN
