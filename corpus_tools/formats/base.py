"""What a format is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..records import Record

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
    text (bool): Whether files are text. The reader of others gets no `encoding`.
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
