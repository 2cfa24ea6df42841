"""Time per record and peak memory of the streaming commands at 14k, 140k and 1.4M
records (the size of B2NERD).

    python benchmarks/run.py corpora.streaming --data assets/corpora/b2nerd_mini

The input is made by repeating and perturbing the records of a corpus in B2NERD layout.
From the second round on, each sentence begins with a new word and has a word
misspelled, so that the vocabulary keeps growing, and every fiftieth record has a wrong
position, so that the list of issues does too. Every command runs in a process of its
own.
"""

from __future__ import annotations

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
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from benchmarks import options

FAULTY = 50  # one record in so many has a wrong position
WORD = re.compile(r"[^\W\d_]{4,}")
PYTHON = (sys.executable, "-m", "corpus_tools")


def run(
    data: Annotated[Path, "corpus in B2NERD layout"] = Path(
        "assets/corpora/b2nerd_mini"
    ),
    sizes: Annotated[Sequence[int], "records"] = (14_000, 140_000, 1_400_000),
    layout: Literal["b2nerd", "jsonl"] = "b2nerd",
    max_docs: Annotated[int, "of a DocBin"] = 2000,
    also: Annotated[
        Sequence[str], "more commands NAME=ARGS, with {source}, {out}"
    ] = (),
    work: Annotated[
        Path | None, "where to write, else the system's temporary directory"
    ] = None,
    seed: options.Seed = 0,
) -> dict[str, Any]:
    """Measure every command at every size.

    RETURNS (dict): `runs` is a list with time and memory of each command and size.
    """
    results: list[dict[str, Any]] = []
    for n in sizes:
        with tempfile.TemporaryDirectory(dir=work) as temp:
            source = Path(temp) / "source"
            out = Path(temp) / "out"
            generate(
                data,
                source,
                n,
                layout=layout,
                seed=seed,
            )
            for name, command in commands(source, out, max_docs, also):
                found = measure(command)
                row = {"command": name, "records": n}
                row["input_mb"] = round(size_of(source) / 1e6)
                row |= found
                per_record = found["cpu_seconds"] / n * 1e6
                row["microseconds_per_record"] = round(per_record, 1)
                results.append(row)
                print(json.dumps(row), flush=True)
    return {"layout": layout, "max_docs": max_docs, "runs": results}


def perturb(
    record: dict[str, Any], rng: random.Random, *, faulty: bool
) -> dict[str, Any]:
    """A record with another text and the same mentions, at their new places."""
    text = record["sentence"]
    places = [entity["pos"] for entity in record["entities"]]

    def free(word: re.Match[str]) -> bool:
        """Whether it touches no mention."""
        first, last = word.span()
        touched = [start < last and first < end for start, end in places]
        return not any(touched)

    words = [word for word in WORD.finditer(text) if free(word)]
    if words:
        word = rng.choice(words)
        last = word.end() - 1
        at = rng.randrange(word.start(), last)
        swapped = text[at + 1] + text[at]
        text = text[:at] + swapped + text[at + 2 :]
    letters = rng.choices(string.ascii_lowercase, k=8)
    new = "".join(letters) + " "
    moved = []
    for entity in record["entities"]:
        place = [p + len(new) for p in entity["pos"]]
        moved.append({**entity, "pos": place})
    if faulty and moved:
        place = moved[0]["pos"]
        moved[0]["pos"] = [p + 1 for p in place]
    return {**record, "sentence": new + text, "entities": moved}


def copies(
    records: list[dict[str, Any]], n: int, rng: random.Random
) -> Iterator[dict[str, Any]]:
    """n records: the given ones, then perturbed ones in the same order."""
    endless = itertools.cycle(records)
    for i, record in enumerate(itertools.islice(endless, n)):
        if i < len(records):
            yield record
        else:
            yield perturb(record, rng, faulty=i % FAULTY == 0)


def generate(
    data: Path,
    target: Path,
    n: int,
    *,
    layout: str,
    seed: int,
) -> None:
    """Writes n records below `target`, a training file per data set, in proportion to
    the sizes there.

    layout (str): "b2nerd" (a JSON list per data set) or "jsonl" (one file of JSON lines
        with everything).
    """
    rng = random.Random(seed)
    files = sorted(data.rglob("train.json"))
    paths = [path for path in files if (path.parent / "labels.json").is_file()]
    if not paths:
        raise SystemExit(f"no train.json with a labels.json below {data}")
    sets = {path: json.loads(path.read_text("utf8")) for path in paths}
    total = sum(map(len, sets.values()))
    target.mkdir(parents=True)
    done = sofar = 0
    for path, records in sets.items():
        sofar += len(records)
        until = sofar * n // total
        share, done = until - done, until
        made = copies(records, share, rng)
        lines = (json.dumps(record, ensure_ascii=False) for record in made)
        if layout == "jsonl":
            with (target / "train.jsonl").open("a", encoding="utf8") as file:
                file.writelines(line + "\n" for line in lines)
        else:
            write_set(path, target, lines)


def write_set(
    path: Path,
    target: Path,
    records: Iterable[str],
) -> None:
    """The file of a data set, with its labels."""
    source = path.parent
    folder = target / source.parent.name / source.name
    folder.mkdir(parents=True)
    shutil.copyfile(source / "labels.json", folder / "labels.json")
    lines = iter(records)
    with (folder / "train.json").open("w", encoding="utf8") as file:
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
            said = output.read().decode("utf8", "replace")
            raise SystemExit(f"{' '.join(command)}\n{said[-2000:]}")
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return {
        "seconds": round(time.perf_counter() - start, 2),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 2),
        "peak_mb": round(usage.ru_maxrss / unit),
    }


def size_of(path: Path) -> int:
    files = [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files)


def commands(
    source: Path, out: Path, max_docs: int, also: Sequence[str]
) -> Iterator[tuple[str, list[str]]]:
    """The commands to measure, with everything that they write below `out`."""
    convert = (
        f"convert {{source}} {{out}}/docbin --from b2nerd --max-docs {max_docs} --quiet"
    )
    stats = "stats {source} --from b2nerd --quiet --json"
    for pair in (f"convert={convert}", f"stats={stats}", *also):
        name, line = pair.split("=", 1)
        command = [*PYTHON]
        for word in line.split():
            command.append(word.format(source=source, out=out))
        yield name, command
