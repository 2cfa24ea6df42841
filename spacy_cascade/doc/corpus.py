"""Corpus reader for gold DocBins."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from spacy.language import Language
from spacy.tokens import Doc, Span, SpanGroup
from spacy.training import Corpus, Example
from spacy.util import registry

from ..errors import CascadeError, CascadeFileNotFoundError, Errors, Warnings
from .codecs import Codecs
from .missing import is_annotated, name_groups, other_groups, take_spans

logger = logging.getLogger("spacy_cascade")
_Known = dict[tuple[Path, int, bool, str, int], list[Example]]
# of this thread: two may initialize a pipeline each
_known: ContextVar[_Known | None] = ContextVar("_known", default=None)


class GoldSpans:
    """Where the gold mentions of a file's Docs stand, and which spans are left aside.

    path (Path): The file, for messages. key (str): The group that is gold; "": gold spans or
    entities.
    remedy (str): How the user names that group.
    """

    def __init__(self, path: Path | str, key: str, remedy: str):
        self.path = path
        self.key = key
        self.remedy = remedy
        self.others: Counter[str] = Counter()
        self._docs = self._found = 0

    def read(self, doc: Doc) -> Doc:
        """The Doc, with the group as its gold annotation."""
        self._docs += 1
        self._found += self.key in doc.spans
        self.others += other_groups([doc], read=self.key)
        if self.key:
            take_spans(doc, self.key)
        return doc

    def report(self) -> None:
        """Warn of groups that are not read. RAISES CascadeError: C031 if no Doc has the group that
        is gold."""
        if self.key and self._docs and not self._found:
            why = (
                f"no document has doc.spans['{self.key}']; groups that are there:"
                f" {name_groups(self.others) or 'none'}"
            )
            raise CascadeError(
                Errors.C031.format(path=self.path, name="gold spans", why=why)
            )
        if self.others:
            text = Warnings.W017.format(
                path=self.path,
                groups=name_groups(self.others),
                remedy=f"{self.remedy}.",
            )
            logger.warning(text)


@contextmanager
def read_once() -> Iterator[None]:
    """Inside this context a corpus without augmenter is read from disk once for each
    pipeline, and then kept in memory: spaCy's initialization reads it again for every
    component.
    """
    token = _known.set({})
    try:
        yield
    finally:
        _known.reset(token)


@registry.readers("spacy-cascade.Corpus.v1")
def create_corpus(
    path: Path | None,
    limit: int = 0,
    augmenter: Callable[[Language, Example], Iterable[Example]] | None = None,
    paths: bool = False,
    spans_key: str = "",
) -> Callable[[Language], Iterable[Example]]:
    """Like `spacy.Corpus.v1`, with checks: a wrong file is an error that says so.

    path (Path): A .spacy file or a directory of them. limit (int): Most documents; 0: all.
    paths (bool): Label `doc.ents` and `doc.spans["gold"]` with whole paths ('location >
        city'), for components such as `ner` that know labels only: so their results can
        be scored at every level.
    spans_key (str): Take the mentions of `doc.spans[spans_key]`, such as spancat's "sc", as gold;
    "": gold spans or entities.
    RAISES CascadeError: C031 when read, if the path is missing or no DocBin with gold mentions.
    """
    if path is None:
        raise CascadeError(
            Errors.C031.format(
                path="None",
                name="the corpus",
                why="no path is given ([paths] in the config)",
            )
        )

    def read(nlp: Language) -> Iterable[Example]:
        known = _known.get()
        if known is None or augmenter is not None:
            yield from from_disk(nlp)
            return
        key = (Path(path), limit, paths, spans_key, id(nlp))
        if key not in known:
            known[key] = list(from_disk(nlp))
        yield from known[key]

    def from_disk(nlp: Language) -> Iterable[Example]:
        if not Path(path).exists():
            raise CascadeFileNotFoundError(
                Errors.C031.format(
                    path=path, name="the corpus", why="there is no such file"
                )
            )
        annotated = seen = 0
        gold = GoldSpans(
            path, spans_key, 'Name the gold ones with spans_key = "..." in [corpora]'
        )

        def augmented(nlp: Language, example: Example) -> Iterable[Example]:
            gold.read(example.reference)
            return (augmenter or _plain)(nlp, example)

        try:
            with Codecs():
                for example in Corpus(path, limit=limit, augmenter=augmented)(nlp):
                    seen += 1
                    annotated += bool(
                        example.reference.ents or example.reference.spans.get("gold")
                    )
                    if paths:
                        _label_with_paths(example.reference)
                    yield example
        except (ValueError, KeyError, OSError, EOFError) as err:
            if isinstance(err, CascadeError) or seen:
                raise
            raise CascadeError(
                Errors.C031.format(
                    path=path, name="the corpus", why=f"it can't be read ({err})"
                )
            ) from err
        if not annotated:
            why = f"none of its {seen} documents has an entity"
            if gold.others:
                why += f"; spans stand in {name_groups(gold.others)}, which spans_key takes"
            raise CascadeError(
                Errors.C031.format(path=path, name="the corpus", why=why)
            )
        gold.report()

    return read


def _label_with_paths(doc: Doc) -> None:
    if not is_annotated(doc):
        return
    spans = [
        Span(doc, s.start, s.end, label=p) for s, p in zip(*_gold(doc), strict=True)
    ]
    known = {(s.start, s.end): s for s in spans}
    doc.set_ents(
        [known.get((e.start, e.end), e) for e in doc.ents], default="unmodified"
    )
    doc.spans["gold"] = SpanGroup(
        doc, name="gold", attrs={"paths": [s.label_ for s in spans]}, spans=spans
    )


def _gold(doc: Doc) -> tuple[list[Span], list[str]]:
    group = doc.spans.get("gold")
    spans = list(doc.ents if group is None else group)
    return spans, (group.attrs.get("paths") if group is not None else None) or [
        s.label_ for s in spans
    ]


def _plain(nlp: Language, example: Example) -> Iterable[Example]:
    yield example
