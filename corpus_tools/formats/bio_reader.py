"""Reads BIO/CoNLL files: a line per token with a column of tags, a blank line between sentences,
`-DOCSTART-` between documents."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import CorpusError, Errors
from ..files import clean_item
from ..issues import DUPLICATE, REJECTED, REPAIRED, FileLog, Report
from ..records import Mention, Record
from .columns import SEPARATORS, Row, is_document, is_markup, iter_lines
from .common import count_record, show
from .joining import Joiner, detect_joiner, join
from .layout import Guess, Layout, guess_layout
from .spelling import BRACKETS, PLAIN, PREFIX, Spelling, decode_brackets
from .tag_columns import MOST, Column, Wanted
from .tag_names import read_names
from .tags import IO, OUTSIDE, SCHEMES, Tokens, check_scheme, decode, detect_scheme

EXPECTED = (
    "a token and its tag (B-PER, I-PER, O, also BIOES letters, or PER and O) on each line, in "
    "columns separated by tabs, spaces, commas or |, and a blank line between sentences"
)
ENDINGS = (".bio", ".conll", ".conllu", ".iob", ".iob2", ".bmes", ".tsv")
SAMPLE = 200
SAMPLE_LINES = 5000
_COUNTED_COMMENTS = "comments"
_RANGE = re.compile(r"(\d+)-(\d+)")
_EMPTY_NODE = re.compile(r"\d+\.\d+")


@dataclass
class _Sentence:
    """tags: One list per layer. glued: Tokens that no space follows. covered: Last token number of
    a token of several words."""

    index: int
    document: int | None
    tokens: list[str] = field(default_factory=list)
    tags: list[list[str]] = field(default_factory=list)
    glued: set[int] = field(default_factory=set)
    covered: int = -1


def read(
    path: Path,
    report: Report,
    *,
    source: str = "",
    scheme: str = "auto",
    separator: str = "auto",
    token_column: int | None = None,
    tag_column: int | None = None,
    joiner: str = "auto",
    encoding: str | None = None,
    force: bool = False,
) -> Iterator[Record]:
    """Reads a file sentence by sentence. What is not given is found out from the first lines.
    Comments, line ends of all systems, a BOM, empty columns at line ends and repeated blank lines
    do no harm.

    scheme (str): "iob1", "iob2", "bioes" (also BILOU, BMES, BMEWO letters), "io" (types without
        prefixes), or "auto".
    separator (str): A name in `columns.SEPARATORS`.
    token_column, tag_column (int): Columns, counted from 0; negative ones from the end. By itself,
        columns of tags side by side are read as layers of nested mentions.
    joiner (str): Between tokens in the text. "auto": a space, but in scripts without spaces; see
        `detect_joiner`.
    encoding (str): See `find_encoding`.
    force (bool): Read also a file most of whose lines are not understood.

    YIELDS (Record): With "tokens" and, after a `-DOCSTART-` line, "doc" (number of the document) in
        `meta`. Invalid tag sequences are repaired and reported.
    RAISES CorpusFileNotFoundError: T001. CorpusError: T003 for an unknown scheme or separator, T008
        and T084 for the encoding, T085 if most lines are not understood.
    """
    if scheme != "auto":
        check_scheme(scheme, (*SCHEMES, IO))
    if separator != "auto" and separator not in SEPARATORS:
        choices = ", ".join(SEPARATORS)
        raise CorpusError(
            Errors.T003.format(option="separator", value=separator, choices=choices)
        )
    log = report.file(source or str(path))
    wanted = Wanted(separator, token_column, tag_column, scheme == IO)
    layout = _find_layout(path, wanted, encoding, force)
    if layout is None:
        log.add(-1, REJECTED, "the file holds no sentence")
        return
    join_by: Joiner | str = joiner
    if joiner == "auto":
        join_by = detect_joiner(filter(None, _sample_tokens(path, layout, encoding)))
    names = read_names(path)
    sentences = _sentences(path, log, layout, join_by, encoding)
    sample = list(itertools.islice(sentences, SAMPLE))
    if scheme in ("auto", IO):
        scheme = _detect_scheme(sample, layout.spelling)
    name = {PLAIN: IO, BRACKETS: "brackets"}.get(layout.spelling.kind, scheme)
    report.read_as[log.name] = f"bio: {layout}, scheme {name}"
    for sentence in itertools.chain(sample, sentences):
        record = _to_record(sentence, layout, scheme, join_by, names, log)
        yield count_record(record, log, sentence.index)


def guess(
    path: Path, wanted: Wanted | None = None, encoding: str | None = None
) -> Guess:
    """The layout of a file, seen from its first lines."""
    lines = list(itertools.islice(iter_lines(path, encoding), SAMPLE_LINES))
    return guess_layout(lines, wanted or Wanted())


def _find_layout(
    path: Path, wanted: Wanted, encoding: str | None, force: bool
) -> Layout | None:
    """None if the file holds no line that could be one of a token. RAISES CorpusError: T085."""
    found = guess(path, wanted, encoding)
    if not found.rows:
        return None
    if found.share >= MOST and found.layout is not None:
        return found.layout
    if not force:
        n, (line, text) = found.rows - found.understood, found.wrong
        raise CorpusError(
            Errors.T085.format(
                n=n,
                rows=found.rows,
                path=path,
                expected=EXPECTED,
                line=line,
                found=show(text),
            )
        )
    return found.layout or Layout(
        SEPARATORS["blank"], 0, (Column(-1),), Spelling(PREFIX), 2
    )


def _sentences(
    path: Path, log: FileLog, layout: Layout, joiner: Joiner | str, encoding: str | None
) -> Iterator[_Sentence]:
    separator = layout.separator
    blanks = (joiner if isinstance(joiner, str) else joiner("a", "b")) == ""
    current, name = _Sentence(0, None), ""
    for number, line in iter_lines(path, encoding):
        if number == layout.header:
            continue
        if layout.is_comment(line):
            log.counts[_COUNTED_COMMENTS] += 1
            if not is_markup(line):
                continue
            line = ""
        starts = is_document(line)
        rows = [] if starts else separator.split(line)
        if not any(cell.strip() for row in rows for cell in row):
            rows = []
        now = _sentence_name(rows, layout)
        ends = not rows or separator.sentence_per_line or (now and now != name)
        if ends and current.tokens:
            yield current
            current = _Sentence(current.index + 1, current.document)
        name = now or name
        if starts:
            current.document = 0 if current.document is None else current.document + 1
        for row in rows:
            _add_row(
                current,
                clean_item(row, log, current.index),
                number,
                log,
                layout,
                blanks,
            )
    if current.tokens:
        yield current


def _sentence_name(rows: Sequence[Row], layout: Layout) -> str:
    """What the column of sentences says, if there is one; '' within a sentence."""
    if layout.sentence is None or not rows or layout.sentence >= len(rows[0]):
        return ""
    return rows[0][layout.sentence]


def _add_row(
    sentence: _Sentence,
    row: Row,
    number: int,
    log: FileLog,
    layout: Layout,
    blanks: bool,
) -> None:
    """blanks (bool): White space may be a token: nothing else stands between words."""
    token = row[layout.token] if -len(row) <= layout.token < len(row) else ""
    if layout.index is not None and _is_part(sentence, row, layout):
        return
    if not token.strip() and not (blanks and token):
        reason = f"line {number} has no token in column {layout.token}"
        log.add(sentence.index, REJECTED, reason, show("\t".join(row)))
        return
    token = token.removeprefix(layout.language)
    tags = [column.cell(row) for column in layout.tags]
    if not tags[0]:
        reason = f"line {number} has no tag in column {layout.tags[0].index}; read as outside"
        log.add(sentence.index, REPAIRED, reason, token)
    if layout.conllu and "SpaceAfter=No" in row[-1].split("|"):
        sentence.glued.add(len(sentence.tokens))
    sentence.tokens.append(token)
    sentence.tags.append([tag or OUTSIDE for tag in tags])


def _is_part(sentence: _Sentence, row: Row, layout: Layout) -> bool:
    """Whether a row of numbered tokens is no token of the text: an empty node, or a word of a token
    that holds several, which gets the word's tag if it has none yet."""
    number = (
        row[layout.index]
        if layout.index is not None and layout.index < len(row)
        else ""
    )
    words = _RANGE.fullmatch(number)
    if words:
        sentence.covered = int(words[2])
        return False
    if _EMPTY_NODE.fullmatch(number):
        return True
    if not number.isdecimal() or int(number) > sentence.covered or not sentence.tags:
        sentence.covered = -1
        return False
    for i, column in enumerate(layout.tags):
        if layout.spelling.canonical(sentence.tags[-1][i]) == OUTSIDE:
            sentence.tags[-1][i] = column.cell(row) or OUTSIDE
    return True


def _sample_tokens(path: Path, layout: Layout, encoding: str | None) -> Iterator[str]:
    for _, line in itertools.islice(iter_lines(path, encoding), SAMPLE_LINES):
        if is_document(line) or layout.is_comment(line):
            continue
        for row in layout.separator.split(line):
            token = row[layout.token] if layout.token < len(row) else ""
            yield token.removeprefix(layout.language)


def _detect_scheme(sample: Sequence[_Sentence], spelling: Spelling) -> str:
    if spelling.kind == BRACKETS:
        return "iob2"
    return detect_scheme(
        _canonical(layer, spelling)
        for s in sample
        for layer in zip(*s.tags, strict=True)
    )


def _canonical(tags: Sequence[str], spelling: Spelling) -> list[str]:
    known = {tag: spelling.canonical(tag) for tag in set(tags)}
    return [known[tag] or tag for tag in tags]


def _to_record(
    sentence: _Sentence,
    layout: Layout,
    scheme: str,
    joiner: Joiner | str,
    names: Mapping[str, str],
    log: FileLog,
) -> Record:
    found: list[Tokens] = []
    for layer in zip(*sentence.tags, strict=True):
        for mention in _decode(layer, layout.spelling, scheme, sentence, log):
            if mention in found:
                name = " ".join(sentence.tokens[mention[0] : mention[1]])
                log.add(
                    sentence.index, DUPLICATE, "two layers hold the same mention", name
                )
            else:
                found.append(mention)
    text, offsets = join(sentence.tokens, joiner, sentence.glued)
    entries = [
        Mention(offsets[first][0], offsets[last - 1][1], names.get(label, label))
        for first, last, label in found
    ]
    meta: dict[str, object] = {
        "index": sentence.index,
        "id": None,
        "tokens": sentence.tokens,
    }
    if sentence.document is not None:
        meta["doc"] = sentence.document
    return Record.from_entries(text, entries, meta=meta)


def _decode(
    layer: Sequence[str],
    spelling: Spelling,
    scheme: str,
    sentence: _Sentence,
    log: FileLog,
) -> list[Tokens]:
    if spelling.kind == BRACKETS:
        mentions, unreadable = decode_brackets(layer)
    else:
        mentions, repairs, unreadable = decode(_canonical(layer, spelling), scheme)
        for i, reason in repairs:
            log.add(sentence.index, REPAIRED, reason, sentence.tokens[i])
    for i in unreadable:
        log.add(
            sentence.index,
            REJECTED,
            f"'{layer[i]}' is no tag of the BIO family; read as outside",
            sentence.tokens[i],
        )
    return mentions
