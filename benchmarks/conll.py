"""CoNLL-2003: train both stages and spaCy's own `ner` on the same file, score the whole test file.

    python benchmarks/conll.py --data ../shared/data
    python benchmarks/conll.py --data ../shared/data --init assets/open_sm/pipeline
    --adapter full --steps 900

Prints one JSON object as its last line. Without --init all models start from random
initialization and see the 6,000 training sentences only. With it the cascade begins
with the weights of a pipeline, and is trained for a fixed number of steps: all weights,
or adapters. Its types then have the names that the pipeline knows them by, and dev
chooses among --thresholds at which a mention is opened.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import spacy
from spacy.training import Example
from tuning import ADAPTERS, Journal, finetune, fingerprint, stages, strict, to_train

from corpus_tools.formats.docs import TOKENIZER
from spacy_cascade.models.tiny import build_base
from spacy_cascade.pipeline.windows import make_unit
from spacy_cascade.scoring.scorers import cascade_score
from spacy_cascade.training.augment import gold_doc
from spacy_cascade.training.loop import SFT

LABELS = ["person", "location", "organisation", "miscellaneous"]
# As `corpus_tools standardize` names them.
STANDARD = {
    "person": "person",
    "location": "location or geo-political entity",
    "organisation": "organization",
    "miscellaneous": "nationality or miscellaneous name",
}


def read(
    nlp: Any, path: Path, names: dict[str, str] | None = None, limit: int = 0
) -> list[Example]:
    """names (dict): Other names of the types; every text then brings them along as its
    label set.
    """
    out = []
    for record in json.loads(path.read_text("utf8"))[: limit or None]:
        mentions = [
            (*e["pos"], ((names or {}).get(e["type"], e["type"]),))
            for e in record["entities"]
        ]
        gold = gold_doc(nlp, record["sentence"], mentions)
        if names:
            gold._.cascade_labels = list(names.values())
        out.append(Example(nlp.make_doc(record["sentence"]), gold))
    return out


def continued(folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    """From a pipeline's weights. RETURNS: scores before and after, settings and costs."""
    lora = {
        "rank": args.rank,
        "alpha": 2 * args.rank,
        "targets": args.targets or "all-linear",
    }
    nlp = to_train(args.init, args.adapter, lora)
    weights = fingerprint(nlp)
    train = [
        eg.reference for eg in read(nlp, folder / "train.json", STANDARD, args.limit)
    ]
    dev, test = (
        [
            eg.reference
            for eg in read(nlp, folder / f"{split}.json", STANDARD, args.limit)
        ]
        for split in ("dev", "test")
    )
    before = strict(nlp, test)
    settings = {
        "max_steps": args.steps, "optimizer": args.optimizer, "learn_rate": args.rate, "batch_size": args.batch, "warmup": 0.03,
        "weight_decay": 0.05, "subword_noise": args.noise, "replace_rate": args.replace, "invent_rate": args.invent, "seed": args.seed,
    }  # fmt: skip
    nlp = to_train(
        args.init, args.adapter, lora
    )  # what has run shares its base with others
    minutes = finetune(nlp, train, args.adapter, **settings)
    extractor: Any = nlp.get_pipe("cascade_extractor")
    on_dev = {}
    for threshold in args.thresholds:
        extractor.open_threshold = threshold
        on_dev[threshold] = strict(nlp, dev)["typed"]["f"]
    extractor.open_threshold = max(on_dev, key=lambda t: on_dev[t])
    start = time.process_time()
    after = strict(nlp, test)
    return {
        "before": before, **after, "typed_f_on_dev_by_open_threshold": on_dev, "sentences": len(test), "train_sentences": len(train),
        "mentions": sum(len(doc.ents) for doc in test), "adapter": args.adapter, **(lora if args.adapter == "lora" else {}), **settings,
        "init": args.init, "weights": weights, "train_minutes": round(minutes, 2),
        "sentences_per_second": round(len(test) / (time.process_time() - start), 1),
    }  # fmt: skip


def cascade(
    nlp: Any,
    train: list[Example],
    dev: list[Example],
    out: Path,
    args: argparse.Namespace,
) -> float:
    """RETURNS: minutes of training, tokenizer included."""
    start = time.time()
    segments = [
        s
        for eg in train
        for s in make_unit(eg.reference, 0, len(eg.reference)).segments()
    ]
    build_base(
        out / "base",
        segments,
        vocab_size=args.vocab,
        hidden_size=args.hidden,
        layers=args.layers,
        heads=args.hidden // 32,
        intermediate_size=3 * args.hidden,
        dropout=args.dropout,
        neighbours=args.neighbours,
    )
    lm = {"@causal_lms": "spacy-cascade.HF.v1", "name": str(out / "base")}
    shared = {
        "@causal_lms": "spacy-cascade.SharedLM.v1",
        "component": "cascade_extractor",
    }
    types = {"@taxonomies": "spacy-cascade.Labels.v1", "labels": LABELS}
    nlp.add_pipe("cascade_extractor", config={"model": lm, "adapter": None})
    nlp.add_pipe(
        "cascade_classifier",
        config={"model": shared, "adapter": None, "taxonomy": types},
    )
    nlp.initialize(lambda: train)
    loop = SFT(
        ["cascade_extractor", "cascade_classifier"],
        optimizer=args.optimizer,
        learn_rate=args.rate,
        weight_decay=0.05,
        warmup=0.03,
        max_minutes=args.minutes,
        max_steps=0 if args.minutes else args.steps,
        batch_size=32,
        lm_weight=args.lm_weight,
        subword_noise=args.noise,
        replace_rate=args.replace,
        invent_rate=args.invent,
        eval_every=args.eval_every,
        dev_limit=400,
        save_every=0,
        seed=args.seed,
    )
    loop.run(
        nlp,
        train,
        dev,
        out / "run",
        report=lambda info: print(json.dumps(info), flush=True),
    )
    return (time.time() - start) / 60


def spacy_ner(
    train: list[Example], test: list[Example], steps: int, seed: int
) -> tuple[float, float]:
    """spaCy's `ner` on its default tok2vec, from nothing. RETURNS: typed F1, minutes."""
    start = time.time()
    spacy.util.fix_random_seed(seed)
    nlp = spacy.blank("xx", config=TOKENIZER)
    nlp.add_pipe("ner")
    examples = [Example(nlp.make_doc(eg.reference.text), eg.reference) for eg in train]
    optimizer = nlp.initialize(lambda: examples)
    rng = random.Random(seed)
    for _ in range(steps):
        nlp.update(rng.sample(examples, 64), sgd=optimizer, drop=0.1)
    minutes = (time.time() - start) / 60
    done = [
        Example(doc, eg.reference)
        for doc, eg in zip(nlp.pipe(e.reference.text for e in test), test, strict=True)
    ]
    return cascade_score(done)["cascade_typed_f"], minutes


def main() -> None:
    ap = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ap.add_argument(
        "--data",
        type=Path,
        default=Path(os.environ.get("SPACY_CASCADE_DATA", "../shared/data")),
    )
    ap.add_argument("--init", help="pipeline to begin with; without it: random weights")
    ap.add_argument(
        "--adapter",
        choices=ADAPTERS,
        default="full",
        help="what is trained with --init",
    )
    ap.add_argument(
        "--steps",
        type=int,
        default=900,
        help="of training with --init (adapters: of each stage), or with --minutes 0",
    )
    ap.add_argument("--batch", type=int, default=32)
    ap.add_argument(
        "--rank", type=int, default=16, help="of adapters; alpha is twice that"
    )
    ap.add_argument(
        "--targets",
        nargs="+",
        help="modules that get adapters; default: all linear ones",
    )
    ap.add_argument(
        "--thresholds",
        nargs="+",
        type=float,
        default=[0.3, 0.5],
        help="of opening a mention with --init; dev chooses",
    )
    ap.add_argument(
        "--limit",
        type=int,
        default=0,
        help="sentences of every file, with --init; 0: all",
    )
    ap.add_argument(
        "--output", type=Path, help="JSON file that results with --init are added to"
    )
    ap.add_argument(
        "--minutes",
        type=float,
        default=12,
        help="of training both stages together, from nothing",
    )
    ap.add_argument("--hidden", type=int, default=128)
    ap.add_argument("--layers", type=int, default=2)
    ap.add_argument("--vocab", type=int, default=2500)
    ap.add_argument("--dropout", type=float, default=0.0)
    ap.add_argument(
        "--neighbours",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="heads that begin by looking at neighbours",
    )
    ap.add_argument("--optimizer", default="muon")
    ap.add_argument("--rate", type=float, default=5e-3)
    ap.add_argument("--lm-weight", type=float, default=0.0)
    ap.add_argument("--noise", type=float, default=0.1)
    ap.add_argument("--replace", type=float, default=0.5)
    ap.add_argument("--invent", type=float, default=0.5)
    ap.add_argument("--eval-every", type=int, default=500)
    ap.add_argument("--ner-steps", type=int, default=1500)
    ap.add_argument("--seed", type=int, default=0)
    ap.add_argument("--out", type=Path, default=None)
    args = ap.parse_args()
    folder = args.data / "b2nerd_style" / "en" / "conll2003"
    if not folder.is_dir():
        raise SystemExit(
            f"No data at {folder}. Give the folder that holds b2nerd_style/ with --data."
        )
    if args.init:
        journal = Journal(
            args.output,
            {"data": "CoNLL-2003, train file"},
            " ".join(["python", *sys.argv]),
        )
        result = continued(folder, args)
        name = f"{args.adapter}, {args.steps} steps, seed {args.seed}"
        journal.add(name, result)
        print(json.dumps({name: result}))
        return
    nlp = spacy.blank("xx", config=TOKENIZER)
    train, dev, test = (
        read(nlp, folder / f"{split}.json") for split in ("train", "dev", "test")
    )
    with tempfile.TemporaryDirectory() as tmp:
        out = args.out or Path(tmp)
        minutes = cascade(nlp, train, dev, out, args)
        start = time.time()
        texts = [eg.reference.text for eg in test]
        done = [
            Example(doc, eg.reference)
            for doc, eg in zip(nlp.pipe(texts, batch_size=64), test, strict=True)
        ]
        seconds = time.time() - start
        scores = cascade_score(done)
        parameters = sum(p.numel() for p in stages(nlp)[0][1].lm.model.parameters())
    ner_f1, ner_minutes = (
        spacy_ner(train, test, args.ner_steps, args.seed)
        if args.ner_steps
        else (None, 0.0)
    )
    print(
        json.dumps(
            {
                "extraction_f1": round(scores["cascade_extraction_f"], 4),
                "extraction_p": round(scores["cascade_extraction_p"], 4),
                "extraction_r": round(scores["cascade_extraction_r"], 4),
                "typed_f1": round(scores["cascade_typed_f"], 4),
                "type_accuracy": round(scores["cascade_accuracy"], 4),
                "spacy_ner_f1": ner_f1 and round(ner_f1, 4),
                "minutes": round(minutes, 2),
                "spacy_ner_minutes": round(ner_minutes, 2),
                "test_sentences": len(test),
                "sentences_per_second": round(len(test) / seconds, 1),
                "parameters": parameters,
                "seed": args.seed,
            }
        )
    )


if __name__ == "__main__":
    main()
