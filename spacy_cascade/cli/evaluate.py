"""`spacy cascade evaluate`: strict F1 at every level, for each language or corpus and over all."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Any

import srsly
import typer
from wasabi import msg

from ..doc.annotations import labels_of
from ..doc.gold import known_path
from ..doc.missing import is_annotated
from ..errors import CascadeError, Errors
from ..taxonomy import parse_path
from ._app import cascade_app
from ._util import corpora, read_docs, refuse_overlap, show_errors

COLUMNS = ("extraction_f", "coarse_f", "medium_f", "fine_f", "typed_f", "accuracy")


@cascade_app.command("evaluate")
def evaluate_cli(
    model: str = typer.Argument(..., help="Pipeline: a package name or directory"),
    data: list[Path] = typer.Argument(
        ..., help="DocBins, or directories with <name>/<split>.spacy"
    ),
    split: str = typer.Option("test", help="Which split of directories"),
    output: Path = typer.Option(
        None, "--output", "-o", help="JSON file for all scores"
    ),
    train: Path = typer.Option(
        None, help="Training DocBin: report mentions that are not in it apart"
    ),
    lexicon: Path = typer.Option(
        None, help="Lexicon used in training: its names count as seen, too"
    ),
    batch_size: int = typer.Option(64, min=1),
    limit: int = typer.Option(0, min=0, help="Most documents per file; 0: all"),
    nested: bool = typer.Option(False, help="Score nested mentions, too"),
    spans_key: str = typer.Option(
        "", help="Gold mentions stand in doc.spans[NAME], such as spancat's 'sc'"
    ),
) -> None:
    """Score a pipeline on gold DocBins.

    Sentences without an entity count. Texts that bring their own label set are run with
    it; entities of other labels, from components that know nothing of it, do not count.
    """
    with show_errors():
        refuse_overlap([model, *data, train, lexicon], [output])
        scores = evaluate(
            model,
            data,
            split=split,
            train=train,
            lexicon=lexicon,
            batch_size=batch_size,
            limit=limit,
            nested=nested,
            spans_key=spans_key,
        )
        print_scores(scores)
        if output is not None:
            output.parent.mkdir(parents=True, exist_ok=True)
            srsly.write_json(output, scores)
            msg.good("Scores", output)


@cascade_app.command("show")
def show_cli(
    path: Path = typer.Argument(
        ..., help="JSON file of `spacy cascade evaluate`", exists=True, dir_okay=False
    ),
) -> None:
    """Print the scores of an earlier evaluation."""
    with show_errors():
        print_scores(read_scores(path))


def read_scores(path: Path) -> dict[str, Any]:
    """RAISES CascadeError: C061 if the file is not what `evaluate` wrote."""
    try:
        scores = srsly.read_json(path)
    except ValueError as err:
        raise CascadeError(
            Errors.C061.format(path=path, why=f"it is no JSON: {err}")
        ) from err
    missing = [
        k
        for k in ("corpora", "all", "docs_per_second")
        if not isinstance(scores, dict) or k not in scores
    ]
    if missing:
        raise CascadeError(
            Errors.C061.format(path=path, why=f"it lacks {', '.join(missing)}")
        )
    return scores


def print_scores(scores: dict[str, Any]) -> None:
    """A table with a row per corpus."""
    header = ["", "docs", "mentions", *(c.replace("_f", " F1") for c in COLUMNS)]
    rows = [
        [
            name,
            s["docs"],
            s["mentions"],
            *(
                "-" if s.get(f"cascade_{c}") is None else f"{s[f'cascade_{c}']:.3f}"
                for c in COLUMNS
            ),
        ]
        for name, s in scores["corpora"].items()
    ]
    msg.table(
        rows, header=header, divider=True, aligns=("l", *["r"] * (len(header) - 1))
    )
    if scores["all"].get("unannotated"):
        msg.warn(
            f"{scores['all']['unannotated']} of {scores['all']['docs']} document(s) have no"
            " entity annotation and do not count"
        )
    if scores["all"].get("unseen_recall") is not None:
        a = scores["all"]
        msg.text(
            f"boundary recall of the {a['seen_mentions']} mentions whose string is in the"
            f" training data or lexicon: {a['seen_recall']:.3f}; of the {a['unseen_mentions']}"
            f" others: {a['unseen_recall']:.3f}"
        )
    msg.text(f"{scores['docs_per_second']:.1f} documents per second")


def evaluate(
    model: Any,
    data: list[Path],
    *,
    split: str = "test",
    train: Path | None = None,
    lexicon: Path | None = None,
    batch_size: int = 64,
    limit: int = 0,
    nested: bool = False,
    spans_key: str = "",
) -> dict[str, Any]:
    """spans_key (str): See `read_docs`. RETURNS (dict): scores per corpus and over all (see
    `scorers.cascade_score`), sizes, speed, hardware."""
    import platform

    import spacy
    from spacy.training import Example

    from ..doc.gold import gold_chars, label_set, unannotated
    from ..scoring.scorers import cascade_score

    nlp = spacy.load(model) if isinstance(model, (str, Path)) else model
    score = partial(cascade_score, nested=nested, taxonomy=label_set(nlp))
    seen = None
    if train is not None:
        docs = read_docs(train, nlp.vocab, spans_key=spans_key)
        seen = {doc.text[s:e].lower() for doc in docs for s, e, _ in gold_chars(doc)}
        for file in sorted(Path(lexicon).glob("*.json")) if lexicon is not None else ():
            seen.update(
                name.lower()
                for names in srsly.read_json(file).values()
                for name in names
            )
    everything: list[Example] = []
    out: dict[str, Any] = {"corpora": {}}
    seconds = 0.0
    for name, path in corpora(data, split).items():
        gold = list(read_docs(path, nlp.vocab, limit, spans_key=spans_key))
        start = time.perf_counter()
        found = [
            known_labels(d)
            for d in nlp.pipe(
                (unannotated(nlp, doc) for doc in gold), batch_size=batch_size
            )
        ]
        seconds += time.perf_counter() - start
        examples = [
            Example(doc, reference) for doc, reference in zip(found, gold, strict=True)
        ]
        everything += examples
        out["corpora"][name] = _scores(examples, score, seen)
    out["all"] = out["corpora"]["all"] = _scores(everything, score, seen)
    out["docs_per_second"] = len(everything) / max(seconds, 1e-9)
    out["about"] = {
        "model": str(model),
        "split": split,
        "nested": nested,
        "machine": platform.machine(),
        "spacy": spacy.__version__,
    }
    return out


def known_labels(doc: Any) -> Any:
    """Drop the entities of a Doc that brings its own label set whose label is not in
    it, neither as a name nor as a path ('location > city' is 'city' of a set that has
    it): what components that know nothing of label sets wrote.
    """
    taxonomy = labels_of(doc)
    if taxonomy is not None:
        names = {path[-1] for path in taxonomy}
        kept = [
            e
            for e in doc.ents
            if e.label_ in names
            or known_path(taxonomy, parse_path(e.label_)) is not None
        ]
        doc.set_ents(kept)
    return doc


def _scores(examples: list[Any], score: Any, seen: set[str] | None) -> dict[str, Any]:
    out: dict[str, Any] = score(examples)
    out["docs"] = len(examples)
    out["unannotated"] = sum(not is_annotated(eg.reference) for eg in examples)
    out["mentions"] = sum(len(eg.reference.ents) for eg in examples)
    if seen is not None:
        hits: dict[bool, list[bool]] = {True: [], False: []}
        for eg in examples:
            found = {(e.start_char, e.end_char) for e in eg.predicted.ents}
            for e in eg.reference.ents:
                hits[e.text.lower() in seen].append((e.start_char, e.end_char) in found)
        out["seen_mentions"], out["unseen_mentions"] = len(hits[True]), len(hits[False])
        out["seen_recall"] = sum(hits[True]) / len(hits[True]) if hits[True] else None
        out["unseen_recall"] = (
            sum(hits[False]) / len(hits[False]) if hits[False] else None
        )
    return out
