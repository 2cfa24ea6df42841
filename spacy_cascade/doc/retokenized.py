"""Docs whose tokens a component has merged or split after their candidates were found:
what was found follows its characters.
"""

from __future__ import annotations

import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from spacy.attrs import IDX, LENGTH
from spacy.language import Language
from spacy.tokens import Doc


def boundaries(doc: Doc) -> int:
    """A checksum of where the tokens stand."""
    table = doc.to_array([IDX, LENGTH])
    return zlib.crc32(table.tobytes())


def token_spans(doc: Doc, offsets: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The whole tokens that hold these characters.

    offsets (Sequence): (start, end) in characters.
    RETURNS (list): (start, end) in tokens.
    """
    # (tokens, 2)
    table = doc.to_array([IDX, LENGTH]).astype("int64")
    starts = table[:, 0].tolist()
    ends = table.sum(axis=1).tolist()

    out = []
    for start, end in offsets:
        first = bisect_right(starts, start) - 1
        last = bisect_left(ends, end)
        out.append((first, last + 1))
    return out


def moved(
    spans: Sequence[tuple[int, int]],
    read: Doc,
    doc: Doc,
) -> list[tuple[int, int]]:
    """Token spans of one Doc in the tokens of another one with the same text.

    spans (Sequence): (start, end) in tokens of `read`.
    RETURNS (list): (start, end) in tokens of `doc`.
    """
    if read is doc:
        return list(spans)

    offsets = []
    for start, end in spans:
        last = read[end - 1]
        offsets.append((read[start].idx, last.idx + len(last)))
    return token_spans(doc, offsets)


def as_tokenized(nlp: Language, doc: Doc, checksum: int | None) -> Doc:
    """The Doc in the tokens that have this checksum.

    That is the Doc itself, or its text as the tokenizer gives it, with its sentences
    and user data. It is itself, too, if the tokenizer gives other tokens: Docs of other
    tokens than the tokenizer's are read as they are.

    A model reads text word by word, as it was trained to: a merged token is another
    text to it.
    """
    if checksum is None or boundaries(doc) == checksum:
        return doc
    read = nlp.tokenizer(doc.text)
    if boundaries(read) != checksum:
        return doc

    if doc.has_annotation("SENT_START"):
        starts = {sent.start_char for sent in doc.sents}
        for token in read:
            token.is_sent_start = token.idx in starts
    read.user_data = doc.user_data
    read._context = doc._context
    return read
