"""All formats. A new one is a module with a reader and a `FORMAT`, and its line here.

A format of a project of your own is added with `register_format`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ..errors import CorpusError, Errors
from . import (
    b2nerd,
    bio,
    brat,
    docbin,
    doccano,
    geic,
    huggingface,
    prodigy,
    spacy_json,
    swift,
)
from .base import Format as Format


class Writer(NamedTuple):
    """See `Format`."""

    write: Callable[..., None]
    suffix: str


FORMATS: dict[str, Format] = {
    "geic": geic.FORMAT,
    "swift": swift.FORMAT,
    "b2nerd": b2nerd.FORMAT,
    "bio": bio.FORMAT,
    "docbin": docbin.FORMAT,
    "brat": brat.FORMAT,
    "doccano": doccano.FORMAT,
    "huggingface": huggingface.FORMAT,
    "prodigy": prodigy.FORMAT,
    "spacy": spacy_json.FORMAT,
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
