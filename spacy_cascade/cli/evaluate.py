"""`spacy cascade evaluate`: strict F1 at every level, for each language or corpus and over all."""

from __future__ import annotations

import logging
import platform
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from pathlib import Path

import srsly
import typer
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.training import Example
from wasabi import msg

from ..doc.annotations import labels_of
from ..doc.gold import (
    gold_chars,
    known_path,
    label_set,
    unannotated,
    unknown_types,
)
from ..doc.missing import is_annotated
from ..errors import CascadeError, Errors, Warnings
from ..files import JsonObject
from ..scoring.scorers import cascade_score
from ..taxonomy import Taxonomy, parse_path
from ..taxonomy.aliases import with_nearest
from ._app import cascade_app
from ._util import corpora, read_docs, refuse_overlap, show_errors

logger = logging.getLogger("spacy_cascade")

# What a file of scores must hold.
NEEDED = ("corpora", "all", "docs_per_second")
# Scores by the heads of their columns.
COLUMNS = {
    "extraction P": "extraction_p",
    "extraction R": "extraction_r",
    "extraction F1": "extraction_f",
    "coarse F1": "coarse_f",
    "medium F1": "medium_f",
    "fine F1": "fine_f",
    "typed P": "typed_p",
    "typed R": "typed_r",
    "typed F1": "typed_f",
    "accuracy": "accuracy",
}


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


def read_scores(path: Path) -> JsonObject:
    """RAISES CascadeError: C061 if the file is not what `evaluate` wrote."""
    try:
        scores = srsly.read_json(path)
    except ValueError as err:
        why = f"it is no JSON: {err}"
        raise CascadeError(Errors.C061.format(path=path, why=why)) from err
    found = scores if isinstance(scores, dict) else {}
    missing = [key for key in NEEDED if key not in found]
    if missing:
        why = f"it lacks {', '.join(missing)}"
        raise CascadeError(Errors.C061.format(path=path, why=why))
    return found


def print_scores(scores: JsonObject) -> None:
    """A table with a row per corpus."""
    header = ["", "docs", "mentions", *COLUMNS]
    rows = []
    for name, found in scores["corpora"].items():
        cells = [_cell(found.get(f"cascade_{column}")) for column in COLUMNS.values()]
        rows.append([name, found["docs"], found["mentions"], *cells])
    right = ["r"] * (len(header) - 1)
    msg.table(rows, header=header, divider=True, aligns=("l", *right))

    everything = scores["all"]
    if everything.get("unannotated"):
        msg.warn(
            f"{everything['unannotated']} of {everything['docs']} document(s) have no"
            " entity annotation and do not count"
        )
    if everything.get("unseen_recall") is not None:
        msg.text(
            f"boundary recall of the {everything['seen_mentions']} mentions whose string is in"
            f" the training data or lexicon: {everything['seen_recall']:.3f}; of the"
            f" {everything['unseen_mentions']} others: {everything['unseen_recall']:.3f}"
        )
    msg.text(f"{scores['docs_per_second']:.1f} documents per second")


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def evaluate(
    model: Language | str | Path,
    data: Sequence[Path],
    *,
    split: str = "test",
    train: Path | None = None,
    lexicon: Path | None = None,
    batch_size: int = 64,
    limit: int = 0,
    nested: bool = False,
    spans_key: str = "",
) -> JsonObject:
    """Score a pipeline on gold DocBins.

    model (Language | str | Path): A pipeline, or its package name or directory.
    data (Sequence[Path]): DocBins, or directories with `<name>/<split>.spacy`.
    split (str): Which split of directories.
    train (Optional[Path]): Training DocBin. Mentions that are not in it are reported apart.
    lexicon (Optional[Path]): Lexicon used in training. Its names count as seen, too.
    batch_size (int): Documents that run together.
    limit (int): Most documents per file. 0: all.
    nested (bool): Score nested mentions, too.
    spans_key (str): The span group that is gold, such as spancat's "sc". "": gold spans or
        entities.
    RETURNS (JsonObject): Scores of each corpus and of all documents (see
        `scoring.scorers.cascade_score`), sizes, speed and versions.
    RAISES CascadeError: C031 if a file can't be read.
    """
    import spacy

    nlp = model if isinstance(model, Language) else spacy.load(model)
    score = partial(cascade_score, nested=nested, taxonomy=label_set(nlp))
    seen = None
    if train is not None:
        gold = read_docs(train, nlp.vocab, spans_key=spans_key)
        seen = _mention_texts(gold) | _lexicon_names(lexicon)

    everything: list[Example] = []
    results: JsonObject = {}
    seconds = 0.0
    for name, path in corpora(data, split).items():
        references = list(read_docs(path, nlp.vocab, limit, spans_key=spans_key))
        texts = (unannotated(nlp, doc) for doc in references)
        start = time.perf_counter()
        found = [known_labels(doc) for doc in nlp.pipe(texts, batch_size=batch_size)]
        seconds += time.perf_counter() - start
        pairs = zip(found, references, strict=True)
        examples = [Example(doc, reference) for doc, reference in pairs]
        everything += examples
        results[name] = _scores(examples, score, seen)

    _report_unknown(everything, label_set(nlp))
    results["all"] = _scores(everything, score, seen)
    about = {
        "model": str(model),
        "split": split,
        "nested": nested,
        "machine": platform.machine(),
        "spacy": spacy.about.__version__,
    }
    return {
        "corpora": results,
        "all": results["all"],
        "docs_per_second": len(everything) / max(seconds, 1e-9),
        "about": about,
    }


def _report_unknown(examples: Sequence[Example], taxonomy: Taxonomy | None) -> None:
    """Warn (CW21) of gold types that are not in the taxonomy: typed scores suffer."""
    if taxonomy is None:
        return
    unknown: Counter[str] = Counter()
    for example in examples:
        # a mention without a type has an empty path
        found = unknown_types(example.reference, taxonomy)
        unknown.update(filter(None, found))
    if not unknown:
        return
    known = [path[-1] for path in taxonomy]
    names = [name for name, _ in unknown.most_common()]
    nearest = with_nearest(names, known)
    logger.warning(Warnings.W021.format(n=sum(unknown.values()), names=nearest))


def _mention_texts(docs: Iterable[Doc]) -> set[str]:
    texts: set[str] = set()
    for doc in docs:
        for start, end, _ in gold_chars(doc):
            texts.add(doc.text[start:end].lower())
    return texts


def _lexicon_names(lexicon: Path | None) -> set[str]:
    files = sorted(Path(lexicon).glob("*.json")) if lexicon is not None else []
    found: set[str] = set()
    for file in files:
        for names in srsly.read_json(file).values():
            found.update(name.lower() for name in names)
    return found


def known_labels(doc: Doc) -> Doc:
    """Drop the entities whose label is not in the label set that a Doc brings.

    Components that know nothing of label sets write such entities. A label may be a name
    of the set or a path: 'location > city' is 'city' of a set that has it.
    """
    taxonomy = labels_of(doc)
    if taxonomy is not None:
        names = {path[-1] for path in taxonomy}
        kept = [ent for ent in doc.ents if _is_known(ent, taxonomy, names)]
        doc.set_ents(kept)
    return doc


def _is_known(ent: Span, taxonomy: Taxonomy, names: Collection[str]) -> bool:
    if ent.label_ in names:
        return True
    return known_path(taxonomy, parse_path(ent.label_)) is not None


def _scores(
    examples: Sequence[Example],
    score: Callable[[Sequence[Example]], JsonObject],
    seen: Collection[str] | None,
) -> JsonObject:
    """seen (Optional[Collection[str]]): Mentions of the training data, in lower case."""
    out = dict(score(examples))
    references = [example.reference for example in examples]
    out["docs"] = len(examples)
    out["unannotated"] = sum(not is_annotated(gold) for gold in references)
    out["mentions"] = sum(len(gold.ents) for gold in references)
    if seen is None:
        return out

    hits: dict[bool, list[bool]] = {True: [], False: []}
    for example in examples:
        found = {(ent.start_char, ent.end_char) for ent in example.predicted.ents}
        for ent in example.reference.ents:
            place = (ent.start_char, ent.end_char)
            hits[ent.text.lower() in seen].append(place in found)
    out["seen_mentions"] = len(hits[True])
    out["unseen_mentions"] = len(hits[False])
    out["seen_recall"] = _share(hits[True])
    out["unseen_recall"] = _share(hits[False])
    return out


def _share(hits: Sequence[bool]) -> float | None:
    return sum(hits) / len(hits) if hits else None
