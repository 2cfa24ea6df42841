"""Tables of docs/results.md: one function for each, from the JSON files in docs/runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tables_markdown import Runs, table

LEVELS = ("extraction", "coarse", "medium", "fine")
SHAPES = {"decoding_tiny": "tiny (1.3 M)", "decoding_0.5b": "Qwen2.5-0.5B", "decoding_1.5b": "Qwen2.5-1.5B"}


def demo(runs: Runs) -> str:
    """Strict scores of the demo by language."""
    rows = [
        [name, s["docs"], s["mentions"], *(s[f"cascade_{level}_f"] for level in LEVELS), s["cascade_accuracy"]]
        for name, s in runs["demo"]["corpora"].items()
    ]
    return table(["", "documents", "mentions", *(f"{level} F1" for level in LEVELS), "accuracy"], rows)


def dynamicner(runs: Runs) -> str:
    """DynamicNER English: as it is, and in cross-validation."""
    ways = {"zero_shot": "as it is", "cross_validation_5": "five-fold cross-validation, all weights, 100 steps per component"}
    rows = [[text, *(runs["dynamicner"][way][level]["f"] for level in LEVELS)] for way, text in ways.items()]
    return table(["`xx_cascade_open_sm`", *(f"{level} F1" for level in LEVELS)], rows)


def speed(runs: Runs) -> str:
    """How many times as fast as `generate`, by shape of the model."""
    shapes = [name for name in SHAPES if name in runs]
    stage = {name: "classification_continued" if "classification_continued" in runs[name] else "classification" for name in shapes}

    def times(part: str, key: str) -> list[Any]:
        parts = {n: part if part == "extraction" else part + stage[n].removeprefix("classification") for n in shapes}
        return [f"{runs[n][parts[n]][key]:.1f}" for n in shapes]

    rows = [
        ["extraction, against `generate` one by one", *times("extraction", "vs_generate_b1")],
        ["against the best batched `generate`", *times("extraction", "vs_best_generate")],
        ["against prompt-lookup decoding", *times("extraction", "vs_prompt_lookup")],
        ["share of the floor's speed", *(f"{runs[n]['extraction']['of_floor']:.2f}" for n in shapes)],
        ["passes per sentence", *(f"{runs[n]['extraction']['passes']:.2f}" for n in shapes)],
        ["classification, against the published algorithm", *times("classification", "vs_published")],
        ["against its best batched version", *times("classification", "vs_best_generate")],
        ["the whole cascade, against the published algorithm", *times("cascade", "vs_published")],
        ["against its best batched version", *times("cascade", "vs_best_generate")],
        ["sentences (for `generate`)", *(f"{runs[n]['sentences']} ({runs[n]['slow_sentences']})" for n in shapes)],
        ["peak memory to weights", *(f"{runs[n]['peak_to_weights']:.2f}" for n in shapes)],
    ]
    return table(["times as fast", *(SHAPES[n] for n in shapes)], rows)


def end_to_end(runs: Runs) -> str:
    """A trained pipeline from texts to Docs."""
    rows = []
    for name, r in runs["end_to_end"]["data"].items():
        shares = [f"{100 * r['profile'][k]:.0f} %" for k in ("model", "decoding", "spacy")]
        ratios = [f"{r[part][key]:.1f}" for part, key in (
            ("extraction", "vs_generate_b1"), ("extraction", "vs_best_generate"), ("cascade", "vs_published"), ("cascade", "vs_best_generate"),
        )]
        rows.append([name, r["sentences"], f"{r['sentences_per_second']:.0f}", *ratios, *shares])
    head = ["", "sentences", "per second", "extraction, `generate` one by one", "best batched", "cascade, published algorithm", "best batched"]
    return table([*head, "model", "decoding", "spaCy"], rows)


def passes(runs: Runs) -> str:
    """Passes per sentence by drafter."""
    names = {"cues": "surface cues", "default": "the tagger (default)", "ner": "entities of spaCy's `ner` in front"}
    rows = []
    for key, name in names.items():
        found = runs["passes"][key]
        counts = found["histogram"]
        rows.append([name, f"{found['passes']:.2f}", *(f"{100 * n / sum(counts):.0f} %" for n in (*counts[:3], sum(counts[3:])))])
    return table(["first draft", "passes", "1", "2", "3", "more"], rows)


def tried_conll(runs: Runs) -> str:
    """Exploratory runs on CoNLL-2003."""
    rows = [
        [r["run"], f"{r['optimizer']}, {r['rate']}", r["layers"], r["steps"], f"{r['minutes']:.1f}", r["extraction_f"], r["typed_f"], r["gold_accuracy"]]
        for r in runs["tried_conll"]["runs"]
    ]
    return table(["run", "optimizer, rate", "layers", "steps", "minutes", "extraction F1", "typed F1", "accuracy on gold mentions"], rows)


def tried_demo(runs: Runs) -> str:
    """Exploratory runs of the demo's base."""
    rows = []
    for r in runs["tried_demo"]["runs"]:
        s = r["settings"]
        accuracy = f"{r['accuracy_test']:.3f} / {r['accuracy_train']:.3f}"
        rows.append([
            r["run"], s["rate"], f"{s['layers']} × {s['hidden']}", f"{s['vocab']:,}", s["lists"], s["lm"], r["steps"], f"{r['minutes']:.1f}",
            r["extraction_f"], r["fine_f"], accuracy,
        ])  # fmt: skip
    head = ["run", "Muon's rate", "layers × width", "vocabulary", "lists of names", "LM loss", "steps", "minutes"]
    return table([*head, "extraction F1", "fine F1", "fine accuracy, test / train"], rows)


TABLES: dict[str, Callable[[Runs], str]] = {
    f.__name__: f for f in (demo, dynamicner, speed, end_to_end, passes, tried_conll, tried_demo)
}
