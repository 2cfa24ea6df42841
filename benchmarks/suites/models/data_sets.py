"""A pipeline on many data sets, each with its own label set: those it was trained on,
and those it never saw.

    python -m corpus_tools standardize <real data in B2NERD layout> corpus/open-sets
    python benchmarks/run.py models.data_sets --model assets/open_sm/pipeline
        --data corpus/open-sets --sources assets/open_sm/sources.json
    python benchmarks/run.py models.data_sets --model training/merged_ner/model-last
        --data corpus/open-sets --sources assets/open_sm/sources.json

The second is spaCy's `ner` trained on the same data with all labels merged. It takes no
label set, so what it finds under a label that a text's set does not have is dropped,
for spans as well as for types. That helps its precision, as most of it would be wrong
there; a right mention under another data set's name for the type is lost. Labels that
are paths ('person > actor') count as the name in the set ('actor').

`in_domain` are the data sets of the training, `zero_shot` those that are kept for it,
`others` those whose licence does not allow to distribute what is trained on them. For
each group there is the mean over data sets of strict span and typed F1, and the figures
of every data set.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from statistics import mean
from typing import Annotated, Any

import spacy

from benchmarks import options
from spacy_cascade.cli.evaluate import evaluate

# No training sentence of these: B2NER's and GLiNER's zero-shot sets.
ZERO_SHOT = (
    "en/crossner_ai",
    "en/crossner_literature",
    "en/crossner_music",
    "en/crossner_politics",
    "en/crossner_science",
    "en/mit_movie_trivia",
    "en/mit_restaurant",
)
GROUPS = ("in_domain", "zero_shot", "others")


def run(
    model: options.Model,
    data: options.DataSets,
    sources: options.Sources,
    groups: Sequence[str] = GROUPS,
    split: str = "test",
    limit: Annotated[int, "sentences per data set; 0: all"] = 0,
    note: Annotated[str, "kept with the results: how the pipeline was trained"] = "",
) -> dict[str, Any]:
    """Score a pipeline on each data set.

    RETURNS (dict): `figures` has scores by group and data set; the name of each group has
        their means.
    """
    nlp = spacy.load(model)
    trained = set(json.loads(sources.read_text("utf8")))
    figures: dict[str, dict[str, Any]] = {group: {} for group in groups}
    start = time.perf_counter()
    for file in sorted(data.glob(f"*/*/{split}.spacy")):
        folder = file.parent
        name = f"{folder.parent.name}/{folder.name}"
        group = group_of(name, trained)
        if group not in figures:
            continue
        scores = evaluate(nlp, [file], limit=limit)["all"]
        figures[group][name] = {
            "docs": scores["docs"],
            "mentions": scores["mentions"],
            "span_f": scores["cascade_extraction_f"] or 0.0,
            "typed_f": scores["cascade_typed_f"] or 0.0,
        }
        print(name, group, figures[group][name], flush=True)

    minutes = (time.perf_counter() - start) / 60
    out: dict[str, Any] = {
        "pipeline": model,
        "split": split,
        "minutes": minutes,
    }
    if limit:
        out["limit"] = limit
    if note:
        out["note"] = note
    for group, rows in figures.items():
        if rows:
            out[group] = means(rows)
            print("mean", group, out[group])
    return {**out, "figures": figures}


def group_of(name: str, trained: set[str]) -> str:
    if name in trained:
        return "in_domain"
    return "zero_shot" if name in ZERO_SHOT else "others"


def means(rows: dict[str, dict[str, Any]]) -> dict[str, float]:
    return {
        "span_f": mean(row["span_f"] for row in rows.values()),
        "typed_f": mean(row["typed_f"] for row in rows.values()),
        "data_sets": len(rows),
    }
