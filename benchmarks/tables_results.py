"""Tables of docs/research/results.md: one function for each, from the JSON files in docs/research/runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tables_markdown import Runs, table

LEVELS = ("extraction", "coarse", "medium", "fine")
# What the demo is to reach.
GOALS = {"extraction": 0.75, "coarse": 0.6, "fine": 0.4}
SHAPES = {
    "decoding_tiny": "tiny (1.3 M)",
    "decoding_0.5b": "Qwen2.5-0.5B",
    "decoding_1.5b": "Qwen2.5-1.5B",
}


def demo(runs: Runs) -> str:
    """Strict scores of the demo by language."""
    rows = [
        [
            name,
            s["docs"],
            s["mentions"],
            *(s[f"cascade_{level}_f"] for level in LEVELS),
            s["cascade_accuracy"],
        ]
        for name, s in runs["demo"]["corpora"].items()
    ]
    reached = runs["demo"]["corpora"]["all"]
    rows += [
        [
            "goal",
            "",
            "",
            *(f"{GOALS[level]:.3f}" if level in GOALS else "" for level in LEVELS),
            "",
        ],
        [
            "all against the goal",
            "",
            "",
            *(_against(reached[f"cascade_{level}_f"], level) for level in LEVELS),
            "",
        ],
    ]
    return table(
        ["", "documents", "mentions", *(f"{level} F1" for level in LEVELS), "accuracy"],
        rows,
    )


def _against(value: float, level: str) -> str:
    return f"{value - GOALS[level]:+.3f}" if level in GOALS else ""


def demo_seen(runs: Runs) -> str:
    """Boundary recall of names that training or the lexicon have, and of others."""
    s = runs["demo"]["corpora"]["all"]
    names = {"seen": "in the training split or the lexicon", "unseen": "others"}
    rows = [
        [name, s[f"{key}_mentions"], s[f"{key}_recall"]] for key, name in names.items()
    ]
    return table(["test mentions whose string is", "number", "boundary recall"], rows)


def demo_runs(runs: Runs) -> str:
    """Runs of the demo up to now."""
    rows = [
        [r["begins_with"], r["settings"], r["steps"], *(f"{r[k]:.1f}" if k in r else None for k in ("minutes", "workflow_minutes")),
         *(r[f"{level}_f"] for level in LEVELS)]
        for r in runs["demo_runs"]["runs"]
    ]  # fmt: skip
    head = [
        "base begins with",
        "settings",
        "steps",
        "minutes",
        "minutes of the workflow",
    ]
    return table([*head, *(f"{level} F1" for level in LEVELS)], rows)


def conll_scratch(runs: Runs) -> str:
    """CoNLL-2003 from nothing."""
    found = runs["conll_scratch"]
    rows = [
        [r["run"], r["steps"], r["extraction_f1"], r["extraction_p"], r["extraction_r"], r["typed_f1"], r["type_accuracy"],
         f"{r['minutes']:.1f}", f"{r['sentences_per_second']:.0f}"]
        for r in found["runs"]
    ]  # fmt: skip
    ner = found["runs"][0]
    rows.append(
        [
            "spaCy `ner`",
            found["spacy_ner_steps"],
            *[None] * 3,
            ner["spacy_ner_f1"],
            None,
            f"{ner['spacy_ner_minutes']:.1f}",
            None,
        ]
    )
    head = [
        "",
        "steps",
        "extraction F1",
        "P",
        "R",
        "typed F1",
        "accuracy on right boundaries",
        "minutes of training",
    ]
    return table([*head, "test sentences per second"], rows)


def copying(runs: Runs) -> str:
    """Copy verification against `generate`, on the demo's pipeline."""
    r = runs["extraction"]
    rows = [
        [
            b,
            *(
                f"{r[f'{k}_b{b}']:.1f}"
                for k in (
                    "sentences_per_second",
                    "generate_sentences_per_second",
                    "speedup",
                )
            ),
        ]
        for b in (1, 16)
    ]
    return table(
        [
            "batch",
            "copy-verified, sentences/s",
            "`generate`, sentences/s",
            "times as fast on the same sentences",
        ],
        rows,
    )


def dynamicner(runs: Runs) -> str:
    """DynamicNER English: as it is, and in cross-validation."""
    ways = {
        "zero_shot": "as it is",
        "cross_validation_5": (
            "five-fold cross-validation, all weights, 100 steps per component"
        ),
    }
    name = "`xx_cascade_open_sm`"
    rows = [
        [f"{name}, {text}", *(runs["dynamicner"][way][level]["f"] for level in LEVELS)]
        for way, text in ways.items()
    ]
    before = runs["dynamicner_demo"]["zero_shot"]
    rows.append(
        [
            "an earlier demo, as it is: from nothing, embedded corpora only",
            *(before[level]["f"] for level in LEVELS),
        ]
    )
    return table(["", *(f"{level} F1" for level in LEVELS)], rows)


def speed(runs: Runs) -> str:
    """How many times as fast as `generate`, by shape of the model."""
    shapes = [name for name in SHAPES if name in runs]
    stage = {
        name: (
            "classification_continued"
            if "classification_continued" in runs[name]
            else "classification"
        )
        for name in shapes
    }

    def times(part: str, key: str) -> list[Any]:
        parts = {
            n: part
            if part == "extraction"
            else part + stage[n].removeprefix("classification")
            for n in shapes
        }
        return [f"{runs[n][parts[n]][key]:.1f}" for n in shapes]

    rows = [
        [
            "extraction, against `generate` one by one",
            *times("extraction", "vs_generate_b1"),
        ],
        [
            "against the best batched `generate`",
            *times("extraction", "vs_best_generate"),
        ],
        ["against prompt-lookup decoding", *times("extraction", "vs_prompt_lookup")],
        [
            "share of the floor's speed",
            *(f"{runs[n]['extraction']['of_floor']:.2f}" for n in shapes),
        ],
        [
            "passes per sentence",
            *(f"{runs[n]['extraction']['passes']:.2f}" for n in shapes),
        ],
        [
            "classification, against the published algorithm",
            *times("classification", "vs_published"),
        ],
        [
            "against its best batched version",
            *times("classification", "vs_best_generate"),
        ],
        [
            "the same with the published prompts, against the published algorithm",
            *(f"{runs[n]['classification']['vs_published']:.1f}" for n in shapes),
        ],
        [
            "the whole cascade, against the published algorithm",
            *times("cascade", "vs_published"),
        ],
        ["against its best batched version", *times("cascade", "vs_best_generate")],
        [
            "sentences (for `generate`)",
            *(f"{runs[n]['sentences']} ({runs[n]['slow_sentences']})" for n in shapes),
        ],
        ["weights, MiB", *(f"{runs[n]['weights_mib']:.0f}" for n in shapes)],
        [
            "peak memory to weights",
            *(f"{runs[n]['peak_to_weights']:.2f}" for n in shapes),
        ],
    ]
    return table(["times as fast", *(SHAPES[n] for n in shapes)], rows)


def end_to_end(runs: Runs) -> str:
    """A trained pipeline from texts to Docs."""
    rows = []
    for name, r in runs["end_to_end"]["data"].items():
        shares = [
            f"{100 * r['profile'][k]:.0f} %" for k in ("model", "decoding", "spacy")
        ]
        ratios = [
            f"{r[part][key]:.1f}"
            for part, key in (
                ("extraction", "vs_generate_b1"),
                ("extraction", "vs_best_generate"),
                ("cascade", "vs_published"),
                ("cascade", "vs_best_generate"),
            )
        ]
        speed = [f"{r['sentences_per_second']:.0f}", f"{r['vs_no_recall']:.2f}"]
        rows.append([name, r["sentences"], *speed, *ratios, *shares])
    head = [
        "",
        "sentences",
        "per second",
        "without recalled rows",
        "extraction, `generate` one by one",
        "best batched",
        "cascade, published algorithm",
        "best batched",
    ]
    return table([*head, "model", "decoding", "spaCy"], rows)


def passes(runs: Runs) -> str:
    """Passes per sentence by drafter."""
    names = {
        "cues": "surface cues",
        "default": "the tagger (default)",
        "ner": "entities of spaCy's `ner` in front",
    }
    rows = []
    for key, name in names.items():
        found = runs["passes"][key]
        counts = found["histogram"]
        rows.append(
            [
                name,
                f"{found['passes']:.2f}",
                *(
                    f"{100 * n / sum(counts):.0f} %"
                    for n in (*counts[:3], sum(counts[3:]))
                ),
            ]
        )
    return table(["first draft", "passes", "1", "2", "3", "more"], rows)


def tried_adapters(runs: Runs) -> str:
    """Adapters against all weights on the demo."""
    rows = [
        [
            r["base"],
            r["trained"],
            r["steps"],
            r.get("extraction_f"),
            r.get("fine_accuracy"),
        ]
        for r in runs["tried_adapters"]["runs"]
    ]
    return table(
        ["base", "trained", "steps", "dev extraction F1", "dev fine accuracy"], rows
    )


def tried_conll(runs: Runs) -> str:
    """Exploratory runs on CoNLL-2003."""
    rows = [
        [
            r["run"],
            f"{r['optimizer']}, {r['rate']}",
            r["layers"],
            r["steps"],
            f"{r['minutes']:.1f}",
            r["extraction_f"],
            r["typed_f"],
            r["gold_accuracy"],
        ]
        for r in runs["tried_conll"]["runs"]
    ]
    return table(
        [
            "run",
            "optimizer, rate",
            "layers",
            "steps",
            "minutes",
            "extraction F1",
            "typed F1",
            "accuracy on gold mentions",
        ],
        rows,
    )


def tried_neighbours(runs: Runs) -> str:
    """Where the first layer's heads look to begin with."""
    rows = [
        [r["variant"], r["extraction_f"], r["typed_f"], r["accuracy"]]
        for r in runs["tried_neighbours"]["runs"]
    ]
    return table(
        ["first layer", "extraction F1", "typed F1", "accuracy on right boundaries"],
        rows,
    )


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
    head = [
        "run",
        "Muon's rate",
        "layers × width",
        "vocabulary",
        "lists of names",
        "LM loss",
        "steps",
        "minutes",
    ]
    return table(
        [*head, "extraction F1", "fine F1", "fine accuracy, test / train"], rows
    )


_OF_RESULTS = (
    conll_scratch, demo, demo_seen, demo_runs, dynamicner, speed, end_to_end, passes, copying, tried_conll, tried_neighbours, tried_demo, tried_adapters,
)  # fmt: skip
TABLES: dict[str, Callable[[Runs], str]] = {f.__name__: f for f in _OF_RESULTS}
