"""The hierarchical scorer: strict span F1 at every level of the taxonomy, used by
training loops and `spacy evaluate`.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from spacy.scorer import get_ner_prf
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import registry

from ..doc.annotations import SPANS_KEY, candidates, fuse, labels_of, placeholders
from ..doc.gold import gold_chars, known_path
from ..doc.missing import missing_ranges, touches, trim
from ..doc.words import MARKS
from ..taxonomy import Taxonomy, TypePath, parse_path

_LEVEL_NAMES = {1: ("fine",), 2: ("coarse", "fine"), 3: ("coarse", "medium", "fine")}
Item = tuple[int, int, TypePath]


@registry.scorers("spacy-cascade.CascadeScorer.v1")
def make_cascade_scorer(nested: bool = False) -> Callable[..., dict[str, Any]]:
    """nested (bool): Score all mentions, nested ones included, instead of the flat entities."""
    return partial(cascade_score, nested=nested)


def cascade_score(
    examples: Iterable[Example],
    *,
    nested: bool = False,
    taxonomy: Taxonomy | None = None,
    **_: Any,
) -> dict[str, Any]:
    """Micro-averaged, strict: a mention counts only with exactly the gold's character offsets. As
    in spaCy's scorer, Docs
    without entity annotation and predictions that touch tokens without it count for nothing.

    taxonomy (Optional[Taxonomy]): The pipeline's label set: gold paths that it spells
        in another case are taken for its own.
    RETURNS (dict), all in [0, 1], None where there is nothing to score:
        cascade_extraction_p/r/f: boundaries only
        cascade_coarse_f, _medium_f, _fine_f (and _p, _r): boundaries and label path
            down to that level
        cascade_typed_p/r/f: boundaries and the whole gold path
        cascade_hierarchical_p/r/f: every node of a path counts (a right coarse type of
        a wrong fine one is half right) cascade_accuracy: whole path right, of the
        mentions whose boundaries are right cascade_string_set_f: UniNER's and GNER's
        measure, for comparison with their figures only: per sentence the
            set of (normalized string, type) pairs, without positions
        cascade_per_type: p, r, f by path of the gold's depth
        ents_p/r/f, ents_per_type: spaCy's own, by label alone, which `spacy evaluate` prints
    """
    examples = list(examples)
    pairs = [
        scored_items(eg.reference, eg.predicted, nested, taxonomy) for eg in examples
    ]
    depth = max((len(p) for g, q in pairs for *_, p in [*g, *q]), default=1)
    out: dict[str, Any] = {}
    out.update(_prf("extraction", pairs, lambda item: item[:2]))
    names = _LEVEL_NAMES.get(depth) or tuple(f"level{i + 1}" for i in range(depth))
    for level, name in enumerate(names, 1):
        out.update(_prf(name, pairs, partial(_down_to, level)))
    out.update(_prf("typed", pairs, lambda item: item))
    out.update(_hierarchical(pairs))
    matched = [
        (g[2], q)
        for gold, pred in pairs
        for g in gold
        for q in [_same(g, pred)]
        if q is not None
    ]
    out["cascade_accuracy"] = (
        sum(g == q for g, q in matched) / len(matched) if matched else None
    )
    out["cascade_string_set_f"] = _string_set_f(examples, pairs)
    out["cascade_per_type"] = _per_type(pairs)
    out.update(get_ner_prf(examples))
    return out


def _down_to(level: int, item: Item) -> Item | None:
    """The item with its path cut at a level; None if the path does not get that far."""
    start, end, path = item
    return (start, end, path[:level]) if len(path) >= level else None


def scored_items(
    reference: Doc,
    predicted: Doc,
    nested: bool = False,
    taxonomy: Taxonomy | None = None,
) -> tuple[list[Item], list[Item]]:
    """Gold and predicted mentions, without predictions that touch what has no annotation: they are
    neither right nor wrong.
    Paths are as the text's own label set writes them, if it brings one.

    taxonomy (Optional[Taxonomy]): The pipeline's label set, whose spelling counts for
        other texts, and whose paths for gold that names a type without its ancestors.
    """
    own = labels_of(reference)

    def spelled(path: TypePath) -> TypePath:
        if own is not None:
            return known_path(own, path) or path
        if taxonomy is None:
            return path
        # gold entities may bear the deepest type alone, as those of the pipeline do
        found = known_path(taxonomy, path) if len(path) == 1 else taxonomy.find(path)
        return found or path

    gold, found = _gold(reference, nested), _predicted(predicted, nested)
    missing = missing_ranges(reference)
    if missing:
        found = [item for item in found if not touches(*item[:2], missing)]
    return [(s, e, spelled(p)) for s, e, p in gold], [
        (s, e, spelled(p)) for s, e, p in found
    ]


def _gold(doc: Doc, nested: bool) -> list[Item]:
    """What the gold annotation of a Doc holds, as character spans with paths; flat
    unless `nested`.
    """
    items = list(dict.fromkeys(gold_chars(doc)))
    if nested:
        return items
    if not doc.has_annotation("ENT_IOB"):  # spans alone
        return [items[i] for i in fuse((s, e, 1.0) for s, e, _ in items)]
    text = doc.text
    flat = {trim(text, e.start_char, e.end_char) for e in doc.ents}
    return [i for i in items if i[:2] in flat]


def _predicted(doc: Doc, nested: bool) -> list[Item]:
    """The same of what a pipeline found. A mention without a type has an empty path."""
    offsets = candidates(doc)
    paths = (
        (doc.spans[SPANS_KEY].attrs.get("paths") or []) if offsets is not None else []
    )
    known = {
        at: parse_path(path) for at, path in zip(offsets or (), paths, strict=False)
    }
    if nested and offsets is not None:
        return [(*at, known.get(at, ())) for at in offsets]
    waiting = {(e.start, e.end) for e in placeholders(doc)}
    out = []
    for e in doc.ents:
        path = () if (e.start, e.end) in waiting else parse_path(e.label_)
        out.append(
            (e.start_char, e.end_char, known.get((e.start_char, e.end_char)) or path)
        )
    return out


def _same(item: Item, others: list[Item]) -> TypePath | None:
    return next((p for s, e, p in others if (s, e) == item[:2]), None)


def prf(
    tp: float, n_pred: float, n_gold: float
) -> tuple[float | None, float | None, float | None]:
    """Precision, recall, F1; None without gold."""
    if not n_gold:
        return None, None, None
    p, r = (tp / n_pred if n_pred else 0.0), tp / n_gold
    return p, r, (2 * p * r / (p + r) if p + r else 0.0)


def _named(name: str, values: tuple[Any, Any, Any]) -> dict[str, Any]:
    return {f"cascade_{name}_{k}": v for k, v in zip("prf", values, strict=True)}


def _prf(
    name: str, pairs: list[tuple[list[Item], list[Item]]], key: Callable[[Item], Any]
) -> dict[str, Any]:
    tp = n_pred = n_gold = 0
    for gold, pred in pairs:
        a, b = Counter(key(i) for i in gold), Counter(key(i) for i in pred)
        a.pop(None, None)
        b.pop(None, None)
        tp += sum((a & b).values())
        n_gold += sum(a.values())
        n_pred += sum(b.values())
    return _named(name, prf(tp, n_pred, n_gold))


def _hierarchical(pairs: list[tuple[list[Item], list[Item]]]) -> dict[str, Any]:
    tp = n_pred = n_gold = 0
    for gold, pred in pairs:
        a = {(s, e, p[:k]) for s, e, p in gold for k in range(1, len(p) + 1)}
        b = {(s, e, p[:k]) for s, e, p in pred for k in range(1, len(p) + 1)}
        tp, n_pred, n_gold = tp + len(a & b), n_pred + len(b), n_gold + len(a)
    return _named("hierarchical", prf(tp, n_pred, n_gold))


# Whole words, and no letter with an accent of its own.
_ARTICLES = re.compile(rf"(?<!\w)(?<![{MARKS}])(a|an|the)(?!\w|[{MARKS}])")


def normalize_string(text: str) -> str:
    """As UniNER's and GNER's scripts: lower case, no ASCII punctuation, no articles,
    single spaces.
    """
    text = "".join(ch for ch in text.lower() if ch not in string.punctuation)
    return " ".join(_ARTICLES.sub(" ", text).split())


def _string_set_f(
    examples: Iterable[Example], pairs: list[tuple[list[Item], list[Item]]]
) -> float | None:
    tp = n_pred = n_gold = 0
    for eg, (gold, pred) in zip(examples, pairs, strict=True):
        text = eg.reference.text
        a = {(normalize_string(text[s:e]), p[-1:]) for s, e, p in gold}
        b = {(normalize_string(text[s:e]), p[-1:]) for s, e, p in pred}
        tp, n_pred, n_gold = tp + len(a & b), n_pred + len(b), n_gold + len(a)
    return prf(tp, n_pred, n_gold)[2]


def _per_type(
    pairs: list[tuple[list[Item], list[Item]]],
) -> dict[str, dict[str, float | None]]:
    tp: Counter[TypePath] = Counter()
    n_pred: Counter[TypePath] = Counter()
    n_gold: Counter[TypePath] = Counter()
    for gold, pred in pairs:
        a, b = Counter(gold), Counter(pred)
        for items, total in ((a, n_gold), (b, n_pred), (a & b, tp)):
            for (_, _, path), n in items.items():
                total[path] += n
    return {
        " > ".join(path): dict(
            zip("prf", prf(tp[path], n_pred[path], n_gold[path]), strict=True)
        )
        for path in sorted(n_gold)
    }
