"""Which format a file is in, by what it holds."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..encodings import is_wide
from ..errors import CorpusError, Errors
from ..files import check_file, iter_json, open_text
from ..issues import Report
from . import bio_reader, brat
from .common import show
from .registry import (
    FORMATS,
    JSON_SUFFIXES,
    TEXT_SUFFIXES,
    format_by_ending,
    json_formats,
)
from .tag_columns import MOST

_SAMPLE = 20
_HEAD = 4096
_KEYS_SHOWN = 12
_CONTROLS = frozenset({*range(9), *range(14, 27), *range(28, 32)})
_CONTROL_SHARE = 0.01
_MAGIC = {
    b"%PDF": "a PDF document",
    b"PK\x03\x04": "a ZIP archive, as office documents are",
    b"\x1f\x8b": "compressed by gzip",
    b"BZh": "compressed by bzip2",
    b"\xfd7zXZ": "compressed by xz",
    b"PAR1": "a Parquet file",
    b"ARROW1": "an Arrow file",
    b"\x89PNG": "an image",
    b"\xff\xd8\xff": "an image",
    b"GIF8": "an image",
    b"SQLite format": "a data base",
    b"{\\rtf": "an RTF document",
}


def detect(path: Path, encoding: str | None = None) -> str:
    """Tells the format of a file: JSON by the keys of its first records, columns by the tags in its
    first lines, and the rest by its ending.

    encoding (str): See `find_encoding`.
    RAISES CorpusFileNotFoundError: T001. CorpusError: T002 if it can't be told, T008 and T084 for
        the encoding.
    """
    check_file(path)
    suffix = path.suffix.lower()
    ending = format_by_ending(suffix)
    if ending and not FORMATS[ending].text:
        return ending
    if ending == "brat" or brat.is_annotated(path):
        return "brat"
    with path.open("rb") as file:
        what = _other_kind(file.read(_HEAD), encoding)
    if what:
        raise CorpusError(_unknown(path, f"it is {what}"))
    with open_text(path, encoding) as file:
        start = file.read(_HEAD).lstrip()
    is_json = suffix in JSON_SUFFIXES
    why = ""
    if suffix not in TEXT_SUFFIXES and not is_json:
        why = f"unknown ending '{path.suffix}'"

    if start.startswith(("[", "{")) or is_json:
        found, keys = _json_format(path, encoding)
        if found:
            return found
        if keys or is_json:
            forms = json_formats().items()
            layouts = "; ".join(f"{form.expected} ({name})" for name, form in forms)
            held = f"its first records hold {keys or 'no keys'}"
            raise CorpusError(_unknown(path, f"{held}. Expected: {layouts}"))

    if start[:5].lower() in ("<?xml", "<!doc", "<html"):
        raise CorpusError(_unknown(path, "it is XML or HTML"))
    guess = bio_reader.guess(path, encoding=encoding) if start else None
    if guess is not None and guess.layout is not None and guess.share >= MOST:
        return "bio"
    if ending:
        return ending
    if guess is not None and guess.rows:
        line, text = guess.wrong
        why += f"{', and ' if why else ''}its lines are no columns of tokens and tags. "
        why += f"Expected: {bio_reader.EXPECTED}. Found on line {line}: {show(text)}"
    raise CorpusError(_unknown(path, why or "it is empty"))


def _unknown(path: Path, why: str) -> str:
    return Errors.T002.format(path=path, why=why, formats=", ".join(FORMATS))


def _other_kind(head: bytes, encoding: str | None) -> str:
    """What a file is whose bytes are no text; '' if they may be."""
    for magic, what in _MAGIC.items():
        if head.startswith(magic):
            return what
    if encoding is not None or is_wide(head):
        return ""
    controls = sum(byte in _CONTROLS for byte in head)
    return "binary" if 0 in head or controls > _CONTROL_SHARE * len(head) else ""


def _json_format(path: Path, encoding: str | None) -> tuple[str, str]:
    """The format of the first record that has one, and for messages the keys that were found."""
    formats = json_formats()
    starts = frozenset(key for format in formats.values() for key in format.keys)
    log = Report().file(str(path))
    items = iter_json(path, log, record_keys=starts, encoding=encoding)
    keys: dict[str, None] = {}
    for item in itertools.islice(items, _SAMPLE):
        for name, format in formats.items():
            if format.fits is not None and format.fits(item.value):
                return name, ""
        keys |= dict.fromkeys(_keys(item.key, item.value))
    more = ", ..." if len(keys) > _KEYS_SHOWN else ""
    shown = ", ".join(f"'{key}'" for key in itertools.islice(keys, _KEYS_SHOWN)) + more
    return "", f"the keys {shown}" if keys else ""


def _keys(key: str, value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return list(map(str, value))
    return [key] if key else []
