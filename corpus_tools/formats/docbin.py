"""DocBins, spaCy's files of annotated Docs. What a Doc holds: see `docs.py`."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

from spacy.attrs import SPACY
from spacy.tokens import Doc, DocBin
from spacy.vocab import Vocab
from srsly import msgpack_dumps

from spacy_cascade.doc.codecs import Codecs
from spacy_cascade.doc.missing import name_groups, other_groups, take_spans
from spacy_cascade.taxonomy import Taxonomy

from ..errors import CorpusError, CorpusFileNotFoundError, Errors
from ..files import atomic_path, check_file, read_json
from ..issues import REJECTED, REPAIRED, FileLog, Report
from ..records import Record
from .base import Format
from .common import count_record
from .docs import GOLD, DocMaker, blank_pipeline, in_zones, to_record

SUFFIX = ".spacy"
# Of a token, nothing but its text and its entity is annotated.
ATTRS = ("ENT_IOB", "ENT_TYPE")


class _Bin(DocBin):
    """A DocBin for what `DocMaker` makes. spaCy's own `add` looks up nine strings for
    each token, whatever the attributes.
    """

    def __init__(self) -> None:
        super().__init__(attrs=ATTRS, store_user_data=True)

    def add(self, doc: Doc) -> None:
        attrs: list[int | str] = [*self.attrs]
        self.tokens.append(doc.to_array(attrs))
        self.spaces.append(doc.to_array(SPACY).astype(bool).reshape(-1, 1))
        self.flags.append({"has_unknown_spaces": doc.has_unknown_spaces})
        self.cats.append(doc.cats)
        self.user_data.append(msgpack_dumps(doc.user_data))
        self.span_groups.append(doc.spans.to_bytes())
        self.strings.update(token.text for token in doc)
        self.strings.update(span.label_ for span in doc.spans.get(GOLD) or ())


def load(path: Path) -> DocBin:
    """Reads a DocBin file.

    RAISES CorpusFileNotFoundError: T001. CorpusError: T004 if it is no DocBin.
    """
    check_file(path)
    try:
        return DocBin(store_user_data=True).from_bytes(path.read_bytes())
    except (
        Exception
    ) as err:  # zlib, msgpack and numpy each have errors of their own for damaged data
        raise CorpusError(
            Errors.T004.format(path=path, why=f"{type(err).__name__}: {err}"[:200])
        ) from err


def read(
    path: Path, report: Report, *, source: str = "", spans_key: str = ""
) -> Iterator[Record]:
    """Reads the records of a DocBin. Other span groups than are read are counted in
    `report.unread_spans`.

    spans_key (str): Read the mentions of `doc.spans[spans_key]`, such as spancat's "sc", instead
    of gold spans or entities.
    RAISES CorpusFileNotFoundError: T001. CorpusError: T004 if it is no DocBin, T008 if no Doc has
    that group.
    """
    log = report.file(source or str(path))
    seen = not spans_key
    groups: Counter[str] = Counter()
    with Codecs():
        for i, doc in enumerate(load(path).get_docs(Vocab())):
            unread = other_groups([doc], read=spans_key)
            groups += unread
            report.unread_spans.update(
                {(log.name, key): n for key, n in unread.items()}
            )
            if spans_key:
                seen = seen or spans_key in doc.spans
                take_spans(doc, spans_key)
            _report_edges(doc, log, i)
            yield count_record(to_record(doc), log, i)
    if not seen:
        rule = f"the name of a span group of '{path}' ({name_groups(groups) or 'it has none'})"
        raise CorpusError(
            Errors.T008.format(option="--spans-key", rule=rule, value=spans_key)
        )


def _report_edges(doc: Doc, log: FileLog, index: int) -> None:
    """Counts mentions with white space at their edges; `to_record` leaves it out."""
    if "cascade_record" in doc.user_data:
        return  # the source had them so
    for span in doc.spans.get(GOLD) or doc.ents:
        name = span.text
        if not name.strip():
            log.add(index, REJECTED, "the mention is nothing but white space", name)
        elif name != name.strip():
            log.add(
                index,
                REPAIRED,
                "white space at the edges of the mention was left out",
                name,
            )


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

    A DocBin is in memory until it is whole: with `max_docs`, memory does not grow with
    the number of records.

    max_docs (int): At most so many Docs per file: `train.spacy` becomes
        `train-00001.spacy`, `train-00002.spacy` ... Either form replaces the other.
    RAISES CorpusError: T003 for an unknown language or alignment, T008 for max_docs below 1.
    """
    if max_docs is not None and max_docs < 1:
        raise CorpusError(
            Errors.T008.format(option="max_docs", rule="at least 1", value=max_docs)
        )
    make = DocMaker(blank_pipeline(lang), taxonomy=taxonomy, alignment=alignment)
    parts = 0
    with (
        Codecs(),
        closing(_bins(records, make, report, max_docs)) as bins,
        ExitStack() as stack,
    ):
        for parts, docs in enumerate(bins, 1):
            target = (
                path
                if max_docs is None
                else path.with_name(f"{path.stem}-{parts:05}{path.suffix}")
            )
            docs.to_disk(stack.enter_context(atomic_path(target)))
    if max_docs is not None:
        path.unlink(missing_ok=True)
    _remove_old_parts(path, parts if max_docs is not None else 0)


def _bins(
    records: Iterable[Record],
    make: DocMaker,
    report: Report | None,
    max_docs: int | None,
) -> Generator[DocBin, None, None]:
    docs = _Bin()
    with closing(in_zones(make.nlp, records)) as zoned:
        for record in zoned:
            if len(docs) == max_docs:
                yield docs
                docs = _Bin()
            docs.add(make(record, report))
    yield docs


def _remove_old_parts(path: Path, parts: int) -> None:
    """What an earlier run wrote would be taken for parts of this one."""
    for old in path.parent.glob(f"{path.stem}-*{path.suffix}"):
        match = re.fullmatch(
            rf"{re.escape(path.stem)}-(\d{{5}}){re.escape(path.suffix)}", old.name
        )
        if match and int(match[1]) > parts:
            old.unlink()


def data_sets(inputs: Sequence[Path], sources: Path) -> list[Path]:
    """Files as they are, and of directories those of the data sets that a JSON object
    names, such as 'en/wnut17'.

    RAISES CorpusFileNotFoundError: T001 for a missing file or a data set that no
        directory has. CorpusError: T005.
    """
    check_file(sources)
    names = list(read_json(sources, "a JSON object of data sets"))
    found = [p for p in inputs if not p.is_dir()]
    for name in names:
        here = [p / name for p in inputs if p.is_dir() and (p / name).is_dir()]
        if not here:
            raise CorpusFileNotFoundError(
                Errors.T001.format(
                    path=" or ".join(str(p / name) for p in inputs), cwd=Path.cwd()
                )
            )
        found += here
    return found


def merge(paths: Iterable[Path], target: Path) -> int:
    """Concatenates DocBins. Returns the number of Docs.

    RAISES CorpusFileNotFoundError: T001. CorpusError: T004 if one is no DocBin.
    """
    return _write_merged([load(path) for path in paths], target)


def merge_balanced(
    groups: Iterable[Sequence[Path]], target: Path, power: float, seed: int = 0
) -> int:
    """Concatenates DocBins, about as many Docs as there are, so that each group's share
    grows with its size to this power only: Docs of small groups are repeated, and some
    of large ones left out, drawn by the seed. Returns the number of Docs.

    power (float): 1 leaves everything as it is; at 0 all groups have the same share.
    RAISES CorpusFileNotFoundError: T001. CorpusError: T004 if a file is no DocBin.
    """
    bins = [[load(path) for path in paths] for paths in groups]
    sizes = [sum(map(len, group)) for group in bins]
    whole = sum(n**power for n in sizes if n)
    rng = random.Random(seed)
    drawn = []
    for group, size in zip(bins, sizes, strict=True):
        times, rest = divmod(
            round(sum(sizes) * size**power / whole) if size else 0, max(size, 1)
        )
        more = set(rng.sample(range(size), rest))
        first = 0
        for docs in group:
            drawn.append(
                _taken(
                    docs,
                    [
                        i
                        for i in range(len(docs))
                        for _ in range(times + (first + i in more))
                    ],
                )
            )
            first += len(docs)
    return _write_merged(drawn, target)


def _taken(docs: DocBin, indices: Sequence[int]) -> DocBin:
    """These Docs of a DocBin, as they are stored."""
    out = DocBin(store_user_data=docs.store_user_data)
    out.attrs, out.strings = list(docs.attrs), docs.strings
    for name in ("tokens", "spaces", "cats", "flags", "span_groups", "user_data"):
        stored = getattr(docs, name)
        getattr(out, name).extend(stored[i] for i in indices if stored)
    return out


def _write_merged(bins: Sequence[DocBin], target: Path) -> int:
    merged = DocBin(store_user_data=True)
    if all(one.attrs == bins[0].attrs for one in bins):
        merged.attrs = list(bins[0].attrs)
    vocab = Vocab()
    for one in bins:
        if one.attrs == merged.attrs:
            merged.merge(one)
            continue
        for doc in one.get_docs(vocab):
            merged.add(doc)
    with atomic_path(target) as temp:
        merged.to_disk(temp)
    return len(merged)


FORMAT = Format(read, "a DocBin", (SUFFIX,), write=write, suffix=SUFFIX, text=False)
