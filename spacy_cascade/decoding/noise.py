"""Noise for sampling rounds, keyed by what is decided and not by when: any batch size
gives the same samples.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import Any

import numpy as np


def gumbel(text: str, round: int, state: Any, candidates: Sequence[int]) -> np.ndarray:
    """Standard Gumbel noise per candidate.

    Shape (candidates,). Adding it to logits and taking the argmax samples from their
    softmax.
    """
    out = np.empty(len(candidates))
    key = hashlib.blake2b(
        repr((round, state)).encode() + text.encode("utf8", "surrogatepass"),
        digest_size=16,
    )
    for k, token in enumerate(candidates):
        digest = key.copy()
        digest.update(b":%d" % token)
        uniform = (int.from_bytes(digest.digest()[:8], "big") + 0.5) / 2.0**64
        out[k] = -math.log(-math.log(uniform))
    return out
