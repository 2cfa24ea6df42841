"""spaCy's `ner` trained on the train file of one data set after the other, each scored
on its own test file.

    python benchmarks/spacy_sets.py --data corpus/open-sets --sources
    assets/open_sm/sources.json --output docs/research/runs/spacy_sets.json

Architecture and features of configs/baseline_ner.cfg, from random weights, each set on
its own: no other text, no other types. Steps of 32 texts: --epochs passes over the
train file, but at least --least and at most --most steps, so the largest sets are
passed over less often. Nothing is chosen by scores. Each finished set is written to
--output, and is not run again.

That the types of a set are all that the model knows favours it over a pipeline for all
sets; that training is short does not.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import spacy
from measure import read
from tqdm import tqdm
from tuning import Journal, spacy_ner, strict

from corpus_tools.formats.docs import TOKENIZER

BATCH = 32


def steps_for(texts: int, epochs: float, least: int, most: int) -> int:
    return round(min(most, max(least, epochs * texts / BATCH)))


def main() -> None:
    ap = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ap.add_argument(
        "--data",
        type=Path,
        required=True,
        help="DocBins <language>/<data set>/{train,test}.spacy",
    )
    ap.add_argument(
        "--sources",
        type=Path,
        required=True,
        help="JSON file whose keys are the data sets",
    )
    ap.add_argument("--sets", nargs="+", help="only these")
    ap.add_argument("--epochs", type=float, default=6)
    ap.add_argument("--least", type=int, default=100, help="steps")
    ap.add_argument("--most", type=int, default=300, help="steps")
    ap.add_argument(
        "--limit", type=int, default=0, help="test texts per data set; 0: all"
    )
    ap.add_argument("--seed", type=int, default=0)
    ap.add_argument("--output", type=Path, help="JSON file that results are added to")
    args = ap.parse_args()
    about = {
        "epochs": args.epochs,
        "least": args.least,
        "most": args.most,
        "batch": BATCH,
        "limit": args.limit,
        "seed": args.seed,
    }
    journal = Journal(args.output, about, " ".join(["python", *sys.argv]))
    blank = spacy.blank("xx", config=TOKENIZER)
    for data_set in tqdm(
        args.sets or sorted(json.loads(args.sources.read_text("utf8"))), disable=None
    ):
        if journal.has(data_set):
            continue
        train, gold = (
            read(args.data / data_set / f"{split}.spacy", blank, n)
            for split, n in (("train", 0), ("test", args.limit))
        )
        steps = steps_for(len(train), args.epochs, args.least, args.most)
        nlp, minutes = spacy_ner(train, steps, BATCH, args.seed)
        start = time.process_time()
        result = strict(nlp, gold)
        result |= {
            "texts": len(train),
            "steps": steps,
            "docs": len(gold),
            "mentions": sum(len(doc.ents) for doc in gold),
        }
        result |= {
            "train_minutes": round(minutes, 3),
            "test_minutes": round((time.process_time() - start) / 60, 3),
        }
        journal.add(data_set, result)
        tqdm.write(
            f"{data_set:30}{steps:4} steps {minutes * 60:5.1f} s  span"
            f" {result['span']['f']:.3f}  typed {result['typed']['f']:.3f}"
        )


if __name__ == "__main__":
    main()
