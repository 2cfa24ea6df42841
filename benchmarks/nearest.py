"""How like a reference sentences are, by embedder: a bound on the cosine means
something else for each.

    python benchmarks/nearest.py --data ../shared/data --sets en/conll2003 zh/msra
    --models path/to/all-MiniLM-L6-v2

Counts the first --sentences of a data set's training file whose nearest cosine to the
first --references of its test file is above --bound. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

import numpy as np

from corpus_tools.contamination import get_filter_embedder
from corpus_tools.embedding import Embedder, get_embedder


def above(
    embed: Embedder, texts: list[str], references: list[str], bound: float
) -> int:
    """Number of texts that are nearer to a reference than the bound."""
    return int(
        ((embed(texts) @ embed(references).T).max(axis=1) > np.float32(bound)).sum()
    )


def main() -> None:
    ap = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ap.add_argument(
        "--data",
        type=Path,
        default=Path(os.environ.get("SPACY_CASCADE_DATA", "../shared/data")),
    )
    ap.add_argument("--sets", nargs="+", default=["en/conll2003", "zh/msra"])
    ap.add_argument("--sentences", type=int, default=600)
    ap.add_argument("--references", type=int, default=1500)
    ap.add_argument("--bound", type=float, default=0.8)
    ap.add_argument(
        "--models",
        nargs="*",
        default=[],
        help="sentence-transformers models, by hub name or directory",
    )
    ap.add_argument("--output", type=Path, help="JSON file for the last line")
    args = ap.parse_args()
    embedders = {
        "character 1- to 4-grams, 512 dimensions (the default of other commands)": get_embedder(
            "hash"
        ),
        "character 3- to 5-grams, 1024 dimensions (what `hash` means here)": get_filter_embedder(
            "hash"
        ),
        **{Path(name).name: get_embedder(name) for name in args.models},
    }
    found: dict[str, dict[str, int]] = {name: {} for name in embedders}
    for data_set in args.sets:
        folder = args.data / "b2nerd_style" / data_set
        if not folder.is_dir():
            raise SystemExit(
                f"No data at {folder}. Give the folder that holds b2nerd_style/ with --data."
            )
        train, test = (
            [
                r["sentence"]
                for r in json.loads((folder / f"{split}.json").read_text("utf8"))
            ]
            for split in ("train", "test")
        )
        for name, embed in embedders.items():
            found[name][data_set] = above(
                embed, train[: args.sentences], test[: args.references], args.bound
            )
            print(name, data_set, found[name][data_set], file=sys.stderr, flush=True)
    about = {
        "sentences": args.sentences,
        "references": args.references,
        "bound": args.bound,
    }
    result = {"command": " ".join(["python", *sys.argv]), **about, "embedders": found}
    if args.output is not None:
        args.output.write_text(json.dumps(result, indent=1) + "\n", "utf8")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
