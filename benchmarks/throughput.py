"""Sentences per second through `nlp.pipe`, and how long loading takes.

    python benchmarks/throughput.py assets/open_sm/pipeline
    corpus/open-sets/en/wnut17/test.spacy corpus/open-sets/en/wikigold/test.spacy

Whole files, every text with its own label set, in batches of --batch, with --threads of
torch. Each figure comes from a process of its own: one round takes the pipeline as it
is loaded (small bases by plain torch), the next one by transformers, turn about, so
that both see the machine as fast as it is at the time. Loading is timed in fresh
processes, too; `import spacy` on its own. Nothing else should run. Prints one JSON
object, and writes it to --output.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import spacy
import torch
from measure import read

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


def round_of(args: argparse.Namespace) -> dict[str, float]:
    """Sentences per second of every file, in this process."""
    torch.set_num_threads(args.threads)
    nlp = spacy.load(args.pipeline)
    if args.by == "transformers":
        for _, pipe in nlp.pipeline:
            getattr(
                getattr(pipe, "lm", None), "model", None
            )  # asked for, it is what runs from now on
    out = {}
    for file in args.files:
        texts = [
            (
                doc.text,
                {k: v for k, v in doc.user_data.items() if k == "cascade_labels"},
            )
            for doc in read(file, nlp)
        ]
        list(nlp.pipe(texts[:20], as_tuples=True))
        start = time.perf_counter()
        for _ in nlp.pipe(
            texts, as_tuples=True, batch_size=args.batch, n_process=args.n_process
        ):
            pass
        out[str(file)] = len(texts) / (time.perf_counter() - start)
    return out


def in_a_process(*arguments: str) -> Any:
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def spread(values: list[float], digits: int) -> dict[str, float]:
    return {
        k: round(f(values), digits)
        for k, f in (("median", statistics.median), ("min", min), ("max", max))
    }


def main() -> None:
    ap = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ap.add_argument("pipeline")
    ap.add_argument("files", nargs="+", type=Path, help="DocBins")
    ap.add_argument("--rounds", type=int, default=3)
    ap.add_argument("--threads", type=int, default=2)
    ap.add_argument("--n-process", type=int, default=1)
    ap.add_argument("--batch", type=int, default=64)
    ap.add_argument(
        "--by",
        choices=("plain", "transformers"),
        help="print one round by this, in this process",
    )
    ap.add_argument("--output", type=Path)
    args = ap.parse_args()
    if args.by:
        print(json.dumps(round_of(args)))
        return
    rounds: dict[str, list[dict[str, float]]] = {"plain": [], "transformers": []}
    for _ in range(args.rounds):
        for by, found in rounds.items():
            found.append(in_a_process(__file__, *sys.argv[1:], "--by", by))
    loading = [in_a_process("-c", LOADING, args.pipeline) for _ in range(args.rounds)]
    result = {
        "command": " ".join(["python", *sys.argv]),
        "threads": args.threads, "n_process": args.n_process, "batch_size": args.batch, "rounds": args.rounds,
        "files": {
            str(file): {
                "sentences_per_second": spread([r[str(file)] for r in rounds["plain"]], 1),
                "vs_transformers": round(statistics.median([a[str(file)] / b[str(file)] for a, b in zip(*rounds.values(), strict=True)]), 2),
            }
            for file in args.files
        },
        "seconds": {k: spread([row[i] for row in loading], 2) for i, k in enumerate(("import_spacy", "load", "first_text"))},
    }  # fmt: skip
    print(json.dumps(result))
    if args.output:
        args.output.write_text(json.dumps(result, indent=1) + "\n", "utf8")


if __name__ == "__main__":
    main()
