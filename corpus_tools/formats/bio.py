"""BIO/CoNLL files: a line per token with a tag column, a blank line between sentences,
`-DOCSTART-` between documents. Reading: `bio_reader.py`."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from spacy_cascade.doc.words import MARKS, WORD_CHARACTER

from ..errors import CorpusError, Errors
from ..files import atomic_path
from ..issues import MISALIGNED, NOT_WRITTEN, RENAMED, FileLog, Report
from ..records import Mention, Record
from .base import Format
from .bio_reader import ENDINGS, EXPECTED
from .bio_reader import read as read
from .columns import DOCSTART
from .joining import find_tokens
from .tag_names import TagNames
from .tags import Tokens, check_scheme, encode

DOCUMENT = f"{DOCSTART} -X- O O"  # as spaCy's converter knows it
_CJK = "\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U000323af"
# A Han or Kana character, a word, or a symbol, each with its marks; an emoji of several parts is a
# symbol.
_EXTENDED = (
    rf"(?:[{MARKS}\u200c\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]|\u200d[^\w\s]?)*"
)
_PIECES = re.compile(
    rf"[{_CJK}]{_EXTENDED}|(?:(?![{_CJK}])(?:{WORD_CHARACTER}|_))+"
    rf"|[\U0001f1e6-\U0001f1ff]{{2}}|\S{_EXTENDED}"
)
_WORDS = re.compile(r"\S+")


def write(
    records: Iterable[Record],
    path: Path,
    report: Report | None = None,
    *,
    scheme: str = "iob2",
) -> None:
    """Writes token and tag, separated by a tab, atomically.

    Tokens are those the record was read with (of a file of this kind, or of a Doc), else words,
    single symbols and single Han and Kana characters; marks and joiners stay with their character.
    A token that a mention begins or ends in is cut there, and reported. White space ends a token;
    in a type name it becomes `_`, and `labels-<file>.json` beside the file says what it was, so
    that it is read back. Of overlapping mentions the longest is written, the others are reported.
    RAISES CorpusError: T003 for an unknown scheme, T008 for a type name with a line break or tab.
    """
    check_scheme(scheme)
    report = report or Report()
    names = TagNames()
    document: int | None = None
    with (
        atomic_path(path) as temp,
        temp.open("w", encoding="utf8", newline="\n") as file,
    ):
        for number, record in enumerate(records):
            now = record.meta.get("doc")
            if now is not None and now != document:
                file.write(f"{DOCUMENT}\n\n")
                document = now
            tokens, mentions = _tokens(record, number, report, names)
            tags = encode(len(tokens), mentions, scheme)
            file.writelines(
                f"{token}\t{tag}\n" for token, tag in zip(tokens, tags, strict=True)
            )
            file.write("\n")
        names.save(path)


def _tokens(
    record: Record, number: int, report: Report, names: TagNames
) -> tuple[list[str], list[Tokens]]:
    log = report.file(str(record.meta.get("source") or "records"))
    index = record.meta.get("index", number)
    flat = record.flat()
    left_out = list(record.mentions)
    for mention in flat:
        left_out.remove(mention)
        _check_name(mention.label, names, log, index)
    offsets = _offsets(record, flat, log, index)
    found: list[Tokens] = []
    at = 0
    for mention in flat:
        while at < len(offsets) and offsets[at][0] < mention.start:
            at += 1
        first = at
        while at < len(offsets) and offsets[at][1] <= mention.end:
            at += 1
        if at > first:
            found.append((first, at, names(mention.label)))
        else:
            log.add(
                index, NOT_WRITTEN, "the mention is white space", record.name(mention)
            )
    for mention in left_out:
        log.add(
            index,
            NOT_WRITTEN,
            "tags can't hold overlapping mentions",
            record.name(mention),
        )
    return [record.text[s:e] for s, e in offsets], found


def _check_name(label: str, names: TagNames, log: FileLog, index: int) -> None:
    if "\n" in label or "\t" in label:
        rule = "without line breaks and tabs"
        raise CorpusError(
            Errors.T008.format(option="a type name", rule=rule, value=label)
        )
    if not names.knows(label) and names(label) != label:
        log.add(index, RENAMED, f"the type is written as '{names(label)}'", label)


def _offsets(
    record: Record, mentions: Sequence[Mention], log: FileLog, index: int
) -> list[tuple[int, int]]:
    """Of the tokens to write: without white space, and no mention begins or ends in one."""
    text = record.text
    known = find_tokens(text, record.meta.get("tokens") or ())
    if known is None and record.tokens is not None:
        known = [(int(start), int(end)) for start, end in record.tokens]
    if known is None:
        return _cut(text, mentions)
    pieces: list[tuple[int, int]] = []
    bounds = {bound for m in mentions for bound in (m.start, m.end)}
    for start, end in known:
        inner = (b for b in range(start + 1, end) if b in bounds)
        found = [
            _words_in(text, a, b) for a, b in itertools.pairwise([start, *inner, end])
        ]
        if len(found) == 1 and len(found[0]) > 1:
            reason = f"a token with white space is written as {len(found[0])}"
            log.add(index, RENAMED, reason, text[start:end])
        pieces += itertools.chain(*found)
    _report_cuts(record, mentions, known, log, index)
    return pieces


def _words_in(text: str, start: int, end: int) -> list[tuple[int, int]]:
    return [m.span() for m in _WORDS.finditer(text, start, end)]


def _report_cuts(
    record: Record,
    mentions: Iterable[Mention],
    tokens: Iterable[tuple[int, int]],
    log: FileLog,
    index: int,
) -> None:
    inside = {at: (start, end) for start, end in tokens for at in range(start + 1, end)}
    for mention in mentions:
        cut = inside.get(mention.start) or inside.get(mention.end)
        if cut:
            reason = f"[{mention.start}, {mention.end}] is not at token boundaries"
            reason += f"; the token '{record.text[slice(*cut)]}' is cut there"
            log.add(index, MISALIGNED, reason, record.name(mention))


def _cut(text: str, mentions: Iterable[Mention]) -> list[tuple[int, int]]:
    bounds = sorted({0, len(text), *(b for m in mentions for b in (m.start, m.end))})
    return [
        m.span()
        for a, b in itertools.pairwise(bounds)
        for m in _PIECES.finditer(text, a, b)
    ]


FORMAT = Format(read, EXPECTED, ENDINGS, write=write, suffix=".conll")
