"""Sentences per second through `nlp.pipe`, and how long loading takes.

    python benchmarks/run.py speed.throughput --model assets/open_sm/pipeline
        --data corpus/open-sets/en/wnut17/test.spacy corpus/open-sets/en/wikigold/test.spacy

Whole files, every text with its own label set, in batches of --batch, with --threads of
torch. Each figure comes from a process of its own. One round takes the pipeline as it
is loaded (small bases by plain torch), the next one by transformers, turn about, so
that both see the machine as fast as it is at the time. Loading is timed in fresh
processes, too; `import spacy` on its own. Nothing else should run.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import spacy
import torch
from spacy.language import Language

from benchmarks import options
from benchmarks.common import read
from spacy_cascade.doc.attributes import LABELS_KEY

RUNNER = Path(__file__).parents[2] / "run.py"
WAYS = ("plain", "transformers")
LOADING = """
import json, sys, time
start = time.perf_counter()
import spacy
imported = time.perf_counter()
nlp = spacy.load(sys.argv[1])
loaded = time.perf_counter()
nlp("Angela Merkel met Emmanuel Macron in Paris.")
print(json.dumps([imported - start, loaded - imported, time.perf_counter() - loaded]))
"""
LOADED = ("import_spacy", "load", "first_text")


def run(
    model: options.Model,
    data: Annotated[Sequence[Path], "DocBins"],
    rounds: Annotated[int, "processes of each way"] = 3,
    threads: Annotated[int, "of torch"] = 2,
    n_process: Annotated[int, "of nlp.pipe"] = 1,
    batch: Annotated[int, "texts at a time"] = 64,
    by: Annotated[
        Literal["plain", "transformers"] | None, "one round by this, in this process"
    ] = None,
) -> dict[str, Any]:
    """Measure both ways in turn.

    RETURNS (dict): `files` has for each file median, least and most sentences per second,
        and how many times as fast as by transformers that is. `seconds` has the spread of
        what importing, loading and the first text take.
    """
    if by is not None:
        torch.set_num_threads(threads)
        return {"speeds": speeds(loaded(model, by), data, batch, n_process)}

    line: list[Any] = [RUNNER, "speed.throughput", "--model", model, "--data", *data]
    line += ["--threads", threads, "--n-process", n_process, "--batch", batch]
    found: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    for _ in range(rounds):
        for way in WAYS:
            result = in_a_process(*line, "--by", way)
            found[way].append(result["speeds"])
    loading = [in_a_process("-c", LOADING, model) for _ in range(rounds)]

    files = {str(file): beside(found, str(file)) for file in data}
    seconds = {}
    for i, part in enumerate(LOADED):
        seconds[part] = spread([row[i] for row in loading], 2)
    return {
        "threads": threads,
        "n_process": n_process,
        "batch_size": batch,
        "rounds": rounds,
        "files": files,
        "seconds": seconds,
    }


def loaded(model: str, by: str) -> Language:
    """The pipeline; `transformers`: the models that it is run by from now on are asked for."""
    nlp = spacy.load(model)
    if by == "transformers":
        for _, pipe in nlp.pipeline:
            lm = getattr(pipe, "lm", None)
            getattr(lm, "model", None)
    return nlp


def speeds(
    nlp: Language, files: Sequence[Path], batch: int, n_process: int
) -> dict[str, float]:
    """Sentences per second of every file, in this process."""
    out = {}
    for file in files:
        texts = []
        for doc in read(file, nlp):
            own = {}
            if LABELS_KEY in doc.user_data:
                own[LABELS_KEY] = doc.user_data[LABELS_KEY]
            texts.append((doc.text, own))
        list(nlp.pipe(texts[:20], as_tuples=True))
        start = time.perf_counter()
        for _ in nlp.pipe(
            texts,
            as_tuples=True,
            batch_size=batch,
            n_process=n_process,
        ):
            pass
        seconds = time.perf_counter() - start
        out[str(file)] = len(texts) / seconds
    return out


def in_a_process(*arguments: Any) -> Any:
    """RETURNS: What the last line says, which is JSON."""
    line = [sys.executable, *map(str, arguments)]
    done = subprocess.run(
        line,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def beside(found: dict[str, list[dict[str, float]]], file: str) -> dict[str, Any]:
    plain = [speeds[file] for speeds in found["plain"]]
    other = [speeds[file] for speeds in found["transformers"]]
    ratios = [a / b for a, b in zip(plain, other, strict=True)]
    return {
        "sentences_per_second": spread(plain, 1),
        "vs_transformers": round(statistics.median(ratios), 2),
    }


def spread(values: list[float], digits: int) -> dict[str, float]:
    return {
        "median": round(statistics.median(values), digits),
        "min": round(min(values), digits),
        "max": round(max(values), digits),
    }
