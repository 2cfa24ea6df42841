"""BIO/CoNLL files: a line per token with a tag column, a blank line between sentences, `-DOCSTART-` between documents."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import CorpusError, Errors
from ..files import atomic_path, clean_item, open_text
from ..records import NOT_WRITTEN, REJECTED, REPAIRED, FileLog, Mention, Record, Report
from .common import count_record, show
from .tags import OUTSIDE, Tokens, check_scheme, decode, detect_scheme, encode

DOCSTART = "-DOCSTART-"
SAMPLE = 200
_CJK = "\u2e80-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff00-\uffef\U00020000-\U000323af"
_IS_CJK = re.compile(f"[{_CJK}]")
_PIECES = re.compile(rf"[{_CJK}]|[^\W{_CJK}]+|\S")
_COLUMNS = re.compile("[ \t]+")


@dataclass
class _Sentence:
    index: int
    document: int | None
    tokens: list[str]
    tags: list[str]


def read(
    path: Path,
    report: Report,
    *,
    source: str = "",
    scheme: str = "auto",
    token_column: int = 0,
    tag_column: int = -1,
    joiner: str = "auto",
) -> Iterator[Record]:
    """Reads a file sentence by sentence. Windows line ends, a BOM and repeated blank lines do no harm.

    scheme (str): "iob1", "iob2", "bioes" (also BILOU, BMES letters), or "auto": seen from the first sentences.
    token_column, tag_column (int): Columns, counted from 0; negative ones from the end. Columns are separated by
        tabs if the line holds one, else by spaces.
    joiner (str): Between tokens in the text. "auto": nothing for files of CJK characters, else a space.

    YIELDS (Record): With "tokens" and, after a `-DOCSTART-` line, "doc" (number of the document) in `meta`. Invalid
        tag sequences are repaired and reported.
    RAISES CorpusFileNotFoundError: T001. CorpusError: T003 for an unknown scheme.
    """
    if scheme != "auto":
        check_scheme(scheme)
    log = report.file(source or str(path))
    sentences = _sentences(path, log, token_column, tag_column)
    sample = list(itertools.islice(sentences, SAMPLE))
    if not sample:
        log.add(-1, REJECTED, "the file holds no sentence")
    scheme = detect_scheme(s.tags for s in sample) if scheme == "auto" else scheme
    joiner = _detect_joiner(sample) if joiner == "auto" else joiner
    for sentence in itertools.chain(sample, sentences):
        record = _to_record(sentence, scheme, joiner, log)
        if record is not None:
            yield count_record(record, log, sentence.index)


def _sentences(path: Path, log: FileLog, token_column: int, tag_column: int) -> Iterator[_Sentence]:
    current = _Sentence(0, None, [], [])
    with open_text(path) as file:
        for number, line in enumerate(file, 1):
            line = line.rstrip("\r\n")
            columns = line.split("\t") if "\t" in line else _COLUMNS.split(line.rstrip(" "))
            starts = columns[0] == DOCSTART
            if (not line.strip(" \t") or starts) and current.tokens:
                yield current
                current = _Sentence(current.index + 1, current.document, [], [])
            if starts:
                current.document = 0 if current.document is None else current.document + 1
            if not line.strip(" \t") or starts:
                continue
            columns = clean_item(columns, log, current.index)
            _add_token(current, columns, number, log, token_column, tag_column)
    if current.tokens:
        yield current


def _add_token(
    sentence: _Sentence, columns: Sequence[str], number: int, log: FileLog, token_column: int, tag_column: int
) -> None:
    try:
        token = columns[token_column]
    except IndexError:
        token = ""
    if not token.strip():
        log.add(sentence.index, REJECTED, f"line {number} has no token in column {token_column}", show("\t".join(columns)))
        return
    try:
        tag = columns[tag_column] if len(columns) > 1 else ""
    except IndexError:
        tag = ""
    if not tag:
        log.add(sentence.index, REPAIRED, f"line {number} has no tag in column {tag_column}; read as outside", token)
        tag = OUTSIDE
    sentence.tokens.append(token)
    sentence.tags.append(tag)


def _detect_joiner(sample: Iterable[_Sentence]) -> str:
    tokens = [t for s in sample for t in s.tokens]
    return "" if 2 * sum(bool(_IS_CJK.search(t)) for t in tokens) > len(tokens) else " "


def _to_record(sentence: _Sentence, scheme: str, joiner: str, log: FileLog) -> Record | None:
    mentions, repairs, unreadable = decode(sentence.tags, scheme)
    for i, reason in repairs:
        log.add(sentence.index, REPAIRED, reason, sentence.tokens[i])
    for i in unreadable:
        reason = f"'{sentence.tags[i]}' is no tag of the BIO family; read as outside"
        log.add(sentence.index, REJECTED, reason, sentence.tokens[i])
    text = joiner.join(sentence.tokens)
    offsets = _offsets(sentence.tokens, joiner)
    entries = [Mention(offsets[first][0], offsets[last - 1][1], label) for first, last, label in mentions]
    meta: dict[str, object] = {"index": sentence.index, "id": None, "tokens": sentence.tokens}
    if sentence.document is not None:
        meta["doc"] = sentence.document
    return Record.from_entries(text, entries, meta=meta)


def _offsets(tokens: Sequence[str], joiner: str) -> list[tuple[int, int]]:
    ends = list(itertools.accumulate(len(t) + len(joiner) for t in tokens))
    return [(end - len(joiner) - len(token), end - len(joiner)) for token, end in zip(tokens, ends, strict=True)]


def write(records: Iterable[Record], path: Path, report: Report | None = None, *, scheme: str = "iob2") -> None:
    """Writes token and tag, separated by a tab, atomically.

    Tokens are those the record was read with, else words, punctuation marks and single CJK characters, cut at the
    bounds of mentions. Of overlapping mentions the longest is written, the others are reported.
    RAISES CorpusError: T003 for an unknown scheme, T008 for a type name with a line break or tab.
    """
    check_scheme(scheme)
    report = report or Report()
    document: int | None = None
    with atomic_path(path) as temp, temp.open("w", encoding="utf8", newline="\n") as file:
        for number, record in enumerate(records):
            now = record.meta.get("doc")
            if now is not None and now != document:
                file.write(f"{DOCSTART}\t{OUTSIDE}\n\n")
                document = now
            tokens, mentions = _tokens(record, number, report)
            tags = encode(len(tokens), mentions, scheme)
            file.writelines(f"{token}\t{tag}\n" for token, tag in zip(tokens, tags, strict=True))
            file.write("\n")


def _tokens(record: Record, number: int, report: Report) -> tuple[list[str], list[Tokens]]:
    flat = record.flat()
    left_out = list(record.mentions)
    for mention in flat:
        left_out.remove(mention)
        if "\n" in mention.label or "\t" in mention.label:
            raise CorpusError(Errors.T008.format(option="a type name", rule="without line breaks and tabs", value=mention.label))
    offsets = _known_offsets(record)
    first = {start: i for i, (start, _) in enumerate(offsets)}
    last = {end: i for i, (_, end) in enumerate(offsets)}
    if not all(m.start in first and m.end in last for m in flat):
        offsets = _cut(record.text, flat)
        first = {start: i for i, (start, _) in enumerate(offsets)}
        last = {end: i for i, (_, end) in enumerate(offsets)}
    log = report.file(str(record.meta.get("source") or "records"))
    index = record.meta.get("index", number)
    found: list[Tokens] = []
    for mention in flat:
        inside = [i for i, (s, e) in enumerate(offsets) if mention.start <= s and e <= mention.end]
        if inside:
            found.append((inside[0], inside[-1] + 1, mention.label))
        else:
            log.add(index, NOT_WRITTEN, "the mention is white space", record.name(mention))
    for mention in left_out:
        log.add(index, NOT_WRITTEN, "tags can't hold overlapping mentions", record.name(mention))
    return [record.text[s:e] for s, e in offsets], found


def _known_offsets(record: Record) -> list[tuple[int, int]]:
    """Offsets of the tokens the record was read with, if they still spell its text."""
    tokens = record.meta.get("tokens")
    if tokens:
        for joiner in (" ", ""):
            if joiner.join(tokens) == record.text:
                return _offsets(tokens, joiner)
    return _cut(record.text, record.flat())


def _cut(text: str, mentions: Iterable[Mention]) -> list[tuple[int, int]]:
    bounds = sorted({0, len(text), *(b for m in mentions for b in (m.start, m.end))})
    return [m.span() for a, b in itertools.pairwise(bounds) for m in _PIECES.finditer(text, a, b)]
