"""Marked copies of windows: how each round of them is decoded, and what they hold."""

from __future__ import annotations

import math
from typing import NamedTuple

from ..decoding.copy import Job, Sampling
from ..types import Candidate, PrefixStore
from .windows import Window


class WindowJob(NamedTuple):
    """One round of decoding a window. doc (int): Index of its Doc."""

    doc: int
    window: Window
    job: Job
    sampling: Sampling


def samplings(rounds: int, temperature: float, open_threshold: float) -> list[Sampling]:
    """How each round chooses: the first is greedy, the others sample."""
    bias = open_bias(open_threshold)
    sampled = [Sampling(bias, temperature, number) for number in range(1, rounds)]
    return [Sampling(bias), *sampled]


def hand_on(item: WindowJob, prefixes: PrefixStore | None) -> None:
    """Leave what was run of a window to the classifier, if there is something to type."""
    kept = item.job.kept
    item.job.kept = None
    if prefixes is None or kept is None:
        return
    if item.job.mentions and not item.sampling.round:
        prefixes.keep(item.window.unit, kept)


def open_bias(threshold: float) -> float:
    """What to add to the logit of opening a mention, so that it is chosen at this
    probability.
    """
    if threshold <= 0:
        return math.inf
    if threshold >= 1:
        return -math.inf
    return math.log((1 - threshold) / threshold)


def token_spans(job: Job) -> list[Candidate]:
    """Mentions as token indices of their unit, with their scores."""
    tokens = job.unit.tokens
    starts = {start: i for i, (start, _) in enumerate(tokens)}
    ends = {end: i + 1 for i, (_, end) in enumerate(tokens)}
    return [
        Candidate(starts[mention.start], ends[mention.end], mention.score)
        for mention in job.mentions
    ]
