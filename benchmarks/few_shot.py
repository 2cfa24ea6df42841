"""Few-shot: 5, 20 and 100 examples of every type of a data set that a pipeline never
saw, and spaCy's `ner` on the same texts.

    python benchmarks/few_shot.py assets/open_sm/pipeline --data corpus/open-sets
    --output docs/research/runs/few_shot.json python benchmarks/few_shot.py
    assets/open_sm/pipeline --data corpus/open-sets --output docs/research/runs/few_shot.json \\
        --sets en/crossner_ai en/mit_restaurant --seeds 1 2

Texts of the train file are taken in random order, each if it has a mention of a type of
    which there are fewer than k so far: so every
type has k mentions, or all that there are. Steps are fixed beforehand, nothing is
chosen by scores. Of the test file --limit texts, spread evenly over it, each with the
label set of its data set, strict spans. What is finished is not run again, unless
steps, settings or the pipeline's weights differ.

spaCy's `ner` begins with random weights and has features of prefix, suffix and shape.
It gets four to five times as many steps of the same size.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import spacy
from measure import read
from open_sm import ZERO_SHOT
from spacy.tokens import Doc
from tqdm import tqdm
from tuning import ADAPTERS, Journal, finetune, fingerprint, spacy_ner, strict, to_train

SYSTEMS = ("none", *ADAPTERS, "ner")


def sample(docs: Sequence[Doc], k: int, seed: int) -> list[Doc]:
    """Few texts in which every type has k mentions, or all that there are."""
    counts: Counter[str] = Counter()
    out = []
    for doc in random.Random(seed).sample(list(docs), len(docs)):
        types = [e.label_ for e in doc.ents]
        if any(counts[t] < k for t in types):
            out.append(doc)
            counts.update(types)
    return out


def main() -> None:
    ap = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ap.add_argument("pipeline", help="package name or directory")
    ap.add_argument(
        "--data",
        type=Path,
        required=True,
        help="DocBins <language>/<data set>/{train,test}.spacy",
    )
    ap.add_argument("--sets", nargs="+", default=ZERO_SHOT)
    ap.add_argument(
        "--split", default="test", help="what is scored; dev to try settings"
    )
    ap.add_argument(
        "--shots",
        nargs="+",
        type=int,
        default=[5, 20, 100],
        help="examples of every type",
    )
    ap.add_argument(
        "--steps",
        nargs="+",
        type=int,
        default=[30, 60, 90],
        help="of the pipeline, parallel to --shots",
    )
    ap.add_argument(
        "--ner-steps",
        nargs="+",
        type=int,
        default=[150, 250, 350],
        help="of spaCy's ner, parallel to --shots",
    )
    ap.add_argument(
        "--systems", nargs="+", choices=SYSTEMS, default=["none", "full", "ner"]
    )
    ap.add_argument("--optimizer", default="muon")
    ap.add_argument("--rate", type=float, default=5e-3, help="learning rate")
    ap.add_argument("--batch", type=int, default=16)
    ap.add_argument(
        "--replace",
        type=float,
        default=0.5,
        help="rate of mentions that are replaced by others of their type",
    )
    ap.add_argument(
        "--invent", type=float, default=0.2, help="share of these that are invented"
    )
    ap.add_argument(
        "--seeds", nargs="+", type=int, default=[0], help="of sampling and training"
    )
    ap.add_argument(
        "--limit", type=int, default=200, help="test texts per data set; 0: all"
    )
    ap.add_argument("--output", type=Path, help="JSON file that results are added to")
    args = ap.parse_args()
    if not len(args.shots) == len(args.steps) == len(args.ner_steps):
        ap.error("--shots, --steps and --ner-steps must be of one length")
    nlp = spacy.load(args.pipeline)
    settings = {
        "optimizer": args.optimizer, "learn_rate": args.rate, "batch_size": args.batch, "subword_noise": 0.1, "replace_rate": args.replace,
        "invent_rate": args.invent,
    }  # fmt: skip
    weights = {"weights": fingerprint(nlp)}
    made_with = {
        "none": weights,
        "full": {**weights, **settings},
        "lora": {**weights, **settings},
        "ner": {"batch_size": args.batch},
    }
    journal = Journal(
        args.output,
        {"split": args.split, "limit": args.limit},
        " ".join(["python", *sys.argv]),
    )
    plan = [("none", 0, 0, 0)] if "none" in args.systems else []
    for k, steps, ner_steps in zip(args.shots, args.steps, args.ner_steps, strict=True):
        for seed in args.seeds:
            plan += [
                (system, k, ner_steps if system == "ner" else steps, seed)
                for system in args.systems
                if system != "none"
            ]
    rows = [(data_set, *row) for row in plan for data_set in args.sets]
    for data_set, system, k, steps, seed in tqdm(rows, disable=None):
        name = f"{data_set} {system} {k} {seed}"
        if journal.has(name, steps=steps, **made_with[system]):
            continue
        gold = read(args.data / data_set / f"{args.split}.spacy", nlp, args.limit)
        docs = sample(read(args.data / data_set / "train.spacy", nlp), k, seed)
        minutes, trained = 0.0, nlp
        if system == "ner":
            trained, minutes = spacy_ner(docs, steps, args.batch, seed)
        elif system != "none":
            trained = to_train(args.pipeline, system)
            minutes = finetune(
                trained, docs, system, max_steps=steps, seed=seed, **settings
            )
        start = time.process_time()
        result = strict(trained, gold)
        result |= {
            "set": data_set,
            "system": system,
            "k": k,
            "seed": seed,
            "steps": steps,
            "texts": len(docs),
            **made_with[system],
        }
        result |= {
            "mentions": sum(len(doc.ents) for doc in docs),
            "test_texts": len(gold),
            "test_mentions": sum(len(doc.ents) for doc in gold),
        }
        result |= {
            "train_minutes": round(minutes, 3),
            "test_minutes": round((time.process_time() - start) / 60, 3),
        }
        journal.add(name, result)
        tqdm.write(
            f"{data_set:24}{system:6}k {k:<5}seed {seed}  {len(docs):4} texts  span"
            f" {result['span']['f']:.3f}  typed {result['typed']['f']:.3f}"
        )


if __name__ == "__main__":
    main()
