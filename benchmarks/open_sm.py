"""A pipeline on many data sets, each with its own label set: those it was trained on,
and those it never saw.

    python -m corpus_tools standardize <real data in B2NERD layout> corpus/open-sets
    python benchmarks/open_sm.py packages/... --data corpus/open-sets --sources
    assets/open_sm/sources.json python benchmarks/open_sm.py
    training/merged_ner/model-best --data corpus/open-sets --sources
    assets/open_sm/sources.json

The second is spaCy's `ner` trained on the same data with all labels merged. It takes no
label set, so what it finds under a label that a text's set does not have is dropped,
for spans as well as for types. That helps its precision, as most of it would be wrong
there; a right mention under another data set's name for the type is lost. Labels that
are paths ('person > actor') count as the name in the set ('actor').

`in_domain` are the data sets of the training, `zero_shot` those that are kept for it,
`others` those whose licence does not allow to distribute what is trained on them.
Prints a markdown table and, on the last line, one JSON object: for each group the mean
over data sets of strict span and typed F1, and the figures of every data set.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from statistics import mean
from typing import Any

import spacy

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


def group_of(name: str, trained: set[str]) -> str:
    return (
        "in_domain"
        if name in trained
        else "zero_shot"
        if name in ZERO_SHOT
        else "others"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pipeline", help="package name or directory")
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        help="DocBins <language>/<data set>/test.spacy",
    )
    parser.add_argument(
        "--sources",
        type=Path,
        required=True,
        help="JSON file whose keys are the training data sets",
    )
    parser.add_argument(
        "--groups", nargs="+", default=["in_domain", "zero_shot", "others"]
    )
    parser.add_argument("--split", default="test")
    parser.add_argument(
        "--limit", type=int, default=0, help="sentences per data set; 0: all"
    )
    parser.add_argument(
        "--note", default="", help="kept with the results: how the pipeline was trained"
    )
    parser.add_argument("--output", type=Path, help="JSON file")
    args = parser.parse_args()

    nlp = spacy.load(args.pipeline)
    trained = set(json.loads(args.sources.read_text("utf8")))
    found: dict[str, dict[str, Any]] = {g: {} for g in args.groups}
    start, sentences = time.perf_counter(), 0
    print(
        "| data set | | sentences | mentions | span F1 | typed F1 |\n|---|---|---|---|---|---|"
    )
    for file in sorted(args.data.glob(f"*/*/{args.split}.spacy")):
        name = f"{file.parent.parent.name}/{file.parent.name}"
        group = group_of(name, trained)
        if group not in found:
            continue
        s = evaluate(nlp, [file], limit=args.limit)["all"]
        row = {"docs": s["docs"], "mentions": s["mentions"]}
        row |= {
            k: s[f"cascade_{v}_f"] or 0.0
            for k, v in (("span_f", "extraction"), ("typed_f", "typed"))
        }
        found[group][name] = row
        sentences += row["docs"]
        print(
            f"| {name} | {group} | {row['docs']} | {row['mentions']} | {row['span_f']:.3f} |"
            f" {row['typed_f']:.3f} |",
            flush=True,
        )
    out: dict[str, Any] = {
        "pipeline": args.pipeline,
        "split": args.split,
        "minutes": (time.perf_counter() - start) / 60,
    }
    out |= {k: v for k, v in (("limit", args.limit), ("note", args.note)) if v}
    for group, rows in found.items():
        if rows:
            out[group] = {
                k: mean(r[k] for r in rows.values()) for k in ("span_f", "typed_f")
            } | {"data_sets": len(rows)}
            print(
                f"| **mean of {len(rows)}** | {group} | | | {out[group]['span_f']:.3f} |"
                f" {out[group]['typed_f']:.3f} |"
            )
    if args.output is not None:
        args.output.parent.mkdir(parents=True, exist_ok=True)
        args.output.write_text(json.dumps({**out, "figures": found}, indent=1), "utf8")
    print(json.dumps({**out, "figures": found}))


if __name__ == "__main__":
    main()
