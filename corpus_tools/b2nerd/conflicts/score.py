"""Scores of a tagger on the test data of another data set, and what that set says about
its predictions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from spacy.language import Language

from ...records import Record
from .edges import class_of_rest
from .evidence import (
    NOT_EXTRACTED,
    PARTIALLY_EXTRACTED,
    TAGGER,
    WRONG_CATEGORY,
    Evidence,
    form_of,
    is_cased,
)
from .strings import snippet

EXAMPLES = 2
Spans = Mapping[tuple[int, int], str]  # character offsets -> label


@dataclass(frozen=True)
class Score:
    """Of a tagger trained on set `a`, on the test data of set `b`.

    right (Counter): (label of a, label of b) -> predicted spans that `b` has with that label.
    predicted (Counter), gold (Counter): Spans per label of `a` and of `b`.
    evidence (list[Evidence]): What `b` says about the predictions, agreement included.
        Source "tagger".
    """

    a: str
    b: str
    right: Counter[tuple[str, str]] = field(default_factory=Counter)
    predicted: Counter[str] = field(default_factory=Counter)
    gold: Counter[str] = field(default_factory=Counter)
    evidence: list[Evidence] = field(default_factory=list)

    def prf(self, label: str, other: str) -> tuple[float, float, float]:
        """Strict span precision, recall and F1 of predictions of `label` against the
        mentions of `other`, in [0, 1].
        """
        right, predicted, gold = (
            self.right[label, other],
            self.predicted[label],
            self.gold[other],
        )
        total = predicted + gold
        return (
            right / predicted if predicted else 0.0,
            right / gold if gold else 0.0,
            2 * right / total if total else 0.0,
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-serializable."""
        right = [[*pair, n] for pair, n in sorted(self.right.items())]
        return {
            **vars(self),
            "right": right,
            "evidence": [vars(e) for e in self.evidence],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Score:
        return cls(
            data["a"],
            data["b"],
            Counter({(x, y): n for x, y, n in data["right"]}),
            Counter(data["predicted"]),
            Counter(data["gold"]),
            [
                Evidence(**{**e, "strings": Counter(e["strings"])})
                for e in data["evidence"]
            ],
        )


def score(nlp: Language, a: str, b: str, test: Sequence[Record]) -> Score:
    """nlp (Language): Trained on `a`. test (Sequence[Record]): Of `b`."""
    result = Score(a, b)
    found: dict[tuple[str, str, str, str], Evidence] = {}
    cased = is_cased(r.text for r in test)
    for record, doc in zip(test, nlp.pipe(r.text for r in test), strict=True):
        gold = {(m.start, m.end): m.label for m in record.flat()}
        result.gold.update(gold.values())
        for ent in doc.ents:
            result.predicted[ent.label_] += 1
            if (ent.start_char, ent.end_char) in gold:
                result.right[ent.label_, gold[ent.start_char, ent.end_char]] += 1
            key = _judge(
                record.text, ent.start_char, ent.end_char, ent.label_, gold, cased
            )
            if key is None:
                continue
            one = found.setdefault(key, Evidence(TAGGER, a, b, *key))
            one.n += 1
            one.strings[ent.text] += 1
            if len(one.examples) < EXAMPLES:
                one.examples.append(snippet(record.text, ent.start_char, ent.end_char))
    for one in found.values():
        one.checked = result.predicted[one.label]
    result.evidence.extend(found[key] for key in sorted(found))
    return result


def _judge(
    text: str, start: int, end: int, label: str, gold: Spans, cased: bool
) -> tuple[str, str, str, str] | None:
    """Label, class, other label and form; None for a prediction inside a longer mention."""
    if (start, end) in gold:
        return label, WRONG_CATEGORY, gold[start, end], ""
    overlaps = [(s, e) for s, e in gold if s < end and start < e]
    if not overlaps:
        return label, NOT_EXTRACTED, "", form_of(text[start:end], cased=cased)
    if any(s <= start and end <= e for s, e in overlaps):
        return None
    s, e = overlaps[0]
    return (
        label,
        PARTIALLY_EXTRACTED,
        gold[s, e],
        class_of_rest(f"{text[start:s]} {text[e:end]}"),
    )
