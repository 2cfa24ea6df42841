"""The lock on a model's state, and its rows."""

from __future__ import annotations

import itertools
import threading
from typing import Any

import numpy as np
import pytest

from spacy_cascade.models.locks import StateLock

from .util import in_threads


def test_the_same_state_is_shared_and_another_waits() -> None:
    seen: list[Any] = []
    lock = StateLock(seen.append)
    together = threading.Barrier(2, timeout=20)
    inside = threading.Event()

    def same() -> None:
        with lock.hold("a"):
            together.wait()
            inside.set()
            together.wait()
            assert seen == ["a"]

    def other() -> None:
        inside.wait()
        with lock.hold("b"):
            assert lock.state == "b"

    in_threads(same, same, other)
    assert seen == ["a", "b"]


def test_who_changes_the_model_is_alone() -> None:
    lock, count, most = StateLock(lambda state: None), itertools.count(), []
    inside = 0

    def run(alone: bool) -> None:
        nonlocal inside
        for _ in range(200):
            with lock.hold("a", alone=alone):
                inside += alone
                next(count)
                most.append(inside if alone else 0)
                inside -= alone

    in_threads(*(lambda a=a: run(a) for a in (True, True, False, False)))
    assert max(most) == 1


def test_two_threads_that_ask_for_each_others_state_while_inside() -> None:
    """Nobody waits for somebody who waits, and who comes back finds the state that was left."""
    lock = StateLock(lambda state: None)
    both = threading.Barrier(2, timeout=20)

    def run(first: str, then: str) -> None:
        with lock.hold("start"):
            both.wait()
            for state in (first, then):
                with lock.hold(state):
                    assert lock.state == state
                assert lock.state == "start"

    in_threads(lambda: run("a", "b"), lambda: run("b", "a"))


def test_a_state_that_fails_lets_the_next_one_in() -> None:
    def fail(state: Any) -> None:
        if state == "bad":
            raise RuntimeError("can't")

    lock = StateLock(fail)
    with pytest.raises(RuntimeError, match="can't"), lock.hold("bad"):
        pass
    with lock.hold("good"):
        assert lock.state == "good"


def test_rows_that_die_in_another_thread(rnd: Any) -> None:
    pool = rnd.cache_pool(64)
    rows: list[Any] = [pool.row() for _ in range(32)]
    for row in rows:
        row.extend(pool.take(2))

    def drop() -> None:
        while rows:
            rows.pop()

    def take() -> None:
        for _ in range(200):
            pool.give_back(pool.take(1))

    del row
    in_threads(drop, take)
    assert pool.room == pool.capacity
    assert len(np.unique(pool.take(pool.room))) == pool.capacity
