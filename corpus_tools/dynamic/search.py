"""The search for the parameters of the rounds.

For each round, in order: draw parameters (half of the budget anywhere in their ranges,
    half near the best so far, or the
least bad where none is feasible), apply the round, measure. A candidate is feasible if
none of the round's metrics is worse than before the round and none of the four metrics
is worse than in the base version. Of the feasible ones the best by `objective` is
accepted; without any, the round is skipped and the lists stay as they were. All
candidates of a round see the same random numbers, so that only the parameters make the
difference.

Round 3 leaves all answers, and with them their metrics, as they are: it is steered by
    the metrics of the types offered, each
mention counted under every type of its list. Those may lose OFFERS_SLACK.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from .lists import Lists
from .metrics import METRICS, Metrics
from .rounds import ROUNDS, Corpus, Round

BUDGET = 48
VARIETY = 0.1
# Weight of a metric that has reached the paper's bound.
WITHIN = 0.25
# Rounding of sums over many mentions.
SLACK = 1e-9
# Fixed lists offer all types equally often, so that any other lists must lose a little.
OFFERS_SLACK = 0.02
# Standard deviation of steps near the best, as part of a range; shrinks to nothing as
# the budget is spent.
WIDEST = 0.3
Progress = Callable[[Iterable[int], str], Iterable[int]]


@dataclass(frozen=True)
class Step:
    """One candidate of one round.

    metrics (Metrics): Of what steers the round. answers (Metrics): Of the answers.
        worse (tuple[str, ...]): Metrics that
    got worse; empty if feasible. loss (float): By how much in all. changed (float):
    Share of the answers (round 3: of the list entries) that changed.
    """

    round: str
    number: int
    params: Mapping[str, float]
    metrics: Metrics
    answers: Metrics
    changed: float
    score: float
    worse: tuple[str, ...]
    loss: float
    accepted: bool = False

    @property
    def rank(self) -> tuple[float, float]:
        """Feasible ones (loss 0) by score, before the others by loss."""
        return -self.loss, self.score

    def to_dict(self) -> dict[str, Any]:
        """JSON-serializable."""
        data = {**vars(self), "params": dict(self.params), "worse": list(self.worse)}
        return {
            **data,
            "metrics": self.metrics.to_dict(),
            "answers": self.answers.to_dict(),
        }


@dataclass
class Found:
    """lists: The outcome. accepted: Parameters by round; skipped rounds are absent.
    log: All candidates, in order. after: Metrics of the answers after each round.
    """

    lists: Lists
    accepted: dict[str, dict[str, float]] = field(default_factory=dict)
    log: list[Step] = field(default_factory=list)
    after: dict[str, Metrics] = field(default_factory=dict)


def objective(
    round: Round,
    now: Metrics,
    before: Metrics,
    changed: float,
    variety: float = VARIETY,
) -> float:
    """Gain of the round's metrics, summed, those that have reached the paper's bound at
    a quarter of their weight, plus a reward for
    variety, 4c(1 - c) for a share c of changed answers: greatest where half of them are
    changed, so that a corpus has both.
    """
    weights = {m: 1.0 if before.wanting(m) else WITHIN for m in round.metrics}
    return sum(
        w * now.gain(m, before) for m, w in weights.items()
    ) + variety * 4 * changed * (1 - changed)


def measured(round: Round, lists: Lists, corpus: Corpus) -> Metrics:
    """What steers a round: metrics of the answers, or for round 3 of the types offered."""
    return (
        lists.offers(corpus.vectors) if round.offers else lists.metrics(corpus.vectors)
    )


def search(
    base: Lists,
    corpus: Corpus,
    *,
    seed: int = 0,
    budget: int = BUDGET,
    variety: float = VARIETY,
    progress: Progress | None = None,
) -> Found:
    """Finds the dynamic version.

    budget (int): Candidates per round. seed (int): The same seed gives the same lists.
        progress (Callable): Wraps the candidates of a round, for a progress bar.
    """
    found = Found(base)
    start = base.metrics(corpus.vectors)
    for place, round in enumerate(ROUNDS):
        before = measured(round, found.lists, corpus)
        steer = np.random.default_rng([seed, place])
        best: tuple[Step, Lists] | None = None
        numbers: Iterable[int] = range(budget)
        for number in progress(numbers, round.name) if progress else numbers:
            near = best[0].params if best and number >= budget // 2 else None
            params = _propose(round, steer, near, step=WIDEST * (1 - number / budget))
            lists = round.apply(found.lists, corpus, draws(seed, place), **params)
            now = measured(round, lists, corpus)
            answers = lists.metrics(corpus.vectors) if round.offers else now
            slack = OFFERS_SLACK if round.offers else SLACK
            gains = {f"{m} (round)": now.gain(m, before) + slack for m in round.metrics}
            gains |= {f"{m} (base)": answers.gain(m, start) + SLACK for m in METRICS}
            worse = {name: gain for name, gain in gains.items() if gain < 0}
            changed = _changed(found.lists, lists, round)
            score = objective(round, now, before, changed, variety)
            step = Step(
                round.name,
                number,
                params,
                now,
                answers,
                changed,
                score,
                tuple(worse),
                -sum(worse.values()),
            )
            found.log.append(step)
            if best is None or step.rank > best[0].rank:
                best = step, lists
        if best is not None and not best[0].worse:
            step, found.lists = best
            found.log[found.log.index(step)] = replace(step, accepted=True)
            found.accepted[round.name] = dict(step.params)
        found.after[round.name] = found.lists.metrics(corpus.vectors)
    return found


def random_version(base: Lists, corpus: Corpus, *, seed: int) -> Found:
    """The same rounds with parameters drawn anywhere in their ranges, unsteered and unchecked."""
    found = Found(base)
    for place, round in enumerate(ROUNDS):
        params = _propose(round, np.random.default_rng([seed, place]))
        found.lists = round.apply(found.lists, corpus, draws(seed, place), **params)
        found.accepted[round.name] = params
        found.after[round.name] = found.lists.metrics(corpus.vectors)
    return found


def draws(seed: int, place: int) -> np.random.Generator:
    """The random numbers of a round, apart from those of the search."""
    return np.random.default_rng([seed, place, 1])


def _propose(
    round: Round,
    rng: np.random.Generator,
    near: Mapping[str, float] | None = None,
    step: float = 0.0,
) -> dict[str, float]:
    params = {}
    for name, (low, high) in round.ranges.items():
        value = (
            rng.uniform(low, high)
            if near is None
            else near[name] + rng.normal(0, step * (high - low))
        )
        params[name] = float(np.clip(value, low, high))
    return params


def _changed(old: Lists, new: Lists, round: Round) -> float:
    if round.offers:
        return float(1 - (old.member & new.member).sum() / old.member.sum())
    return float((old.codes() != new.codes()).mean())
