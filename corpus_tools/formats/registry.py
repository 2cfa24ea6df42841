"""All formats. A new one is a module with a reader, and its line here.

A format of a project of your own is added with `register_format`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import CorpusError, Errors
from ..records import Record
from . import (
    b2nerd,
    bio,
    bio_reader,
    brat,
    docbin,
    doccano,
    geic,
    huggingface,
    prodigy,
    spacy_json,
    swift,
)

Fits = Callable[[Any], bool]


@dataclass(frozen=True)
class Format:
    """A layout of corpus files.

    read (Callable): `(path, report, *, source, encoding, **options) -> Iterator[Record]`.
    expected (str): What a file of the format holds, for messages.
    endings (tuple[str, ...]): Files with one of these are taken to be of the format if
        their content is of no other.
    fits (Callable): Of JSON formats: whether a record looks like one of it. The first
        format that says yes is taken.
    keys (tuple[str, ...]): Of JSON formats: what records may begin with.
    write (Callable): `(records, path, report, **options) -> None`, atomic. None: the
        format is only read.
    suffix (str): Of written files.
    text (bool): Whether files are text.
    by_name (bool): Whether mentions are looked up by their names, so that any number may
        be missing.
    beside (Callable): Whether a file belongs to another one that is read.
    """

    read: Callable[..., Iterator[Record]]
    expected: str
    endings: tuple[str, ...] = ()
    fits: Fits | None = None
    keys: tuple[str, ...] = ()
    write: Callable[..., None] | None = None
    suffix: str = ""
    text: bool = True
    by_name: bool = False
    beside: Callable[[Path], bool] | None = None


class Writer(NamedTuple):
    """See `Format`."""

    write: Callable[..., None]
    suffix: str


FORMATS: dict[str, Format] = {
    "geic": Format(
        geic.read,
        geic.EXPECTED,
        fits=geic.fits,
        keys=geic.KEYS,
        write=geic.write,
        suffix=".json",
        by_name=True,
    ),
    "swift": Format(
        swift.read,
        swift.EXPECTED,
        fits=swift.fits,
        keys=swift.KEYS,
        write=swift.write,
        suffix=".json",
        by_name=True,
    ),
    "b2nerd": Format(
        b2nerd.read,
        b2nerd.EXPECTED,
        fits=b2nerd.fits,
        keys=b2nerd.KEYS,
        write=b2nerd.write,
        suffix=".json",
        by_name=True,
    ),
    "bio": Format(
        bio.read,
        bio_reader.EXPECTED,
        bio_reader.ENDINGS,
        write=bio.write,
        suffix=".conll",
    ),
    "docbin": Format(
        docbin.read,
        "a DocBin",
        (".spacy",),
        write=docbin.write,
        suffix=".spacy",
        text=False,
    ),
    "brat": Format(
        brat.read, brat.EXPECTED, (brat.ANNOTATION,), beside=brat.is_annotated
    ),
    "doccano": Format(
        doccano.read, doccano.EXPECTED, fits=doccano.fits, keys=doccano.KEYS
    ),
    "huggingface": Format(
        huggingface.read,
        huggingface.EXPECTED,
        fits=huggingface.fits,
        keys=huggingface.KEYS,
        beside=huggingface.is_info,
    ),
    "prodigy": Format(
        prodigy.read, prodigy.EXPECTED, fits=prodigy.fits, keys=prodigy.KEYS
    ),
    "spacy": Format(
        spacy_json.read, spacy_json.EXPECTED, fits=spacy_json.fits, keys=spacy_json.KEYS
    ),
}
JSON_SUFFIXES = (".json", ".jsonl", ".ndjson")
TEXT_SUFFIXES = (".txt", ".csv")  # which say nothing of the format


def register_format(name: str, format: Format) -> None:
    """Adds a format, for reading and detection in this process."""
    FORMATS[name] = format


def json_formats() -> dict[str, Format]:
    """The formats whose files are JSON, by name."""
    return {name: form for name, form in FORMATS.items() if form.fits is not None}


def written_formats() -> list[str]:
    """Names of the formats that files can be written in."""
    return [name for name, form in FORMATS.items() if form.write is not None]


def format_by_ending(ending: str) -> str:
    """The format whose files have an ending, '' if none has."""
    for name, form in FORMATS.items():
        if ending in form.endings:
            return name
    return ""


def known_endings() -> list[str]:
    """Endings of files that may be of some format."""
    own = [ending for form in FORMATS.values() for ending in form.endings]
    return [*JSON_SUFFIXES, *dict.fromkeys(own), *TEXT_SUFFIXES]


def is_beside(path: Path) -> bool:
    """Whether a file belongs to another one that is read: a text with its annotation in
    an `.ann` file, for example.
    """
    tests = [form.beside for form in FORMATS.values() if form.beside is not None]
    return any(test(path) for test in tests)


def get_format(name: str) -> Format:
    """RAISES CorpusError: T003."""
    if name not in FORMATS:
        choices = ", ".join(FORMATS)
        message = Errors.T003.format(option="format", value=name, choices=choices)
        raise CorpusError(message)
    return FORMATS[name]


def get_writer(name: str) -> Writer:
    """RAISES CorpusError: T003, also for a format that is only read."""
    format = FORMATS.get(name)
    if format is None or format.write is None:
        choices = ", ".join(written_formats())
        option = "format to write"
        raise CorpusError(
            Errors.T003.format(option=option, value=name, choices=choices)
        )
    return Writer(format.write, format.suffix)
