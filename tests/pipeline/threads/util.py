"""Texts, and calls that are made at the same time."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from spacy.language import Language

from tests import util

PIPELINE = Path(__file__).parents[3] / "assets" / "open_sm" / "pipeline"
WORDS = """
    Berlin Paris Lena Muster Siemens AG lives works in for at the and new polonium Rome
    Tokyo Google visited
""".split()  # noqa: SIM905


def some_texts(n: int, longest: int = 12, seed: int = 1) -> list[str]:
    rng = random.Random(seed)
    return [
        " ".join(rng.choices(WORDS, k=rng.randint(2, longest))) + "." for _ in range(n)
    ]


def found(doc: Any) -> list[tuple[int, int, str]]:
    return util.entities(doc)


def one_by_one(nlp: Language, texts: list[str]) -> list[Any]:
    return [found(nlp(text)) for text in texts]


def in_threads(*calls: Callable[[], Any]) -> list[Any]:
    """What the calls return, each made by a thread of its own, all at the same time."""
    start = threading.Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        start.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))
