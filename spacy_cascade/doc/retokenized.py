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
    return zlib.crc32(doc.to_array([IDX, LENGTH]).tobytes())


def token_spans(doc: Doc, offsets: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The whole tokens that hold these characters."""
    table = doc.to_array([IDX, LENGTH]).astype("int64")
    starts, ends = table[:, 0].tolist(), table.sum(axis=1).tolist()
    return [
        (bisect_right(starts, start) - 1, bisect_left(ends, end) + 1)
        for start, end in offsets
    ]


def moved(
    spans: Sequence[tuple[int, int]], read: Doc, doc: Doc
) -> list[tuple[int, int]]:
    """Token spans of one Doc in the tokens of another one with the same text."""
    if read is doc:
        return list(spans)
    return token_spans(
        doc, [(read[s].idx, read[e - 1].idx + len(read[e - 1])) for s, e in spans]
    )


def as_tokenized(nlp: Language, doc: Doc, checksum: int | None) -> Doc:
    """The Doc in the tokens that have this checksum: itself, or as the tokenizer gives
    them, with its sentences and user data. Itself, too, if the tokenizer gives others;
    that is what Docs of other tokens than the tokenizer's are read in.

    A model reads text word by word, as it was trained to: a merged token is another text to it.
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
    read.user_data, read._context = doc.user_data, doc._context
    return read
