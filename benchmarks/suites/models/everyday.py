"""Short texts as people paste them, with six plain labels: scores, and a page with
every mention.

    python benchmarks/run.py models.everyday --model xx_cascade_open_sm
        --output docs/research/runs/everyday_open_sm.json
    python benchmarks/run.py models.everyday --model assets/smollm2/pipeline
        --page docs/research/everyday.md

The texts (assets/everyday/en.json: news, mail, chat, abstracts, invoices, recipes,
tables ...) were written and annotated before any output was looked at.
"""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import spacy
from spacy.tokens import Doc

from benchmarks import options

TEXTS = Path(__file__).parents[3] / "assets/everyday/en.json"
LABELS = ["person", "organization", "location", "product", "creative work", "event"]
TEXTS_MARK = "<!-- texts -->\n"

Span = tuple[int, int, str]
Spans = set[Span]


def run(
    model: options.Model,
    least: Annotated[float, "leave out lower scores"] = 0.0,
    page: Annotated[Path | None, "markdown file whose list of texts is renewed"] = None,
) -> dict[str, Any]:
    """Score a pipeline, and renew the page if there is one.

    RETURNS (dict): Precision, recall and F1 of boundaries, with types, and by type.
    """
    nlp = spacy.load(model)
    records = json.loads(TEXTS.read_text("utf8"))
    start = time.perf_counter()
    own = {"cascade_labels": LABELS}
    given = [(record["sentence"], own) for record in records]
    docs = [doc for doc, _ in nlp.pipe(given, as_tuples=True)]
    seconds = time.perf_counter() - start

    found = [found_spans(doc, least) for doc in docs]
    gold = [gold_spans(record) for record in records]
    if page is not None:
        old = page.read_text("utf8")
        head, mark, _ = old.partition(TEXTS_MARK)
        texts = judged_texts(records, found)
        page.write_text(f"{head}{mark}\n{texts}", "utf8")
    return {
        "pipeline": model,
        "texts": len(records),
        "mentions": sum(map(len, gold)),
        "least": least,
        "seconds": round(seconds, 2),
        "processor": platform.processor() or platform.machine(),
        **scores(gold, found),
    }


def gold_spans(record: dict[str, Any]) -> Spans:
    """Annotated mentions, by characters."""
    out = set()
    for entity in record["entities"]:
        start, end = entity["pos"]
        out.add((start, end, entity["type"]))
    return out


def found_spans(doc: Doc, least: float) -> Spans:
    """What a pipeline says, without what it is less sure of than `least`."""
    out = set()
    for ent in doc.ents:
        score = ent._.cascade_score or 0.0
        if score >= least:
            out.add((ent.start_char, ent.end_char, ent.label_))
    return out


def scores(gold: list[Spans], found: list[Spans]) -> dict[str, Any]:
    """Strict, over all texts: boundaries alone, and with types; the latter by type, too."""
    by_type = {}
    for label in LABELS:
        right = of_type(gold, label)
        said = of_type(found, label)
        by_type[label] = strict(right, said, lambda span: span)
    return {
        "span": strict(gold, found, lambda span: span[:2]),
        "typed": strict(gold, found, lambda span: span),
        "by_type": by_type,
    }


def of_type(texts: list[Spans], label: str) -> list[Spans]:
    """The mentions of one type in every text."""
    out = []
    for spans in texts:
        out.append({span for span in spans if span[2] == label})
    return out


def strict(
    gold: Any,
    found: Any,
    keep: Callable[[Span], Any],
) -> dict[str, float]:
    """Precision, recall and F1 of what is kept of the spans of every text."""
    right = mine = there = 0
    for a, b in zip(gold, found, strict=True):
        expected = set(map(keep, a))
        said = set(map(keep, b))
        right += len(expected & said)
        mine += len(said)
        there += len(expected)
    precision = right / mine if mine else 0.0
    recall = right / there if there else 0.0
    both = mine + there
    f = 2 * right / both if both else 0.0
    return {
        "p": round(precision, 4),
        "r": round(recall, 4),
        "f": round(f, 4),
    }


def judged_texts(records: list[dict[str, Any]], found: list[Spans]) -> str:
    """For every text what is right, wrong in type or place, and missed."""
    lines = []
    for record, spans in zip(records, found, strict=True):
        text, gold = record["sentence"], gold_spans(record)
        quoted = "\n> ".join(line.rstrip() for line in text.splitlines())
        lines += [f"**{record['kind']}**", "", f"> {quoted}", ""]
        judged = {
            "right": gold & spans,
            "wrong": spans - gold,
            "missed": gold - spans,
        }
        for how, of in judged.items():
            if of:
                lines.append(f"* {how}: {names(text, of)}")
        any_of_them = gold or spans
        lines.append("" if any_of_them else "* nothing to find, nothing found\n")
    return "\n".join(lines)


def names(text: str, spans: Spans) -> str:
    """Mentions with their types, as they stand in the text."""
    parts = []
    for start, end, label in sorted(spans):
        surface = text[start:end]
        parts.append(f"{surface} ({label})")
    return ", ".join(parts).replace("\n", " ")
