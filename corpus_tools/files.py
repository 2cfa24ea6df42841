"""Files: atomic writing, and JSON of any size read record by record."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from spacy_cascade.files import atomic_path as atomic_path

from .encodings import find_encoding
from .errors import CorpusError, CorpusFileNotFoundError, Errors
from .issues import REJECTED, REPAIRED, FileLog

CHUNK = 1 << 20
# A decoder error this close to the end of the buffer may be due to the buffer's end.
_EDGE = 16
# Enough to see the first key of a file.
_HEAD = 4096
_SPACE = re.compile(r"[ \t\r\n]*")
_SURROGATE = re.compile("[\ud800-\udfff]")
# In the text of a JSON value: all that may come out as a lone surrogate.
_SUSPECT = re.compile(r"[\ud800-\udfff]|\\u[dD][89a-fA-F]")
_DECODER = json.JSONDecoder()
_OPEN_LINE = re.compile(r"\{[ \t\r]*\n")
_OPEN_PAIR = re.compile(r'\[[ \t]*"')  # a list that starts with a text is a record
_FIRST_KEY = re.compile(r'\{\s*"([^"\\]*)"\s*:\s*(\S)')


def check_file(path: Path) -> None:
    """RAISES CorpusFileNotFoundError: T001."""
    if not path.is_file():
        raise CorpusFileNotFoundError(Errors.T001.format(path=path, cwd=Path.cwd()))


def read_json(path: Path, what: str) -> Any:
    """The value of a small JSON file.

    what (str): What the file should hold, for the message.
    RAISES CorpusError: T005 if it is no JSON.
    """
    try:
        return json.loads(path.read_text("utf-8-sig"))
    except ValueError as err:
        raise CorpusError(Errors.T005.format(path=path, format=what, why=err)) from err


def open_text(path: Path, encoding: str | None = None) -> IO[str]:
    """Opens a text file.

    A line feed ends a line, or a carriage return where there is no line feed. In UTF-8,
    bytes that are no text come out as lone surrogates, which `clean` replaces and
    reports.

    encoding (str): None: see `find_encoding`.
    RAISES CorpusFileNotFoundError: T001. CorpusError: T084 for another encoding, T008 for an
        unknown one.
    """
    found = find_encoding(path, encoding)
    with path.open(encoding=found.name, errors=found.errors, newline="") as file:
        head = file.read(CHUNK)
    old_mac = "\r" in head and "\n" not in head
    return path.open(
        encoding=found.name, errors=found.errors, newline=None if old_mac else "\n"
    )


def clean(value: Any) -> tuple[Any, int]:
    """Replaces lone surrogates in all strings by U+FFFD, which keeps offsets.

    Returns the value and their number.
    """
    if isinstance(value, str):
        return (
            _SURROGATE.subn("\ufffd", value) if _SURROGATE.search(value) else (value, 0)
        )
    if isinstance(value, list):
        pairs = [clean(v) for v in value]
        return [v for v, _ in pairs], sum(n for _, n in pairs)
    if isinstance(value, dict):
        items = [(clean(k), clean(v)) for k, v in value.items()]
        return {k: v for (k, _), (v, _) in items}, sum(
            n + m for (_, n), (_, m) in items
        )
    return value, 0


def clean_item(value: Any, log: FileLog, index: int) -> Any:
    """`clean`, with the replacement reported."""
    value, n = clean(value)
    if n:
        reason = (
            f"{n} character(s) that are no Unicode text (lone surrogates or bytes that are not"
            " UTF-8) replaced by U+FFFD"
        )
        log.add(index, REPAIRED, reason)
    return value


@dataclass(frozen=True)
class Item:
    """A top-level element of a JSON file. key: its name if the file is an object, else ''."""

    index: int
    key: str
    value: Any


class _Damaged(Exception):
    pass


class _Buffer:
    """A window on a text file that moves forward and grows when a value needs more.

    suspect (bool): A decoded value may hold lone surrogates. Stays true until it is reset.
    """

    def __init__(self, file: IO[str]):
        self.file = file
        self.text = ""
        self.pos = 0
        self.done = False
        self.suspect = False

    def more(self) -> None:
        kept = self.text[self.pos :]
        chunk = self.file.read(max(CHUNK, len(kept)))
        self.done = not chunk
        self.text, self.pos = kept + chunk, 0

    def skip(self, separator: str = "") -> str:
        """Moves past white space and separators; returns what was passed."""
        passed = ""
        while True:
            match = _SPACE.match(self.text, self.pos)
            passed += match[0] if match else ""
            self.pos = match.end() if match else self.pos
            if self.pos == len(self.text) and not self.done:
                self.more()
            elif separator and self.text[self.pos : self.pos + 1] == separator:
                passed += separator
                self.pos += 1
            else:
                return passed

    def peek(self) -> str:
        return self.text[self.pos : self.pos + 1]

    def decode(self) -> Any:
        """The JSON value that starts here.

        RAISES _Damaged: with the reason, position unchanged.
        """
        while True:
            cut_off = False
            try:
                value, end = _DECODER.raw_decode(self.text, self.pos)
                # A number near the buffer's end may go on behind it: "1.5e" reads as 1.5.
                whole = (
                    not isinstance(value, (int, float)) or end < len(self.text) - _EDGE
                )
                if whole or self.done:
                    self.suspect = self.suspect or bool(
                        _SUSPECT.search(self.text, self.pos, end)
                    )
                    self.pos = end
                    return value
                cut_off = True
            except RecursionError:
                raise _Damaged("nested too deeply") from None
            except json.JSONDecodeError as err:
                cut_off = err.pos > len(self.text) - _EDGE or err.msg.startswith(
                    "Unterminated"
                )
                if not cut_off or self.done:
                    raise _Damaged(
                        f"{err.msg} at character {err.pos - self.pos} of the record"
                    ) from None
            except ValueError as err:
                raise _Damaged(str(err)) from None
            if cut_off:
                self.more()

    def seek(self, mark: str) -> bool:
        """Moves to the end of the next `mark`; False at the end of the file."""
        while True:
            at = self.text.find(mark, self.pos + 1)
            if at >= 0:
                self.pos = at + len(mark)
                return True
            if self.done:
                self.pos = len(self.text)
                return False
            self.pos = max(self.pos, len(self.text) - len(mark))
            self.more()


def iter_json(
    path: Path,
    log: FileLog,
    *,
    record_keys: frozenset[str],
    encoding: str | None = None,
) -> Iterator[Item]:
    """Reads a JSON list, a JSON object of records or JSON lines (of objects, or of lists that start
    with a text), one record at a time.

    A damaged record is reported; reading goes on at the next one where the layout shows
    where that is (each record starts a line with the same indentation).
    record_keys (frozenset[str]): Keys of a record: they tell JSON lines from an object of records.
        So does a first value that is no object.
    encoding (str): See `open_text`.

    YIELDS (Item): The records, not validated; lone surrogates replaced.
    RAISES CorpusFileNotFoundError: T001. CorpusError: T008 and T084 for the encoding.
    """
    with open_text(path, encoding) as file:
        buffer = _Buffer(file)
        buffer.skip()
        first = buffer.peek()
        if not first:
            log.add(-1, REJECTED, "the file is empty")
        elif first == "[" and _OPEN_PAIR.match(buffer.text, buffer.pos):
            yield from _lines(buffer, log)
        elif first == "[":
            buffer.pos += 1
            yield from _elements(buffer, log, "]", keyed=False)
        elif first == "{" and not _is_record(buffer, record_keys):
            buffer.pos += 1
            yield from _elements(buffer, log, "}", keyed=True)
        elif first == "{" and _OPEN_LINE.match(buffer.text, buffer.pos):
            yield from _values(buffer, log)
        elif first == "{":
            yield from _lines(buffer, log)
        else:
            log.add(
                -1,
                REJECTED,
                f"neither a JSON list, a JSON object nor JSON lines: it starts with {first!r}",
            )


def _is_record(buffer: _Buffer, record_keys: frozenset[str]) -> bool:
    while not buffer.done and len(buffer.text) < buffer.pos + _HEAD:
        buffer.more()
    match = _FIRST_KEY.match(buffer.text, buffer.pos)
    return bool(match and (match[1] in record_keys or match[2] != "{"))


def _elements(
    buffer: _Buffer, log: FileLog, closing: str, *, keyed: bool
) -> Iterator[Item]:
    indent = buffer.skip()
    index, seen = 0, set[str]()
    while True:
        start = buffer.peek()
        if start == closing:
            buffer.pos += 1
            buffer.skip()
            if buffer.peek():
                log.add(
                    -1, REJECTED, "there is more text behind the end of the JSON value"
                )
            return
        if not start:
            log.add(-1, REJECTED, f"the file ends before the closing '{closing}'")
            return
        try:
            key = _key(buffer) if keyed else ""
            value = buffer.decode()
            buffer.skip()
            if buffer.peek() not in (",", closing, ""):
                raise _Damaged(
                    f"',' or '{closing}' expected behind the record, found {buffer.peek()!r}"
                )
        except _Damaged as err:
            log.add(index, REJECTED, f"damaged JSON: {err}")
            opening = '"' if keyed else "{"
            if "\n" not in indent:
                log.add(
                    index,
                    REJECTED,
                    "the rest of the file can't be read: records don't stand on lines of"
                    " their own",
                )
                return
            if not buffer.seek(indent + opening):
                return
            buffer.pos -= len(opening)
            index += 1
            continue
        if key in seen:
            log.add(
                index,
                "duplicate_key",
                f"the key '{key}' stands more than once in the file; all are read",
            )
        if keyed:
            seen.add(key)
        if buffer.suspect:
            key, value = clean_item([key, value], log, index)
            buffer.suspect = False
        yield Item(index, key, value)
        index += 1
        buffer.skip(",")


def _key(buffer: _Buffer) -> str:
    key = buffer.decode()
    buffer.skip()
    if not isinstance(key, str) or buffer.peek() != ":":
        raise _Damaged("'\"name\":' expected")
    buffer.pos += 1
    buffer.skip()
    return key


def _values(buffer: _Buffer, log: FileLog) -> Iterator[Item]:
    """Records of several lines each, one behind the other. Reading ends at a damaged one."""
    index = 0
    while buffer.peek():
        try:
            value = buffer.decode()
        except _Damaged as err:
            log.add(
                index,
                REJECTED,
                f"damaged JSON: {err}; the rest of the file is not read",
            )
            return
        if buffer.suspect:
            value = clean_item(value, log, index)
            buffer.suspect = False
        yield Item(index, "", value)
        index += 1
        buffer.skip(",")


def _lines(buffer: _Buffer, log: FileLog) -> Iterator[Item]:
    index, rest = 0, buffer.text[buffer.pos :]
    while True:
        line, feed, rest = rest.partition("\n")
        if not feed:
            more = buffer.file.read(CHUNK)
            if more:
                rest = line + more
                continue
        if line.strip():
            try:
                value = json.loads(line)
                yield Item(
                    index,
                    "",
                    clean_item(value, log, index) if _SUSPECT.search(line) else value,
                )
            except (ValueError, RecursionError) as err:
                log.add(index, REJECTED, f"damaged JSON: {err}")
            index += 1
        if not feed:
            return
