"""The hierarchical scorer: strict span F1 at every level of the taxonomy, used by
training loops and `spacy evaluate`.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple

from spacy.scorer import get_ner_prf
from spacy.tokens import Doc
from spacy.training import Example

from ..doc.annotations import SPANS_KEY, candidates, fuse, labels_of, placeholders
from ..doc.gold import LabeledSpan, gold_chars, known_path
from ..doc.missing import missing_ranges, touches, trim
from ..doc.words import MARKS
from ..registry import scorers
from ..taxonomy import Taxonomy, TypePath, format_path, parse_path

_LEVEL_NAMES = {
    1: ("fine",),
    2: ("coarse", "fine"),
    3: ("coarse", "medium", "fine"),
}
# A mention in characters. Without a type its path is empty.
Item = LabeledSpan
# Scores by name: numbers, None, or tables of scores.
Scores = dict[str, Any]


class Scored(NamedTuple):
    """The mentions of one text.

    gold (list[Item]): Those of the reference.
    found (list[Item]): Those that a pipeline found.
    """

    gold: list[Item]
    found: list[Item]


class PRF(NamedTuple):
    """Precision, recall and F1. All are None if there is no gold."""

    p: float | None
    r: float | None
    f: float | None


@scorers("spacy-cascade.CascadeScorer.v1")
def make_cascade_scorer(nested: bool = False) -> Callable[..., Scores]:
    """Registered factory for a pipeline's `scorer`.

    nested (bool): Score all mentions, nested ones included, instead of the flat entities.
    RETURNS (Callable): Examples -> scores.
    """
    return partial(cascade_score, nested=nested)


def cascade_score(
    examples: Iterable[Example],
    *,
    nested: bool = False,
    taxonomy: Taxonomy | None = None,
    **_: object,
) -> Scores:
    """Micro-averaged strict scores.

    A mention counts only with exactly the gold's character offsets. As in spaCy's
    scorer, Docs without entity annotation and predictions that touch tokens without it
    count for nothing.

    examples (Iterable[Example]): References and predictions.
    nested (bool): Score all mentions, nested ones included, instead of the flat entities.
    taxonomy (Optional[Taxonomy]): The pipeline's label set. Gold paths that it spells
        in another case are taken for its own.
    RETURNS (dict): All values are in [0, 1], or None where there is nothing to score:
        cascade_extraction_p/r/f: Boundaries only.
        cascade_coarse_f, _medium_f, _fine_f (and _p, _r): Boundaries and label path
            down to that level.
        cascade_typed_p/r/f: Boundaries and the whole gold path.
        cascade_hierarchical_p/r/f: Every node of a path counts. A right coarse type of
            a wrong fine one is half right.
        cascade_accuracy: Whole path right, of the mentions whose boundaries are right.
        cascade_string_set_f: UniNER's and GNER's measure, for comparison with their
            figures only: per sentence the set of (normalized string, type) pairs,
            without positions.
        cascade_per_type: p, r, f by path of the gold's depth.
        ents_p/r/f, ents_per_type: spaCy's own, by label alone, which `spacy evaluate`
            prints.
    """
    examples = list(examples)
    pairs = []
    for example in examples:
        reference, predicted = example.reference, example.predicted
        pairs.append(scored_items(reference, predicted, nested, taxonomy))

    out: Scores = {}
    _put(out, "extraction", span_prf(pairs))
    for level, name in enumerate(_level_names(pairs), 1):
        _put(out, name, _strict(pairs, partial(_down_to, level)))
    _put(out, "typed", typed_prf(pairs))
    _put(out, "hierarchical", _hierarchical(pairs))
    out["cascade_accuracy"] = _accuracy(pairs)
    out["cascade_string_set_f"] = _string_set_f(examples, pairs)
    out["cascade_per_type"] = _per_type(pairs)
    out.update(get_ner_prf(examples))
    return out


def _put(scores: Scores, name: str, prf: PRF) -> None:
    """Add three scores under their names."""
    for key, value in prf._asdict().items():
        scores[f"cascade_{name}_{key}"] = value


def _level_names(pairs: Sequence[Scored]) -> Sequence[str]:
    """Names of the levels that the paths reach."""
    depths = []
    for gold, found in pairs:
        depths += [len(item.path) for item in (*gold, *found)]
    depth = max(depths, default=1)
    if depth in _LEVEL_NAMES:
        return _LEVEL_NAMES[depth]
    return [f"level{level}" for level in range(1, depth + 1)]


def _down_to(level: int, item: Item) -> Item | None:
    """The item with its path cut at a level. None if the path does not get that far."""
    if len(item.path) < level:
        return None
    return item._replace(path=item.path[:level])


def scored_items(
    reference: Doc,
    predicted: Doc,
    nested: bool = False,
    taxonomy: Taxonomy | None = None,
) -> Scored:
    """Gold and predicted mentions.

    Predictions that touch what has no annotation are left out: they are neither right
    nor wrong. Paths are as the text's own label set writes them, if it brings one.

    reference (Doc): The gold annotation.
    predicted (Doc): What a pipeline made of the text.
    nested (bool): All mentions, nested ones included, instead of the flat entities.
    taxonomy (Optional[Taxonomy]): The pipeline's label set, whose spelling counts for
        other texts, and whose paths for gold that names a type without its ancestors.
    """
    gold = _gold(reference, nested)
    found = _predicted(predicted, nested)
    missing = missing_ranges(reference)
    if missing:
        found = [item for item in found if not touches(item.start, item.end, missing)]

    own = labels_of(reference)
    return Scored(
        gold=[_spelled(item, own, taxonomy) for item in gold],
        found=[_spelled(item, own, taxonomy) for item in found],
    )


def _spelled(item: Item, own: Taxonomy | None, taxonomy: Taxonomy | None) -> Item:
    """The item with its path as a label set spells it.

    own (Optional[Taxonomy]): The text's own label set.
    taxonomy (Optional[Taxonomy]): The pipeline's, for texts that have none.
    item (Item): A mention.
    """
    path = item.path
    if own is not None:
        found = known_path(own, path)
    elif taxonomy is None:
        return item
    elif len(path) == 1:
        # gold entities may bear the deepest type alone, as those of the pipeline do
        found = known_path(taxonomy, path)
    else:
        found = taxonomy.find(path)
    return item._replace(path=found) if found else item


def _gold(doc: Doc, nested: bool) -> list[Item]:
    """The gold mentions of a Doc, flat unless `nested`.

    doc (Doc): The reference.
    nested (bool): All mentions, nested ones included.
    """
    items = list(dict.fromkeys(gold_chars(doc)))
    if nested:
        return items
    if not doc.has_annotation("ENT_IOB"):
        # there are spans alone
        kept = fuse((item.start, item.end, 1.0) for item in items)
        return [items[i] for i in kept]

    text = doc.text
    flat = {trim(text, ent.start_char, ent.end_char) for ent in doc.ents}
    return [item for item in items if (item.start, item.end) in flat]


def _predicted(doc: Doc, nested: bool) -> list[Item]:
    """The mentions that a pipeline found, flat unless `nested`.

    doc (Doc): What a pipeline made of a text.
    nested (bool): All mentions, nested ones included.
    """
    offsets = candidates(doc)
    known: dict[tuple[int, int], TypePath] = {}
    if offsets is not None:
        paths = doc.spans[SPANS_KEY].attrs.get("paths") or []
        for at, path in zip(offsets, paths, strict=False):
            known[at] = parse_path(path)
        if nested:
            return [Item(*at, known.get(at, ())) for at in offsets]

    untyped = {(ent.start, ent.end) for ent in placeholders(doc)}
    out = []
    for ent in doc.ents:
        at = (ent.start_char, ent.end_char)
        path = known.get(at)
        if not path:
            is_untyped = (ent.start, ent.end) in untyped
            path = () if is_untyped else parse_path(ent.label_)
        out.append(Item(*at, path))
    return out


def prf(tp: float, n_pred: float, n_gold: float) -> PRF:
    """Precision, recall and F1. None without gold.

    tp (float): Right predictions.
    n_pred (float), n_gold (float): All predictions, and all gold mentions.
    """
    if not n_gold:
        return PRF(None, None, None)
    p = tp / n_pred if n_pred else 0.0
    r = tp / n_gold
    f = 2 * p * r / (p + r) if p + r else 0.0
    return PRF(p, r, f)


class _Counts:
    """Right predictions, all predictions and all gold mentions."""

    def __init__(self) -> None:
        self.tp = 0
        self.n_pred = 0
        self.n_gold = 0

    def add(self, gold: set[Hashable], found: set[Hashable]) -> None:
        """Count what both sets hold.

        gold, found (set): What is compared, of one text.
        """
        self.tp += len(gold & found)
        self.n_pred += len(found)
        self.n_gold += len(gold)

    def prf(self) -> PRF:
        """The scores of what was counted."""
        return prf(self.tp, self.n_pred, self.n_gold)


def span_prf(pairs: Sequence[Scored]) -> PRF:
    """Scores of boundaries alone."""
    return _strict(pairs, lambda item: (item.start, item.end))


def typed_prf(pairs: Sequence[Scored]) -> PRF:
    """Scores of boundaries and whole paths."""
    return _strict(pairs, lambda item: item)


def _strict(
    pairs: Sequence[Scored],
    key: Callable[[Item], Hashable | None],
) -> PRF:
    """Scores of mentions by a key. key (Callable): None: the mention does not count."""
    tp = n_pred = n_gold = 0
    for gold, found in pairs:
        gold_keys = Counter(map(key, gold))
        found_keys = Counter(map(key, found))
        gold_keys.pop(None, None)
        found_keys.pop(None, None)
        tp += (gold_keys & found_keys).total()
        n_gold += gold_keys.total()
        n_pred += found_keys.total()
    return prf(tp, n_pred, n_gold)


def _hierarchical(pairs: Sequence[Scored]) -> PRF:
    """Scores of all nodes of all paths."""
    counts = _Counts()
    for gold, found in pairs:
        counts.add(_nodes(gold), _nodes(found))
    return counts.prf()


def _nodes(items: Sequence[Item]) -> set[Hashable]:
    """Every mention with each beginning of its path."""
    out: set[Hashable] = set()
    for start, end, path in items:
        for level in range(1, len(path) + 1):
            out.add((start, end, path[:level]))
    return out


def _accuracy(pairs: Sequence[Scored]) -> float | None:
    """How many paths are right, of the mentions whose boundaries are right.

    pairs (Sequence[Scored]): The mentions of all texts.
    RETURNS (float | None): None if there are no such mentions.
    """
    right = 0
    bounded = 0
    for gold, found in pairs:
        paths: dict[tuple[int, int], TypePath] = {}
        for start, end, path in found:
            paths.setdefault((start, end), path)
        for start, end, path in gold:
            if (start, end) in paths:
                bounded += 1
                right += paths[start, end] == path
    return right / bounded if bounded else None


# Whole words, and no letter with an accent of its own.
_ARTICLES = re.compile(rf"(?<!\w)(?<![{MARKS}])(a|an|the)(?!\w|[{MARKS}])")


def normalize_string(text: str) -> str:
    """A name as the scripts of UniNER and GNER compare it.

    In lower case, without ASCII punctuation and articles, with single spaces.

    text (str): The name.
    RETURNS (str): Empty if nothing is left.
    """
    chars = [char for char in text.lower() if char not in string.punctuation]
    words = _ARTICLES.sub(" ", "".join(chars)).split()
    return " ".join(words)


def _string_set_f(
    examples: Sequence[Example],
    pairs: Sequence[Scored],
) -> float | None:
    """F1 of sets of (string, type) pairs, one set per text.

    examples (Sequence[Example]): The texts.
    pairs (Sequence[Scored]): Their mentions.
    """
    counts = _Counts()
    for example, (gold, found) in zip(examples, pairs, strict=True):
        text = example.reference.text
        counts.add(_strings(text, gold), _strings(text, found))
    return counts.prf().f


def _strings(text: str, items: Sequence[Item]) -> set[Hashable]:
    """The strings of mentions with their finest types.

    text (str): The text.
    items (Sequence[Item]): Its mentions.
    """
    out: set[Hashable] = set()
    for start, end, path in items:
        out.add((normalize_string(text[start:end]), path[-1:]))
    return out


def _per_type(pairs: Sequence[Scored]) -> dict[str, dict[str, float | None]]:
    """Scores by gold path.

    pairs (Sequence[Scored]): The mentions of all texts.
    RETURNS (dict): p, r and f by path string.
    """
    tp: Counter[TypePath] = Counter()
    n_pred: Counter[TypePath] = Counter()
    n_gold: Counter[TypePath] = Counter()
    for gold, found in pairs:
        n_gold.update(item.path for item in gold)
        n_pred.update(item.path for item in found)
        right = Counter(gold) & Counter(found)
        tp.update(item.path for item in right.elements())

    out = {}
    for path in sorted(n_gold):
        scores = prf(tp[path], n_pred[path], n_gold[path])
        out[format_path(path)] = scores._asdict()
    return out
