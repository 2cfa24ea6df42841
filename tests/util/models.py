"""Models with random weights, and the work of a call."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from spacy_cascade.models.loading import load_model
from spacy_cascade.models.spec import HFSpec


def load_private(path: Path, **options: Any) -> Any:
    """The model in a directory, on the CPU, not shared with other tests."""
    return load_model(HFSpec(str(path), device="cpu", **options), private=True)


def random_lm(
    base: Path, *, factor: float = 3.0, seed: int = 0, double: bool = True
) -> Any:
    """A private copy of a base with other random weights, `factor` times as large, so
    that its decisions vary.

    double (bool): float64. The same sequence gives a little different logits in batches
        of different shapes; in float64 the difference is too small to turn a decision,
        so that equality can be asked for without exceptions.
    """
    import torch

    lm = load_model(HFSpec(str(base), device="cpu", batch_tokens=8192), private=True)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in lm.model.parameters():
            if p.dim() > 1:
                p.copy_(torch.randn(p.shape, generator=generator) * 0.02)
            p.mul_(factor)
    if double:
        lm.model.double()
    return lm


def steps(call: Callable[[], Any]) -> int:
    """Python and built-in functions that a call enters: a measure of its work that no
    clock disturbs.
    """
    counts: Counter[str] = Counter()

    def count(frame: Any, event: str, arg: Any) -> None:
        counts[event] += 1

    sys.setprofile(count)
    try:
        call()
    finally:
        sys.setprofile(None)
    return counts["call"] + counts["c_call"]
