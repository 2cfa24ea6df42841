"""DocBins, spaCy's files of annotated Docs. What a Doc holds: see `docs.py`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from spacy.tokens import DocBin
from spacy.vocab import Vocab
from srsly import msgpack_decoders, msgpack_encoders

from spacy_cascade.taxonomy import Taxonomy

from ..errors import CorpusError, Errors
from ..files import atomic_path, check_file
from ..records import Record, Report
from .common import count_record
from .docs import DocMaker, blank_pipeline, to_record


def load(path: Path) -> DocBin:
    """Reads a DocBin file.

    RAISES CorpusFileNotFoundError: T001. CorpusError: T004 if it is no DocBin.
    """
    check_file(path)
    try:
        return DocBin(store_user_data=True).from_bytes(path.read_bytes())
    except Exception as err:  # zlib, msgpack and numpy each have errors of their own for damaged data
        raise CorpusError(Errors.T004.format(path=path, why=f"{type(err).__name__}: {err}"[:200])) from err


def read(path: Path, report: Report, *, source: str = "") -> Iterator[Record]:
    """Reads the records of a DocBin.

    RAISES CorpusFileNotFoundError: T001. CorpusError: T004 if it is no DocBin.
    """
    log = report.file(source or str(path))
    for i, doc in enumerate(load(path).get_docs(Vocab())):
        yield count_record(to_record(doc), log, i)


@contextmanager
def _without_entry_point_scans() -> Iterator[None]:
    """srsly scans all installed packages for msgpack codecs at every single call, several times per Doc; without that,
    DocBins are written nearly twice as fast. Nothing changes where a package does bring codecs."""
    scanned = [r for r in (msgpack_encoders, msgpack_decoders) if r.entry_points and not r.get_entry_points()]
    for registry in scanned:
        registry.entry_points = False
    try:
        yield
    finally:
        for registry in scanned:
            registry.entry_points = True


def write(
    records: Iterable[Record],
    path: Path,
    report: Report | None = None,
    *,
    lang: str = "xx",
    taxonomy: Taxonomy | None = None,
    alignment: str = "expand",
    max_docs: int | None = None,
) -> None:
    """Writes a DocBin with user data, atomically.

    max_docs (int): At most so many Docs per file: `train.spacy` becomes `train-00001.spacy`, `train-00002.spacy` ...
    RAISES CorpusError: T003 for an unknown language or alignment, T008 for max_docs below 1.
    """
    if max_docs is not None and max_docs < 1:
        raise CorpusError(Errors.T008.format(option="max_docs", rule="at least 1", value=max_docs))
    make = DocMaker(blank_pipeline(lang), taxonomy=taxonomy, alignment=alignment)
    docs = (make(record, report) for record in records)
    if max_docs is None:
        with _without_entry_point_scans(), atomic_path(path) as temp:
            DocBin(docs=docs, store_user_data=True).to_disk(temp)
        return
    with _without_entry_point_scans(), ExitStack() as stack:
        parts = 0
        pending = DocBin(store_user_data=True)

        def flush() -> None:
            part = path.with_name(f"{path.stem}-{parts:05}{path.suffix}")
            pending.to_disk(stack.enter_context(atomic_path(part)))

        for doc in docs:
            if len(pending) == max_docs:
                parts += 1
                flush()
                pending = DocBin(store_user_data=True)
            pending.add(doc)
        parts += 1
        flush()
    _remove_old_parts(path, parts)


def _remove_old_parts(path: Path, parts: int) -> None:
    """Parts of an earlier, longer run would be taken for parts of this one."""
    for old in path.parent.glob(f"{path.stem}-*{path.suffix}"):
        match = re.fullmatch(rf"{re.escape(path.stem)}-(\d{{5}}){re.escape(path.suffix)}", old.name)
        if match and int(match[1]) > parts:
            old.unlink()


def merge(paths: Iterable[Path], target: Path) -> int:
    """Concatenates DocBins. Returns the number of Docs.

    RAISES CorpusFileNotFoundError: T001. CorpusError: T004 if one is no DocBin.
    """
    merged = DocBin(store_user_data=True)
    vocab = Vocab()
    for path in paths:
        one = load(path)
        if one.attrs == merged.attrs and len(one.user_data) == len(one):
            merged.merge(one)
            continue
        for doc in one.get_docs(vocab):
            merged.add(doc)
    with atomic_path(target) as temp:
        merged.to_disk(temp)
    return len(merged)
