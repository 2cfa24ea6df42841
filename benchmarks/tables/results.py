"""Tables of docs/research/results.md."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ._declare import Columns, Row, Runs, Table, markdown, show

LEVELS = ("extraction", "coarse", "medium", "fine")
LEVEL_F1 = tuple((f"{level} F1", f"{{cascade_{level}_f}}") for level in LEVELS)
# What the demo is to reach.
GOALS = {"extraction": 0.75, "coarse": 0.6, "fine": 0.4}
SHAPES = {
    "decoding_tiny": "tiny (1.3 M)",
    "decoding_0.5b": "Qwen2.5-0.5B",
    "decoding_1.5b": "Qwen2.5-1.5B",
}


def _demo(runs: Runs) -> Iterator[Row]:
    """Languages, the goal, and what is missing to it."""
    corpora = runs["demo"]["corpora"]
    for name, row in corpora.items():
        yield {"name": name, **row}
    goal: Row = dict.fromkeys(("docs", "mentions", "cascade_accuracy"), "")
    against = dict(goal)
    for level in LEVELS:
        key = f"cascade_{level}_f"
        goal[key] = against[key] = ""
        if level in GOALS:
            goal[key] = GOALS[level]
            missing = corpora["all"][key] - GOALS[level]
            against[key] = f"{missing:+.3f}"
    yield {"name": "goal", **goal}
    yield {"name": "all against the goal", **against}


def _demo_seen(runs: Runs) -> Iterator[Row]:
    """Boundary recall of names that training or the lexicon have, and of others."""
    found = runs["demo"]["corpora"]["all"]
    names = {"seen": "in the training split or the lexicon", "unseen": "others"}
    for key, name in names.items():
        yield {
            "name": name,
            "mentions": found[f"{key}_mentions"],
            "recall": found[f"{key}_recall"],
        }


def _conll_scratch(runs: Runs) -> Iterator[Row]:
    found = runs["conll_scratch"]
    yield from found["runs"]
    ner = found["runs"][0]
    yield {
        "run": "spaCy `ner`",
        "steps": found["spacy_ner_steps"],
        "typed_f1": ner["spacy_ner_f1"],
        "minutes": ner["spacy_ner_minutes"],
    }


def _copying(runs: Runs) -> Iterator[Row]:
    found = runs["extraction"]
    for size in (1, 16):
        yield {
            "batch": size,
            "ours": found[f"sentences_per_second_b{size}"],
            "generate": found[f"generate_sentences_per_second_b{size}"],
            "ratio": found[f"speedup_b{size}"],
        }


def _dynamicner(runs: Runs) -> Iterator[Row]:
    """As it is, and in cross-validation."""
    ours = runs["dynamicner"]
    yield {"name": "`xx_cascade_open_sm`, as it is", **ours["zero_shot"]}
    trained = "five-fold cross-validation, all weights, 100 steps per component"
    yield {"name": f"`xx_cascade_open_sm`, {trained}", **ours["cross_validation_5"]}
    before = "an earlier demo, as it is: from nothing, embedded corpora only"
    yield {"name": before, **runs["dynamicner_demo"]["zero_shot"]}


# Title, and a cell over the run of a shape; `types` and `both` are the entries of the
# way of classifying that is used there.
SPEED: Columns = (
    (
        "extraction, against `generate` one by one",
        "{extraction[vs_generate_b1]:.1f}",
    ),
    ("against the best batched `generate`", "{extraction[vs_best_generate]:.1f}"),
    ("against prompt-lookup decoding", "{extraction[vs_prompt_lookup]:.1f}"),
    ("share of the floor's speed", "{extraction[of_floor]:.2f}"),
    ("passes per sentence", "{extraction[passes]:.2f}"),
    (
        "classification, against the published algorithm",
        "{types[vs_published]:.1f}",
    ),
    ("against its best batched version", "{types[vs_best_generate]:.1f}"),
    (
        "the same with the published prompts, against the published algorithm",
        "{classification[vs_published]:.1f}",
    ),
    ("the whole cascade, against the published algorithm", "{both[vs_published]:.1f}"),
    ("against its best batched version", "{both[vs_best_generate]:.1f}"),
    ("sentences (for `generate`)", "{sentences} ({slow_sentences})"),
    ("weights, MiB", "{weights_mib:.0f}"),
    ("peak memory to weights", "{peak_to_weights:.2f}"),
)


def _speed(runs: Runs) -> str:
    """How many times as fast as `generate`, by shape of the model."""
    shapes = []
    for name, head in SHAPES.items():
        if name in runs:
            run = runs[name]
            types = run.get("classification_continued", run["classification"])
            both = run.get("cascade_continued", run["cascade"])
            shapes.append(
                (
                    head,
                    {
                        **run,
                        "types": types,
                        "both": both,
                    },
                )
            )
    heads = ["times as fast", *(head for head, _ in shapes)]
    rows = []
    for title, cell in SPEED:
        rows.append([title, *(show(cell, run) for _, run in shapes)])
    return markdown(heads, rows)


def _profile(part: str) -> Any:
    return lambda row: f"{100 * row['profile'][part]:.0f} %"


def _passes(runs: Runs) -> Iterator[Row]:
    """Shares of the sentences by drafter."""
    names = {
        "cues": "surface cues",
        "default": "the tagger (default)",
        "ner": "entities of spaCy's `ner` in front",
    }
    for key, name in names.items():
        found = runs["passes"][key]
        counts = found["histogram"]
        parts = (*counts[:3], sum(counts[3:]))
        shares = [f"{100 * n / sum(counts):.0f} %" for n in parts]
        yield {
            "name": name,
            "passes": found["passes"],
            "shares": shares,
        }


TABLES = {
    # CoNLL-2003 from nothing.
    "conll_scratch": Table(
        _conll_scratch,
        (
            ("", "{run}"),
            ("steps", "{steps}"),
            ("extraction F1", "{extraction_f1}"),
            ("P", "{extraction_p}"),
            ("R", "{extraction_r}"),
            ("typed F1", "{typed_f1}"),
            ("accuracy on right boundaries", "{type_accuracy}"),
            ("minutes of training", "{minutes:.1f}"),
            ("test sentences per second", "{sentences_per_second:.0f}"),
        ),
    ),
    # Strict scores of the demo by language.
    "demo": Table(
        _demo,
        (
            ("", "{name}"),
            ("documents", "{docs}"),
            ("mentions", "{mentions}"),
            *LEVEL_F1,
            ("accuracy", "{cascade_accuracy}"),
        ),
    ),
    "demo_seen": Table(
        _demo_seen,
        (
            ("test mentions whose string is", "{name}"),
            ("number", "{mentions}"),
            ("boundary recall", "{recall}"),
        ),
    ),
    # Runs of the demo up to now.
    "demo_runs": Table(
        "demo_runs:runs",
        (
            ("base begins with", "{begins_with}"),
            ("settings", "{settings}"),
            ("steps", "{steps}"),
            ("minutes", "{minutes:.1f}"),
            ("minutes of the workflow", "{workflow_minutes:.1f}"),
            *((f"{level} F1", f"{{{level}_f}}") for level in LEVELS),
        ),
    ),
    # DynamicNER English.
    "dynamicner": Table(
        _dynamicner,
        (
            ("", "{name}"),
            *((f"{level} F1", f"{{{level}[f]}}") for level in LEVELS),
        ),
    ),
    "speed": _speed,
    # A trained pipeline from texts to Docs.
    "end_to_end": Table(
        "end_to_end:data",
        (
            ("", "{name}"),
            ("sentences", "{sentences}"),
            ("per second", "{sentences_per_second:.0f}"),
            ("without recalled rows", "{vs_no_recall:.2f}"),
            ("extraction, `generate` one by one", "{extraction[vs_generate_b1]:.1f}"),
            ("best batched", "{extraction[vs_best_generate]:.1f}"),
            ("cascade, published algorithm", "{cascade[vs_published]:.1f}"),
            ("best batched", "{cascade[vs_best_generate]:.1f}"),
            ("model", _profile("model")),
            ("decoding", _profile("decoding")),
            ("spaCy", _profile("spacy")),
        ),
    ),
    # Passes per sentence by drafter.
    "passes": Table(
        _passes,
        (
            ("first draft", "{name}"),
            ("passes", "{passes:.2f}"),
            ("1", "{shares[0]}"),
            ("2", "{shares[1]}"),
            ("3", "{shares[2]}"),
            ("more", "{shares[3]}"),
        ),
    ),
    # Copy verification against `generate`, on the demo's pipeline.
    "copying": Table(
        _copying,
        (
            ("batch", "{batch}"),
            ("copy-verified, sentences/s", "{ours:.1f}"),
            ("`generate`, sentences/s", "{generate:.1f}"),
            ("times as fast on the same sentences", "{ratio:.1f}"),
        ),
    ),
    # Exploratory runs on CoNLL-2003.
    "tried_conll": Table(
        "tried_conll:runs",
        (
            ("run", "{run}"),
            ("optimizer, rate", lambda row: f"{row['optimizer']}, {row['rate']}"),
            ("layers", "{layers}"),
            ("steps", "{steps}"),
            ("minutes", "{minutes:.1f}"),
            ("extraction F1", "{extraction_f}"),
            ("typed F1", "{typed_f}"),
            ("accuracy on gold mentions", "{gold_accuracy}"),
        ),
    ),
    # Where the first layer's heads look to begin with.
    "tried_neighbours": Table(
        "tried_neighbours:runs",
        (
            ("first layer", "{variant}"),
            ("extraction F1", "{extraction_f}"),
            ("typed F1", "{typed_f}"),
            ("accuracy on right boundaries", "{accuracy}"),
        ),
    ),
    # Exploratory runs of the demo's base.
    "tried_demo": Table(
        "tried_demo:runs",
        (
            ("run", "{run}"),
            ("Muon's rate", "{settings[rate]}"),
            ("layers × width", "{settings[layers]} × {settings[hidden]}"),
            ("vocabulary", "{settings[vocab]:,}"),
            ("lists of names", "{settings[lists]}"),
            ("LM loss", "{settings[lm]}"),
            ("steps", "{steps}"),
            ("minutes", "{minutes:.1f}"),
            ("extraction F1", "{extraction_f}"),
            ("fine F1", "{fine_f}"),
            (
                "fine accuracy, test / train",
                "{accuracy_test:.3f} / {accuracy_train:.3f}",
            ),
        ),
    ),
    # Adapters against all weights on the demo.
    "tried_adapters": Table(
        "tried_adapters:runs",
        (
            ("base", "{base}"),
            ("trained", "{trained}"),
            ("steps", "{steps}"),
            ("dev extraction F1", "{extraction_f}"),
            ("dev fine accuracy", "{fine_accuracy}"),
        ),
    ),
}
