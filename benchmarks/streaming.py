"""Time per record and peak memory of the streaming commands at 14k, 140k and 1.4M
records (the size of B2NERD).

    python benchmarks/streaming.py --data assets/corpora/b2nerd_mini

The input is made by repeating and perturbing the records of a corpus in B2NERD layout:
    from the second round on, each
sentence begins with a new word and has a word misspelled, so that the vocabulary keeps
growing, and every fiftieth record has a wrong position, so that the list of issues does
too. Every command runs in a process of its own. Prints one JSON object as its last
line.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import re
import shutil
import string
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SIZES = (14_000, 140_000, 1_400_000)
FAULTY = 50  # one record in so many has a wrong position
WORD = re.compile(r"[^\W\d_]{4,}")
PYTHON = (sys.executable, "-m", "corpus_tools")


def perturb(
    record: dict[str, Any], rng: random.Random, *, faulty: bool
) -> dict[str, Any]:
    """A record with another text and the same mentions, at their new places."""
    text = record["sentence"]
    entities = record["entities"]
    words = [
        m
        for m in WORD.finditer(text)
        if all(m.end() <= e["pos"][0] or e["pos"][1] <= m.start() for e in entities)
    ]
    if words:
        word = rng.choice(words)
        at = rng.randrange(word.start(), word.end() - 1)
        text = text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    new = "".join(rng.choices(string.ascii_lowercase, k=8)) + " "
    shift = len(new)
    moved = [{**e, "pos": [e["pos"][0] + shift, e["pos"][1] + shift]} for e in entities]
    if faulty and moved:
        moved[0]["pos"] = [p + 1 for p in moved[0]["pos"]]
    return {**record, "sentence": new + text, "entities": moved}


def copies(
    records: list[dict[str, Any]], n: int, rng: random.Random
) -> Iterator[dict[str, Any]]:
    """n records: the given ones, then perturbed ones in the same order."""
    for i, record in enumerate(itertools.islice(itertools.cycle(records), n)):
        yield (
            record if i < len(records) else perturb(record, rng, faulty=i % FAULTY == 0)
        )


def generate(data: Path, target: Path, n: int, *, layout: str, seed: int) -> None:
    """Writes n records below `target`, a training file per data set, in proportion to
    the sizes there.

    layout (str): "b2nerd" (a JSON list per data set) or "jsonl" (one file of JSON lines
        with everything).
    """
    rng = random.Random(seed)
    paths = [
        p
        for p in sorted(data.rglob("train.json"))
        if (p.parent / "labels.json").is_file()
    ]
    if not paths:
        raise SystemExit(f"no train.json with a labels.json below {data}")
    sets = {p: json.loads(p.read_text("utf8")) for p in paths}
    total = sum(map(len, sets.values()))
    target.mkdir(parents=True)
    done = sofar = 0
    for path, records in sets.items():
        sofar += len(records)
        share, done = sofar * n // total - done, sofar * n // total
        if layout == "jsonl":
            with (target / "train.jsonl").open("a", encoding="utf8") as file:
                file.writelines(
                    json.dumps(r, ensure_ascii=False) + "\n"
                    for r in copies(records, share, rng)
                )
            continue
        folder = target / path.parent.parent.name / path.parent.name
        folder.mkdir(parents=True)
        shutil.copyfile(path.parent / "labels.json", folder / "labels.json")
        with (folder / "train.json").open("w", encoding="utf8") as file:
            lines = (
                json.dumps(r, ensure_ascii=False) for r in copies(records, share, rng)
            )
            file.write("[\n" + next(lines, ""))
            file.writelines(",\n" + line for line in lines)
            file.write("\n]\n")


def measure(command: list[str]) -> dict[str, float]:
    """RETURNS: wall-clock and processor seconds, and the peak of the resident memory in MB."""
    start = time.perf_counter()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            raise SystemExit(
                f"{' '.join(command)}\n{output.read().decode('utf8', 'replace')[-2000:]}"
            )
    peak = usage.ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    seconds = {
        "seconds": time.perf_counter() - start,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
    }
    return {**{k: round(v, 2) for k, v in seconds.items()}, "peak_mb": round(peak)}


def size_of(path: Path) -> int:
    return sum(p.stat().st_size for p in path.rglob("*") if p.is_file())


def commands(
    source: Path, out: Path, args: argparse.Namespace
) -> Iterator[tuple[str, list[str]]]:
    """The commands to measure, with everything that they write below `out`."""
    convert = [
        "convert",
        str(source),
        str(out / "docbin"),
        "--from",
        "b2nerd",
        "--max-docs",
        str(args.max_docs),
    ]
    yield "convert", [*PYTHON, *convert, "--quiet"]
    yield (
        "stats",
        [*PYTHON, "stats", str(source), "--from", "b2nerd", "--quiet", "--json"],
    )
    for name, line in (pair.split("=", 1) for pair in args.also):
        yield name, [*PYTHON, *line.format(source=source, out=out).split()]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("assets/corpora/b2nerd_mini"))
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--layout", choices=("b2nerd", "jsonl"), default="b2nerd")
    parser.add_argument("--max-docs", type=int, default=2000)
    parser.add_argument(
        "--also",
        nargs="*",
        default=[],
        metavar="NAME=ARGS",
        help="More commands, with {source}, {out}",
    )
    parser.add_argument(
        "--work",
        type=Path,
        help="Where to write (default: the system's temporary directory)",
    )
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    results: list[dict[str, Any]] = []
    for n in args.sizes:
        with tempfile.TemporaryDirectory(dir=args.work) as temp:
            source, out = Path(temp) / "source", Path(temp) / "out"
            generate(args.data, source, n, layout=args.layout, seed=args.seed)
            for name, command in commands(source, out, args):
                found = measure(command)
                row = {
                    "command": name,
                    "records": n,
                    "input_mb": round(size_of(source) / 1e6),
                    **found,
                }
                row["microseconds_per_record"] = round(
                    found["cpu_seconds"] / n * 1e6, 1
                )
                results.append(row)
                print(json.dumps(row), file=sys.stderr, flush=True)
    print(
        json.dumps({"layout": args.layout, "max_docs": args.max_docs, "runs": results})
    )


if __name__ == "__main__":
    main()
