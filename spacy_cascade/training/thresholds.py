"""Choosing a component's `score_threshold` on development data."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, TypeGuard

from spacy.language import Language
from spacy.tokens import Doc

from ..doc.annotations import SPANS_KEY
from ..doc.gold import label_set, unannotated
from ..doc.missing import is_annotated
from ..errors import CascadeError, Errors
from ..pipeline.classifier import CascadeClassifier
from ..pipeline.component import LMPipe, batched
from ..pipeline.extractor import CascadeExtractor
from ..pipeline.windowed import WindowedPipe
from ..scoring.scorers import PRF, Scored, scored_items, span_prf, typed_prf

# Hundredths, each of which is tried.
STEPS = 100

ThresholdPipe = CascadeClassifier | WindowedPipe


class Point(NamedTuple):
    """What a pipeline scores with a threshold: boundaries alone, and with the type."""

    threshold: float
    span: PRF
    typed: PRF


class Sweep(NamedTuple):
    """All points, lowest threshold first, and the best of them.

    types (bool): Whether the component names types. Where it does not, points are judged
        by boundaries alone.
    """

    points: list[Point]
    best: Point
    types: bool


def tuned_pipe(nlp: Language) -> ThresholdPipe:
    """The component that has the last word on `doc.ents`.

    RAISES CascadeError: C140 if no component filters entities by their score.
    """
    for _, pipe in reversed(nlp.pipeline):
        if _has_threshold(pipe):
            return pipe
    raise CascadeError(Errors.C140.format(pipes=", ".join(nlp.pipe_names) or "none"))


def _has_threshold(pipe: object) -> TypeGuard[ThresholdPipe]:
    if isinstance(pipe, WindowedPipe):
        return pipe.annotate_ents
    return isinstance(pipe, CascadeClassifier)


def sweep(
    nlp: Language,
    references: Iterable[Doc],
    *,
    target_precision: float | None = None,
    batch_size: int = 64,
) -> Sweep:
    """Scores of a pipeline with every threshold from 0 to 0.99, in hundredths.

    The model reads each text once. Components behind the one that is tuned do not run.
    The pipeline is left as it was.

    nlp (Language): The pipeline.
    references (Iterable[Doc]): Development texts with their gold annotation.
    target_precision (Optional[float]): Take the best point of those whose precision is at
        least this. None: take the one with the best F1.
    batch_size (int): Texts that run together.
    RETURNS (Sweep): The points. Of equally good ones the lowest threshold is best.
    RAISES CascadeError: C140; C141 without gold mentions; C142 if no threshold reaches
        that precision.
    """
    pipe = tuned_pipe(nlp)
    before = pipe.score_threshold
    thresholds = [step / STEPS for step in range(STEPS)]
    found: list[list[Scored]] = [[] for _ in thresholds]
    annotated = (doc for doc in references if is_annotated(doc))
    try:
        for gold in batched(annotated, batch_size):
            of_batch = _annotated(nlp, pipe, gold, thresholds)
            for scored, more in zip(found, of_batch, strict=True):
                scored += more
    finally:
        pipe.score_threshold = before

    if not any(text.gold for text in found[0]):
        raise CascadeError(Errors.C141)

    types = not isinstance(pipe, CascadeExtractor)
    points = []
    for threshold, scored in zip(thresholds, found, strict=True):
        points.append(Point(threshold, span_prf(scored), typed_prf(scored)))
    return Sweep(points, _best(points, types, target_precision), types)


def _annotated(
    nlp: Language,
    pipe: ThresholdPipe,
    references: Sequence[Doc],
    thresholds: Sequence[float],
) -> list[list[Scored]]:
    """The mentions of each text, for each threshold."""
    names = [name for name, _ in nlp.pipeline]
    behind = names[names.index(pipe.name) :]
    texts = [unannotated(nlp, doc) for doc in references]
    docs = list(nlp.pipe(texts, disable=behind, batch_size=len(texts)))
    results = pipe.predict(docs)

    taxonomy = label_set(nlp)
    out: list[list[Scored]] = [[] for _ in thresholds]
    for doc, result, reference in zip(docs, results, references, strict=True):
        known: dict[int, Scored] = {}
        scores: list[float] | None = None
        for k, threshold in enumerate(thresholds):
            # as long as no other candidate falls out, nothing changes
            dropped = 0 if scores is None else bisect_left(scores, threshold)
            if dropped not in known:
                pipe.score_threshold = threshold
                copy = _written(pipe, doc, result)
                if scores is None:
                    scores = _scores(copy)
                known[dropped] = scored_items(reference, copy, taxonomy=taxonomy)
            out[k].append(known[dropped])
    return out


def _written(pipe: LMPipe, doc: Doc, result: Any) -> Doc:
    """A copy of a Doc with what a component found."""
    copy = doc.copy()
    pipe.set_annotations([copy], [result])
    return copy


def _scores(doc: Doc) -> list[float]:
    """The scores of all candidates, lowest first."""
    return sorted(span._.cascade_score for span in doc.spans[SPANS_KEY])


def _best(points: Sequence[Point], types: bool, target: float | None) -> Point:
    """RAISES CascadeError: C142."""

    def judged(point: Point) -> PRF:
        return point.typed if types else point.span

    # max takes the first of equally good ones, whose threshold is the lowest
    if target is None:
        return max(points, key=lambda point: judged(point).f or 0.0)

    reached = [point for point in points if (judged(point).p or 0.0) >= target]
    if not reached:
        highest = max(points, key=lambda point: judged(point).p or 0.0)
        message = Errors.C142.format(
            target=f"{target:g}",
            found=f"{judged(highest).p or 0.0:.3f}",
            threshold=f"{highest.threshold:g}",
        )
        raise CascadeError(message)
    return max(reached, key=lambda point: judged(point).f or 0.0)
