"""All formats. A new one is a module with a reader, and its line here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
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
    """read: `(path, report, *, source, encoding, **options) -> Iterator[Record]`.
    expected: What a file of the format holds, for messages.
    endings: Files with one of these are taken to be of the format if their content is of no other.
    fits: Of JSON formats: whether a record looks like one of it. The first format that says yes is
        taken.
    keys: Of JSON formats: that records may begin with.
    write: `(records, path, report, **options) -> None`, atomic. None: the format is only read.
        suffix: of written files.
    text: Whether files are text. by_name: Whether mentions are looked up by their names, so that
        any number may be missing.
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


class Writer(NamedTuple):
    """See `Format`."""

    write: Callable[..., None]
    suffix: str


FORMATS: dict[str, Format] = {
    "geic": Format(
        geic.read,
        geic.EXPECTED,
        (),
        geic.fits,
        geic.KEYS,
        geic.write,
        ".json",
        by_name=True,
    ),
    "swift": Format(
        swift.read,
        swift.EXPECTED,
        (),
        swift.fits,
        swift.KEYS,
        swift.write,
        ".json",
        by_name=True,
    ),
    "b2nerd": Format(
        b2nerd.read,
        b2nerd.EXPECTED,
        (),
        b2nerd.fits,
        b2nerd.KEYS,
        b2nerd.write,
        ".json",
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
    "brat": Format(brat.read, brat.EXPECTED, (brat.ANNOTATION,)),
    "doccano": Format(doccano.read, doccano.EXPECTED, (), doccano.fits, doccano.KEYS),
    "huggingface": Format(
        huggingface.read, huggingface.EXPECTED, (), huggingface.fits, huggingface.KEYS
    ),
    "prodigy": Format(prodigy.read, prodigy.EXPECTED, (), prodigy.fits, prodigy.KEYS),
    "spacy": Format(
        spacy_json.read, spacy_json.EXPECTED, (), spacy_json.fits, spacy_json.KEYS
    ),
}
JSON_FORMATS = {
    name: format for name, format in FORMATS.items() if format.fits is not None
}
JSON_SUFFIXES = (".json", ".jsonl", ".ndjson")
TEXT_SUFFIXES = (".txt", ".csv")  # which say nothing of the format
SUFFIXES = {
    ending: name for name, format in FORMATS.items() for ending in format.endings
}
WRITTEN = tuple(name for name, format in FORMATS.items() if format.write is not None)


def get_format(name: str) -> Format:
    """RAISES CorpusError: T003."""
    if name not in FORMATS:
        raise CorpusError(
            Errors.T003.format(option="format", value=name, choices=", ".join(FORMATS))
        )
    return FORMATS[name]


def get_writer(name: str) -> Writer:
    """RAISES CorpusError: T003, also for a format that is only read."""
    format = FORMATS.get(name)
    if format is None or format.write is None:
        raise CorpusError(
            Errors.T003.format(
                option="format to write", value=name, choices=", ".join(WRITTEN)
            )
        )
    return Writer(format.write, format.suffix)
