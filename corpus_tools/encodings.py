"""Which encoding a text file is in: said by a mark, shown by its bytes, or asked for."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from .errors import CorpusError, CorpusFileNotFoundError, Errors

UTF8 = "utf-8-sig"  # with or without a byte order mark
_CHUNK = 1 << 20
_HEAD = 1 << 16
# UTF-32 first: its little-endian mark starts with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, UTF8),
)
# Sequences that only UTF-8 writes; encoded surrogates are wrong there, and yet a sign of it.
_MULTIBYTE = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
)
_HIGH = re.compile(rb"[\x80-\xff]")
# What Western European text holds beyond ASCII. Other single-byte encodings (Polish, Cyrillic,
# Greek, Turkish) have letters of theirs where this one has signs, and a third of their words or
# more is beyond ASCII.
_WESTERN = frozenset(
    "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜß"
    "àáâãäåæçèéêëìíîïñòóôõöøùúûüÿŒœŸ«»‹›‘’‚“”„–—…€£§°·•´¿¡©®™ºª½\xa0\xad"
)
_HIGH_LETTERS = 1 / 3
# Of Polish, Czech and others in an encoding of theirs, read as this one: a sign or a capital letter
# within a word, and letters of the North and of the South in one word ("Dvoøák").
_BROKEN_WORD = re.compile(
    r"£[a-z]{2}|[a-zß-öø-ÿ][ÀÁÂÃÄÅÆÇÈÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜŒŸ][a-zß-öø-ÿ]"
    r"|ø[^\W\d_]*[áíýìùè]|[áíýìùè][^\W\d_]*ø"
)
# Of Hungarian: Portuguese has the first before an e only, Estonian has none of the second.
_TILDE, _ACUTE = re.compile("õ(?!e)"), re.compile("[áéíóú]")
_ESCAPE = b"\x1b$"
_ISO_2022 = ((_ESCAPE + b")C", "iso2022_kr"), (_ESCAPE, "iso2022_jp_2"))
_DAMAGED = 0.5  # more wrong sequences than that, for each right one, are no damage
_CHANCE = (
    0.1  # so many sequences for each other character look like UTF-8 in other encodings
)
_NUL_SHARE = 0.2


@dataclass(frozen=True)
class Encoding:
    """name: as Python knows it. errors: how bytes that it does not have are read. guessed: neither
    said, nor shown by a mark or by being valid UTF-8."""

    name: str
    errors: str = "strict"
    guessed: bool = False


def find_encoding(path: Path, asked: str | None = None) -> Encoding:
    """The encoding of a file: `asked`, else what a byte order mark says, else UTF-16 by its zeros,
    ISO 2022 by its escapes, UTF-8, or Western European cp1252, which Latin-1 is a part of.

    Bytes that are no UTF-8 in a file that is otherwise UTF-8 are damage: they are read as lone
    surrogates.

    RAISES CorpusFileNotFoundError: T001. CorpusError: T084 if the bytes are in none of them, or not
        in the one asked for, T008 for an unknown encoding.
    """
    if not path.is_file():
        raise CorpusFileNotFoundError(Errors.T001.format(path=path, cwd=Path.cwd()))
    if asked is not None:
        try:
            codecs.lookup(asked)
        except LookupError:
            rule = "an encoding that Python knows, such as cp1252, cp1251, gb18030 or utf-16"
            raise CorpusError(
                Errors.T008.format(option="encoding", rule=rule, value=asked)
            ) from None
    stat = path.stat()
    return _find(path, asked, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=64)
def _find(path: Path, asked: str | None, mtime: int, size: int) -> Encoding:
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if asked is not None:
        utf8 = codecs.lookup(asked).name == "utf-8"
        return _checked(path, Encoding(UTF8 if utf8 else asked))
    for mark, name in _MARKS:
        if head.startswith(mark):
            return (
                Encoding(UTF8, "surrogateescape")
                if name == UTF8
                else _checked(path, Encoding(name))
            )
    wide = _utf16(head)
    if wide:
        return _checked(path, Encoding(wide))
    escaped = next((name for mark, name in _ISO_2022 if mark in head), "")
    if escaped:
        return _checked(path, Encoding(escaped))
    if _fault(path, UTF8) is None:
        return Encoding(UTF8, "surrogateescape")
    return _without_utf8(path)


def is_wide(head: bytes) -> bool:
    """Whether a file that starts like this is in UTF-16, UTF-32 or ISO 2022, whose text holds zeros
    or control characters."""
    marks = [mark for mark, name in _MARKS if name != UTF8]
    return head.startswith(tuple(marks)) or bool(_utf16(head)) or _ESCAPE in head


def _utf16(head: bytes) -> str:
    """UTF-16 has zeros in ASCII characters, line ends and separators: all at even offsets or all at
    odd ones."""
    even, odd = head[::2].count(0), head[1::2].count(0)
    least = _NUL_SHARE * len(head) / 2
    if odd > least and even < odd / 10:
        return "utf-16-le"
    if even > least and odd < even / 10:
        return "utf-16-be"
    return ""


def _without_utf8(path: Path) -> Encoding:
    with path.open("rb") as file:
        data = file.read(64 * _CHUNK)
    rest = _MULTIBYTE.sub(b"", data)
    wrong = len(_HIGH.findall(rest))
    right = len(_MULTIBYTE.findall(data))
    if wrong <= _DAMAGED * right:
        return Encoding(UTF8, "surrogateescape")
    if right <= _CHANCE * wrong and _is_western(data):
        return _checked(path, Encoding("cp1252", guessed=True))
    raise CorpusError(
        Errors.T084.format(path=path, encoding="UTF-8", why=_fault(path, UTF8))
    )


def _is_western(data: bytes) -> bool:
    try:
        text = data.decode("cp1252")
    except UnicodeDecodeError:
        return False
    if _BROKEN_WORD.search(text) or (_TILDE.search(text) and _ACUTE.search(text)):
        return False
    high = [c for c in text if c >= "\x80"]
    letters = sum(c.isalpha() for c in text)
    return (
        _WESTERN.issuperset(high)
        and sum(c.isalpha() for c in high) <= _HIGH_LETTERS * letters
    )


def _checked(path: Path, encoding: Encoding) -> Encoding:
    """RAISES CorpusError: T084 if the file is not in the encoding."""
    fault = _fault(path, encoding.name)
    if fault is not None:
        raise CorpusError(
            Errors.T084.format(path=path, encoding=encoding.name, why=fault)
        )
    return encoding


def _fault(path: Path, name: str) -> str | None:
    """Where the file is not in this encoding; None if it is."""
    decoder = codecs.getincrementaldecoder(name)("strict")
    place = 0
    try:
        for chunk in _chunks(path):
            decoder.decode(chunk)
            place += len(chunk)
        decoder.decode(b"", final=True)
    except UnicodeError as err:
        if not isinstance(err, UnicodeDecodeError):
            return str(err)
        found = err.object[err.start : err.start + 4].hex(" ")
        return f"bytes {found} near byte {place + err.start}: {err.reason}"
    return None


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk
