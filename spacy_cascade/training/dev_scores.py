"""Dev scores of single components, with the decoder that is used in production."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from spacy.language import Language
from spacy.training import Example

from ..doc.gold import GoldMention, known_mentions, label_set, unannotated
from ..pipeline.classifier import CascadeClassifier
from ..pipeline.component import LMPipe
from ..pipeline.open_ner import OpenNER
from ..scoring.scorers import cascade_score
from ..types import Candidate


def dev_scores(
    nlp: Language,
    pipe: LMPipe,
    examples: Sequence[Example],
    *,
    batch_size: int = 256,
) -> dict[str, float]:
    """Scores of one component by itself.

    Extractor: strict boundary precision, recall and F1. Open NER: the same with labels,
    and `span_f` without. Classifier: accuracy on gold mentions, at every level.

    RETURNS (dict): Scores; `score` is the one to select by.
    """
    if isinstance(pipe, CascadeClassifier):
        return _accuracy(
            nlp,
            pipe,
            examples,
            batch_size,
        )

    done = []
    for batch in _batches(nlp, examples, batch_size):
        docs = [example.predicted for example in batch]
        pipe.set_annotations(docs, pipe.predict(docs))
        done += batch

    scores = cascade_score(done, taxonomy=label_set(nlp))
    what = "typed" if isinstance(pipe, OpenNER) else "extraction"
    found = {k: scores[f"cascade_{what}_{k}"] or 0.0 for k in "prf"}
    out = {"score": found["f"], **found}
    if isinstance(pipe, OpenNER):
        out["span_f"] = scores["cascade_extraction_f"] or 0.0
    return out


def _batches(
    nlp: Language,
    examples: Sequence[Example],
    size: int,
) -> Iterator[list[Example]]:
    """The texts without their annotation, beside their references."""
    for start in range(0, len(examples), size):
        references = [eg.reference for eg in examples[start : start + size]]
        yield [Example(unannotated(nlp, gold), gold) for gold in references]


def _certain(mentions: Iterable[GoldMention]) -> list[Candidate]:
    return [Candidate(start, end, 1.0) for start, end, _ in mentions]


def _accuracy(
    nlp: Language,
    pipe: CascadeClassifier,
    examples: Sequence[Example],
    batch_size: int,
) -> dict[str, float]:
    right: Counter[int] = Counter()
    total: Counter[int] = Counter()
    for batch in _batches(nlp, examples, batch_size):
        docs = [example.predicted for example in batch]
        gold = [known_mentions(example, pipe.taxonomy) for example in batch]
        asked = [_certain(mentions) for mentions in gold]
        answers = pipe.classify(docs, asked)
        for mentions, typed in zip(gold, answers, strict=True):
            for (_, _, path), (*_, result) in zip(mentions, typed, strict=True):
                for level in range(1, len(path) + 1):
                    total[level] += 1
                    right[level] += result.path[:level] == path[:level]

    levels = {f"acc{level}": right[level] / total[level] for level in sorted(total)}
    mean = sum(levels.values()) / len(levels) if levels else 0.0
    return {"score": mean, **levels}
