"""The search for parameters."""

from __future__ import annotations

from corpus_tools.dynamic import lists as ls
from corpus_tools.dynamic import rounds
from corpus_tools.dynamic.metrics import (
    METRICS,
)
from corpus_tools.dynamic.search import SLACK, random_version, search


def test_search_accepts_only_what_does_not_get_worse(types, corpus):
    base = ls.base(corpus.gold, types)
    found = search(base, corpus, seed=1, budget=12)
    ls.check(found.lists, corpus.gold)
    assert len(found.log) == 12 * len(rounds.ROUNDS)
    start, end = base.metrics(corpus.vectors), found.lists.metrics(corpus.vectors)
    assert all(end.gain(m, start) >= -SLACK for m in METRICS)
    for one in rounds.ROUNDS:
        steps = [s for s in found.log if s.round == one.name]
        accepted = [s for s in steps if s.accepted]
        assert len(accepted) == (one.name in found.accepted)
        if accepted:
            assert not accepted[0].worse and accepted[0].score == max(
                s.score for s in steps if not s.worse
            )
        else:
            assert all(s.worse for s in steps)
    assert found.accepted


def test_seeds(types, corpus):
    base = ls.base(corpus.gold, types)
    one, same, other = (search(base, corpus, seed=s, budget=6) for s in (1, 1, 2))
    assert (one.lists.member == same.lists.member).all() and (
        one.lists.codes() == same.lists.codes()
    ).all()
    assert one.log == same.log
    assert (one.lists.member != other.lists.member).any()
    drawn = [random_version(base, corpus, seed=s).lists.member for s in (1, 1, 2)]
    assert (drawn[0] == drawn[1]).all() and (drawn[0] != drawn[2]).any()
