"""What the parts of the method are worth: variants trained from nothing with equal
steps, three seeds each, scored on test texts.

    python benchmarks/ablations.py --data corpus/open-sets --real
    ../shared/data/b2nerd_style --output docs/research/runs/ablations.json

All variants train the same small model (2 layers, width 64, random weights) for the
same number of steps of 32 texts, with equal settings but those that their row names. Of
one reference, the decoding is varied as well, without training. Every finished run is
added to the output at once, and runs that are in it are not run again. Time is the
processor's.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from typing import Any

import spacy
from ablation_data import LONGEST, NAMES, NEW, SETS, TYPES, Collections, Data
from measure import counted, hits, scores
from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from corpus_tools.files import atomic_path
from corpus_tools.formats.docs import TOKENIZER
from spacy_cascade.doc.annotations import LABELS_KEY
from spacy_cascade.doc.gold import gold_chars, mention_lists, unannotated
from spacy_cascade.models.tiny import build_base
from spacy_cascade.pipeline.windows import make_unit
from spacy_cascade.training.loop import SFT

STAGES = ["cascade_extractor", "cascade_classifier"]
MODEL: dict[str, Any] = {
    "layers": 2,
    "hidden_size": 64,
    "heads": 2,
    "intermediate_size": 192,
}
LOOP: dict[str, Any] = {
    "optimizer": "muon",
    "learn_rate": 0.01,
    "weight_decay": 0.05,
    "warmup": 0.03,
    "batch_size": 32,
    "replace_rate": 0.0,
    "save_every": 0,
}
VOCABULARY = 4000


@dataclass(frozen=True)
class Variant:
    """data (str): A collection (see `ablation_data`). single (bool): One stage instead
    of two. labels (bool): Prompts name the label set. context (bool): The classifier
    sees the text. loop (dict): Settings of the training. decoding (str): Which part of
    the decoding is varied on what was trained: extraction or types.
    """

    data: str
    single: bool = False
    labels: bool = False
    context: bool = True
    loop: dict[str, Any] = field(default_factory=dict)
    decoding: str = ""


VARIANTS = {
    "cascade": Variant("names", decoding="extraction"),
    "completion": Variant("names", loop={"objective": "completion"}),
    "single_stage": Variant("names", single=True),
    "context_free": Variant("names", context=False),
    "label_aware": Variant("sets", labels=True),
    "bare": Variant("sets"),
    "raw_names": Variant("raw", labels=True),
    "label_sets": Variant("sets", labels=True, loop={"label_sets": 0.5}),
    "pruned": Variant("pruned", labels=True),
    "random_part": Variant("random", labels=True),
    "taxonomy": Variant("types", decoding="types"),
    "base_list": Variant("base", loop={"own_lists": True}),
    "dynamic_lists": Variant("dynamic", loop={"own_lists": True}),
    "label_dropout": Variant("sets", labels=True, loop={"label_dropout": 0.2}),
    "single_completion": Variant(
        "names", single=True, loop={"objective": "completion"}
    ),
    "single_taxonomy": Variant("types", single=True),
    "single_sets": Variant("sets", single=True, labels=True),
    "single_lists": Variant(
        "sets",
        single=True,
        labels=True,
        loop={"dynamic_lists": 0.5, "label_dropout": 0.1},
    ),
}
EXTRACTION: dict[str, dict[str, Any]] = {
    "greedy": {"rounds": 1, "open_threshold": 0.5},
    **{f"rounds_{k}": {"rounds": k, "open_threshold": 0.5} for k in (3, 5)},
    **{f"threshold_{t}": {"rounds": 1, "open_threshold": t} for t in (0.3, 0.2)},
}
STRATEGIES = ("progressive", "beam", "path")


def build(path: Path, data: Data, seed: int) -> None:
    """A tokenizer for the texts and a model with random weights.

    Names of types have tokens of their own.
    """
    docs = data.source or data.train
    types = sorted(
        {name for doc in docs for *_, path in gold_chars(doc) for name in path}
    )
    segments = (s for doc in docs for s in make_unit(doc, 0, len(doc)).segments())
    build_base(
        path,
        segments,
        vocab_size=VOCABULARY,
        types=types,
        seed=seed,
        neighbours=False,
        **MODEL,
    )  # as it was when these were run


def pipeline(variant: Variant, base: Path, data: Data) -> Language:
    nlp = spacy.blank("xx", config=TOKENIZER)
    model = {"@causal_lms": "spacy-cascade.HF.v1", "name": str(base)}
    if variant.single:
        template = {
            "@prompts": "spacy-cascade.CompactOpen.v1",
            "list_labels": variant.labels,
        }
        single: Any = nlp.add_pipe(
            "open_ner", config={"adapter": None, "model": model, "template": template}
        )
        if data.taxonomy is not None:
            single.set_labels(data.taxonomy)
        return nlp
    extract = {"@prompts": "spacy-cascade.CompactExtract.v1", "labels": variant.labels}
    classify = {
        "@prompts": "spacy-cascade.CompactClassify.v1",
        "labels": variant.labels,
        "context": variant.context,
    }
    nlp.add_pipe(
        STAGES[0], config={"adapter": None, "model": model, "template": extract}
    )
    model = {"@causal_lms": "spacy-cascade.SharedLM.v1", "component": STAGES[0]}
    classifier: Any = nlp.add_pipe(
        STAGES[1], config={"adapter": None, "model": model, "template": classify}
    )
    if data.taxonomy is not None:
        classifier.set_taxonomy(data.taxonomy)
    return nlp


def train(
    variant: Variant, data: Data, seed: int, steps: int, folder: Path
) -> tuple[Language, dict[str, Any]]:
    """RETURNS: The trained pipeline; steps, texts, last mean losses and seconds of
    processor time.
    """
    build(folder / "base", data, seed)
    nlp = pipeline(variant, folder / "base", data)
    examples = [Example(nlp.make_doc(doc.text), doc) for doc in data.train]
    for name in nlp.pipe_names:
        nlp.get_pipe(name).initialize(lambda: examples)  # type: ignore[attr-defined]
    loop = SFT(
        nlp.pipe_names, **{**LOOP, "max_steps": steps, "seed": seed, **variant.loop}
    )
    log: list[dict[str, Any]] = []
    start = time.process_time()
    loop.run(nlp, examples, [], folder / "run", report=log.append)
    seconds = round(time.process_time() - start, 1)
    return nlp, {
        "steps": steps,
        "texts": len(data.train),
        "losses": log[-1]["losses"],
        "train_seconds": seconds,
    }


def f1(nlp: Language, gold: Sequence[Doc]) -> dict[str, float]:
    found = list(nlp.pipe((unannotated(nlp, doc) for doc in gold), batch_size=64))
    span, typed = (hits(found, gold, typed=t) for t in (False, True))
    return {
        "docs": len(gold),
        "mentions": int(span[:, 2].sum()),
        "span_f": scores(span)["f"],
        "typed_f": scores(typed)["f"],
    }


def accuracy(nlp: Language, gold: Sequence[Doc]) -> float:
    """Share of gold mentions whose whole path is right."""
    classifier: Any = nlp.get_pipe(STAGES[1])
    return round(
        mean(
            classifier.scored([Example(unannotated(nlp, doc), doc) for doc in gold])[1]
        ),
        4,
    )


def list_accuracy(nlp: Language, gold: Sequence[Doc], limit: int = 150) -> float:
    """Share of gold mentions whose answer is chosen from the list that each brings, of
    so many texts.
    """
    classifier: Any = nlp.get_pipe(STAGES[1])
    docs, spans, answers = [], [], []
    for reference in gold[:limit]:
        for (start, end, _), (answer, types) in mention_lists(
            Example(nlp.make_doc(reference.text), reference)
        ).items():
            doc = nlp.make_doc(reference.text)
            doc.user_data[LABELS_KEY] = types
            docs.append(doc)
            spans.append([(start, end, 1.0)])
            answers.append(answer)
    found = classifier.classify(docs, spans)
    return round(
        mean(
            results[0][-1].path[-1:] == (answer,)
            for results, answer in zip(found, answers, strict=True)
        ),
        4,
    )


def extraction(nlp: Language, gold: Sequence[Doc]) -> dict[str, dict[str, float]]:
    """Boundaries by settings of the extractor, and the sequences that its model runs per text."""
    pipe: Any = nlp.get_pipe(STAGES[0])
    out = {}
    for name, setting in EXTRACTION.items():
        for option, value in setting.items():
            setattr(pipe, option, value)
        with counted(pipe.lm) as work:
            found = list(
                nlp.pipe(
                    (unannotated(nlp, doc) for doc in gold),
                    batch_size=64,
                    disable=[STAGES[1]],
                )
            )
        out[name] = {
            **scores(hits(found, gold, typed=False)),
            "sequences": round(work.sequences / len(gold), 2),
        }
    return out


def types(nlp: Language, gold: Sequence[Doc]) -> dict[str, dict[str, float]]:
    """Accuracy on gold mentions by strategy, and the tokens that the model runs per mention."""
    pipe: Any = nlp.get_pipe(STAGES[1])
    out = {}
    for strategy in STRATEGIES:
        pipe.strategy = strategy
        with counted(pipe.lm) as work:
            right = accuracy(nlp, gold)
        out[strategy] = {
            "accuracy": right,
            "tokens": round(work.tokens / sum(len(gold_chars(doc)) for doc in gold), 1),
        }
    return out


def run(variant: Variant, data: Data, seed: int, steps: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as tmp:
        nlp, out = train(variant, data, seed, steps, Path(tmp))
        start = time.process_time()
        out["test"] = {name: f1(nlp, gold) for name, gold in data.tests.items()}
        if not variant.single:
            out["accuracy"] = {
                name: accuracy(nlp, gold) for name, gold in data.tests.items()
            }
            out["lists"] = {
                name: list_accuracy(nlp, gold) for name, gold in data.lists.items()
            }
        if variant.decoding:
            vary = {"extraction": extraction, "types": types}[variant.decoding]
            out["decoding"] = vary(nlp, data.tests["own"])
    return {**out, "test_seconds": round(time.process_time() - start, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data",
        type=Path,
        default=Path("corpus/open-sets"),
        help="DocBins <language>/<data set>/<split>.spacy",
    )
    parser.add_argument(
        "--real",
        type=Path,
        required=True,
        help="the same data sets in B2NERD layout, with their own label names",
    )
    parser.add_argument(
        "--variants",
        nargs="+",
        choices=VARIANTS,
        default=list(VARIANTS),
        metavar="NAME",
        help=", ".join(VARIANTS),
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument(
        "--train",
        type=int,
        default=700,
        help="most training texts of each of several sets",
    )
    parser.add_argument(
        "--test", type=int, default=75, help="most test texts of each of several sets"
    )
    parser.add_argument(
        "--output", type=Path, required=True, help="JSON file; it is added to"
    )
    args = parser.parse_args()
    collections = Collections(
        spacy.blank("xx", config=TOKENIZER),
        args.data,
        args.real,
        train=args.train,
        test=args.test,
    )
    settings = {
        "command": (
            "python benchmarks/ablations.py --data corpus/open-sets --real"
            " ../shared/data/b2nerd_style --output docs/research/runs/ablations.json"
        ),
        "sets": {
            "names": [NAMES],
            "types": [TYPES],
            "sets": list(SETS),
            "new": list(NEW),
        },
        "steps": args.steps,
        "texts_per_set": {"train": args.train, "test": args.test},
        "longest": LONGEST,
        "pruning_k": collections.k,
        "model": MODEL,
        "vocabulary": VOCABULARY,
        "loop": LOOP,
        "split": "test",
    }
    runs: list[dict[str, Any]] = []
    if args.output.is_file():
        known = json.loads(args.output.read_text("utf8"))
        if known["settings"] != settings:
            raise SystemExit(
                f"{args.output} holds runs of other settings: give another file"
            )
        runs = known["runs"]
    done = {(r["variant"], r["seed"]) for r in runs}
    for name in args.variants:
        for seed in args.seeds:
            if (name, seed) in done:
                continue
            variant = VARIANTS[name]
            runs.append(
                {
                    "variant": name,
                    "seed": seed,
                    **run(variant, collections(variant.data), seed, args.steps),
                }
            )
            args.output.parent.mkdir(parents=True, exist_ok=True)
            with atomic_path(args.output) as tmp:
                tmp.write_text(
                    json.dumps({"settings": settings, "runs": runs}, indent=1) + "\n",
                    "utf8",
                )
            print(json.dumps(runs[-1]), flush=True)


if __name__ == "__main__":
    main()
