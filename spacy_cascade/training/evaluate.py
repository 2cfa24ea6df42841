"""Dev scores of single components, with the decoder that is used in production."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from spacy.language import Language
from spacy.training import Example

from ..doc.gold import known_mentions, label_set, unannotated
from ..pipeline.classifier import CascadeClassifier
from ..pipeline.open_ner import OpenNER
from ..scoring.scorers import cascade_score


def dev_scores(
    nlp: Language, pipe: Any, examples: Sequence[Example], *, batch_size: int = 256
) -> dict[str, float]:
    """Extractor: strict boundary P, R and F1.

    Open NER: the same with labels, and `span_f` without. Classifier: accuracy on gold
    mentions, at every level.

    RETURNS (dict): Scores; `score` is the one to select by.
    """
    if isinstance(pipe, CascadeClassifier):
        return _accuracy(nlp, pipe, examples, batch_size)
    done = []
    for i in range(0, len(examples), batch_size):
        docs = [unannotated(nlp, eg.reference) for eg in examples[i : i + batch_size]]
        pipe.set_annotations(docs, pipe.predict(docs))
        done += [
            Example(d, eg.reference)
            for d, eg in zip(docs, examples[i : i + batch_size], strict=True)
        ]
    scores = cascade_score(done, taxonomy=label_set(nlp))
    if isinstance(pipe, OpenNER):
        out = {k: scores[f"cascade_typed_{k}"] or 0.0 for k in "prf"}
        return {
            "score": out["f"],
            **out,
            "span_f": scores["cascade_extraction_f"] or 0.0,
        }
    out = {k: scores[f"cascade_extraction_{k}"] or 0.0 for k in "prf"}
    return {"score": out["f"], **out}


def _accuracy(
    nlp: Language, pipe: CascadeClassifier, examples: Sequence[Example], batch_size: int
) -> dict[str, float]:
    right: dict[int, int] = {}
    total: dict[int, int] = {}
    for i in range(0, len(examples), batch_size):
        batch = [
            Example(unannotated(nlp, eg.reference), eg.reference)
            for eg in examples[i : i + batch_size]
        ]
        gold = [known_mentions(eg, pipe.taxonomy) for eg in batch]
        found = pipe.classify(
            [eg.predicted for eg in batch],
            [[(s, e, 1.0) for s, e, _ in g] for g in gold],
        )
        for mentions, results in zip(gold, found, strict=True):
            for (_, _, path), (*_, result) in zip(mentions, results, strict=True):
                for level in range(1, len(path) + 1):
                    total[level] = total.get(level, 0) + 1
                    right[level] = right.get(level, 0) + (
                        result.path[:level] == path[:level]
                    )
    levels = {f"acc{n}": right[n] / total[n] for n in sorted(total)}
    return {"score": sum(levels.values()) / len(levels) if levels else 0.0, **levels}
