"""Turning scores into probabilities: how often is a mention right that the model gives
this score?
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import CascadeError, Errors
from .settings import Block

METHODS = ("temperature", "isotonic")
_EDGE = 1e-6


@dataclass(frozen=True)
class Calibration:
    """A monotone map from score to probability, fitted on scores whose right or wrong is known.

    method (str): `temperature`: the log-odds are divided by values[0] (Guo et al.,
        2017); `isotonic`: linear between the points (xs, values), which rise (Zadrozny
        and Elkan, 2002).
    """

    method: str
    values: tuple[float, ...]
    xs: tuple[float, ...] = ()

    @classmethod
    def fit(
        cls, method: str, scores: Sequence[float], right: Sequence[bool]
    ) -> Calibration:
        """RAISES CascadeError: C020 for an unknown method, C030 without scores."""
        if method not in METHODS:
            names = ", ".join(METHODS)
            raise CascadeError(
                Errors.C020.format(option="method", value=method, choices=names)
            )
        if not len(scores):
            why = "the model found nothing to be right or wrong"
            raise CascadeError(Errors.C030.format(name="calibration", why=why))

        p = np.asarray(scores, dtype=np.float64)
        y = np.asarray(right, dtype=np.float64)
        if method == "temperature":
            return cls(method, (_temperature(p, y),))
        xs, values = _isotonic(p, y)
        return cls(method, tuple(values.tolist()), tuple(xs.tolist()))

    def __call__(self, scores: Sequence[float] | np.ndarray) -> np.ndarray:
        """Probabilities, of the same shape. The order of scores is kept."""
        p = np.asarray(scores, dtype=np.float64)
        if self.method == "temperature":
            odds = _log_odds(p) / self.values[0]
            return np.asarray(1 / (1 + np.exp(-odds)))
        return np.asarray(np.interp(p, self.xs, self.values))

    def to_dict(self) -> Block:
        # as strings, since srsly's JSON does not keep all digits of a number
        return {
            "method": self.method,
            "values": list(map(repr, self.values)),
            "xs": list(map(repr, self.xs)),
        }

    @classmethod
    def from_dict(cls, data: Block) -> Calibration:
        values = tuple(map(float, data["values"]))
        xs = tuple(map(float, data["xs"]))
        return cls(data["method"], values, xs)


def expected_calibration_error(
    scores: Sequence[float] | np.ndarray, right: Sequence[bool], *, bins: int = 10
) -> float:
    """Mean distance between score and share of right ones, over bins of equal width
    weighted by size (Naeini et al., 2015).
    """
    p = np.asarray(scores, dtype=np.float64)
    y = np.asarray(right, dtype=np.float64)
    which = np.minimum((p * bins).astype(int), bins - 1)
    gaps = np.bincount(which, weights=p - y, minlength=bins)
    return float(np.abs(gaps).sum() / max(1, len(p)))


def cross_fitted_error(
    method: str, scores: Sequence[float], right: Sequence[bool]
) -> float:
    """The error of scores that each half's calibration gives the other half."""
    probabilities: list[float] = []
    outcomes: list[bool] = []
    for half in (0, 1):
        # of a single score both halves are the same
        known = scores[half::2] or scores, right[half::2] or right
        fitted = Calibration.fit(method, *known)
        probabilities += fitted(scores[1 - half :: 2]).tolist()
        outcomes += right[1 - half :: 2]
    return expected_calibration_error(probabilities, outcomes)


def _log_odds(p: np.ndarray) -> np.ndarray:
    p = np.clip(p, _EDGE, 1 - _EDGE)
    return np.asarray(np.log(p / (1 - p)))


def _temperature(p: np.ndarray, y: np.ndarray) -> float:
    """The temperature of least cross-entropy, by golden-section search over its
    logarithm: the loss is convex there in the inverse temperature.
    """
    odds = _log_odds(p)

    def loss(t: float) -> float:
        z = odds / np.exp(t)
        return float(np.logaddexp(0, z).mean() - (y * z).mean())

    low = np.log(0.05)
    high = np.log(20.0)
    ratio = (np.sqrt(5) - 1) / 2
    for _ in range(60):
        a = high - ratio * (high - low)
        b = low + ratio * (high - low)
        if loss(a) < loss(b):
            high = b
        else:
            low = a
    return float(np.exp((low + high) / 2))


def _isotonic(p: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pool adjacent violators. RETURNS: the mean score and the share of right ones of each pool."""
    order = np.argsort(p, kind="stable")
    # right ones, sum of scores, size
    pools: list[list[float]] = []
    for score, hit in zip(p[order], y[order], strict=True):
        pools.append([hit, score, 1.0])
        while len(pools) > 1 and not _rises(pools[-2], pools[-1]):
            last = pools.pop()
            pools[-1] = [a + b for a, b in zip(pools[-1], last, strict=True)]

    table = np.array(pools)
    right, scores, sizes = table.T
    return scores / sizes, right / sizes


def _rises(before: list[float], after: list[float]) -> bool:
    """Whether the share of right ones is larger in the later pool."""
    return before[0] * after[2] < after[0] * before[2]
