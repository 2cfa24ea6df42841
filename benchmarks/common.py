"""What the suites share: reading gold, timing, counting the model's work, strict scores
and their differences, results that are kept one by one, and figures.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import spacy
from spacy.language import Language
from spacy.tokens import Doc, DocBin
from spacy.training import Example

from benchmarks.provenance import provenance
from corpus_tools.formats.docs import TOKENIZER
from spacy_cascade.files import atomic_path
from spacy_cascade.scoring.scorers import prf, scored_items
from spacy_cascade.types import Query

T = TypeVar("T")
RESAMPLES = 2000
REAL_DATA = Path(os.environ.get("SPACY_CASCADE_DATA", "../shared/data"))
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
_clock = CLOCKS["wall"]


# -- Texts


def blank() -> Language:
    """A pipeline that only splits texts into tokens."""
    return spacy.blank("xx", config=TOKENIZER)


def read(
    path: Path,
    nlp: Language,
    limit: int = 0,
) -> list[Doc]:
    """Gold Docs of a DocBin; with a `limit` above 0 at most so many, spread evenly over
    the file.
    """
    if not path.is_file():
        raise SystemExit(
            f"No DocBin at {path}. Make one with `python -m corpus_tools convert`."
        )
    stored = DocBin().from_disk(path)
    docs = list(stored.get_docs(nlp.vocab))
    if not 0 < limit < len(docs):
        return docs
    return [docs[i * len(docs) // limit] for i in range(limit)]


def examples(docs: Sequence[Doc], nlp: Language) -> list[Example]:
    """Gold Docs, each beside one that nothing is annotated in."""
    return [Example(nlp.make_doc(doc.text), doc) for doc in docs]


def evenly(items: Sequence[T], n: int) -> list[T]:
    """At most n items, the first and the last among them."""
    last, n = len(items) - 1, min(n, len(items))
    chosen = np.linspace(0, last, n).astype(int)
    return [items[i] for i in chosen]


def real_data_set(data: Path, name: str) -> Path:
    """The folder of a data set in B2NERD layout. RAISES SystemExit: if there is none."""
    folder = data / "b2nerd_style" / name
    if not folder.is_dir():
        raise SystemExit(
            f"No data at {folder}. Give the folder that holds b2nerd_style/ with --data."
        )
    return folder


# -- Time and work


def clock() -> float:
    """Seconds."""
    return _clock()


def set_clock(name: str) -> None:
    """cpu: time that this process had.

    For one thread, on a machine that is busy with other things.
    """
    global _clock
    _clock = CLOCKS[name]


def best(run: Callable[[], Any], repeat: int) -> float:
    """Seconds of the fastest of these runs."""
    times = []
    for _ in range(repeat):
        start = clock()
        run()
        times.append(clock() - start)
    return min(times)


@contextmanager
def wrapped(
    owner: Any,
    name: str,
    around: Any,
) -> Iterator[None]:
    """Calls of `owner.name` go through `around(function, *args)`."""
    plain = getattr(owner, name)

    def call(*args: Any, **kwargs: Any) -> Any:
        return around(plain, *args, **kwargs)

    setattr(owner, name, call)
    try:
        yield
    finally:
        setattr(owner, name, plain)


@dataclass
class Work:
    """What a language model was given to do.

    sequences (int): Sequences run, in however large batches.
    tokens (int): Tokens run; those that it remembers are not run again.
    """

    sequences: int = 0
    tokens: int = 0

    def add(self, queries: Sequence[Query]) -> None:
        """Count queries; tokens that a model remembers are not run."""
        self.sequences += len(queries)
        for query in queries:
            remembered = 0 if query.row is None else len(query.row)
            self.tokens += len(query.ids) - remembered


@contextmanager
def counted(lm: Any) -> Iterator[Work]:
    """Counts the work of a model within the block."""
    work, answer = Work(), lm.candidate_logits

    def counting(queries: Sequence[Query]) -> list[np.ndarray]:
        work.add(queries)
        return answer(queries)

    lm.candidate_logits = counting
    try:
        yield work
    finally:
        del lm.candidate_logits


# -- Scores


def hits(
    found: Sequence[Doc],
    gold: Sequence[Doc],
    *,
    typed: bool,
) -> np.ndarray:
    """Right, found and gold mentions of every Doc, strictly by boundaries and, if
    `typed`, by the whole path. Shape (docs, 3).
    """
    keep = 3 if typed else 2
    out = np.zeros((len(gold), 3))
    for row, a, b in zip(out, found, gold, strict=True):
        items = scored_items(b, a)
        right, mine = ({item[:keep] for item in of_doc} for of_doc in items)
        both = mine & right
        row[:] = len(both), len(mine), len(right)
    return out


def scores(table: np.ndarray) -> dict[str, float]:
    """Micro-averaged precision, recall and F1 of `hits`, rounded."""
    values = prf(*table.sum(0))
    known = [float(value or 0.0) for value in values]
    pairs = zip("prf", known, strict=True)
    return {key: round(value, 4) for key, value in pairs}


def gain(
    table: np.ndarray,
    other: np.ndarray,
    seed: int = 0,
) -> dict[str, float]:
    """How much higher the F1 of the first is, with the 95% interval of a paired
    bootstrap over Docs.
    """
    rng = np.random.default_rng(seed)
    shares = np.full(len(table), 1 / len(table))
    draws = rng.multinomial(len(table), shares, size=RESAMPLES)

    def f1(counts: np.ndarray) -> np.ndarray:
        right, found, there = np.moveaxis(counts, -1, 0)
        return 2 * right / (found + there)

    def difference(weights: np.ndarray) -> np.ndarray:
        return f1(weights @ table) - f1(weights @ other)

    low, high = np.quantile(difference(draws), (0.025, 0.975))
    all_alike = float(difference(np.ones(len(table))))
    return {
        "gain": round(all_alike, 4),
        "low": round(float(low), 4),
        "high": round(float(high), 4),
    }


# -- Results


def rounded(value: Any) -> Any:
    """Floats with three digits, at any depth."""
    if isinstance(value, dict):
        return {str(k): rounded(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(v) for v in value]
    return round(value, 3) if isinstance(value, float) else value


def report(**parts: Any) -> None:
    """Print what is known so far."""
    print(json.dumps(rounded(parts)), flush=True)


class Journal:
    """Results by name in a JSON file that is written after each of them.

    What is there is not run again. Several processes may add to one file.

    about (dict): What all results have in common. RAISES SystemExit: If the file's
        results were made with something else.
    """

    def __init__(
        self,
        path: Path | None,
        about: dict[str, Any],
    ):
        self.path = path
        self.made = provenance()
        about = json.loads(json.dumps(about))
        self.data: dict[str, Any] = {
            "about": about,
            "commands": [],
            "results": {},
        }
        self._read()
        known = self.data["about"]
        differing = [
            k for k in sorted({*about, *known}) if about.get(k) != known.get(k)
        ]
        if differing:
            raise SystemExit(
                f"{path} was made with other settings ({', '.join(differing)}). Give another"
                " --output, or remove it."
            )

    def _read(self) -> None:
        if self.path is not None and self.path.is_file():
            self.data = json.loads(self.path.read_text("utf8"))

    def has(self, name: str, **settings: Any) -> bool:
        """Whether there is a result of this name that was made with these settings; one
        made with others is to be made anew.
        """
        found = self.data["results"].get(name)
        if found is None:
            return False
        return all(found.get(key) == value for key, value in settings.items())

    def add(
        self,
        name: str,
        result: dict[str, Any],
    ) -> None:
        self._read()
        self.data["results"][name] = result
        command = self.made["command"]
        if command not in self.data["commands"]:
            self.data["commands"].append(command)
        self.data |= {k: v for k, v in self.made.items() if k != "command"}
        if self.path is not None:
            write_json(self.path, self.data)


def write_json(path: Path, data: Any) -> None:
    """Write a file as a whole, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as tmp:
        tmp.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", "utf8")


# -- Figures


def pyplot() -> Any:
    """matplotlib, without a screen."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    return plt


def save_figure(figure: Any, path: Path, dpi: int = 110) -> None:
    """Write a figure, and forget it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=dpi)
    pyplot().close(figure)
