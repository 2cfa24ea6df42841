"""What the parts of the method are worth: variants trained from nothing with equal
steps, three seeds each, scored on test texts.

    python benchmarks/run.py ablations.variants --data corpus/open-sets
        --real ../shared/data/b2nerd_style --output docs/research/runs/ablations.json

All variants train the same small model (2 layers, width 64, random weights) for the
same number of steps of 32 texts, with equal settings but those that their row names. Of
one reference, the decoding is varied as well, without training. Every finished run is
added to the output at once, and runs that are in it are not run again. Time is the
processor's.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Annotated, Any

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example

from benchmarks import options
from benchmarks.common import blank, counted, hits, report, scores, write_json
from benchmarks.provenance import provenance
from benchmarks.suites.ablations._data import (
    LONGEST,
    NAMES,
    NEW,
    SETS,
    TYPES,
    Collections,
    Data,
)
from benchmarks.suites.ablations._variants import (
    LOOP,
    MODEL,
    STAGES,
    VARIANTS,
    VOCABULARY,
    Variant,
    train,
)
from spacy_cascade.doc.attributes import LABELS_KEY
from spacy_cascade.doc.gold import gold_chars, mention_lists, unannotated

EXTRACTION: dict[str, dict[str, Any]] = {
    "greedy": {"rounds": 1, "open_threshold": 0.5},
    "rounds_3": {"rounds": 3, "open_threshold": 0.5},
    "rounds_5": {"rounds": 5, "open_threshold": 0.5},
    "threshold_0.3": {"rounds": 1, "open_threshold": 0.3},
    "threshold_0.2": {"rounds": 1, "open_threshold": 0.2},
}
STRATEGIES = ("progressive", "beam", "path")
# Of what `settings` says these may differ between the runs of a file.
NOT_COMPARED = ("command", "commit", "versions", "machine")


def run(
    real: Annotated[Path, "the data sets in B2NERD layout, with their own label names"],
    data: options.DataSets = Path("corpus/open-sets"),
    variants: Annotated[Sequence[str], ", ".join(VARIANTS)] = tuple(VARIANTS),
    seeds: Sequence[int] = (0, 1, 2),
    steps: int = 200,
    train: Annotated[int, "most training texts of each of several sets"] = 700,
    test: Annotated[int, "most test texts of each of several sets"] = 75,
    output: options.AddedTo = None,
) -> dict[str, Any]:
    """Run each variant with each seed, unless the output has it.

    RETURNS (dict): What the output holds: `settings`, and `runs` as a list.
    """
    unknown = sorted({*variants} - {*VARIANTS})
    if unknown:
        raise SystemExit(f"No such variants: {', '.join(unknown)}")
    collections = Collections(
        blank(),
        data,
        real,
        train=train,
        test=test,
    )
    settings = {
        **provenance(),
        "sets": {
            "names": [NAMES],
            "types": [TYPES],
            "sets": list(SETS),
            "new": list(NEW),
        },
        "steps": steps,
        "texts_per_set": {"train": train, "test": test},
        "longest": LONGEST,
        "pruning_k": collections.k,
        "model": MODEL,
        "vocabulary": VOCABULARY,
        "loop": LOOP,
        "split": "test",
    }
    runs = known_runs(output, settings)
    done = {(row["variant"], row["seed"]) for row in runs}
    for name in variants:
        for seed in seeds:
            if (name, seed) in done:
                continue
            collection = collections(VARIANTS[name].data)
            row = result(VARIANTS[name], collection, seed, steps)
            runs.append(
                {
                    "variant": name,
                    "seed": seed,
                    **row,
                }
            )
            if output is not None:
                write_json(output, {"settings": settings, "runs": runs})
            report(**runs[-1])
    return {"settings": settings, "runs": runs}


def known_runs(path: Path | None, settings: dict[str, Any]) -> list[dict[str, Any]]:
    """The runs of a file. RAISES SystemExit: If they were made with other settings."""
    if path is None or not path.is_file():
        return []
    known = json.loads(path.read_text("utf8"))

    def compared(settings: dict[str, Any]) -> dict[str, Any]:
        kept = settings.keys() - {*NOT_COMPARED}
        return {key: settings[key] for key in kept}

    if compared(known["settings"]) != compared(settings):
        raise SystemExit(f"{path} holds runs of other settings: give another file")
    runs: list[dict[str, Any]] = known["runs"]
    return runs


def result(
    variant: Variant,
    data: Data,
    seed: int,
    steps: int,
) -> dict[str, Any]:
    """Train a variant and score it on all tests of its collection.

    steps (int): Of training.
    """
    with tempfile.TemporaryDirectory() as tmp:
        nlp, out = train(variant, data, seed, steps, Path(tmp))
        start = time.process_time()
        out["test"] = {}
        for name, gold in data.tests.items():
            out["test"][name] = f1(nlp, gold)
        if not variant.single:
            out["accuracy"], out["lists"] = {}, {}
            for name, gold in data.tests.items():
                out["accuracy"][name] = accuracy(nlp, gold)
            for name, gold in data.lists.items():
                out["lists"][name] = list_accuracy(nlp, gold)
        if variant.decoding:
            vary = {"extraction": extraction, "types": types}[variant.decoding]
            out["decoding"] = vary(nlp, data.tests["own"])
        out["test_seconds"] = round(time.process_time() - start, 1)
    return out


def find(
    nlp: Language,
    gold: Sequence[Doc],
    **options: Any,
) -> list[Doc]:
    texts = (unannotated(nlp, doc) for doc in gold)
    return list(nlp.pipe(texts, batch_size=64, **options))


def f1(nlp: Language, gold: Sequence[Doc]) -> dict[str, float]:
    """Strict F1 of boundaries, and with types."""
    found = find(nlp, gold)
    span = hits(found, gold, typed=False)
    typed = hits(found, gold, typed=True)
    return {
        "docs": len(gold),
        "mentions": int(span[:, 2].sum()),
        "span_f": scores(span)["f"],
        "typed_f": scores(typed)["f"],
    }


def accuracy(nlp: Language, gold: Sequence[Doc]) -> float:
    """Share of gold mentions whose whole path is right."""
    classifier: Any = nlp.get_pipe(STAGES[1])
    examples = [Example(unannotated(nlp, doc), doc) for doc in gold]
    return round(mean(classifier.scored(examples)[1]), 4)


def list_accuracy(
    nlp: Language,
    gold: Sequence[Doc],
    limit: int = 150,
) -> float:
    """Share of gold mentions whose answer is chosen from the list that each brings, of
    so many texts.
    """
    classifier: Any = nlp.get_pipe(STAGES[1])
    docs, spans, answers = [], [], []
    for reference in gold[:limit]:
        example = Example(nlp.make_doc(reference.text), reference)
        for (start, end, _), (answer, types) in mention_lists(example).items():
            doc = nlp.make_doc(reference.text)
            doc.user_data[LABELS_KEY] = types
            docs.append(doc)
            spans.append([(start, end, 1.0)])
            answers.append(answer)
    found = classifier.classify(docs, spans)
    right = []
    for results, answer in zip(found, answers, strict=True):
        *_, chosen = results[0]
        right.append(chosen.path[-1:] == (answer,))
    return round(mean(right), 4)


def extraction(nlp: Language, gold: Sequence[Doc]) -> dict[str, dict[str, float]]:
    """Boundaries by settings of the extractor, and the sequences that its model runs per text."""
    pipe: Any = nlp.get_pipe(STAGES[0])
    out = {}
    for name, setting in EXTRACTION.items():
        for option, value in setting.items():
            setattr(pipe, option, value)
        with counted(pipe.lm) as work:
            found = find(nlp, gold, disable=[STAGES[1]])
        sequences = round(work.sequences / len(gold), 2)
        rates = scores(hits(found, gold, typed=False))
        out[name] = {**rates, "sequences": sequences}
    return out


def types(nlp: Language, gold: Sequence[Doc]) -> dict[str, dict[str, float]]:
    """Accuracy on gold mentions by strategy, and the tokens that the model runs per mention."""
    pipe: Any = nlp.get_pipe(STAGES[1])
    mentions = sum(len(gold_chars(doc)) for doc in gold)
    out = {}
    for strategy in STRATEGIES:
        pipe.strategy = strategy
        with counted(pipe.lm) as work:
            right = accuracy(nlp, gold)
        tokens = round(work.tokens / mentions, 1)
        out[strategy] = {"accuracy": right, "tokens": tokens}
    return out
