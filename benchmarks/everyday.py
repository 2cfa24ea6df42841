"""Short texts as people paste them, with six plain labels: scores, and a page with every mention.

    python benchmarks/everyday.py xx_cascade_open_sm --output docs/research/runs/everyday_open_sm.json
    python benchmarks/everyday.py assets/smollm2/pipeline --page docs/research/everyday.md

The texts (assets/everyday/en.json: news, mail, chat, abstracts, invoices, recipes, tables ...) were
written and annotated before any output was looked at. Prints one JSON object as its last line.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from pathlib import Path
from typing import Any

import spacy
from spacy.tokens import Doc

TEXTS = Path(__file__).parents[1] / "assets/everyday/en.json"
LABELS = ["person", "organization", "location", "product", "creative work", "event"]

Spans = set[tuple[int, int, str]]


def rates(right: int, found: int, gold: int) -> dict[str, float]:
    """Precision, recall and F1."""
    precision = right / found if found else 0.0
    recall = right / gold if gold else 0.0
    f = 2 * right / (found + gold) if found + gold else 0.0
    return {"p": round(precision, 4), "r": round(recall, 4), "f": round(f, 4)}


def gold_spans(record: dict[str, Any]) -> Spans:
    return {(*entity["pos"], entity["type"]) for entity in record["entities"]}


def found_spans(doc: Doc, least: float) -> Spans:
    """What a pipeline says, without what it is less sure of than `least`."""
    kept = [ent for ent in doc.ents if (ent._.cascade_score or 0.0) >= least]
    return {(ent.start_char, ent.end_char, ent.label_) for ent in kept}


def scores(gold: list[Spans], found: list[Spans]) -> dict[str, Any]:
    """Strict, over all texts: boundaries alone, and with types; the latter by type, too."""

    def count(of: list[Spans], keep: Any) -> list[set[Any]]:
        return [{keep(span) for span in spans} for spans in of]

    def strict(keep: Any, label: str = "") -> dict[str, float]:
        a = count(
            [{s for s in spans if not label or s[2] == label} for spans in gold], keep
        )
        b = count(
            [{s for s in spans if not label or s[2] == label} for spans in found], keep
        )
        right = sum(len(x & y) for x, y in zip(a, b, strict=True))
        return rates(right, sum(map(len, b)), sum(map(len, a)))

    return {
        "span": strict(lambda span: span[:2]),
        "typed": strict(lambda span: span),
        "by_type": {label: strict(lambda span: span, label) for label in LABELS},
    }


def page(records: list[dict[str, Any]], found: list[Spans]) -> str:
    """For every text what is right, wrong in type or place, and missed."""
    lines = []
    for record, spans in zip(records, found, strict=True):
        text, gold = record["sentence"], gold_spans(record)
        quoted = "\n> ".join(line.rstrip() for line in text.splitlines())
        lines += [f"**{record['kind']}**", "", f"> {quoted}", ""]

        def names(of: Spans, text: str = text) -> str:
            parts = [f"{text[s:e]} ({label})" for s, e, label in sorted(of)]
            return ", ".join(parts).replace("\n", " ")

        judged = {"right": gold & spans, "wrong": spans - gold, "missed": gold - spans}
        lines += [f"* {how}: {names(of)}" for how, of in judged.items() if of]
        lines.append(
            "" if any(judged.values()) else "* nothing to find, nothing found\n"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("pipeline", help="package name or directory")
    parser.add_argument(
        "--least", type=float, default=0.0, help="leave out lower scores"
    )
    parser.add_argument(
        "--page", type=Path, help="markdown file whose list of texts is renewed"
    )
    parser.add_argument("--output", type=Path, help="JSON file")
    args = parser.parse_args()
    nlp = spacy.load(args.pipeline)
    records = json.loads(TEXTS.read_text("utf8"))
    start = time.perf_counter()
    given = [(record["sentence"], {"cascade_labels": LABELS}) for record in records]
    docs = [doc for doc, _ in nlp.pipe(given, as_tuples=True)]
    seconds = time.perf_counter() - start
    found = [found_spans(doc, args.least) for doc in docs]
    gold = [gold_spans(record) for record in records]
    out = {
        "pipeline": args.pipeline,
        "texts": len(records),
        "mentions": sum(map(len, gold)),
        "least": args.least,
        "seconds": round(seconds, 2),
        "processor": platform.processor() or platform.machine(),
        **scores(gold, found),
    }
    if args.page is not None:
        head, mark, _ = args.page.read_text("utf8").partition("<!-- texts -->\n")
        args.page.write_text(f"{head}{mark}\n{page(records, found)}", "utf8")
    if args.output is not None:
        args.output.write_text(json.dumps(out, indent=1) + "\n", "utf8")
    print(json.dumps(out))


if __name__ == "__main__":
    main()
