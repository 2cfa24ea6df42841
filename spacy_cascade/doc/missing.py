"""What the gold annotation of a Doc says about entities, and what it does not say.

"No annotation" is not "no entity": spaCy's scorer and its `ner` keep the two apart
(`token.ent_iob` 0 and 2), and so does everything here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from spacy.attrs import ENT_IOB
from spacy.tokens import Doc, Span, SpanGroup
from spacy.util import filter_spans

GOLD_KEY = "gold"
# Groups that are annotation of ours, gold or found. All others belong to someone else.
_OWN_KEYS = (GOLD_KEY, "cascade")
# (start, end) in characters
Range = tuple[int, int]


def is_annotated(doc: Doc) -> bool:
    """Whether a Doc has entity annotation, be it that there is no entity.

    It may stand on its tokens, or as `doc.spans["gold"]`.
    """
    return bool(doc.has_annotation("ENT_IOB")) or GOLD_KEY in doc.spans


def missing_ranges(doc: Doc) -> list[Range]:
    """Character ranges without annotation.

    There is one for each run of such tokens. It is the whole text of a Doc that has no
    annotation. Where only `doc.spans["gold"]` is set, that is the annotation, and
    nothing is missing.
    """
    # (tokens,)
    known = doc.to_array(ENT_IOB).reshape(-1).astype(bool)
    if known.all():
        return []
    group = doc.spans.get(GOLD_KEY)
    if group is not None:
        if not known.any():
            return []
        for span in group:
            known[span.start : span.end] = True

    out: list[Range] = []
    follows = False
    for token, is_known in zip(doc, known.tolist(), strict=True):
        if not is_known:
            start = token.idx
            if follows:
                start, _ = out.pop()
            out.append((start, token.idx + len(token)))
        follows = not is_known
    return out


def touches(start: int, end: int, ranges: Iterable[Range]) -> bool:
    """Whether [start, end) shares a character with one of the ranges.

    start, end (int): Characters.
    ranges (Iterable[Range]): The ranges, in any order.
    """
    return any(start < e and s < end for s, e in ranges)


def trim(text: str, start: int, end: int) -> Range:
    """A range without the white space at its edges.

    Start and end are equal if there is nothing else in it.

    text (str): The text.
    start, end (int): The range.
    """
    inner = text[start:end]
    start += len(inner) - len(inner.lstrip())
    return start, start + len(inner.strip())


def take_spans(doc: Doc, key: str) -> None:
    """Make a span group the gold annotation of a Doc, in place.

    All its spans are gold, and the longest ones become entities. A Doc without that
    group has no annotation then.

    doc (Doc): The text.
    key (str): The group, such as spancat's "sc".
    """
    if key == GOLD_KEY:
        return
    group = doc.spans.get(key)
    doc.spans.pop(GOLD_KEY, None)
    if group is None:
        doc.set_ents([], default="missing")
        return

    spans = [Span(doc, span.start, span.end, label=span.label_) for span in group]
    paths = group.attrs.get("paths") or [span.label_ for span in spans]
    doc.spans[GOLD_KEY] = SpanGroup(
        doc,
        name=GOLD_KEY,
        spans=spans,
        attrs={"paths": list(paths)},
    )
    doc.set_ents(filter_spans(spans))


def other_groups(docs: Iterable[Doc], *, read: str = "") -> Counter[str]:
    """Span groups that are not read as gold, with how many spans they hold.

    docs (Iterable[Doc]): The texts.
    read (str): The group that is read.
    """
    own = (*_OWN_KEYS, read)
    found: Counter[str] = Counter()
    for doc in docs:
        for key, group in doc.spans.items():
            if key not in own:
                found[key] += len(group)
    return +found


def name_groups(groups: Counter[str]) -> str:
    """For messages: 'sc' (3 spans), 'ruler' (1 span).

    groups (Counter[str]): How many spans each group holds.
    """
    names = []
    for key, n in groups.most_common():
        plural = "s" if n > 1 else ""
        names.append(f"'{key}' ({n} span{plural})")
    return ", ".join(names)
